"""The service's use cases: create, import, find, derive, sign."""

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from typing import Protocol
from uuid import UUID

from wallets import component_health
from wallets import mnemonic as bip39
from wallets.addresses import Addresses
from wallets.auditing import Auditor, failure
from wallets.derivation import DerivationScheme
from wallets.errors import LockNotSharedError, NonceUsedError, RequestRunningError, StoreUnavailableError, UnavailableError
from wallets.keyring import Keyring, associated_data
from wallets.model import (
    Account,
    Address,
    AuditAction,
    AuditEvent,
    AuditStatus,
    Caller,
    ComponentHealth,
    KeyringLock,
    MessageRequest,
    MessageResult,
    Page,
    Position,
    SignedT,
    SigningRequest,
    SigningResult,
    Stretch,
    TransactionResult,
    Wallet,
)
from wallets.nonces import refusal
from wallets.once import IdempotentRequest
from wallets.pace import Pace
from wallets.policy import Policy
from wallets.ports import AnswerStore, Component, KeyEncryption, LockSignal, WalletStore
from wallets.secret import Mnemonic, Phrase
from wallets.signing import Draft, Item, OpenWallet, brief, message_draft, transaction_draft


class Custody(Protocol):
    """The whole service, as an interface. Every method may raise any `UnavailableError`.

    Where the caller's request is to be carried out once, each that does something may raise `RequestRunningError`: another attempt has
    taken its place, and nothing was done.
    """

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

    async def list_older_wallets(self, than: Position | None, size: int) -> Stretch:
        """Return the `size` wallets that come next behind a position, newest first, or the newest of all."""
        ...

    async def address(self, account: Account, caller: Caller) -> Address:
        """Return the account's address, deriving and remembering it the first time.

        Raises:
            InvalidRequestError: The network has no such variant.
            UnsupportedNetworkError: The network is unknown.
            WalletNotFoundError: There is no such wallet.
        """
        ...

    async def address_range(self, first: Account, count: int, caller: Caller) -> Sequence[Address]:
        """Return the addresses of the `count` accounts from `first` on, deriving and remembering all that are new in one step.

        Raises:
            InvalidRequestError: The range goes beyond the last index, or is empty, or the network has no such variant.
            UnsupportedNetworkError: The network is unknown.
            WalletNotFoundError: There is no such wallet.
        """
        ...

    async def accounts(self, address: str, caller: Caller) -> Sequence[Account]:
        """Return the accounts that have this address, in whichever form it is written; of each text of it, the oldest 1,000.

        Raises:
            AddressNotFoundError: It was never derived here.
        """
        ...

    async def sign(self, request: SigningRequest) -> TransactionResult:
        """Decode, check, sign, verify, audit; only then return.

        Raises:
            InvalidRequestError: The network, the transaction or the policy refuses.
            NonceUsedError: Nonces are guarded, and another transaction was signed with this one's.
            WalletNotFoundError: There is no such wallet.
        """
        ...

    async def sign_message(self, request: MessageRequest) -> MessageResult:
        """Sign a message as `sign` does a transaction.

        Raises:
            InvalidRequestError: The network, the message or the policy refuses.
            WalletNotFoundError: There is no such wallet.
        """
        ...

    async def sign_batch(self, requests: Sequence[SigningRequest]) -> Sequence[TransactionResult | Exception]:
        """Sign each as `sign` does, in their order, with the error in the place of what `sign` would raise it for.

        Raises:
            AuditUnavailableError: Not every outcome could be written down, so nothing is released.
        """
        ...

    async def claim(self, request: IdempotentRequest) -> bytes | None:
        """Return what a request was answered before, else let this attempt alone carry it out; see `AnswerStore.claim`."""
        ...

    async def release(self, request: IdempotentRequest) -> None:
        """Let another attempt carry out a request, if this one has not; see `AnswerStore.release`."""
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
    """The use cases, in this process. `answer_of` writes a result as what the caller is answered, where that is to be remembered."""

    store: WalletStore
    addresses: Addresses
    auditor: Auditor
    encryption: KeyEncryption
    keyring: Keyring
    lock_signal: LockSignal
    answers: AnswerStore
    answer_of: Callable[[object], bytes]
    policy: Policy
    components: Sequence[Component]
    guards_nonces: bool = False

    async def create_wallet(self, label: str, word_count: int, caller: Caller) -> Wallet:
        """See `Custody.create_wallet`."""
        async with self.auditor.audited(AuditAction.WALLET_CREATE, None, caller, {"label": brief(label), "mnemonic_length": word_count}):
            wallet = self._new_wallet(label, DerivationScheme.STANDARD)
            with bip39.generate(word_count) as mnemonic:
                await self._keep(wallet, mnemonic, AuditAction.WALLET_CREATE, caller)
        return wallet

    async def import_wallet(self, label: str, phrase: Phrase, scheme: DerivationScheme, caller: Caller) -> Wallet:
        """See `Custody.import_wallet`."""
        async with self.auditor.audited(AuditAction.WALLET_IMPORT, None, caller, {"label": brief(label), "scheme": scheme.value}):
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

    async def list_older_wallets(self, than: Position | None, size: int) -> Stretch:
        """See `Custody.list_older_wallets`."""
        return await self.store.older(than, size)

    async def address(self, account: Account, caller: Caller) -> Address:
        """See `Custody.address`."""
        return await self.addresses.address(account, caller)

    async def address_range(self, first: Account, count: int, caller: Caller) -> Sequence[Address]:
        """See `Custody.address_range`."""
        return await self.addresses.address_range(first, count, caller)

    async def accounts(self, address: str, caller: Caller) -> Sequence[Account]:
        """See `Custody.accounts`."""
        return await self.addresses.accounts(address, caller)

    async def sign(self, request: SigningRequest) -> TransactionResult:
        """See `Custody.sign`."""
        return await self._signed(transaction_draft(request))

    async def sign_message(self, request: MessageRequest) -> MessageResult:
        """See `Custody.sign_message`."""
        return await self._signed(message_draft(request))

    async def _signed(self, draft: Draft[SignedT]) -> SigningResult[SignedT]:
        account = draft.account
        async with self.auditor.audited(draft.action, account.wallet_id, draft.caller, draft.details):
            draft.decode(self.auditor.now())
            wallet = await self.store.get(account.wallet_id)
            async with self.keyring.unlocked(wallet) as keys:
                result = draft.sign((wallet, keys), self.policy)
        event = self.auditor.event(draft.action, AuditStatus.OK, account.wallet_id, draft.caller, draft.details)
        try:
            await self.auditor.log.record(self._answered(self._guarded(event, draft, result.address), result))
        except (NonceUsedError, RequestRunningError) as error:
            status, details = failure(error, draft.details)
            await self.auditor.log.record(self.auditor.event(draft.action, status, account.wallet_id, draft.caller, details))
            raise
        return result

    async def sign_batch(self, requests: Sequence[SigningRequest]) -> Sequence[TransactionResult | Exception]:
        """See `Custody.sign_batch`."""
        batch = [Item(transaction_draft(request)) for request in requests]
        async with Pace() as pace:
            for item in batch:
                item.decode(self.auditor.now())
                await pace.keep()
        async with AsyncExitStack() as stack:
            ids = {item.draft.account.wallet_id for item in batch if item.error is None}
            # Wallets, ciphertexts and seeds that are asked for together are fetched together.
            opened = dict(zip(ids, await asyncio.gather(*(self._opened(stack, wallet_id) for wallet_id in ids)), strict=True))
            async with Pace() as pace:
                for item in batch:
                    if item.error is None:
                        item.sign(opened[item.draft.account.wallet_id], self.policy)
                        await pace.keep()
        return await self._released(batch)

    async def _released(self, batch: Sequence[Item]) -> Sequence[TransactionResult | Exception]:
        """Write down what became of a batch, and return it: without what other transactions have used the nonces of."""
        while True:
            outcomes = [item.outcome for item in batch]
            events = [self._item_event(item) for item in batch]
            is_any_signed = any(item.error is None for item in batch)
            try:
                if is_any_signed:
                    # The answer with the last of the rows, which are all written in one transaction then.
                    events[-1] = self._answered(events[-1], outcomes)
                await self.auditor.log.record_all(events)
            except NonceUsedError as error:
                for place in error.places:
                    use = events[place].nonce
                    assert use is not None  # which is why it was refused
                    batch[place].refuse(refusal(use))
            except RequestRunningError as error:
                for item in batch:
                    item.refuse(item.error or error)
                await self.auditor.log.record_all([self._item_event(item) for item in batch])
                raise
            else:
                if not is_any_signed:
                    await self._forgotten(batch[-1].draft.caller)
                return outcomes

    async def _forgotten(self, caller: Caller) -> None:
        """Let a request of which nothing came be carried out again. Should this fail, its claim ends by itself."""
        if caller.idempotency is not None:
            with suppress(UnavailableError):
                await self.answers.release(caller.idempotency)

    async def _opened(self, stack: AsyncExitStack, wallet_id: UUID) -> OpenWallet | Exception:
        try:
            wallet = await self.store.get(wallet_id)
            return wallet, await stack.enter_async_context(self.keyring.unlocked(wallet))
        except Exception as error:  # noqa: BLE001  # the outcome of this wallet's transactions; the batch's others are signed
            return error

    async def claim(self, request: IdempotentRequest) -> bytes | None:
        """See `Custody.claim`."""
        return await self.answers.claim(request)

    async def release(self, request: IdempotentRequest) -> None:
        """See `Custody.release`."""
        await self.answers.release(request)

    async def lock(self, caller: Caller) -> KeyringLock:
        """See `Custody.lock`."""
        self.addresses.forget()
        done = KeyringLock(self.keyring.lock(), self.auditor.now())
        event = AuditEvent(AuditAction.KEYRING_LOCK, AuditStatus.OK, None, caller, done.at, {"forgotten_seeds": done.forgotten_seeds})
        try:
            await self.lock_signal.send(self._answered(event, done))
        except StoreUnavailableError as error:
            msg = f"this replica has forgotten its unlocked seeds ({done.forgotten_seeds}); others may not have heard of it: try again"
            raise LockNotSharedError(msg) from error
        return done

    async def health(self) -> Mapping[str, ComponentHealth]:
        """See `Custody.health`."""
        return await component_health.ask(self.components)

    def _new_wallet(self, label: str, scheme: DerivationScheme) -> Wallet:
        return Wallet(uuid.uuid4(), label, scheme, self.auditor.now())

    async def _keep(self, wallet: Wallet, mnemonic: Mnemonic, action: AuditAction, caller: Caller) -> None:
        ciphertext = await self.encryption.encrypt(mnemonic, associated_data=associated_data(wallet))
        details = {"label": wallet.label, "scheme": wallet.scheme.value}
        event = self.auditor.event(action, AuditStatus.OK, wallet.id, caller, details)
        await self.store.add(wallet, ciphertext, self._answered(event, wallet))

    def _item_event(self, item: Item) -> AuditEvent:
        draft = item.draft
        status, details = (AuditStatus.OK, draft.details) if item.error is None else failure(item.error, draft.details)
        event = self.auditor.event(draft.action, status, draft.account.wallet_id, draft.caller, details)
        return event if item.result is None else self._guarded(event, draft, item.result.address)

    def _guarded(self, event: AuditEvent, draft: Draft[SignedT], address: str) -> AuditEvent:
        """Have the nonce that was used up kept with the event, if nonces are guarded."""
        return replace(event, nonce=draft.nonce(address)) if self.guards_nonces else event

    def _answered(self, event: AuditEvent, result: object) -> AuditEvent:
        """Have the answer to the caller's request remembered with the event, if it is to be."""
        return event if event.caller.idempotency is None else replace(event, answer=self.answer_of(result))
