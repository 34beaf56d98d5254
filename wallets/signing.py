"""Take signing requests through their steps: one, or many that must not make others wait."""

from collections.abc import Callable
from datetime import datetime
from typing import Generic

from wallets.chains import chain_for, resolve, usual_variant
from wallets.chains.base import Chain, Signable, UnsignedMessage
from wallets.encoding import legible, unhex_message
from wallets.errors import MalformedMessageError, UnsupportedMessageError, UntimelyTransactionError
from wallets.keyring import Keys
from wallets.model import (
    MAX_LABEL_LENGTH,
    Account,
    AuditAction,
    Caller,
    HexMessage,
    Intent,
    MessageRequest,
    SignedMessage,
    SignedT,
    SignedTransaction,
    SigningRequest,
    SigningResult,
    TextMessage,
    TransactionResult,
    TypedMessage,
    Wallet,
)
from wallets.nonces import nonce_use
from wallets.once import NonceUse
from wallets.policy import Policy

OpenWallet = tuple[Wallet, Keys]
"""A wallet that is held unlocked, and what lends its keys."""


class Draft(Generic[SignedT]):
    """One signing request on its way: what is known of it so far, and `details` for its audit row. `read` decodes what is to be signed."""

    __slots__ = ("_read", "account", "action", "caller", "chain", "details", "replaces", "subject")

    _read: Callable[[Chain, str], Signable[SignedT]]
    subject: Signable[SignedT]

    def __init__(
        self,
        action: AuditAction,
        account: Account,
        caller: Caller,
        read: Callable[[Chain, str], Signable[SignedT]],
        *,
        replaces: bool = False,
    ) -> None:
        self.replaces = replaces
        self.action = action
        self.account = account
        self.caller = caller
        self.details = account_details(account)
        self._read = read

    def decode(self, now: datetime) -> None:
        """Find the chain, and read what is to be signed, which must be of this time."""
        self.chain, self.account = resolve(self.account)
        self.subject = self._read(self.chain, self.account.variant)
        self.details["intent"] = self.subject.intent.as_details()
        check_time(self.subject.intent, now)

    def nonce(self, address: str) -> NonceUse | None:
        """Return which nonce is used up by what `address` has signed."""
        return nonce_use(self.subject, self.account.network, address, is_replacement=self.replaces)

    def sign(self, opened: OpenWallet, policy: Policy) -> SigningResult[SignedT]:
        """Check what was decoded against the key's account and the policy, and sign it."""
        wallet, keys = opened

        def own(index: int, variant: str) -> str:
            with keys(self.chain, index, variant) as other:
                return self.chain.address(other.public_key, wallet.scheme, variant)

        with keys(self.chain, self.account.index, self.account.variant) as key:
            address = self.chain.address(key.public_key, wallet.scheme, self.account.variant)
            intent = self.subject.intent_for(address, own)
            self.details.update(address=address, intent=intent.as_details())
            policy.check(self.subject, address)
            signed = self.subject.sign(key)
        self.details.update(signed.as_details())
        return SigningResult(self.account, address, signed, intent)


def transaction_draft(request: SigningRequest) -> Draft[SignedTransaction]:
    """Begin to sign a transaction."""

    def read(chain: Chain, variant: str) -> Signable[SignedTransaction]:
        return chain.decode(chain.unwrap(request.unsigned_tx), variant)

    return Draft(AuditAction.TRANSACTION_SIGN, request.account, request.caller, read, replaces=request.replaces)


def inspect(network: str, unsigned_tx: str, variant: str = "") -> Intent:
    """Return what a transaction does, whoever signs it; no wallet and no key is touched.

    Raises:
        InvalidRequestError: The network or its variant is unknown, or the transaction is malformed.
    """
    chain = chain_for(network)
    return chain.decode(chain.unwrap(unsigned_tx), usual_variant(chain, variant)).intent


