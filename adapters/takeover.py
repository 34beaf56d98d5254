"""Write into PostgreSQL what is taken over from 1.0.8."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg

from adapters.database import PostgresDatabase
from adapters.postgres import insert_wallet
from wallets.derivation import DerivationScheme
from wallets.errors import ConflictError
from wallets.model import AuditEvent, Wallet
from wallets.proof import StoredAddress
from wallets.takeover import Place
from wallets.v1_records import AuditRow

if TYPE_CHECKING:  # generic in the stubs alone
    type_connection = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]

ADVISORY_LOCK = 4_096_120_519_477_310_108
"""Any number that nothing else in the database locks; the same for all versions, for ever."""

_ADD_ADDRESSES = """\
INSERT INTO derived_addresses (wallet_id, network, address_index, address, created_at)
SELECT $1, network, address_index, address, created_at
FROM unnest($2::text[], $3::integer[], $4::text[], $5::timestamptz[]) AS added (network, address_index, address, created_at)
ON CONFLICT (wallet_id, network, variant, address_index) DO NOTHING"""

# The order of ids is the order in which things happened, as in all of the log.
_ADD_AUDIT_ROWS = """\
WITH given AS (
    SELECT * FROM unnest($1::bytea[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::timestamptz[])
    WITH ORDINALITY AS row (digest, action, status, wallet_id, ip_address, details, created_at, place)
), added AS (
    INSERT INTO taken_over_audit_rows (digest) SELECT digest FROM given ON CONFLICT DO NOTHING RETURNING digest
)
INSERT INTO audit_logs (action, status, wallet_id, request_id, ip_address, api_key_id, details, created_at)
SELECT action, status, wallet_id, '', ip_address, '', details::jsonb, created_at FROM given JOIN added USING (digest) ORDER BY place"""


class PostgresTakeover:
    """See `wallets.takeover.TakeoverTarget`."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Keep others from taking over into this database until the end of the block.

        Raises:
            ConflictError: Somebody else is at it.
        """
        async with self._database.connection() as connection:
            if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", ADVISORY_LOCK):
                msg = "another process is taking over into this database; wait for it to end"
                raise ConflictError(msg)
            try:
                yield
            finally:
                await connection.execute("SELECT pg_advisory_unlock($1)", ADVISORY_LOCK)

    async def schemes(self, wallet_ids: Sequence[UUID]) -> Mapping[UUID, DerivationScheme]:
        """See `TakeoverTarget.schemes`."""
        async with self._database.connection() as connection:
            records = await connection.fetch("SELECT id, scheme FROM master_wallets WHERE id = ANY ($1::uuid[])", wallet_ids)
        return {record["id"]: DerivationScheme(record["scheme"]) for record in records}

    async def known(self, wallet_id: UUID, places: Sequence[Place]) -> Mapping[Place, str]:
        """See `TakeoverTarget.known`."""
        query = """\
            SELECT network, address_index, address
            FROM unnest($2::text[], $3::integer[]) AS asked (network, address_index) JOIN derived_addresses USING (network, address_index)
            WHERE wallet_id = $1 AND variant = ''"""
        networks, indexes = [place[0] for place in places], [place[1] for place in places]
        async with self._database.connection() as connection:
            records = await connection.fetch(query, wallet_id, networks, indexes)
        return {(record["network"], record["address_index"]): record["address"] for record in records}

    @asynccontextmanager
    async def batch(self) -> "AsyncIterator[PostgresTakeoverBatch]":
        """See `TakeoverTarget.batch`."""
        async with self._database.connection() as connection, connection.transaction():
            yield PostgresTakeoverBatch(connection)

    async def add_audit_rows(self, rows: Sequence[AuditRow]) -> int:
        """See `TakeoverTarget.add_audit_rows`."""
        columns = zip(
            *[(row.digest, row.action, row.status, row.wallet_id, row.ip_address, row.details, row.created_at) for row in rows], strict=True
        )
        async with self._database.connection() as connection:
            return _count(await connection.execute(_ADD_AUDIT_ROWS, *map(list, columns)))


class PostgresTakeoverBatch:
    """See `wallets.takeover.TakeoverBatch`."""

    def __init__(self, connection: "type_connection") -> None:
        self._connection = connection

    async def add_wallet(self, wallet: Wallet, encrypted_mnemonic: str, event: AuditEvent) -> None:
        """See `TakeoverBatch.add_wallet`."""
        await insert_wallet(self._connection, wallet, encrypted_mnemonic, event)

    async def add_addresses(self, wallet_id: UUID, addresses: Sequence[StoredAddress]) -> int:
        """See `TakeoverBatch.add_addresses`."""
        columns = zip(*[(each.network, each.index, each.text, each.created_at) for each in addresses], strict=True)
        return _count(await self._connection.execute(_ADD_ADDRESSES, wallet_id, *map(list, columns))) if addresses else 0


def _count(tag: str) -> int:
    """Read how many rows a statement wrote: `INSERT 0 7`."""
    return int(tag.rpartition(" ")[2])
