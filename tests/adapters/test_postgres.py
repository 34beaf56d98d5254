"""What is PostgreSQL's own: the pool, the mapping of errors, group commit, faults."""

import asyncio
import inspect
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import uuid4

import asyncpg
import pytest
from asyncpg import exceptions

from adapters.database import PostgresDatabase, mapped_errors, means_unavailable
from adapters.postgres import PostgresAddressBook, PostgresAuditLog, PostgresHealth, PostgresWalletStore
from serve_app.embedded import EmbeddedPostgres
from tests.adapters.conftest import AT, NOWHERE, new_event, new_wallet
from tests.servers import RunningServer, eventually
from wallets.errors import AuditUnavailableError, StoreUnavailableError, WalletNotFoundError
from wallets.model import Account, Caller, HealthStatus

BUGS = (
    exceptions.CardinalityViolationError,
    exceptions.CaseNotFoundError,
    exceptions.DataError,
    exceptions.DependentPrivilegeDescriptorsStillExistError,
    exceptions.DiagnosticsError,
    exceptions.ExternalRoutineError,
    exceptions.ExternalRoutineInvocationError,
    exceptions.FDWError,
    exceptions.FeatureNotSupportedError,
    exceptions.IntegrityConstraintViolationError,
    exceptions.InvalidArgumentForXqueryError,
    exceptions.InvalidCursorNameError,
    exceptions.InvalidCursorStateError,
    exceptions.InvalidGrantorError,
    exceptions.InvalidRoleSpecificationError,
    exceptions.InvalidSQLStatementNameError,
    exceptions.InvalidSchemaNameError,
    exceptions.InvalidTransactionInitiationError,
    exceptions.InvalidTransactionStateError,
    exceptions.InvalidTransactionTerminationError,
    exceptions.LocatorError,
    exceptions.PLPGSQLError,
    exceptions.ProgramLimitExceededError,
    exceptions.SQLRoutineError,
    exceptions.SQLStatementNotYetCompleteError,
    exceptions.SavepointError,
    exceptions.SyntaxOrAccessError,
    exceptions.TriggeredActionError,
    exceptions.TriggeredDataChangeViolationError,
    exceptions.WithCheckOptionViolationError,
    ValueError,
)
"""What PostgreSQL answers only to a statement, or an argument, of ours that is wrong."""

VENDOR_ERRORS = [
    error
    for _, error in inspect.getmembers(exceptions, inspect.isclass)
    if issubclass(error, exceptions.PostgresError | exceptions.InterfaceError | exceptions.InternalClientError)
    and error not in {exceptions.PostgresError, exceptions.FatalPostgresError}
]


@pytest.mark.parametrize("error", [*VENDOR_ERRORS, OSError, TimeoutError, ConnectionResetError])
def test_every_vendor_error_is_away_or_a_bug(error: type[Exception]) -> None:
    """No class of asyncpg is left undecided."""
    instance = error.__new__(error)

    assert means_unavailable(instance) or isinstance(instance, BUGS)


@pytest.mark.parametrize(
    "error",
    [
        exceptions.CannotConnectNowError("starting up"),
        exceptions.TooManyConnectionsError("sorry"),
        exceptions.AdminShutdownError("bye"),
        exceptions.DiskFullError("full"),
        exceptions.InvalidPasswordError("no"),
        exceptions.ConnectionDoesNotExistError("gone"),
        exceptions.DeadlockDetectedError("deadlock"),
        exceptions.ReadOnlySQLTransactionError("a standby"),
        exceptions.InterfaceError("pool is closing"),
        ConnectionRefusedError(),
        TimeoutError(),
    ],
)
def test_the_world_is_mapped(error: Exception) -> None:
    """What a database does that is away, overloaded or failing over."""
    with pytest.raises(StoreUnavailableError, match=r"^the database is away$"), mapped_errors():
        raise error


