"""The pool: bounded in number and time, whatever becomes of the server, and well again after it."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from adapters.database import PostgresDatabase
from adapters.postgres import PostgresWalletStore
from serve_app.embedded import EmbeddedPostgres
from tests.adapters.conftest import new_event, new_wallet
from tests.postgres_probes import locked, waiting_for_lock
from tests.servers import RunningServer, eventually
from wallets.errors import StoreUnavailableError


async def test_a_server_that_hangs_costs_a_bounded_time(postgres_server: RunningServer[EmbeddedPostgres], database_url: str) -> None:
    """Connected or not, a request ends in 503, and the next one after the server goes on succeeds."""
    pool = PostgresDatabase(database_url, min_connections=1, acquire_timeout_seconds=0.5, command_timeout_seconds=0.5)
    async with pool as database:
        store = PostgresWalletStore(database)
        await store.page(1, 1)
        with postgres_server.held() as duration:
            for _ in range(2):
                with pytest.raises(StoreUnavailableError):
                    await store.page(1, 1)

        page = await eventually(lambda: store.page(1, 1), StoreUnavailableError)

    assert page.total == 0
    assert duration.seconds < 4


async def test_a_server_that_crashes_comes_back(postgres_server: RunningServer[EmbeddedPostgres], database_url: str) -> None:
    """What was committed is there again; nobody has to restart the service."""
    wallet = new_wallet()
    async with PostgresDatabase(database_url, acquire_timeout_seconds=1, command_timeout_seconds=1) as database:
        store = PostgresWalletStore(database)
        await store.add(wallet, "vault:v1:x", new_event(wallet.id))
        with postgres_server.killed(), pytest.raises(StoreUnavailableError):
            await store.get(wallet.id)

        found = await eventually(lambda: store.get(wallet.id), StoreUnavailableError)

    assert found == wallet


async def test_the_service_may_start_before_the_database(postgres_server: RunningServer[EmbeddedPostgres], database_url: str) -> None:
    """The pool opens when the database is there."""
    async with AsyncExitStack() as stack:
        with postgres_server.stopped():
            database = await stack.enter_async_context(PostgresDatabase(database_url, acquire_timeout_seconds=1))
            with pytest.raises(StoreUnavailableError):
                await PostgresWalletStore(database).page(1, 1)

        page = await eventually(lambda: PostgresWalletStore(database).page(1, 1), StoreUnavailableError)

    assert page.total == 0


async def test_a_pool_ends_in_time_though_the_server_hangs(postgres_server: RunningServer[EmbeddedPostgres], database_url: str) -> None:
    """Its connections are cut off when the server does not say goodbye."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(PostgresDatabase(database_url, min_connections=1, command_timeout_seconds=0.3))
        await _backend(database)

        with postgres_server.held() as duration:
            await stack.aclose()

    assert duration.seconds < 2


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
            async with locked(database_url, "master_wallets"):
                wallet = new_wallet()
                request = asyncio.create_task(store.add(wallet, "vault:v1:x", new_event(wallet.id)))
                await waiting_for_lock(database_url)
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


async def _backend(database: PostgresDatabase) -> int:
    async with database.connection() as connection:
        return int(await connection.fetchval("SELECT pg_backend_pid()"))
