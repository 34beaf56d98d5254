"""Read wallets out of PostgreSQL to be proven."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg

from adapters.database import PostgresDatabase, mapped_errors
from adapters.postgres import wallet_of
from adapters.postgres_addresses import ADDRESS_KEY
from wallets.model import EncryptedAddressKey, EncryptedWallet
from wallets.proof import StoredAddress

if TYPE_CHECKING:  # generic in the stubs alone
    type_connection = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]

WALLETS_AT_ONCE = 100
ADDRESSES_AT_ONCE = 1_000

_ALL = "SELECT id, label, scheme, created_at, encrypted_phrase FROM master_wallets ORDER BY id"
_SAMPLE = "SELECT id, label, scheme, created_at, encrypted_phrase FROM master_wallets ORDER BY random() LIMIT $1"
_ADDRESSES = """\
SELECT network, address_index::bigint, address, created_at, variant FROM derived_addresses WHERE wallet_id = $1
ORDER BY network, variant, address_index LIMIT $2"""


@asynccontextmanager
async def open_kept_wallets(database: PostgresDatabase) -> "AsyncIterator[PostgresKeptWallets]":
    """Hold one unchanging picture of the wallets until the end of the block.

    Raises:
        StoreUnavailableError: The database is away.
    """
    async with database.connection() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        yield PostgresKeptWallets(connection)


class PostgresKeptWallets:
    """See `wallets.proof.KeptWallets`."""

    def __init__(self, connection: "type_connection") -> None:
        self._connection = connection

    async def address_key(self) -> EncryptedAddressKey | None:
        """See `KeptWallets.address_key`."""
        with mapped_errors():
            record = await self._connection.fetchrow(ADDRESS_KEY)
        return None if record is None else EncryptedAddressKey(*record)

    async def wallets(self, sample: int | None) -> AsyncIterator[Sequence[EncryptedWallet]]:
        """See `KeptWallets.wallets`."""
        query, arguments = (_ALL, ()) if sample is None else (_SAMPLE, (sample,))
        async for records in self._batches(WALLETS_AT_ONCE, query, *arguments):
            yield [EncryptedWallet(wallet_of(record), record["encrypted_phrase"]) for record in records]

    async def addresses(self, wallet_id: UUID, most: int | None) -> AsyncIterator[Sequence[StoredAddress]]:
        """See `KeptWallets.addresses`."""
        async for records in self._batches(ADDRESSES_AT_ONCE, _ADDRESSES, wallet_id, most):
            yield [StoredAddress(*record) for record in records]

    async def _batches(self, size: int, query: str, *arguments: object) -> "AsyncIterator[Sequence[asyncpg.Record]]":
        with mapped_errors():
            cursor = await self._connection.cursor(query, *arguments)
        while True:
            with mapped_errors():
                records = await cursor.fetch(size)
            if not records:
                return
            yield records
