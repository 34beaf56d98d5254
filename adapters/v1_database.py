"""Read a PostgreSQL database of crypto-wallets-service 1.0.8, and change nothing in it: everything happens in one read-only transaction."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg
from asyncpg import exceptions

from adapters.database import UNAVAILABLE, means_unavailable
from wallets.errors import StoreUnavailableError
from wallets.proof import StoredAddress
from wallets.v1_records import V1AuditRow, V1Counts, V1Wallet

if TYPE_CHECKING:  # generic in the stubs alone
    type_connection = asyncpg.Connection[asyncpg.Record]

WALLETS_AT_ONCE = 100
ROWS_AT_ONCE = 1_000

_CONNECT_SECONDS = 10.0
_STATEMENT_SECONDS = 300.0
"""Counting and sorting large tables takes its time; a server that is gone is noticed by the network sooner."""

_COLUMNS: Mapping[str, frozenset[str]] = {
    "master_wallets": frozenset({"id", "label", "encrypted_phrase", "created_at"}),
    "derived_addresses": frozenset({"wallet_id", "network", "address_index", "address", "created_at"}),
    "audit_logs": frozenset({"id", "action", "wallet_id", "status", "ip_address", "details", "created_at"}),
}

# Casts, because only names and meanings of the columns are promised: an id may be a number, a network an enum, a time without its zone.
_COUNTS = """\
SELECT (SELECT count(*) FROM master_wallets), (SELECT count(*) FROM derived_addresses), (SELECT count(*) FROM audit_logs)"""
_WALLETS = """\
SELECT id::text::uuid AS id, coalesce(label::text, '') AS label, coalesce(encrypted_phrase::text, '') AS ciphertext,
    coalesce(created_at, 'epoch')::timestamptz AS created_at
FROM master_wallets ORDER BY id"""
_ADDRESSES = """\
SELECT network::text AS network, address_index::bigint AS address_index, address::text AS address,
    coalesce(created_at, 'epoch')::timestamptz AS created_at
FROM derived_addresses WHERE wallet_id = $1 ORDER BY network, address_index"""
_AUDIT_ROWS = """\
SELECT id::text AS id, coalesce(action::text, '') AS action, wallet_id::text::uuid AS wallet_id, coalesce(status::text, '') AS status,
    ip_address::text AS ip_address, details::text AS details, coalesce(created_at, 'epoch')::timestamptz AS created_at
FROM audit_logs ORDER BY created_at, id"""


class V1DatabaseError(Exception):
    """The database is none of 1.0.8, or may not be read; the message is for the operator."""


@asynccontextmanager
async def open_v1_database(url: str, wallets_at_once: int = WALLETS_AT_ONCE) -> "AsyncIterator[V1Database]":
    """Connect, and hold one picture of the database until the end of the block.

    Raises:
        StoreUnavailableError: It is away, or refuses us.
        V1DatabaseError: It is none of 1.0.8, or may not be read, or the URL is malformed.
    """
    connection = await _connected(url)
    try:
        with _readable():
            transaction = connection.transaction(isolation="repeatable_read", readonly=True)
            await transaction.start()
            await _check(connection)
        # The transaction ends with the connection: there is nothing in it to be kept.
        yield V1Database(connection, wallets_at_once)
    finally:
        connection.terminate()


class V1Database:
    """See `wallets.v1_records.V1Records`."""

    def __init__(self, connection: "type_connection", wallets_at_once: int) -> None:
        self._connection = connection
        self._wallets_at_once = wallets_at_once

    async def counts(self) -> V1Counts:
        """See `V1Records.counts`."""
        with _readable():
            (counts,) = await self._connection.fetch(_COUNTS)
        return V1Counts(*counts)

    async def wallets(self) -> AsyncIterator[Sequence[V1Wallet]]:
        """See `V1Records.wallets`."""
        async for records in self._batches(_WALLETS, self._wallets_at_once):
            yield [V1Wallet(*record) for record in records]

    async def addresses(self, wallet_id: UUID) -> AsyncIterator[Sequence[StoredAddress]]:
        """See `V1Records.addresses`."""
        async for records in self._batches(_ADDRESSES, ROWS_AT_ONCE, wallet_id):
            yield [StoredAddress(*record) for record in records]

    async def audit_rows(self) -> AsyncIterator[Sequence[V1AuditRow]]:
        """See `V1Records.audit_rows`."""
        async for records in self._batches(_AUDIT_ROWS, ROWS_AT_ONCE):
            yield [V1AuditRow(*record) for record in records]

    async def _batches(self, query: str, size: int, *arguments: object) -> "AsyncIterator[Sequence[asyncpg.Record]]":
        """Read with a cursor of the server's, so that no more than a batch is ever in our memory."""
        with _readable():
            cursor = await self._connection.cursor(query, *arguments)
        size_of_last = size
        while size_of_last == size:
            with _readable():
                records = await cursor.fetch(size)
            size_of_last = len(records)
            if records:
                yield records


async def _connected(url: str) -> "type_connection":
    settings = {
        "application_name": "crypto-wallets import-v1",
        "default_transaction_read_only": "on",
        "idle_in_transaction_session_timeout": "0",  # between two batches, keys are derived
        "TimeZone": "UTC",
    }
    try:
        with _readable():
            # Statements are not kept prepared: a pooler between us and the server may not know them.
            return await asyncpg.connect(
                url, timeout=_CONNECT_SECONDS, command_timeout=_STATEMENT_SECONDS, statement_cache_size=0, server_settings=settings
            )
    except ValueError:  # asyncpg's ClientConfigurationError is one, and quotes the URL
        msg = "the URL is none as in `postgresql://user:password@host:port/database`"
        raise V1DatabaseError(msg) from None


async def _check(connection: "type_connection") -> None:
    """Raise `V1DatabaseError` unless the tables are there, and are 1.0.8's."""
    query = "SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped"
    for table, columns in _COLUMNS.items():
        found = {record["attname"] for record in await connection.fetch(query, table)}
        if not found:
            msg = f"this is no database of 1.0.8: it has no table {table}"
            raise V1DatabaseError(msg)
        if "scheme" in found:
            msg = "this is a database of this version, not of 1.0.8"
            raise V1DatabaseError(msg)
        if missing := sorted(columns - found):
            msg = f"this is no database of 1.0.8: {table} has no column {missing[0]}"
            raise V1DatabaseError(msg)


@contextmanager
def _readable() -> Iterator[None]:
    """Say in errors which of the two databases it is."""
    try:
        yield
    except exceptions.InsufficientPrivilegeError as error:
        msg = f"the database of 1.0.8 does not let this role read: {error}"
        raise V1DatabaseError(msg) from error
    except exceptions.DataError as error:
        msg = f"the database of 1.0.8 holds what cannot be read: {error}"
        raise V1DatabaseError(msg) from error
    except (*UNAVAILABLE, ValueError) as error:
        if not means_unavailable(error):
            raise
        msg = f"the database of 1.0.8 is away, or refuses us: {str(error).partition(chr(10))[0] or type(error).__name__}"
        raise StoreUnavailableError(msg) from error
