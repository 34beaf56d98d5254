"""Bring the database's schema to the version that this version of the service needs, and say whether it is there.

Migrations are the files `migrations/NNNN_name.sql`, numbered from 1 without a gap, forward only. Each runs in a transaction of its own,
all under one advisory lock, so that any number of processes may try at once. What was applied is kept with its checksum in
`schema_migrations`. Statements that cannot run in a transaction are not supported.

A migration waits for a table that others use for `_TABLE_SECONDS` at a time: while it waits, everybody who comes later waits behind it.
"""

import asyncio
import hashlib
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import asyncpg

from adapters.audit_partitions import make_partitions
from adapters.database import mapped_errors, means_unavailable
from wallets.errors import StoreUnavailableError

if TYPE_CHECKING:  # generic in the stubs alone
    from asyncpg.pool import PoolConnectionProxy

    type_connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]

ADVISORY_LOCK = 4_096_120_519_477_310_042
"""Any number that nothing else in the database locks; the same for all versions, for ever."""

_TABLE_SECONDS = 1.0
_PAUSE_SECONDS = 1.0

_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")

_CREATE_TABLE = """\
CREATE TABLE IF NOT EXISTS schema_migrations (
    version integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)"""


OLDEST_POSTGRES = 14
"""The oldest major version that its makers still mend."""


class MigrationError(Exception):
    """The schema cannot be migrated; the message is for the operator."""


class SchemaMismatchError(StoreUnavailableError):
    """The database's schema is too old, too new or another one, or its server is too old; the message tells the operator what to do."""