@pytest.mark.parametrize(
    "error", [exceptions.UndefinedTableError("x"), exceptions.UniqueViolationError("x"), ValueError("x"), KeyError("x")]
)
def test_bugs_pass(error: Exception) -> None:
    """A mistake of ours is not disguised as an outage."""
    with pytest.raises(type(error)), mapped_errors():
        raise error


async def test_a_server_that_hangs_costs_a_bounded_time(postgres_server: RunningServer[EmbeddedPostgres], database_url: str) -> None:
    """Connected or not, a request ends in 503, and the next one after the server goes on succeeds."""
    pool = PostgresDatabase(database_url, min_connections=1, acquire_timeout_seconds=0.5, command_timeout_seconds=0.5)
    async with pool as database:
        store = PostgresWalletStore(database)
        await store.page(1, 1)
        postgres_server.hold()
        try:
            start = time.monotonic()
            for _ in range(2):
                with pytest.raises(StoreUnavailableError):
                    await store.page(1, 1)
            elapsed = time.monotonic() - start
        finally:
            postgres_server.release()

        page = await eventually(lambda: store.page(1, 1), StoreUnavailableError)

    assert page.total == 0
    assert elapsed < 4


async def test_a_server_that_crashes_comes_back(postgres_server: RunningServer[EmbeddedPostgres], database_url: str) -> None:
    """What was committed is there again; nobody has to restart the service."""
    wallet = new_wallet()
    async with PostgresDatabase(database_url, acquire_timeout_seconds=1, command_timeout_seconds=1) as database:
        store = PostgresWalletStore(database)
        await store.add(wallet, "vault:v1:x", new_event(wallet.id))
        postgres_server.kill()
        try:
            with pytest.raises(StoreUnavailableError):
                await store.get(wallet.id)
        finally:
            postgres_server.start()

        found = await eventually(lambda: store.get(wallet.id), StoreUnavailableError)

    assert found == wallet


async def test_the_service_may_start_before_the_database(postgres_server: RunningServer[EmbeddedPostgres], database_url: str) -> None:
    """The pool opens when the database is there."""
    postgres_server.stop()
    try:
        pool = PostgresDatabase(database_url, acquire_timeout_seconds=1)
        database = await pool.__aenter__()
        with pytest.raises(StoreUnavailableError):
            await PostgresWalletStore(database).page(1, 1)
    finally:
        postgres_server.start()

    page = await eventually(lambda: PostgresWalletStore(database).page(1, 1), StoreUnavailableError)

    assert page.total == 0
    await pool.__aexit__()


async def test_an_exhausted_pool_says_so_in_time(database_url: str) -> None:
    """A request does not wait for a connection for ever, and gets one once there is one."""
    async with PostgresDatabase(database_url, pool_size=1, min_connections=0, acquire_timeout_seconds=0.2) as database:
        async with database.connection():
            with pytest.raises(StoreUnavailableError):
                await PostgresWalletStore(database).page(1, 1)

        page = await PostgresWalletStore(database).page(1, 1)

    assert page.total == 0


async def test_a_cancelled_request_gives_its_connection_back(database_url: str) -> None:
    """A client that goes away in the middle takes nothing along."""
    async with PostgresDatabase(database_url, pool_size=1, min_connections=0, acquire_timeout_seconds=2) as database:
        store = PostgresWalletStore(database)
        for _ in range(3):
            async with _locked(database_url, "master_wallets"):
                wallet = new_wallet()
                request = asyncio.create_task(store.add(wallet, "vault:v1:x", new_event(wallet.id)))
                await _waiting_for_lock(database_url)
                request.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await request

        page = await store.page(1, 1)

    assert page.total == 0


async def test_connections_are_replaced_after_their_lifetime(database_url: str) -> None:
    """A connection does not live on after a failover or a change of password."""
    pool = PostgresDatabase(database_url, pool_size=1, min_connections=1, max_lifetime_seconds=0.05)
    async with pool as database:
        first = await _backend(database)

        async def another() -> int:
            pid = await _backend(database)
            if pid == first:
                raise LookupError
            return pid

        assert await eventually(another, LookupError) != first


