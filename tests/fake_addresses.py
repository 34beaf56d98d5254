"""Implement the ports of addresses in memory, beside `tests.fakes`."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from tests.fake_journal import Journal, write_in_transaction
from wallets.address_watcher import Source
from wallets.derivation import DerivationScheme
from wallets.errors import StoreUnavailableError, WalletNotFoundError
from wallets.model import Account, AuditEvent, EncryptedAddressKey, SealedAddress


class FakeAddressBook:
    """Remember addresses in a dictionary, and their audit rows in the journal."""

    def __init__(self, journal: Journal | None = None) -> None:
        self.journal = journal or Journal()
        self.away = False
        self.addresses: dict[Account, SealedAddress] = {}

    async def lookup(self, account: Account) -> SealedAddress | None:
        """See `wallets.ports.AddressBook.lookup`."""
        await _reach(self.away)
        return self.addresses.get(account)

    async def lookup_range(self, first: Account, count: int) -> Mapping[int, SealedAddress]:
        """See `wallets.ports.AddressBook.lookup_range`."""
        await _reach(self.away)
        accounts = (replace(first, index=first.index + step) for step in range(count))
        return {account.index: self.addresses[account] for account in accounts if account in self.addresses}

    async def add_all(self, entries: Sequence[tuple[Account, SealedAddress, AuditEvent]]) -> None:
        """See `wallets.ports.AddressBook.add_all`."""
        await _reach(self.away)
        changed = [entry for entry in entries if self.addresses.get(entry[0]) != entry[1]]
        for _, _, event in changed:
            write_in_transaction(self.journal, event)
        self.addresses.update({account: address for account, address, _ in changed})

    async def accounts(self, address: str, at_most: int) -> Sequence[tuple[Account, SealedAddress]]:
        """See `wallets.ports.AddressBook.accounts`."""
        await _reach(self.away)
        return [(account, sealed) for account, sealed in self.addresses.items() if sealed.text == address][:at_most]


class FakeAddressKeys:
    """Keep the address key and extended public keys in dictionaries. `knows` tells which wallets there are."""

    def __init__(self, knows: Callable[[UUID], bool] = lambda _: True) -> None:
        self.away = False
        self._knows = knows
        self.keys: dict[int, EncryptedAddressKey] = {}
        self.made_at: dict[int, datetime] = {}
        self.account_keys: dict[tuple[UUID, str], str] = {}

    async def address_key(self) -> EncryptedAddressKey | None:
        """See `wallets.ports.AddressKeyStore.address_key`."""
        await _reach(self.away)
        return self.keys[max(self.keys)] if self.keys else None

    async def add_address_key(self, key: EncryptedAddressKey, at: datetime) -> EncryptedAddressKey:
        """See `wallets.ports.AddressKeyStore.add_address_key`."""
        await _reach(self.away)
        self.made_at.setdefault(key.number, at)
        return self.keys.setdefault(key.number, key)

    async def account_key(self, wallet_id: UUID, path: str) -> str | None:
        """See `wallets.ports.AccountKeyStore.account_key`."""
        await _reach(self.away)
        return self.account_keys.get((wallet_id, path))

    async def put_account_key(self, wallet_id: UUID, path: str, sealed: str) -> None:
        """See `wallets.ports.AccountKeyStore.put_account_key`."""
        await _reach(self.away)
        if not self._knows(wallet_id):
            msg = "no wallet has this id"
            raise WalletNotFoundError(msg)
        self.account_keys[wallet_id, path] = sealed


class FakeAddressCache:
    """Remember addresses in a dictionary. `away` is a miss, and forgets what is put."""

    def __init__(self) -> None:
        self.away = False
        self._addresses: dict[Account, str] = {}

    async def get(self, account: Account) -> str | None:
        """See `wallets.ports.AddressCache.get`."""
        await asyncio.sleep(0)
        return None if self.away else self._addresses.get(account)

    async def put(self, account: Account, address: str) -> None:
        """See `wallets.ports.AddressCache.put`."""
        await asyncio.sleep(0)
        if not self.away:
            self._addresses[account] = address


class FakeSharedAddressCache:
    """Remember sealed addresses in a dictionary. `away` is a miss, and forgets what is put."""

    def __init__(self) -> None:
        self.away = False
        self.addresses: dict[tuple[Account, DerivationScheme], SealedAddress] = {}

    async def get(self, account: Account, scheme: DerivationScheme) -> SealedAddress | None:
        """See `wallets.ports.SharedAddressCache.get`."""
        await asyncio.sleep(0)
        return None if self.away else self.addresses.get((account, scheme))

    async def put(self, account: Account, scheme: DerivationScheme, address: SealedAddress) -> None:
        """See `wallets.ports.SharedAddressCache.put`."""
        await asyncio.sleep(0)
        if not self.away:
            self.addresses[account, scheme] = address


class CountingAddressWatcher:
    """Counts by source: lookups that found something and that did not, forgeries, and addresses without a seal."""

    def __init__(self) -> None:
        self.found: Counter[Source] = Counter()
        self.missed: Counter[Source] = Counter()
        self.forged: Counter[Source] = Counter()
        self.wallets: set[UUID] = set()
        self.unsealed = 0

    def address_looked_up(self, source: Source, *, is_found: bool) -> None:
        """See `wallets.address_watcher.AddressWatcher.address_looked_up`."""
        (self.found if is_found else self.missed)[source] += 1

    def address_forged(self, source: Source, wallet_id: UUID) -> None:
        """See `wallets.address_watcher.AddressWatcher.address_forged`."""
        self.forged[source] += 1
        self.wallets.add(wallet_id)

    def address_unsealed(self, wallet_id: UUID) -> None:
        """See `wallets.address_watcher.AddressWatcher.address_unsealed`."""
        self.unsealed += 1
        self.wallets.add(wallet_id)


async def _reach(away: bool) -> None:
    await asyncio.sleep(0)
    if away:
        msg = "the database is away"
        raise StoreUnavailableError(msg)
