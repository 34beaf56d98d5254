"""Give out addresses: from a cache, from the book, or derived, and never one that is not authentic.

In this process' own cache stands only what was found authentic before. What Redis and the database hold is believed if its seal holds
(`wallets.seals`); else it is as good as nothing: it is derived again, told of, and replaced.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from wallets.account_keys import AccountKeys
from wallets.address_keyring import AddressKeyring
from wallets.address_watcher import AddressWatcher, Source, Unwatched
from wallets.auditing import Auditor
from wallets.chains import CHAINS, resolve
from wallets.chains.base import Chain
from wallets.derivation import MAX_INDEX
from wallets.errors import AddressNotFoundError, InvalidRequestError
from wallets.model import Account, Address, AuditAction, AuditEvent, AuditStatus, Caller, SealedAddress, Wallet
from wallets.pace import Pace
from wallets.ports import AddressBook, AddressCache, SharedAddressCache, WalletStore
from wallets.seals import AddressKey
from wallets.signing import account_details

MAX_ACCOUNTS = 1_000
"""Accounts that are found of one address: an EVM address is an account of as many networks as somebody likes."""

Due = Sequence[tuple[Account, SealedAddress | None]]
"""Accounts whose addresses are to be derived, each with what the book has of it and is not to be believed."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """The use cases of `Custody` that are about addresses. `shared` is None where replicas share no cache."""

    store: WalletStore
    book: AddressBook
    cache: AddressCache
    shared: SharedAddressCache | None
    address_keyring: AddressKeyring
    account_keys: AccountKeys
    auditor: Auditor
    watcher: AddressWatcher = field(default_factory=Unwatched)

    async def address(self, account: Account, caller: Caller) -> Address:
        """See `wallets.custody.Custody.address`."""
        async with self.auditor.audited(AuditAction.ADDRESS_DERIVE, account.wallet_id, caller, account_details(account)):
            chain, account = resolve(account)
        text = await self.cache.get(account)
        if text is None:
            async with self.auditor.audited(AuditAction.ADDRESS_DERIVE, account.wallet_id, caller, account_details(account)):
                text = await self._found(chain, account, caller)
            await self.cache.put(account, text)
        return Address(account, text, chain.forms(text))

    async def address_range(self, first: Account, count: int, caller: Caller) -> Sequence[Address]:
        """See `wallets.custody.Custody.address_range`."""
        details = account_details(first) | {"count": count}
        async with self.auditor.audited(AuditAction.ADDRESS_DERIVE, first.wallet_id, caller, details):
            if count < 1 or first.index + count - 1 > MAX_INDEX:
                msg = f"a range has at least one account, and none beyond index {MAX_INDEX}"
                raise InvalidRequestError(msg)
            chain, first = resolve(first)
            wallet = await self.store.get(first.wallet_id)
            key = await self.address_keyring.key()
            accounts = [replace(first, index=first.index + step) for step in range(count)]
            stored = await self.book.lookup_range(first, count)
            texts, due = await self._believed(key, wallet, [(account, stored.get(account.index)) for account in accounts])
            texts |= await self._derived(chain, wallet, key, due, caller)
        return [Address(account, texts[account], chain.forms(texts[account])) for account in accounts]

    async def accounts(self, address: str, caller: Caller) -> Sequence[Account]:
        """See `wallets.custody.Custody.accounts`."""
        texts = frozenset().union(*(chain.normalize(address) for chain in CHAINS.values()))
        found = [
            account
            for text in sorted(texts)
            for account, stored in await self.book.accounts(text, MAX_ACCOUNTS)
            if await self._is_address_of(account, stored, caller)
        ]
        if not found:
            msg = "this address was never derived here"
            raise AddressNotFoundError(msg)
        return found

    def forget(self) -> None:
        """Forget the keys that addresses are derived and authenticated with. Addresses themselves are no secret."""
        self.account_keys.forget()
        self.address_keyring.forget()

    async def _found(self, chain: Chain, account: Account, caller: Caller) -> str:
        """Return an address that this process does not know yet."""
        wallet = await self.store.get(account.wallet_id)
        key = await self.address_keyring.key()
        if self.shared is not None:
            shared = await self.shared.get(account, wallet.scheme)
            is_found = self._holds(key, wallet, account, shared, Source.SHARED)
            self.watcher.address_looked_up(Source.SHARED, is_found=is_found)
            if shared is not None and is_found:
                return shared.text
        texts, due = await self._believed(key, wallet, [(account, await self.book.lookup(account))])
        texts |= await self._derived(chain, wallet, key, due, caller)
        if self.shared is not None:
            await self.shared.put(account, wallet.scheme, key.seal(account, wallet.scheme, texts[account]))
        return texts[account]

    async def _is_address_of(self, account: Account, stored: SealedAddress, caller: Caller) -> bool:
        """Tell whether an account has the address that the book says it has."""
        try:
            chain, usual = resolve(account)
        except InvalidRequestError:
            usual = None
        if usual != account:
            # No account of ours has such a network or variant, or names its usual variant.
            self.watcher.address_forged(Source.BOOK, account.wallet_id)
            return False
        async with self.auditor.audited(AuditAction.ADDRESS_DERIVE, account.wallet_id, caller, account_details(account)):
            wallet = await self.store.get(account.wallet_id)
            key = await self.address_keyring.key()
            texts, due = await self._believed(key, wallet, [(account, stored)])
            texts |= await self._derived(chain, wallet, key, due, caller)
        return texts[account] == stored.text

    async def _believed(self, key: AddressKey, wallet: Wallet, stored: Due) -> tuple[dict[Account, str], Due]:
        """Return the addresses of the book whose seals hold, and the accounts that have no such address."""
        texts: dict[Account, str] = {}
        due = []
        async with Pace() as pace:
            for account, found in stored:
                if found is not None and self._holds(key, wallet, account, found, Source.BOOK):
                    texts[account] = found.text
                else:
                    due.append((account, found))
                await pace.keep()
        return texts, due

    def _holds(self, key: AddressKey, wallet: Wallet, account: Account, found: SealedAddress | None, source: Source) -> bool:
        """Tell whether something is found, and is authentic."""
        if found is None:
            return False
        if key.holds(account, wallet.scheme, found):
            return True
        if found.seal or source is Source.SHARED:
            self.watcher.address_forged(source, wallet.id)
        else:
            self.watcher.address_unsealed(wallet.id)
        return False

    async def _derived(self, chain: Chain, wallet: Wallet, key: AddressKey, due: Due, caller: Caller) -> Mapping[Account, str]:
        """Derive addresses, and remember all of them in one step."""
        if not due:
            return {}
        entries = []
        async with self.account_keys.public_keys(wallet, chain, due[0][0].variant) as public_key, Pace() as pace:
            for account, stored in due:
                text = chain.address(public_key(account.index), wallet.scheme, account.variant)
                event = self._event(account, text, stored, caller)
                entries.append((account, key.seal(account, wallet.scheme, text), event))
                await pace.keep()
        await self.book.add_all(entries)
        return {account: sealed.text for account, sealed, _ in entries}

    def _event(self, account: Account, text: str, stored: SealedAddress | None, caller: Caller) -> AuditEvent:
        """Return the audit row of a derived address, which says what it stands in the place of."""
        details = account_details(account) | {"address": text}
        if stored is not None:
            is_forged = bool(stored.seal) or stored.text != text
            details["replaces"] = "forged" if is_forged else "unsealed"
            if is_forged and not stored.seal:
                # Only now it is known that it is not merely from before there were seals.
                self.watcher.address_forged(Source.BOOK, account.wallet_id)
        return self.auditor.event(AuditAction.ADDRESS_DERIVE, AuditStatus.OK, account.wallet_id, caller, details)