async def test_the_least_connections_are_kept_open(database_url: str) -> None:
    """A request after a quiet time finds a connection."""
    async with PostgresDatabase(database_url, pool_size=5, min_connections=3) as database:
        await _backend(database)

        assert database.connections == (3, 3)


async def test_an_address_of_an_unknown_wallet_is_refused(database: PostgresDatabase) -> None:
    """The book keeps no address without its wallet."""
    with pytest.raises(WalletNotFoundError):
        await PostgresAddressBook(database).add(Account(uuid4(), "eth", 0), "0xabc", new_event())


async def test_events_that_arrive_meanwhile_are_committed_together(database: PostgresDatabase, database_url: str) -> None:
    """The first event is written at once; those that come while it is being written share one transaction."""
    audit = PostgresAuditLog(database)
    async with _locked(database_url, "audit_logs"):
        first = asyncio.create_task(audit.record(new_event()))
        await _waiting_for_lock(database_url)
        rest = [asyncio.create_task(audit.record(new_event())) for _ in range(50)]
        await asyncio.sleep(0)

    await asyncio.gather(first, *rest)

    assert [row["events"] for row in await _rows(database_url, "SELECT count(*) AS events FROM audit_logs GROUP BY xmin ORDER BY 1")] == [
        1,
        50,
    ]


async def test_a_row_that_is_refused_fails_alone(database: PostgresDatabase, database_url: str) -> None:
    """Events that travel with it are written."""
    audit = PostgresAuditLog(database)
    poisoned = replace(new_event(), caller=Caller("poison", "192.0.2.7", "key-1"))
    await _rows(database_url, "ALTER TABLE audit_logs ADD CHECK (request_id <> 'poison')")
    async with _locked(database_url, "audit_logs"):
        first = asyncio.create_task(audit.record(new_event()))
        await _waiting_for_lock(database_url)
        rest = [asyncio.create_task(audit.record(event)) for event in (new_event(), poisoned, new_event())]
        await asyncio.sleep(0)

    answers = await asyncio.gather(first, *rest, return_exceptions=True)

    assert [type(answer) for answer in answers] == [type(None), type(None), AuditUnavailableError, type(None)]
    assert len(await _rows(database_url, "SELECT 1 FROM audit_logs")) == 3


async def test_the_queue_is_bounded(database: PostgresDatabase, database_url: str) -> None:
    """A database that is slower than the requests makes them fail, not the memory grow."""
    audit = PostgresAuditLog(database, max_waiting=2)
    async with _locked(database_url, "audit_logs"):
        waiting = [asyncio.create_task(audit.record(new_event()))]
        await _waiting_for_lock(database_url)
        waiting += [asyncio.create_task(audit.record(new_event())) for _ in range(2)]
        await asyncio.sleep(0)

        with pytest.raises(AuditUnavailableError):
            await audit.record(new_event())

    await asyncio.gather(*waiting)


async def test_a_waiter_that_leaves_does_not_disturb_the_others(database: PostgresDatabase, database_url: str) -> None:
    """Its row is written all the same."""
    audit = PostgresAuditLog(database)
    async with _locked(database_url, "audit_logs"):
        tasks = [asyncio.create_task(audit.record(new_event()))]
        await _waiting_for_lock(database_url)
        tasks += [asyncio.create_task(audit.record(new_event())) for _ in range(3)]
        await asyncio.sleep(0)
        tasks[2].cancel()

    answers = await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(answer) for answer in answers] == [type(None), type(None), asyncio.CancelledError, type(None)]
    assert len(await _rows(database_url, "SELECT 1 FROM audit_logs")) == 4


async def test_an_event_that_cannot_be_written_in_time_fails(database: PostgresDatabase, database_url: str) -> None:
    """Whatever holds the table."""
    audit = PostgresAuditLog(database, deadline_seconds=0.2)
    async with _locked(database_url, "audit_logs"):
        with pytest.raises(AuditUnavailableError):
            await audit.record(new_event())


