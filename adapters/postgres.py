"""Keep wallets, addresses and the audit log in PostgreSQL, with hand-written SQL."""

import asyncio
import json
import time
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg
import structlog

from adapters.database import PostgresDatabase
from adapters.migrations import SchemaMismatchError, check_schema
from wallets.derivation import DerivationScheme
from wallets.errors import AuditUnavailableError, ConflictError, StoreUnavailableError, WalletNotFoundError
from wallets.model import Account, AuditEvent, ComponentHealth, HealthStatus, Page, Wallet

if TYPE_CHECKING:  # generic in the stubs alone
    type_connection = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]

Row = tuple[str, str, UUID | None, str, str, str, str, datetime]
"""An audit event as `audit_logs` keeps it, in the order of `_INSERT_EVENTS`."""

_INSERT_EVENTS = """\
INSERT INTO audit_logs (action, status, wallet_id, request_id, ip_address, api_key_id, details, created_at)
SELECT action, status, wallet_id, request_id, ip_address, api_key_id, details::jsonb, created_at
FROM unnest($1::text[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[])
AS event (action, status, wallet_id, request_id, ip_address, api_key_id, details, created_at)"""

_HEALTH_SECONDS = 2.0
_NUL = "\\u0000"

_encoder = json.JSONEncoder(allow_nan=False, ensure_ascii=False)
_log = structlog.get_logger(__name__)


