"""Keep wallets, addresses and the audit log in PostgreSQL."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Self, TypeAlias
from uuid import UUID

import asyncpg
import orjson

from adapters.schema import check_schema
from wallets.derivation import DerivationScheme
from wallets.errors import AuditUnavailableError, ConflictError, StoreUnavailableError, UnavailableError, WalletNotFoundError
from wallets.model import Account, AuditEvent, ComponentHealth, HealthStatus, Page, Wallet

_Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"

_ADD_WALLET = "INSERT INTO master_wallets (id, label, scheme, encrypted_phrase, created_at) VALUES ($1, $2, $3, $4, $5)"
_ADD_ADDRESS = """
INSERT INTO derived_addresses (wallet_id, network, address_index, address, created_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (wallet_id, network, address_index) DO NOTHING RETURNING id
"""
_ADD_EVENTS = """
INSERT INTO audit_logs (action, status, wallet_id, ip_address, details, created_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[], $4::text[], $5::jsonb[], $6::timestamptz[])
"""
_PAGE = "SELECT id, label, scheme, created_at FROM master_wallets ORDER BY created_at DESC, id DESC LIMIT $1 OFFSET $2"


class PostgresDatabase:
    """A pool of connections that is opened when first needed, so that a replica starts while the database is away."""

    name = "database"

    def __init__(self, url: str, *, min_size: int, max_size: int, max_lifetime: float, idle_timeout: float, acquire_timeout: float) -> None:
        self._url = url
        self._sizes = (min_size, max_size)
        self._lifetimes = (max_lifetime, idle_timeout)
        self._acquire_timeout = acquire_timeout
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._opening = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.terminate()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[_Connection]:
        """Lend a connection.

        Raises:
            StoreUnavailableError: There is none within the time to acquire one, or it was lost.
            SchemaMismatchError: The first connection finds another schema than this version's.
        """
        with _mapped():
            async with asyncio.timeout(self._acquire_timeout):
                pool = await self._opened()
                connection = await pool.acquire()
            try:
                yield connection
            finally:
                await pool.release(connection)

    async def check(self) -> ComponentHealth:
        """See `Component.check`."""
        started = time.monotonic()
        status = HealthStatus.OK
        try:
            async with asyncio.timeout(2), self.connection() as connection:
                await connection.fetchval("SELECT 1")
        except (UnavailableError, TimeoutError):
            status = HealthStatus.ERROR
        return ComponentHealth(status, round((time.monotonic() - started) * 1000, 1))

    async def _opened(self) -> "asyncpg.Pool[asyncpg.Record]":
        async with self._opening:
            if self._pool is None:
                pool = await asyncpg.create_pool(
                    self._url,
                    min_size=self._sizes[0],
                    max_size=self._sizes[1],
                    max_inactive_connection_lifetime=self._lifetimes[1],
                    command_timeout=self._acquire_timeout,
                    timeout=self._acquire_timeout,
                    server_settings={"application_name": "crypto-wallets"},
                )
                async with pool.acquire() as connection:
                    await check_schema(connection)
                self._pool = pool
            return self._pool


class PostgresWalletStore:
    """`WalletStore` on PostgreSQL."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    async def add(self, wallet: Wallet, encrypted_mnemonic: str, event: AuditEvent) -> None:
        """See `WalletStore.add`."""
        async with self._database.connection() as connection, connection.transaction():
            try:
                row = (wallet.id, wallet.label, wallet.scheme.value, encrypted_mnemonic, wallet.created_at)
                await connection.execute(_ADD_WALLET, *row)
            except asyncpg.UniqueViolationError as error:
                raise ConflictError("a wallet with this id exists") from error
            await _write(connection, [event])

    async def get(self, wallet_id: UUID) -> Wallet:
        """See `WalletStore.get`."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow("SELECT id, label, scheme, created_at FROM master_wallets WHERE id = $1", wallet_id)
        if row is None:
            raise WalletNotFoundError("there is no such wallet")
        return _wallet(row)

    async def encrypted_mnemonic(self, wallet_id: UUID) -> str:
        """See `WalletStore.encrypted_mnemonic`."""
        async with self._database.connection() as connection:
            value = await connection.fetchval("SELECT encrypted_phrase FROM master_wallets WHERE id = $1", wallet_id)
        if value is None:
            raise WalletNotFoundError("there is no such wallet")
        return str(value)

    async def page(self, number: int, size: int) -> Page:
        """See `WalletStore.page`."""
        async with self._database.connection() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            total = await connection.fetchval("SELECT count(*) FROM master_wallets")
            rows = await connection.fetch(_PAGE, size, (number - 1) * size)
        return Page(tuple(map(_wallet, rows)), number, size, total)


class PostgresAddressBook:
    """`AddressBook` on PostgreSQL."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    async def lookup(self, account: Account) -> str | None:
        """See `AddressBook.lookup`."""
        query = "SELECT address FROM derived_addresses WHERE wallet_id = $1 AND network = $2 AND address_index = $3"
        async with self._database.connection() as connection:
            address: str | None = await connection.fetchval(query, account.wallet_id, account.network, account.index)
        return address

    async def add(self, account: Account, address: str, event: AuditEvent) -> None:
        """See `AddressBook.add`."""
        async with self._database.connection() as connection, connection.transaction():
            row = (account.wallet_id, account.network, account.index, address, event.at)
            if await connection.fetchval(_ADD_ADDRESS, *row) is not None:
                await _write(connection, [event])

    async def accounts(self, address: str) -> Sequence[Account]:
        """See `AddressBook.accounts`."""
        query = "SELECT wallet_id, network, address_index FROM derived_addresses WHERE address = $1 ORDER BY id"
        async with self._database.connection() as connection:
            rows = await connection.fetch(query, address)
        return [Account(row["wallet_id"], row["network"], row["address_index"]) for row in rows]


class PostgresAuditLog:
    """`AuditLog` on PostgreSQL, by group commit.

    Events that arrive while a commit is under way go into the next one together; when none is, an event is written at once.
    """

    def __init__(self, database: PostgresDatabase, *, max_waiting: int = 10_000) -> None:
        self._database = database
        self._max_waiting = max_waiting
        self._waiting: list[tuple[AuditEvent, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def record(self, event: AuditEvent) -> None:
        """See `AuditLog.record`."""
        if len(self._waiting) >= self._max_waiting:
            raise AuditUnavailableError("too many audit rows wait to be written")
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((event, durable))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_waiting())
        await durable

    async def _write_waiting(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            error: AuditUnavailableError | None = None
            try:
                async with self._database.connection() as connection:
                    await _write(connection, [event for event, _ in batch])
            except Exception as cause:  # noqa: BLE001  # whatever it is, each waiting request must hear of it
                error = AuditUnavailableError("the audit row could not be written")
                error.__cause__ = cause
            for _, durable in batch:
                if durable.cancelled():
                    continue
                if error is None:
                    durable.set_result(None)
                else:
                    durable.set_exception(error)


async def _write(connection: _Connection, events: Sequence[AuditEvent]) -> None:
    await connection.execute(
        _ADD_EVENTS,
        [event.action.value for event in events],
        [event.status.value for event in events],
        [event.wallet_id for event in events],
        [event.caller.ip_address for event in events],
        [_details(event) for event in events],
        [event.at for event in events],
    )


def _details(event: AuditEvent) -> str:
    caller = {"request_id": event.caller.request_id, "api_key_id": event.caller.api_key_id}
    # Amounts go beyond the 64 bits that orjson writes as numbers: text keeps every digit.
    return orjson.dumps(_plain({**event.details, **caller})).decode()


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**53:
        return str(value)
    return value


def _wallet(row: asyncpg.Record) -> Wallet:
    return Wallet(row["id"], row["label"], DerivationScheme(row["scheme"]), row["created_at"])


@contextmanager
def _mapped() -> Iterator[None]:
    """Turn what asyncpg and the network raise into our error."""
    try:
        yield
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise StoreUnavailableError("the database is not available") from error