async def test_what_text_cannot_hold_is_replaced(database: PostgresDatabase, database_url: str) -> None:
    """A refused label with a NUL or half a character still leaves its audit row."""
    await PostgresAuditLog(database).record(new_event(label="a\0b", nested={"k\0": ["\ud800"]}))

    details = json.loads((await _rows(database_url, "SELECT details FROM audit_logs"))[0]["details"])

    assert details == {"label": "a\N{REPLACEMENT CHARACTER}b", "nested": {"k\N{REPLACEMENT CHARACTER}": ["?"]}}


async def test_details_that_are_no_json_are_a_bug(database: PostgresDatabase) -> None:
    """A number that is none is refused before it reaches others."""
    with pytest.raises(ValueError, match="Out of range float values"):
        await PostgresAuditLog(database).record(new_event(amount=float("nan")))


async def test_health_tells_the_schema(database: PostgresDatabase) -> None:
    """A database that is well answers with its version."""
    health = await PostgresHealth(database).check()

    assert health.status is HealthStatus.OK
    assert health.details["schema_version"] == 1


async def test_health_tells_a_schema_that_is_missing(empty_database_url: str) -> None:
    """A database that was not migrated is no database for us."""
    async with PostgresDatabase(empty_database_url, min_connections=1) as database:
        health = await PostgresHealth(database).check()

    assert health.status is HealthStatus.ERROR
    assert "crypto-wallets migrate" in str(health.details["reason"])


async def test_health_tells_that_the_database_refuses(database: PostgresDatabase, database_url: str) -> None:
    """A role without its rights is told, not raised."""
    await _rows(database_url, "REVOKE ALL ON schema_migrations FROM wallets")

    health = await PostgresHealth(database).check()

    assert health.status is HealthStatus.ERROR
    assert health.details["reason"] == "the database refuses: InsufficientPrivilegeError"


async def test_health_tells_that_it_is_away() -> None:
    """Without raising."""
    async with PostgresDatabase(NOWHERE) as database:
        health = await PostgresHealth(database).check()

    assert health.status is HealthStatus.ERROR
    assert health.details["reason"] == "the database is away"


async def test_health_of_a_server_that_hangs_answers_in_time(
    postgres_server: RunningServer[EmbeddedPostgres], database: PostgresDatabase
) -> None:
    """In two seconds, whatever the pool's timeouts are."""
    await PostgresHealth(database).check()
    postgres_server.hold()
    try:
        start = time.monotonic()
        health = await PostgresHealth(database).check()
        elapsed = time.monotonic() - start
    finally:
        postgres_server.release()

    assert health.status is HealthStatus.ERROR
    assert elapsed < 2.5


async def test_times_are_kept_with_their_zone(database: PostgresDatabase) -> None:
    """A wallet's creation is an instant."""
    wallet = new_wallet(created_at=AT)
    store = PostgresWalletStore(database)
    await store.add(wallet, "vault:v1:x", new_event(wallet.id))

    found = await store.get(wallet.id)

    assert found.created_at.utcoffset() is not None
    assert found.created_at == AT


@asynccontextmanager
async def _locked(url: str, table: str) -> AsyncIterator[None]:
    """Have every write to the table wait until the block ends."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
            yield
    finally:
        await connection.close()


async def _waiting_for_lock(url: str) -> None:
    """Return when a statement waits for the lock of the table."""
    query = "SELECT 1 FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"

    async def waiting() -> None:
        if not await _rows(url, query):
            raise LookupError

    await eventually(waiting, LookupError)


async def _rows(url: str, query: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    try:
        return list(await connection.fetch(query))
    finally:
        await connection.close()


async def _backend(database: PostgresDatabase) -> int:
    async with database.connection() as connection:
        return int(await connection.fetchval("SELECT pg_backend_pid()"))
