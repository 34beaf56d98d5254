"""Read everything out of the database into a backup, and put it into an empty one."""

import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

import asyncpg

from adapters.backup_file import BackupReader, BackupWriter, Contents, Header, Table
from adapters.database import mapped_errors, means_unavailable
from adapters.migrations import Migration, MigrationError, all_migrations, applied, apply_missing, check_schema, migrating_alone

if TYPE_CHECKING:  # generic in the stubs alone
    type_connection = asyncpg.Connection[asyncpg.Record]

TABLES: Mapping[str, str] = {
    "master_wallets": "id",
    "derived_addresses": "id",
    "address_keys": "number",
    "account_keys": "id",
    "audit_logs": "id",
    "signed_nonces": "id",
    "taken_over_audit_rows": "digest",
}
"""What a backup holds, each table after those that it refers to, with the column that orders its rows."""

LEFT_OUT: Mapping[str, str] = {
    "idempotent_requests": "answers are kept for a day, and are of requests that the backup may not know",
    "wallet_counts": "the database counts the wallets again as they are restored",
    "keyring_lock": "the moment at which replicas last forgot their seeds says nothing to those of another database",
    "schema_migrations": "the backup names the schema's version, and restoring makes it",
}
"""What a backup does not hold, and why."""

_ROWS_AT_ONCE = 1_000
_CONNECT_SECONDS = 10.0
_LOCK_SECONDS = 10.0
_STATEMENT_SECONDS = 600.0
"""Counting a large table takes its time; a server that is gone is noticed by the network sooner."""

_COUNT = "SELECT count(*) FROM {table}"
_ANY = "SELECT EXISTS (SELECT FROM {table})"
_ROWS = "SELECT row_to_json(kept)::text FROM (SELECT {columns} FROM {table} ORDER BY {order}) AS kept"
"""JSON of PostgreSQL's loses nothing of any type of ours."""
_INSERT = """\
INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE
SELECT {columns} FROM unnest($1::text[]) WITH ORDINALITY AS line (line_text, line_number),
    json_populate_record(NULL::{table}, line.line_text::json) ORDER BY line.line_number"""
_CONTINUE_IDS = "SELECT setval($1, (SELECT max({order}) FROM {table}))"
_KEY_VERSIONS = """\
SELECT coalesce(substring(encrypted_phrase FROM '^[a-z]+:v[0-9]+'), '?') AS key, count(*)
FROM (SELECT encrypted_phrase FROM master_wallets UNION ALL SELECT encrypted_phrase FROM address_keys) AS kept GROUP BY 1"""
_COLUMNS = """\
SELECT attname::text AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute
WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum"""

Progress = Callable[[str, int, int], None]
"""Called with a table, how many of its rows are done, and how many there are."""


class RestoreError(Exception):
    """The backup was not restored, and nothing was changed; the message is for the operator."""


async def back_up(url: str, writer: BackupWriter, *, key: Mapping[str, str], service_version: str, progress: Progress) -> None:
    """Write one unchanging picture of the database, while others may write to it.

    Raises:
        BackupFileError: A row is too long.
        SchemaMismatchError: The schema is not that of this version.
        StoreUnavailableError: The database is away.
    """
    settings = {"application_name": "crypto-wallets backup", "default_transaction_read_only": "on"}
    async with _connected(url, settings) as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        version = await check_schema(connection)
        header = Header(
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            service_version=service_version,
            schema_version=version,
            migrations=await applied(connection),
            key_versions=await _key_versions(connection),
            key=key,
        )
        writer.header(header)
        for name in TABLES:
            count = await connection.fetchval(_naming(_COUNT, name))
            table = Table(name, await _columns(connection, name), count)
            writer.table(table)
            async for number, rows in _rows(connection, table):
                for row in rows:
                    writer.row(row)
                progress(name, number, count)
    writer.close()


async def restore(
    url: str, file: BinaryIO, contents: Contents, *, progress: Progress, migrations: Sequence[Migration] | None = None
) -> Sequence[Migration]:
    """Put a backup into a database that holds nothing, in one transaction, and compare what is there then with the backup.

    A database without any schema gets that of the backup first, and then, if this version has a newer one, is brought up to it; a database
    that has a schema must have that of the backup. Return the migrations that were applied behind the backup's.

    Raises:
        BackupFileError: The file has changed since it was verified.
        RestoreError: The database holds something, has another schema, or refuses a row.
        StoreUnavailableError: The database is away.
    """
    migrations = all_migrations() if migrations is None else migrations
    _check_history(contents.header, migrations)
    async with _connected(url, {"application_name": "crypto-wallets restore"}) as connection:
        try:
            async with migrating_alone(connection, _LOCK_SECONDS, lambda _: None), connection.transaction():
                await connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS:g}s'")
                await _prepare(connection, contents, migrations)
                await _insert_all(connection, file, contents, progress)
                return await apply_missing(connection, migrations)
        except MigrationError as error:
            raise RestoreError(str(error)) from error
        except asyncpg.LockNotAvailableError as error:
            msg = "somebody is working in this database; stop the service that uses it, or try again"
            raise RestoreError(msg) from error
        except asyncpg.PostgresError as error:
            if means_unavailable(error):
                raise
            msg = f"the database refuses what is in the backup: {error}"
            raise RestoreError(msg) from error