def message_draft(request: MessageRequest) -> Draft[SignedMessage]:
    """Begin to sign a message."""
    is_typed = isinstance(request.message, TypedMessage)
    action = AuditAction.TYPED_DATA_SIGN if is_typed else AuditAction.MESSAGE_SIGN
    return Draft(action, request.account, request.caller, lambda chain, variant: read_message(chain, request.message, variant))


def read_message(chain: Chain, message: TextMessage | HexMessage | TypedMessage, variant: str = "") -> UnsignedMessage:
    """Read a message in whichever form it was given, for an account of this variant.

    Raises:
        MalformedMessageError: See `Chain.read_message`; or it is empty, no hex, or holds half of a surrogate pair.
        UnsupportedMessageError: See `Chain.read_message`; or the network has no such format.
    """
    if isinstance(message, TypedMessage):
        return chain.read_typed_data(message.value)
    if message.format and message.format not in chain.message_formats:
        msg = f"{chain.network} signs messages as {', '.join(chain.message_formats) or 'it does, without a choice of format'}"
        raise UnsupportedMessageError(msg)
    if isinstance(message, HexMessage):
        return chain.read_message(unhex_message(message.digits), variant, message.format)
    try:
        data = message.text.encode()
    except UnicodeEncodeError:
        data = b""
    if not data:
        msg = "the message is empty, or no text"
        raise MalformedMessageError(msg)
    return chain.read_message(data, variant, message.format)


def check_time(intent: Intent, now: datetime) -> None:
    """Refuse what no node would take now: somebody could send it when nobody expects it any more.

    Raises:
        UntimelyTransactionError: It has expired, or is dated in the future.
    """
    seconds = now.timestamp()
    if intent.expires_at is not None and intent.expires_at <= seconds:
        msg = f"the transaction expired at {intent.expires_at} (seconds since 1970), {int(seconds) - intent.expires_at} seconds ago"
        raise UntimelyTransactionError(msg)
    if intent.valid_from is not None and seconds < intent.valid_from:
        msg = f"the transaction is dated in the future: nodes take it from {intent.valid_from} on (seconds since 1970)"
        raise UntimelyTransactionError(msg)


class Item:
    """One request of a batch: its draft, and how it ended."""

    __slots__ = ("draft", "error", "result")

    def __init__(self, draft: Draft[SignedTransaction]) -> None:
        self.draft = draft
        self.error: Exception | None = None
        self.result: TransactionResult | None = None

    @property
    def outcome(self) -> TransactionResult | Exception:
        """The result or the error."""
        outcome = self.result or self.error
        assert outcome is not None
        return outcome

    def decode(self, now: datetime) -> None:
        """Read the transaction, unless that cannot be."""
        self._settle(lambda: self.draft.decode(now))

    def sign(self, opened: OpenWallet | Exception, policy: Policy) -> None:
        """Sign, unless the wallet could not be unlocked or something else is wrong."""
        if isinstance(opened, Exception):
            self.error = opened
        else:
            self._settle(lambda: self.draft.sign(opened, policy))

    def refuse(self, error: Exception) -> None:
        """Take back what was signed."""
        self.result, self.error = None, error

    def _settle(self, step: Callable[[], TransactionResult | None]) -> None:
        """Keep what a step returns or raises: whatever is wrong with one transaction, the others of its batch are signed."""
        try:
            self.result = step()
        except Exception as error:  # noqa: BLE001  # kept as the outcome, which is answered and audited
            self.error = error


def account_details(account: Account) -> dict[str, object]:
    """Return an account's place as an audit row shows it, whatever the network is called."""
    details: dict[str, object] = {"network": brief(account.network), "index": account.index}
    return details | {"variant": brief(account.variant)} if account.variant else details


def brief(text: str) -> str:
    """Return a text of a request that may yet be refused so that it can be audited: no text a client sends may stop its audit row."""
    return legible(text[: MAX_LABEL_LENGTH + 1])