class SchemaTooOldError(SchemaMismatchError):
    """The database's schema is too old, which a migration changes."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step. `checksum` is the SHA-256 of its SQL in hex."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the SQL, in hex."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


@cache
def all_migrations() -> Sequence[Migration]:
    """Return the migrations of this version of the service, in order.

    Raises:
        MigrationError: A file has a wrong name, or a number is missing or used twice.
    """
    files = [file for file in resources.files("migrations").iterdir() if file.name.endswith(".sql")]
    return in_order({file.name: file.read_text(encoding="utf-8") for file in files})


def in_order(files: Mapping[str, str]) -> Sequence[Migration]:
    """Return migrations from the text of files by name.

    Raises:
        MigrationError: A file has a wrong name, or a number is missing or used twice.
    """
    migrations = []
    for expected, (name, sql) in enumerate(sorted(files.items()), start=1):
        match = _NAME.fullmatch(name)
        if match is None or int(match[1]) != expected:
            msg = f"migrations/{name}: number {expected:04} comes here, as {expected:04}_name.sql"
            raise MigrationError(msg)
        migrations.append(Migration(expected, match[2], sql))
    return tuple(migrations)


async def migrate(
    url: str,
    *,
    migrations: Sequence[Migration] | None = None,
    lock_timeout_seconds: float = 60,
    tell: Callable[[str], None] = lambda _: None,
) -> Sequence[Migration]:
    """Apply what is missing and return it; doing it again does nothing. `tell` is called with a line whenever something takes its time.

    Raises:
        MigrationError: Another process migrates for too long, what was applied before is not what is here, or a statement fails.
        StoreUnavailableError: The database is away.
    """
    migrations = all_migrations() if migrations is None else migrations
    async with _connected(url) as connection, migrating_alone(connection, lock_timeout_seconds, tell):
        missing = await apply_missing(connection, migrations, tell, patience_seconds=lock_timeout_seconds)
        if migrations is all_migrations():
            await make_partitions(connection)
        return missing


async def apply_missing(
    connection: "type_connection",
    migrations: Sequence[Migration],
    tell: Callable[[str], None] = lambda _: None,
    *,
    patience_seconds: float = 0,
) -> Sequence[Migration]:
    """Apply what is missing of `migrations`, each in a transaction, or all in that of the connection; return what was missing.

    `patience_seconds` is for how long each may find a table in use by others, and try again.

    Raises:
        MigrationError: What was applied before is not what is here, or a statement fails.
    """
    _check_server(connection.get_server_version())
    await connection.execute(_CREATE_TABLE)
    done = await applied(connection)
    _check_history(done, migrations)
    missing = migrations[len(done) :]
    for migration in missing:
        tell(f"applying {migration.version:04} {migration.name}")
        await _apply_patiently(connection, migration, tell, time.monotonic() + patience_seconds)
    return missing


async def check_schema(connection: "type_connection", migrations: Sequence[Migration] | None = None) -> int:
    """Return the schema's version if it is the one needed.

    Raises:
        SchemaMismatchError: It is not; the message says which of the two is older.
    """
    migrations = all_migrations() if migrations is None else migrations
    _check_server(connection.get_server_version())
    done = await applied(connection)
    found, needed = max(done, default=0), migrations[-1].version
    if found < needed:
        msg = f"the database's schema is too old: it has version {found}, and {needed} is needed; run `crypto-wallets migrate`"
        raise SchemaTooOldError(msg)
    if found > needed:
        msg = f"the database's schema is too new: it has version {found}, and this version of the service knows {needed}; run a newer one"
        raise SchemaMismatchError(msg)
    try:
        _check_history(done, migrations)
    except MigrationError as error:
        raise SchemaMismatchError(str(error)) from None
    return found


async def check_database(url: str) -> int:
    """Return the version of a database's schema if it is the one needed, and change nothing.

    Raises:
        SchemaMismatchError: It is not; the message says which of the two is older.
        StoreUnavailableError: The database is away.
    """
    async with _connected(url) as connection:
        return await check_schema(connection)


def _check_server(version: asyncpg.types.ServerVersion) -> None:
    if version.major < OLDEST_POSTGRES:
        msg = f"the database is a PostgreSQL {version.major}; {OLDEST_POSTGRES} or newer is needed"
        raise SchemaMismatchError(msg)


def _check_history(done: Mapping[int, str], migrations: Sequence[Migration]) -> None:
    known = {migration.version: migration for migration in migrations}
    newer = sorted(done.keys() - known.keys())
    if newer:
        msg = f"the database's schema is too new: it has version {newer[-1]}, and this version of the service knows {max(known)}"
        raise MigrationError(msg)
    for version, checksum in done.items():
        if checksum != known[version].checksum:
            msg = f"migration {version:04} {known[version].name} was applied with other contents than it has now; it must not be changed"
            raise MigrationError(msg)


@asynccontextmanager
async def _connected(url: str) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    with mapped_errors():
        connection = await asyncpg.connect(url, timeout=10, server_settings={"application_name": "crypto-wallets migrate"})
        try:
            yield connection
        finally:
            await connection.close(timeout=10)


@asynccontextmanager
async def migrating_alone(
    connection: "asyncpg.Connection[asyncpg.Record]", timeout_seconds: float, tell: Callable[[str], None]
) -> AsyncIterator[None]:
    """Keep every other process from changing the schema until the connection is closed.

    Raises:
        MigrationError: Another process is at it, for longer than the timeout.
    """
    if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", ADVISORY_LOCK):
        tell(f"another process is migrating; waiting for it, at most {timeout_seconds:g} s")
        await connection.execute("SELECT set_config('lock_timeout', $1, false)", f"{timeout_seconds:f}s")
        try:
            await connection.execute("SELECT pg_advisory_lock($1)", ADVISORY_LOCK)
        except asyncpg.LockNotAvailableError:
            msg = f"another process has been migrating for more than {timeout_seconds:g} s; see what it waits for, then try again"
            raise MigrationError(msg) from None
        await connection.execute("RESET lock_timeout")
    # Closing the connection lets go of the lock, also where this process is killed.
    yield


async def applied(connection: "type_connection") -> Mapping[int, str]:
    """Return the checksums of what was applied, by version; nothing where nothing was."""
    if not await connection.fetchval("SELECT to_regclass('schema_migrations') IS NOT NULL"):
        return {}
    rows = await connection.fetch("SELECT version, checksum FROM schema_migrations ORDER BY version")
    return {row["version"]: row["checksum"] for row in rows}


async def _apply_patiently(connection: "type_connection", migration: Migration, tell: Callable[[str], None], end: float) -> None:
    while True:
        try:
            await _apply(connection, migration)
        except asyncpg.LockNotAvailableError:
            if time.monotonic() > end:
                msg = (
                    f"migration {migration.version:04} {migration.name} found a table in use all the time and changed nothing; see who "
                    "uses it (a backup?), then try again"
                )
                raise MigrationError(msg) from None
            tell("a table is in use; trying again")
            await asyncio.sleep(_PAUSE_SECONDS)
        else:
            return


async def _apply(connection: "type_connection", migration: Migration) -> None:
    try:
        async with connection.transaction():
            await connection.execute(f"SET LOCAL lock_timeout = '{_TABLE_SECONDS:g}s'")
            await connection.execute(migration.sql)
            await connection.execute(
                "INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)",
                migration.version,
                migration.name,
                migration.checksum,
            )
    except asyncpg.PostgresError as error:
        if means_unavailable(error):
            raise
        msg = f"migration {migration.version:04} {migration.name} failed and changed nothing: {error}"
        raise MigrationError(msg) from error
