"""Implement `wallets.ports.CiphertextStore` in memory, beside `tests.fakes`."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from tests.fake_addresses import FakeAddressKeys
from tests.fake_journal import write_in_transaction
from tests.fakes import FakeWalletStore
from wallets.errors import StoreUnavailableError
from wallets.model import AuditEvent, EncryptedAddressKey, EncryptedWallet, KeyVersion, Replacement


class FakeCiphertextStore:
    """Renew the ciphertexts of a fake store and of fake address keys; `away` is its own."""

    def __init__(self, store: FakeWalletStore, address_keys: FakeAddressKeys | None = None) -> None:
        self._store = store
        self.address_keys = address_keys or FakeAddressKeys()
        self.away = False

    async def count(self) -> Mapping[KeyVersion | None, int]:
        """See `wallets.ports.CiphertextStore.count`."""
        await self._reach()
        return Counter(KeyVersion.of(each.ciphertext) for each in self._store.rows())

    async def under(self, key: KeyVersion | None, *, after: UUID | None, size: int) -> Sequence[EncryptedWallet]:
        """See `wallets.ports.CiphertextStore.under`."""
        await self._reach()
        rows = sorted(self._store.rows(), key=lambda each: each.wallet.id)
        return [row for row in rows if KeyVersion.of(row.ciphertext) == key and (after is None or row.wallet.id > after)][:size]

    async def replace(self, replacements: Sequence[Replacement], audited: Callable[[int], AuditEvent]) -> int:
        """See `wallets.ports.CiphertextStore.replace`."""
        await self._reach()
        rows = {row.wallet.id: row.ciphertext for row in self._store.rows()}
        due = [each for each in replacements if rows.get(each.wallet_id) == each.old]
        if due:
            write_in_transaction(self._store.journal, audited(len(due)))
        for each in due:
            self._store.replace_ciphertext(each.wallet_id, each.new)
        return len(due)

    async def address_key(self) -> EncryptedAddressKey | None:
        """See `wallets.ports.CiphertextStore.address_key`."""
        await self._reach()
        return await self.address_keys.address_key()

    async def replace_address_key(self, old: EncryptedAddressKey, ciphertext: str, event: AuditEvent) -> bool:
        """See `wallets.ports.CiphertextStore.replace_address_key`."""
        await self._reach()
        if self.address_keys.keys.get(old.number) != old:
            return False
        write_in_transaction(self._store.journal, event)
        self.address_keys.keys[old.number] = EncryptedAddressKey(old.number, ciphertext)
        return True

    async def _reach(self) -> None:
        await asyncio.sleep(0)
        if self.away:
            msg = "the database is away"
            raise StoreUnavailableError(msg)
