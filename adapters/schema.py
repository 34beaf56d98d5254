"""Bring the database's schema to the version of this code, and say whether it is there."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

import asyncpg

_LOCK = 0x6372_7970_746F_7773
"""The advisory lock that migrations take turns with: "cryptows" in ASCII."""

_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()
)
"""


class SchemaMismatchError(Exception):
    """The schema is too old, too new, or not what the migrations say; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of `migrations/`: forward only, never changed once released."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the SQL, hex."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations() -> list[Migration]:
    """Return the migrations in order."""
    files = sorted((file for file in resources.files("migrations").iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return [Migration(int(file.name[:4]), file.name[5:-4], file.read_text()) for file in files]


async def migrate(url: str) -> list[str]:
    """Apply what is missing and return the names applied. Safe when many run at once: one works, the others wait up to 60 s.

    Raises:
        SchemaMismatchError: The database has migrations that this version does not know, or a changed one.
        OSError, asyncpg.PostgresError: The database is away.
    """
    connection = await asyncpg.connect(url, timeout=10)
    try:
        await connection.execute("SET lock_timeout = '60s'")
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        await connection.execute(_TABLE)
        applied = _applied(await connection.fetch("SELECT version, checksum FROM schema_migrations ORDER BY version"))
        missing = migrations()[len(applied) :]
        for migration in missing:
            async with connection.transaction():
                await connection.execute(migration.sql)
                statement = "INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)"
                await connection.execute(statement, migration.version, migration.name, migration.checksum)
        return [migration.name for migration in missing]
    finally:
        await connection.close()


async def check_schema(connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]") -> None:
    """Return if the schema is exactly the one of this version.

    Raises:
        SchemaMismatchError: It is not.
    """
    if await connection.fetchval("SELECT to_regclass('schema_migrations')") is None:
        raise SchemaMismatchError("the database has no schema yet; run `crypto-wallets migrate`")
    applied = _applied(await connection.fetch("SELECT version, checksum FROM schema_migrations ORDER BY version"))
    if len(applied) < len(migrations()):
        raise SchemaMismatchError("the database's schema is older than this version; run `crypto-wallets migrate`")


def _applied(rows: Sequence[asyncpg.Record]) -> list[int]:
    known = {migration.version: migration.checksum for migration in migrations()}
    for row in rows:
        if row["version"] not in known:
            raise SchemaMismatchError(f"the database has migration {row['version']}, which this version does not know; run a newer one")
        if row["checksum"] != known[row["version"]]:
            raise SchemaMismatchError(f"migration {row['version']} is not the one that was applied to the database")
    return [row["version"] for row in rows]
