"""Real servers for the tests, started once a session and only when asked for, and a database of its own for each test."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, settings

from adapters.database import PostgresDatabase
from adapters.migrations import migrate
from serve_app.embedded import EmbeddedPostgres, EmbeddedRedis, EmbeddedVault
from tests.open_vault import OpenVault
from tests.servers import RunningServer, open_folder, started

T = TypeVar("T")

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """Where the servers keep their data."""
    with open_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def postgres_server(server_folder: Path) -> Iterator[RunningServer[EmbeddedPostgres]]:
    """A PostgreSQL whose database `wallets` is migrated, and a template for the databases of tests."""
    with started(EmbeddedPostgres(server_folder / "postgres"), server_folder / "postgres.log") as server:
        # Tests make many databases, and none of them has to outlive the machine.
        in_own_loop(_administrate(server.server, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()"))
        in_own_loop(migrate(server.server.url))
        yield server


@pytest.fixture(scope="session")
def redis_server(server_folder: Path) -> Iterator[RunningServer[EmbeddedRedis]]:
    """A Valkey."""
    with started(EmbeddedRedis(server_folder / "redis"), server_folder / "redis.log") as server:
        yield server


@pytest.fixture(scope="session")
def vault_server(server_folder: Path, postgres_server: RunningServer[EmbeddedPostgres]) -> Iterator[RunningServer[EmbeddedVault]]:
    """An OpenBao on the PostgreSQL."""
    vault = EmbeddedVault(server_folder / "vault", postgres_server.server)
    with started(vault, server_folder / "vault.log") as server:
        yield server


@pytest.fixture(scope="session")
def open_vault(server_folder: Path) -> Iterator[RunningServer[OpenVault]]:
    """An OpenBao that tests may administrate."""
    (server_folder / "open-vault").mkdir()
    with started(OpenVault(server_folder / "open-vault"), server_folder / "open-vault.log") as server:
        yield server


@pytest.fixture
def empty_database_url(postgres_server: RunningServer[EmbeddedPostgres]) -> Iterator[str]:
    """The URL of a new database without any schema."""
    with _new_database(postgres_server.server, template="template0") as url:
        yield url


@pytest.fixture
def database_url(postgres_server: RunningServer[EmbeddedPostgres]) -> Iterator[str]:
    """The URL of a new, migrated, empty database."""
    with _new_database(postgres_server.server, template="wallets") as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[PostgresDatabase]:
    """A pool on a new, migrated, empty database, with timeouts that do not make tests slow."""
    pool = PostgresDatabase(database_url, pool_size=4, min_connections=1, acquire_timeout_seconds=2, command_timeout_seconds=2)
    async with pool as opened:
        yield opened


@pytest.fixture
def reader_url(postgres_server: RunningServer[EmbeddedPostgres], empty_database_url: str) -> Iterator[str]:
    """The URL by which a role reaches the database without a schema that may read its future tables, and nothing else."""
    name, role = urlsplit(empty_database_url).path.removeprefix("/"), f"reader_{uuid4().hex}"
    superuser_url = postgres_server.server.url_of("postgres", name)
    grant = f"ALTER DEFAULT PRIVILEGES FOR ROLE wallets GRANT SELECT ON TABLES TO {role}"
    connect = f"GRANT CONNECT ON DATABASE {name} TO {role}"
    in_own_loop(_execute(superuser_url, f"CREATE ROLE {role} LOGIN PASSWORD 'reads'", connect, grant))
    yield empty_database_url.replace(urlsplit(empty_database_url).netloc, f"{role}:reads@")
    in_own_loop(_execute(superuser_url, f"DROP OWNED BY {role}", f"DROP ROLE {role}"))


def in_own_loop(coroutine: Coroutine[object, object, T]) -> T:
    """Run something asynchronous for a fixture that is not: it may be asked for inside of a loop, and outlive it."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


@contextmanager
def _new_database(postgres: EmbeddedPostgres, template: str) -> Iterator[str]:
    name = f"test_{uuid4().hex}"
    in_own_loop(_administrate(postgres, f"CREATE DATABASE {name} TEMPLATE {template} OWNER wallets"))
    yield postgres.url_of("wallets", name)
    in_own_loop(_administrate(postgres, f"DROP DATABASE {name} WITH (FORCE)"))


async def _administrate(postgres: EmbeddedPostgres, *statements: str) -> None:
    await _execute(postgres.superuser_url, *statements)


async def _execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()