def _check_history(header: Header, migrations: Sequence[Migration]) -> None:
    known = {migration.version: migration.checksum for migration in migrations}
    if header.schema_version > max(known):
        msg = f"the backup's schema is too new: it has version {header.schema_version}, and this version of the service knows {max(known)}"
        raise RestoreError(msg)
    if header.migrations != {version: known[version] for version in known if version <= header.schema_version}:
        msg = "the backup's schema was made by other migrations than this service has"
        raise RestoreError(msg)


async def _prepare(connection: "type_connection", contents: Contents, migrations: Sequence[Migration]) -> None:
    """See that the database has the schema of the backup, holds nothing, and gets nothing from anybody else before we are done."""
    needed, found = contents.header.schema_version, max(await applied(connection), default=0)
    if found not in {0, needed}:
        msg = (
            f"the database has schema version {found}, and the backup {needed}; restore it into a database without any tables, "
            "which then gets the backup's schema and is brought up to this version's"
        )
        raise RestoreError(msg)
    await apply_missing(connection, migrations[:needed])
    existing = [table.name for table in contents.tables]
    if unknown := sorted(set(existing) - TABLES.keys()):
        raise RestoreError(f"the backup has a table that this service does not know: {unknown[0]}")
    await connection.execute(f"LOCK TABLE {', '.join(existing)} IN SHARE ROW EXCLUSIVE MODE")
    for table in contents.tables:
        if await connection.fetchval(_naming(_ANY, table.name)):
            raise RestoreError(f"the database is not empty: there are rows in {table.name}; a backup is restored into an empty one only")
        if await _columns(connection, table.name) != table.columns:
            raise RestoreError(f"the columns of {table.name} are not those of the backup")


async def _insert_all(connection: "type_connection", file: BinaryIO, contents: Contents, progress: Progress) -> None:
    with BackupReader(file) as reader:
        header = reader.header()
        for table, rows in reader.tables():
            if table not in contents.tables:
                break  # another file, which is told below
            done = 0
            while chunk := list(islice(rows, _ROWS_AT_ONCE)):
                await connection.execute(_naming(_INSERT, table.name, table.columns), chunk)
                done += len(chunk)
                progress(table.name, done, table.rows)
            await _continue_ids(connection, table)
        if header != contents.header or reader.checksums != contents.checksums:
            raise RestoreError("the backup has been exchanged while it was being read")
        for table in contents.tables:
            if await _checksum(connection, table) != contents.checksums[table.name]:
                raise RestoreError(f"what the database made of {table.name} is not what the backup holds")
    # A later migration may change the tables, which PostgreSQL refuses while a cursor of the session is open on them.
    await connection.execute("CLOSE ALL")


async def _continue_ids(connection: "type_connection", table: Table) -> None:
    """Have new rows numbered from behind the restored ones on."""
    sequence = await connection.fetchval("SELECT pg_get_serial_sequence($1, $2)", table.name, TABLES[table.name])
    if sequence is not None and table.rows:
        await connection.execute(_naming(_CONTINUE_IDS, table.name), sequence)


async def _checksum(connection: "type_connection", table: Table) -> str:
    digest = hashlib.sha256()
    async for _, rows in _rows(connection, table):
        for row in rows:
            digest.update(row.encode() + b"\n")
    return digest.hexdigest()


async def _rows(connection: "type_connection", table: Table) -> AsyncIterator[tuple[int, Sequence[str]]]:
    """Read rows in their order, some at a time, and how many these are by then."""
    cursor = await connection.cursor(_naming(_ROWS, table.name, table.columns))
    number = 0
    while records := await cursor.fetch(_ROWS_AT_ONCE):
        number += len(records)
        yield number, [record[0] for record in records]


def _naming(statement: str, table: str, columns: Iterable[str] = ()) -> str:
    """Put into a statement the names of one of `TABLES`, its columns and the one that orders its rows: they cannot be parameters."""
    quoted = ['"{}"'.format(name.replace('"', '""')) for name in columns]
    return statement.format(table=table, columns=", ".join(quoted), order=TABLES[table])


async def _columns(connection: "type_connection", table: str) -> Mapping[str, str]:
    return {record["name"]: record["type"] for record in await connection.fetch(_COLUMNS, table)}


async def _key_versions(connection: "type_connection") -> Mapping[str, int]:
    return {record["key"]: record["count"] for record in await connection.fetch(_KEY_VERSIONS)}


@asynccontextmanager
async def _connected(url: str, settings: Mapping[str, str]) -> "AsyncIterator[type_connection]":
    with mapped_errors():
        # The time zone and the form of bytes decide how rows are written.
        fixed = {"TimeZone": "UTC", "bytea_output": "hex", "statement_timeout": "0", "idle_in_transaction_session_timeout": "0", **settings}
        connection = await asyncpg.connect(url, timeout=_CONNECT_SECONDS, command_timeout=_STATEMENT_SECONDS, server_settings=fixed)
        try:
            yield connection
        finally:
            connection.terminate()
