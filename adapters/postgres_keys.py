"""Renew ciphertexts in PostgreSQL: which wallets are under which key, and their next ciphertexts in place of the old ones."""

from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from adapters.database import PostgresDatabase
from adapters.postgres import insert_event, wallet_of
from adapters.postgres_addresses import PostgresAddressKeys
from wallets.model import AuditEvent, EncryptedAddressKey, EncryptedWallet, KeyVersion, Replacement

_COUNT = "SELECT key_version, count(*) AS wallets FROM master_wallets GROUP BY key_version"

_UNDER = """\
SELECT id, label, scheme, created_at, encrypted_phrase FROM master_wallets
WHERE key_version = $1 AND id > $2 ORDER BY id LIMIT $3"""

_LOCK = "SELECT id FROM master_wallets WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE"
"""Two that renew the same wallets take them in the same order, and so wait for each other instead of ending in a deadlock."""

_REPLACE = """\
UPDATE master_wallets AS wallet SET encrypted_phrase = replacement.new
FROM unnest($1::uuid[], $2::text[], $3::text[]) AS replacement (id, old, new)
WHERE wallet.id = replacement.id AND wallet.encrypted_phrase = replacement.old"""

_REPLACE_ADDRESS_KEY = "UPDATE address_keys SET encrypted_phrase = $3 WHERE number = $1 AND encrypted_phrase = $2 RETURNING number"

_NO_ID = UUID(int=0)


class PostgresCiphertextStore:
    """See `wallets.ports.CiphertextStore`."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._address_keys = PostgresAddressKeys(database)

    async def count(self) -> Mapping[KeyVersion | None, int]:
        """See `CiphertextStore.count`."""
        async with self._database.connection() as connection:
            records = await connection.fetch(_COUNT)
        return {KeyVersion.of(f"{record['key_version']}:"): record["wallets"] for record in records}

    async def under(self, key: KeyVersion | None, *, after: UUID | None, size: int) -> Sequence[EncryptedWallet]:
        """See `CiphertextStore.under`."""
        async with self._database.connection() as connection:
            records = await connection.fetch(_UNDER, "" if key is None else str(key), after or _NO_ID, size)
        return [EncryptedWallet(wallet_of(record), record["encrypted_phrase"]) for record in records]

    async def replace(self, replacements: Sequence[Replacement], audited: Callable[[int], AuditEvent]) -> int:
        """See `CiphertextStore.replace`."""
        ids = [replacement.wallet_id for replacement in replacements]
        texts = [replacement.old for replacement in replacements], [replacement.new for replacement in replacements]
        async with self._database.connection() as connection, connection.transaction():
            await connection.execute(_LOCK, ids)
            count = int((await connection.execute(_REPLACE, ids, *texts)).split()[-1])
            if count:
                await insert_event(connection, audited(count))
        return count

    async def address_key(self) -> EncryptedAddressKey | None:
        """See `CiphertextStore.address_key`."""
        return await self._address_keys.address_key()

    async def replace_address_key(self, old: EncryptedAddressKey, ciphertext: str, event: AuditEvent) -> bool:
        """See `CiphertextStore.replace_address_key`."""
        async with self._database.connection() as connection, connection.transaction():
            is_replaced = await connection.fetchval(_REPLACE_ADDRESS_KEY, old.number, old.ciphertext, ciphertext) is not None
            if is_replaced:
                await insert_event(connection, event)
        return is_replaced
