"""Keep wallets and the audit log in PostgreSQL, with hand-written SQL.

Every statement is a constant of the module: a test has PostgreSQL explain each, and finds those that read more rows than they return.
"""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg
import structlog

from adapters.database import PostgresDatabase
from adapters.gathering import Gathered
from adapters.idempotency import write_answers
from adapters.migrations import SchemaMismatchError, check_schema
from adapters.nonces import write_nonces
from wallets.derivation import DerivationScheme
from wallets.errors import AuditUnavailableError, ConflictError, StoreUnavailableError, WalletNotFoundError
from wallets.model import AuditEvent, ComponentHealth, HealthStatus, Page, Position, Stretch, Wallet

if TYPE_CHECKING:  # generic in the stubs alone
    type_connection = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]

Row = tuple[str, str, UUID | None, str, str, str, str, datetime]
"""An audit event as `audit_logs` keeps it, in the order of `_INSERT_EVENTS`."""

_INSERT_WALLET = "INSERT INTO master_wallets (id, label, scheme, encrypted_phrase, created_at) VALUES ($1, $2, $3, $4, $5)"
_WALLETS = "SELECT id, label, scheme, created_at FROM master_wallets WHERE id = ANY($1)"
_CIPHERTEXTS = "SELECT id, encrypted_phrase FROM master_wallets WHERE id = ANY($1)"
_COUNT = "SELECT coalesce(sum(wallets), 0)::bigint FROM wallet_counts"
_PAGE = "SELECT id, label, scheme, created_at FROM master_wallets ORDER BY created_at DESC, id DESC LIMIT $1 OFFSET $2"
_OLDER = """\
SELECT id, label, scheme, created_at FROM (
    SELECT id, label, scheme, created_at FROM master_wallets WHERE (created_at, id) < ($1, $2)
    ORDER BY created_at DESC, id DESC LIMIT 101
) AS older ORDER BY created_at DESC, id DESC LIMIT $3"""
"""The limit inside, `MAX_LISTED` + 1, is never exceeded. By it PostgreSQL knows how little this reads, and plans it once: else it takes $3
for a tenth of the table, and plans each time anew, which costs more than the list."""

_INSERT_EVENTS = """\
INSERT INTO audit_logs (action, status, wallet_id, request_id, ip_address, api_key_id, details, created_at)
SELECT action, status, wallet_id, request_id, ip_address, api_key_id, details::jsonb, created_at
FROM unnest($1::text[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[])
AS event (action, status, wallet_id, request_id, ip_address, api_key_id, details, created_at)"""

_HEALTH_SECONDS = 2.0
_NUL = "\\u0000"
_NEWER_THAN_ALL = (datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))

_encoder = json.JSONEncoder(allow_nan=False, ensure_ascii=False)
_log = structlog.get_logger(__name__)


