"""Take signing requests through their steps: one, or many that must not make others wait."""

import asyncio
import time

from wallets.chains import resolve
from wallets.encoding import legible
from wallets.keyring import Keys
from wallets.model import MAX_LABEL_LENGTH, Account, SigningRequest, SigningResult, Wallet
from wallets.policy import Policy
from wallets.secret import PrivateKey

PACE_SECONDS = 0.002
"""How long a batch computes before others may."""


class Draft:
    """One signing request on its way: what is known of it so far, and `details` for its audit row."""

    __slots__ = ("account", "chain", "details", "request", "transaction")

    def __init__(self, request: SigningRequest) -> None:
        self.request = request
        self.account = request.account
        self.details = account_details(request.account)

    def decode(self) -> None:
        """Find the chain, and read the transaction."""
        self.chain, self.account = resolve(self.account)
        self.transaction = self.chain.decode(self.chain.unwrap(self.request.unsigned_tx), self.account.variant)
        self.details["intent"] = self.transaction.intent.as_details()

    def sign(self, wallet: Wallet, key: PrivateKey, policy: Policy) -> SigningResult:
        """Check what was decoded against the key's account and the policy, and sign it."""
        address = self.chain.address(key.public_key, wallet.scheme, self.account.variant)
        intent = self.transaction.intent_for(address)
        self.details.update(address=address, intent=intent.as_details())
        policy.check(self.transaction, address)
        signed = self.transaction.sign(key)
        self.details["tx_id"] = signed.tx_id
        return SigningResult(self.account, address, signed, intent)


OpenWallet = tuple[Wallet, Keys]
"""A wallet that is held unlocked, and what lends its keys."""


class Item:
    """One request of a batch: its draft, and how it ended."""

    __slots__ = ("draft", "error", "result")

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.error: Exception | None = None
        self.result: SigningResult | None = None

    @property
    def outcome(self) -> SigningResult | Exception:
        """The result or the error."""
        outcome = self.result or self.error
        assert outcome is not None
        return outcome

    def decode(self) -> None:
        """Read the transaction, unless that cannot be."""
        try:
            self.draft.decode()
        except Exception as error:  # noqa: BLE001  # not swallowed: this item's outcome, answered and audited; a bug in it may not end others'
            self.error = error

    def sign(self, opened: OpenWallet | Exception, policy: Policy) -> None:
        """Sign, unless the wallet could not be unlocked or something else is wrong."""
        if isinstance(opened, Exception):
            self.error = opened
            return
        wallet, keys = opened
        try:
            with keys(self.draft.chain, self.draft.account.index, self.draft.account.variant) as key:
                self.result = self.draft.sign(wallet, key, policy)
        except Exception as error:  # noqa: BLE001  # not swallowed: this item's outcome, answered and audited; a bug in it may not end others'
            self.error = error


class Pace:
    """Let others run every few milliseconds of a long computation: a batch must not make single requests wait for all of it."""

    __slots__ = ("_pause_at",)

    def __init__(self) -> None:
        self._pause_at = time.perf_counter() + PACE_SECONDS

    async def keep(self) -> None:
        """Let others run if it is time. Call it after each step."""
        if time.perf_counter() > self._pause_at:
            await asyncio.sleep(0)
            self._pause_at = time.perf_counter() + PACE_SECONDS


def account_details(account: Account) -> dict[str, object]:
    """Return an account's place as an audit row shows it, whatever the network is called."""
    details: dict[str, object] = {"network": brief(account.network), "index": account.index}
    return details | {"variant": brief(account.variant)} if account.variant else details


def brief(text: str) -> str:
    """Return a text of a request that may yet be refused so that it can be audited: no text a client sends may stop its audit row."""
    return legible(text[: MAX_LABEL_LENGTH + 1])
