"""The service's use cases: create, import, find, derive, sign."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID

from wallets import mnemonic as bip39
from wallets.chains import CHAINS, chain_for
from wallets.chains.base import Chain
from wallets.derivation import DerivationScheme
from wallets.encoding import legible, unhex
from wallets.errors import (
    AddressNotFoundError,
    ConflictError,
    InvalidRequestError,
    LockNotSharedError,
    NotFoundError,
    StoreUnavailableError,
    WalletError,
)
from wallets.keyring import Keyring, associated_data
from wallets.model import (
    MAX_LABEL_LENGTH,
    Account,
    Address,
    AuditAction,
    AuditEvent,
    AuditStatus,
    Caller,
    ComponentHealth,
    HealthStatus,
    KeyringLock,
    Page,
    SigningRequest,
    SigningResult,
    Wallet,
)
from wallets.policy import Policy
from wallets.ports import AddressBook, AddressCache, AuditLog, Component, KeyEncryption, LockSignal, WalletStore
from wallets.secret import Mnemonic, Phrase

HEALTH_CHECK_SECONDS = 2.0
"""What a component has to say how it is."""


class Custody(Protocol):
    """The whole service, as an interface. Every method may raise any `UnavailableError`."""

    async def create_wallet(self, label: str, word_count: int, caller: Caller) -> Wallet:
        """Make a wallet with a fresh mnemonic of 12 or 24 words.

        Raises:
            InvalidRequestError: The label or the number of words cannot be.
        """
        ...

    async def import_wallet(self, label: str, phrase: Phrase, scheme: DerivationScheme, caller: Caller) -> Wallet:
        """Make a wallet of a phrase that exists. The phrase is closed when this returns or raises.

        Raises:
            InvalidRequestError: The label cannot be, or the phrase is no mnemonic.
        """
        ...

    async def wallet(self, wallet_id: UUID) -> Wallet:
        """Return one wallet.

        Raises:
            WalletNotFoundError: There is none.
        """
        ...

    async def list_wallets(self, number: int, size: int) -> Page:
        """Return page `number` (from 1) of `size` wallets, newest first."""
        ...

    async def address(self, account: Account, caller: Caller) -> Address:
        """Return the account's address, deriving and remembering it the first time.

        Raises:
            UnsupportedNetworkError: The network is unknown.
            WalletNotFoundError: There is no such wallet.
        """
        ...

    async def accounts(self, address: str) -> Sequence[Account]:
        """Return the accounts that have this address, in whichever form it is written.

        Raises:
            AddressNotFoundError: It was never derived here.
        """
        ...

    async def sign(self, request: SigningRequest) -> SigningResult:
        """Decode, check, sign, verify, audit; only then return.

        Raises:
            InvalidRequestError: The network, the transaction or the policy refuses.
            WalletNotFoundError: There is no such wallet.
        """
        ...

    async def lock(self, caller: Caller) -> KeyringLock:
        """Forget every unlocked seed: here at once and whatever happens, in every other replica within a second.

        Raises:
            LockNotSharedError: The others may not have been told.
        """
        ...

    async def health(self) -> Mapping[str, ComponentHealth]:
        """Ask every component, at once, how it is; by name."""
        ...


@dataclass(frozen=True, slots=True)
class LocalCustody:
    """The use cases, in this process."""

    store: WalletStore
    addresses: AddressBook
    cache: AddressCache
    audit: AuditLog
    encryption: KeyEncryption
    keyring: Keyring
    lock_signal: LockSignal
    policy: Policy
    components: Sequence[Component]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    async def create_wallet(self, label: str, word_count: int, caller: Caller) -> Wallet:
        """See `Custody.create_wallet`."""
        async with self._audited(AuditAction.WALLET_CREATE, None, caller, {"label": _brief(label), "mnemonic_length": word_count}):
            wallet = self._new_wallet(label, DerivationScheme.STANDARD)
            with bip39.generate(word_count) as mnemonic:
                await self._keep(wallet, mnemonic, AuditAction.WALLET_CREATE, caller)
        return wallet

    async def import_wallet(self, label: str, phrase: Phrase, scheme: DerivationScheme, caller: Caller) -> Wallet:
        """See `Custody.import_wallet`."""
        async with self._audited(AuditAction.WALLET_IMPORT, None, caller, {"label": _brief(label), "scheme": scheme.value}):
            with phrase, bip39.parse(*phrase.parts()) as mnemonic:
                wallet = self._new_wallet(label, scheme)
                await self._keep(wallet, mnemonic, AuditAction.WALLET_IMPORT, caller)
        return wallet

    async def wallet(self, wallet_id: UUID) -> Wallet:
        """See `Custody.wallet`."""
        return await self.store.get(wallet_id)

    async def list_wallets(self, number: int, size: int) -> Page:
        """See `Custody.list_wallets`."""
        return await self.store.page(number, size)

    async def address(self, account: Account, caller: Caller) -> Address:
        """See `Custody.address`."""
        async with self._audited(AuditAction.ADDRESS_DERIVE, account.wallet_id, caller, _place(account)):
            chain = chain_for(account.network)
        text = await self.cache.get(account)
        if text is None:
            text = await self._derived_address(chain, account, caller)
            await self.cache.put(account, text)
        return Address(account, text, chain.forms(text))

    async def accounts(self, address: str) -> Sequence[Account]:
        """See `Custody.accounts`."""
        texts = frozenset().union(*(chain.normalize(address) for chain in CHAINS.values()))
        found = [account for text in sorted(texts) for account in await self.addresses.accounts(text)]
        if not found:
            msg = "this address was never derived here"
            raise AddressNotFoundError(msg)
        return found

    async def sign(self, request: SigningRequest) -> SigningResult:
        """See `Custody.sign`."""
        account = request.account
        details = _place(account)
        async with self._audited(AuditAction.TRANSACTION_SIGN, account.wallet_id, request.caller, details):
            chain = chain_for(account.network)
            transaction = chain.decode(unhex(request.unsigned_tx))
            details["intent"] = transaction.intent.as_details()
            wallet = await self.store.get(account.wallet_id)
            with await self.keyring.key(wallet, chain, account.index) as key:
                address = chain.address(key.public_key, wallet.scheme)
                intent = transaction.intent_for(address)
                details.update(address=address, intent=intent.as_details())
                self.policy.check(transaction, address)
                signed = transaction.sign(key)
            details["tx_id"] = signed.tx_id
        event = self._event(AuditAction.TRANSACTION_SIGN, AuditStatus.OK, account.wallet_id, request.caller, details)
        await self.audit.record(event)
        return SigningResult(account, address, signed, intent)

    async def lock(self, caller: Caller) -> KeyringLock:
        """See `Custody.lock`."""
        done = KeyringLock(self.keyring.lock(), self.now())
        event = AuditEvent(AuditAction.KEYRING_LOCK, AuditStatus.OK, None, caller, done.at, {"forgotten_seeds": done.forgotten_seeds})
        try:
            await self.lock_signal.send(event)
        except StoreUnavailableError as error:
            msg = f"this replica has forgotten its unlocked seeds ({done.forgotten_seeds}); others may not have heard of it: try again"
            raise LockNotSharedError(msg) from error
        return done

    async def health(self) -> Mapping[str, ComponentHealth]:
        """See `Custody.health`."""
        checks = {component.name: asyncio.ensure_future(component.check()) for component in self.components}
        if checks:
            await asyncio.wait(checks.values(), timeout=HEALTH_CHECK_SECONDS)
        return {name: _health_answer(check) for name, check in checks.items()}

    def _new_wallet(self, label: str, scheme: DerivationScheme) -> Wallet:
        return Wallet(uuid.uuid4(), label, scheme, self.now())

    async def _keep(self, wallet: Wallet, mnemonic: Mnemonic, action: AuditAction, caller: Caller) -> None:
        ciphertext = await self.encryption.encrypt(mnemonic, associated_data=associated_data(wallet))
        details = {"label": wallet.label, "scheme": wallet.scheme.value}
        await self.store.add(wallet, ciphertext, self._event(action, AuditStatus.OK, wallet.id, caller, details))

    async def _derived_address(self, chain: Chain, account: Account, caller: Caller) -> str:
        text = await self.addresses.lookup(account)
        if text is not None:
            return text
        details = _place(account)
        async with self._audited(AuditAction.ADDRESS_DERIVE, account.wallet_id, caller, details):
            wallet = await self.store.get(account.wallet_id)
            with await self.keyring.key(wallet, chain, account.index) as key:
                text = chain.address(key.public_key, wallet.scheme)
            event = self._event(AuditAction.ADDRESS_DERIVE, AuditStatus.OK, wallet.id, caller, {**details, "address": text})
            await self.addresses.add(account, text, event)
        return text

    def _event(
        self, action: AuditAction, status: AuditStatus, wallet_id: UUID | None, caller: Caller, details: Mapping[str, object]
    ) -> AuditEvent:
        return AuditEvent(action, status, wallet_id, caller, self.now(), details)

    @asynccontextmanager
    async def _audited(
        self, action: AuditAction, wallet_id: UUID | None, caller: Caller, details: Mapping[str, object]
    ) -> AsyncIterator[None]:
        """Leave an audit row of whatever ends the block other than success, before the error goes on to the client."""
        try:
            yield
        except Exception as error:
            refused = isinstance(error, InvalidRequestError | NotFoundError | ConflictError)
            reason = str(error) if isinstance(error, WalletError) else "internal error"
            status = AuditStatus.REFUSED if refused else AuditStatus.FAILED
            await self.audit.record(self._event(action, status, wallet_id, caller, {**details, "reason": reason}))
            raise


def _place(account: Account) -> dict[str, object]:
    return {"network": _brief(account.network), "index": account.index}


def _brief(text: str) -> str:
    """Return a text of a request that may yet be refused so that it can be audited: no text a client sends may stop its audit row."""
    return legible(text[: MAX_LABEL_LENGTH + 1])


def _health_answer(check: asyncio.Future[ComponentHealth]) -> ComponentHealth:
    """Return what a component said, or that it is in error if it raised or did not say anything in time: one must not hide the others."""
    if check.done() and not check.cancelled() and check.exception() is None:
        return check.result()
    check.cancel()
    return ComponentHealth(HealthStatus.ERROR, HEALTH_CHECK_SECONDS * 1000)