class PostgresWalletStore:
    """See `wallets.ports.WalletStore`."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._wallets: Gathered[UUID, Wallet] = Gathered(self._find_wallets)
        self._ciphertexts: Gathered[UUID, str] = Gathered(self._find_ciphertexts)

    async def add(self, wallet: Wallet, encrypted_mnemonic: str, event: AuditEvent) -> None:
        """See `WalletStore.add`."""
        async with self._database.connection() as connection:
            try:
                async with connection.transaction():
                    await insert_wallet(connection, wallet, encrypted_mnemonic, event)
            except asyncpg.UniqueViolationError as error:
                msg = "a wallet with this id exists"
                raise ConflictError(msg) from error

    async def get(self, wallet_id: UUID) -> Wallet:
        """See `WalletStore.get`."""
        return await self._wallets.ask(wallet_id)

    async def encrypted_mnemonic(self, wallet_id: UUID) -> str:
        """See `WalletStore.encrypted_mnemonic`."""
        return await self._ciphertexts.ask(wallet_id)

    async def page(self, number: int, size: int) -> Page:
        """See `WalletStore.page`."""
        async with self._database.connection() as connection:
            total = await connection.fetchval(_COUNT)
            if number == 1:
                records = await connection.fetch(_OLDER, *_NEWER_THAN_ALL, size)
            elif (number - 1) * size < total:
                records = await connection.fetch(_PAGE, size, (number - 1) * size)
            else:  # nothing needs to be asked, and an offset of more than 64 bits cannot be
                records = []
        return Page(tuple(wallet_of(record) for record in records), number, size, total)

    async def older(self, than: Position | None, size: int) -> Stretch:
        """See `WalletStore.older`."""
        place = (than.created_at, than.wallet_id) if than else _NEWER_THAN_ALL
        async with self._database.connection() as connection:
            records = await connection.fetch(_OLDER, *place, size + 1)
        return Stretch(tuple(wallet_of(record) for record in records[:size]), len(records) > size)

    async def _find_wallets(self, ids: Sequence[UUID]) -> Sequence[Wallet | Exception]:
        found = await self._find(_WALLETS, ids)
        return [wallet_of(found[wallet_id]) if wallet_id in found else no_wallet() for wallet_id in ids]

    async def _find_ciphertexts(self, ids: Sequence[UUID]) -> Sequence[str | Exception]:
        found = await self._find(_CIPHERTEXTS, ids)
        return [found[wallet_id]["encrypted_phrase"] if wallet_id in found else no_wallet() for wallet_id in ids]

    async def _find(self, query: str, ids: Sequence[UUID]) -> "Mapping[UUID, asyncpg.Record]":
        async with self._database.connection() as connection:
            return {record["id"]: record for record in await connection.fetch(query, list(set(ids)))}


class PostgresAuditLog:
    """Write audit rows, those that arrive while others are being written together in the next statement.

    A row alone is written at once. One that PostgreSQL refuses does not make others fail. See `wallets.ports.AuditLog`.
    """

    def __init__(
        self, database: PostgresDatabase, *, max_waiting: int = 10_000, max_batch: int = 1_000, deadline_seconds: float = 10
    ) -> None:
        self._database = database
        self._max_waiting = max_waiting
        self._deadline_seconds = deadline_seconds
        self._rows: Gathered[Row, None] = Gathered(self._write, max_batch=max_batch)

    async def record(self, event: AuditEvent) -> None:
        """See `AuditLog.record`."""
        if is_bound(event):
            await self._record_bound([event])
            return
        if len(self._rows) >= self._max_waiting:
            raise _no_audit()
        try:
            async with asyncio.timeout(self._deadline_seconds):
                await self._rows.ask(row_of(event))
        except TimeoutError as error:
            raise _no_audit() from error

    async def record_all(self, events: Sequence[AuditEvent]) -> None:
        """See `AuditLog.record_all`."""
        if any(map(is_bound, events)):
            await self._record_bound(events)
            return
        if len(self._rows) + len(events) > self._max_waiting:
            raise _no_audit()
        try:
            async with asyncio.timeout(self._deadline_seconds):
                answers = await self._rows.ask_all([row_of(event) for event in events])
        except TimeoutError as error:
            raise _no_audit() from error
        for answer in answers:
            if answer is not None:
                raise answer

    async def _record_bound(self, events: Sequence[AuditEvent]) -> None:
        """Write rows with what stands and falls with them, in a transaction of their own."""
        try:
            async with asyncio.timeout(self._deadline_seconds), self._database.connection() as connection, connection.transaction():
                await _insert_bound(connection, events)
        except (StoreUnavailableError, TimeoutError) as error:
            raise _no_audit(error) from error
        except asyncpg.PostgresError as error:
            _refused(error, events[0].caller.request_id)
            raise _no_audit(error) from error

    async def _write(self, rows: Sequence[Row]) -> Sequence[Exception | None]:
        try:
            async with self._database.connection() as connection:
                await insert_events(connection, rows)
        except StoreUnavailableError as error:
            return [_no_audit(error) for _ in rows]
        except Exception as error:  # noqa: BLE001  # whatever is wrong with a row is answered to whoever waits for it
            if len(rows) == 1:
                _refused(error, rows[0][3])
                return [_no_audit(error)]
            return [(await self._write([row]))[0] for row in rows]
        return [None] * len(rows)


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


async def insert_wallet(connection: "type_connection", wallet: Wallet, encrypted_mnemonic: str, event: AuditEvent) -> None:
    """Write a wallet and its audit row into the connection's transaction.

    Raises:
        asyncpg.UniqueViolationError: A wallet with this id exists.
    """
    values = (wallet.id, wallet.label, wallet.scheme.value, encrypted_mnemonic, wallet.created_at)
    await connection.execute(_INSERT_WALLET, *values)
    await insert_event(connection, event)


async def insert_event(connection: "type_connection", event: AuditEvent) -> None:
    """Write an audit row, and what stands and falls with it, in whichever transaction the connection is.

    Raises:
        NonceUsedError: Its nonce was used by another transaction, so the connection's must not be committed.
        RequestRunningError: Another attempt has taken the request's place, so the transaction must not be committed.
    """
    await _insert_bound(connection, [event])


async def _insert_bound(connection: "type_connection", events: Sequence[AuditEvent]) -> None:
    await write_nonces(connection, events)
    await write_answers(connection, events)
    await insert_events(connection, [row_of(event) for event in events])


async def insert_events(connection: "type_connection", rows: Sequence[Row]) -> None:
    """Write audit rows, at least one, in whichever transaction the connection is."""
    await connection.execute(_INSERT_EVENTS, *(list(column) for column in zip(*rows, strict=True)))


def is_bound(event: AuditEvent) -> bool:
    """Tell whether something is written with the event's row, all or nothing."""
    return event.answer is not None or event.nonce is not None


def row_of(event: AuditEvent) -> Row:
    """Return an audit event as PostgreSQL can keep it."""
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


def wallet_of(record: "asyncpg.Record") -> Wallet:
    """Return the wallet that a row of `master_wallets` holds."""
    return Wallet(record["id"], record["label"], DerivationScheme(record["scheme"]), record["created_at"])


def no_wallet() -> WalletNotFoundError:
    """Return the error of a wallet that is not there."""
    return WalletNotFoundError("no wallet has this id")


def _refused(error: Exception, request_id: str) -> None:
    """Log what is no failure of the world: somebody has to look at it, and the client is told nothing of it."""
    _log.error("audit_row_refused", error=type(error).__name__, request_id=request_id)


def _no_audit(cause: Exception | None = None) -> AuditUnavailableError:
    error = AuditUnavailableError("the audit row could not be written, so nothing was done")
    error.__cause__ = cause
    return error