class PostgresWalletStore:
    """See `wallets.ports.WalletStore`."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    async def add(self, wallet: Wallet, encrypted_mnemonic: str, event: AuditEvent) -> None:
        """See `WalletStore.add`."""
        values = (wallet.id, wallet.label, wallet.scheme.value, encrypted_mnemonic, wallet.created_at)
        async with self._database.connection() as connection:
            try:
                async with connection.transaction():
                    await connection.execute(
                        "INSERT INTO master_wallets (id, label, scheme, encrypted_phrase, created_at) VALUES ($1, $2, $3, $4, $5)", *values
                    )
                    await insert_event(connection, event)
            except asyncpg.UniqueViolationError as error:
                msg = "a wallet with this id exists"
                raise ConflictError(msg) from error

    async def get(self, wallet_id: UUID) -> Wallet:
        """See `WalletStore.get`."""
        async with self._database.connection() as connection:
            record = await connection.fetchrow("SELECT id, label, scheme, created_at FROM master_wallets WHERE id = $1", wallet_id)
        if record is None:
            raise _no_wallet()
        return _wallet(record)

    async def encrypted_mnemonic(self, wallet_id: UUID) -> str:
        """See `WalletStore.encrypted_mnemonic`."""
        async with self._database.connection() as connection:
            ciphertext = await connection.fetchval("SELECT encrypted_phrase FROM master_wallets WHERE id = $1", wallet_id)
        if ciphertext is None:
            raise _no_wallet()
        return str(ciphertext)

    async def page(self, number: int, size: int) -> Page:
        """See `WalletStore.page`."""
        query = "SELECT id, label, scheme, created_at FROM master_wallets ORDER BY created_at DESC, id DESC LIMIT $1 OFFSET $2"
        async with self._database.connection() as connection:
            total = await connection.fetchval("SELECT count(*) FROM master_wallets")
            # Beyond the last page nothing needs to be asked, and an offset of more than 64 bits cannot be.
            records = await connection.fetch(query, size, (number - 1) * size) if (number - 1) * size < total else []
        return Page(tuple(_wallet(record) for record in records), number, size, total)


class PostgresAddressBook:
    """See `wallets.ports.AddressBook`."""

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
        statement = """\
            INSERT INTO derived_addresses (wallet_id, network, address_index, address, created_at) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (wallet_id, network, address_index) DO NOTHING RETURNING id"""
        values = (account.wallet_id, account.network, account.index, address, event.at)
        async with self._database.connection() as connection:
            try:
                async with connection.transaction():
                    if await connection.fetchval(statement, *values) is not None:
                        await insert_event(connection, event)
            except asyncpg.ForeignKeyViolationError as error:
                raise _no_wallet() from error

    async def accounts(self, address: str) -> Sequence[Account]:
        """See `AddressBook.accounts`."""
        if "\0" in address:  # which no address has, and PostgreSQL's text cannot
            return ()
        query = "SELECT wallet_id, network, address_index FROM derived_addresses WHERE address = $1 ORDER BY id"
        async with self._database.connection() as connection:
            records = await connection.fetch(query, address)
        return tuple(Account(record["wallet_id"], record["network"], record["address_index"]) for record in records)


class PostgresAuditLog:
    """Write audit rows, those that arrive while others are being written together in the next statement.

    A row alone is written at once. One that PostgreSQL refuses does not make others fail. See `wallets.ports.AuditLog`.
    """

    def __init__(
        self, database: PostgresDatabase, *, max_waiting: int = 10_000, max_batch: int = 500, deadline_seconds: float = 10
    ) -> None:
        self._database = database
        self._max_waiting = max_waiting
        self._max_batch = max_batch
        self._deadline_seconds = deadline_seconds
        self._waiting: deque[tuple[Row, asyncio.Future[None]]] = deque()
        self._writer: asyncio.Task[None] | None = None

    async def record(self, event: AuditEvent) -> None:
        """See `AuditLog.record`."""
        if len(self._waiting) >= self._max_waiting:
            raise _no_audit()
        written = asyncio.get_running_loop().create_future()
        self._waiting.append((_row(event), written))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        try:
            async with asyncio.timeout(self._deadline_seconds):
                await written
        except TimeoutError as error:
            raise _no_audit() from error

    async def _write(self) -> None:
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(self._max_batch, len(self._waiting)))]
                await self._write_batch(batch)
        finally:
            self._writer = None

    async def _write_batch(self, batch: Sequence[tuple[Row, "asyncio.Future[None]"]]) -> None:
        try:
            await self._insert([row for row, _ in batch])
        except StoreUnavailableError as error:
            _end(batch, error)
        except Exception as error:  # noqa: BLE001  # whatever is wrong with a row is answered to whoever waits for it
            if len(batch) == 1:
                _log.error("audit_row_refused", error=type(error).__name__, request_id=batch[0][0][3])
                _end(batch, error)
            else:
                for item in batch:
                    await self._write_batch([item])
        else:
            _end(batch, None)

    async def _insert(self, rows: Sequence[Row]) -> None:
        async with self._database.connection() as connection:
            await _insert_events(connection, rows)


class PostgresHealth:
    """Say how the database is, and whether its schema is the one needed. See `wallets.ports.Component`."""

    name = "database"

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    async def check(self) -> ComponentHealth:
        """See `Component.check`."""
        start = time.monotonic()
        status, details = await self._ask()
        opened, idle = self._database.connections
        latency_ms = (time.monotonic() - start) * 1000
        return ComponentHealth(status, latency_ms, {**details, "connections": opened, "idle_connections": idle})

    async def _ask(self) -> tuple[HealthStatus, Mapping[str, str | int]]:
        try:
            async with asyncio.timeout(_HEALTH_SECONDS), self._database.connection() as connection:
                return HealthStatus.OK, {"schema_version": await check_schema(connection)}
        except SchemaMismatchError as error:
            return HealthStatus.ERROR, {"reason": str(error)}
        except (StoreUnavailableError, TimeoutError):
            return HealthStatus.ERROR, {"reason": "the database is away"}
        except asyncpg.PostgresError as error:
            return HealthStatus.ERROR, {"reason": f"the database refuses: {type(error).__name__}"}


async def insert_event(connection: "type_connection", event: AuditEvent) -> None:
    """Write an audit row in whichever transaction the connection is."""
    await _insert_events(connection, [_row(event)])


async def _insert_events(connection: "type_connection", rows: Sequence[Row]) -> None:
    await connection.execute(_INSERT_EVENTS, *(list(column) for column in zip(*rows, strict=True)))


def _row(event: AuditEvent) -> Row:
    caller = event.caller
    who = (_text(caller.request_id), _text(caller.ip_address), _text(caller.api_key_id))
    return (event.action.value, event.status.value, event.wallet_id, *who, _json(event.details), event.at)


def _json(details: Mapping[str, object]) -> str:
    """Write details as JSON, at once if PostgreSQL can keep all of it as it is, which is nearly always."""
    text = _encoder.encode(details)
    if _NUL in text or not text.isascii():
        return _encoder.encode(_storable(details))
    return text


def _storable(value: object) -> object:
    """Return details with every text as PostgreSQL can keep it: a refused request is audited with whatever it contained."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return {_text(str(key)): _storable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(item) for item in value]
    return value


def _text(text: str) -> str:
    """Replace NUL, which PostgreSQL's text cannot hold, and lone surrogates, which UTF-8 cannot."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def _end(batch: Sequence[tuple[Row, "asyncio.Future[None]"]], error: BaseException | None) -> None:
    for _, written in batch:
        if written.done():  # whoever waited went away
            continue
        if error is None:
            written.set_result(None)
        else:
            refused = _no_audit()
            refused.__cause__ = error
            written.set_exception(refused)


def _wallet(record: "asyncpg.Record") -> Wallet:
    return Wallet(record["id"], record["label"], DerivationScheme(record["scheme"]), record["created_at"])


def _no_wallet() -> WalletNotFoundError:
    return WalletNotFoundError("no wallet has this id")


def _no_audit() -> AuditUnavailableError:
    return AuditUnavailableError("the audit row could not be written, so nothing was done")
