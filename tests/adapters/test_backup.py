"""Backups of a real PostgreSQL: one picture while others write, and back to the byte, or nothing at all."""

import asyncio
import hashlib
import io
import json
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

import pytest

from adapters import backup
from adapters.backup import LEFT_OUT, TABLES, RestoreError, back_up, restore
from adapters.backup_file import BackupFileError, BackupReader, BackupWriter, Contents, Table, verify
from adapters.migrations import Migration, SchemaMismatchError, all_migrations, migrate
from tests.adapters.conftest import NOWHERE
from tests.postgres_probes import connected
from wallets.errors import StoreUnavailableError

KEY = {"backend": "vault", "mount": "transit", "name": "wallets"}


async def fill(url: str, wallets: int = 3) -> None:
    """Keep wallets, addresses and audit rows with everything in them that text and JSON can hold."""
    async with connected(url) as connection:
        for number in range(wallets):
            wallet_id = uuid4()
            label = f'"{number}" ä\u2028 \\n \t€'
            await connection.execute(
                "INSERT INTO master_wallets (id, label, scheme, encrypted_phrase, created_at) VALUES ($1, $2, $3, $4, now())",
                wallet_id, label, "v1_0_8", f"vault:v{number % 2 + 1}:abc+/=",
            )  # fmt: skip
            await connection.execute(
                "INSERT INTO derived_addresses (wallet_id, network, address_index, address, created_at) VALUES ($1, 'eth', $2, $3, now())",
                wallet_id, 2**31 - 1 - number, f"0x{number}",
            )  # fmt: skip
            await connection.execute("INSERT INTO account_keys (wallet_id, path, sealed) VALUES ($1, 'm', 'aesgcm:v1:+/=')", wallet_id)
            details = '{"n": 123456789012345678901234567890.10, "e": 1e400, "s": "\\u2028\\\\ \\" ä", "z": [null, true, {}], "a": ""}'
            await connection.execute(
                """INSERT INTO audit_logs (action, status, wallet_id, request_id, ip_address, api_key_id, details, created_at)
                VALUES ('a', 'ok', $1, E'r\\n\\t', '', 'k', $2::text::jsonb, '2024-02-29 23:59:59.999999+00')""",
                wallet_id, details,
            )  # fmt: skip
        await connection.execute("INSERT INTO address_keys VALUES (1, 'vault:v3:abc+/=', now())")
        await connection.execute("INSERT INTO taken_over_audit_rows VALUES (sha256('a')), (sha256('b'))")
        nonce = "(chain, address, nonce, digest, is_replacement, signed_at) VALUES ('evm:1', '0x1', '7', sha256('a'), true, now())"
        await connection.execute(f"INSERT INTO signed_nonces {nonce}")
        await connection.execute("DELETE FROM audit_logs WHERE id = 2")


async def everything(url: str) -> dict[str, Sequence[Any]]:
    """Return every row of every table that a backup holds, to the letter."""
    rows = "SELECT *, row::text FROM {} AS row ORDER BY {}"
    async with connected(url) as connection:
        return {name: [tuple(row) for row in await connection.fetch(rows.format(name, order))] for name, order in TABLES.items()}


async def backed_up(url: str, progress: backup.Progress = lambda *_: None) -> bytes:
    """Return a backup of a database."""
    file = io.BytesIO()
    await back_up(url, BackupWriter(file), key=KEY, service_version="2.0.0", progress=progress)
    return file.getvalue()


async def put_back(url: str, data: bytes, **options: Any) -> Sequence[Migration]:
    """Restore a backup."""
    file = io.BytesIO(data)
    return await restore(url, file, verify(file), progress=lambda *_: None, **options)


def changed(data: bytes, change: Callable[[Table, list[str]], tuple[Table, list[str]]]) -> bytes:
    """Return a backup with other rows, whose checksums fit them."""
    out = io.BytesIO()
    writer = BackupWriter(out)
    with BackupReader(io.BytesIO(data)) as reader:
        writer.header(reader.header())
        for table, rows in reader.tables():
            other, others = change(table, list(rows))
            writer.table(Table(other.name, other.columns, len(others)))
            for row in others:
                writer.row(row)
    writer.close()
    return out.getvalue()


@pytest.fixture
async def full_url(database_url: str) -> str:
    """The URL of a database with something in every table."""
    await fill(database_url)
    return database_url


@pytest.fixture
async def target_url(empty_database_url: str) -> str:
    """The URL of a database that is migrated and empty."""
    await migrate(empty_database_url)
    return empty_database_url


@pytest.mark.parametrize("is_migrated", [True, False])
async def test_everything_is_the_same_to_the_letter(full_url: str, empty_database_url: str, *, is_migrated: bool) -> None:
    """Into an empty database, with or without the schema, every row comes back as it was, and new ones go on behind the last."""
    if is_migrated:
        await migrate(empty_database_url)

    await put_back(empty_database_url, await backed_up(full_url))

    assert await everything(full_url) == await everything(empty_database_url)
    async with connected(empty_database_url) as connection:
        insertion = """INSERT INTO audit_logs (action, status, request_id, ip_address, api_key_id, details, created_at)
            VALUES ('', '', '', '', '', '{}', now()) RETURNING id"""
        assert await connection.fetchval(insertion) == 4
        generated = await connection.fetch("SELECT key_version, count(*) FROM master_wallets GROUP BY 1 ORDER BY 1")
    assert [tuple(row) for row in generated] == [("vault:v1", 2), ("vault:v2", 1)]


async def test_a_backup_of_a_restored_database_is_the_same(full_url: str, empty_database_url: str) -> None:
    """Two backups with a restore between them differ in their time alone."""
    first = verify(io.BytesIO(await backed_up(full_url)))
    await put_back(empty_database_url, await backed_up(full_url))

    second = verify(io.BytesIO(await backed_up(empty_database_url)))

    assert first.tables == second.tables
    assert first.checksums == second.checksums


async def test_says_what_it_holds(full_url: str) -> None:
    """Schema version, migration checksums, key versions and counts stand in the file, and the rows are plain JSON."""
    data = await backed_up(full_url)

    contents = verify(io.BytesIO(data))
    assert contents.header.schema_version == all_migrations()[-1].version
    assert contents.header.migrations == {migration.version: migration.checksum for migration in all_migrations()}
    assert contents.header.key_versions == {"vault:v1": 2, "vault:v2": 1, "vault:v3": 1}
    assert contents.header.key == KEY
    assert {table.name: table.rows for table in contents.tables} == dict(zip(TABLES, (3, 3, 1, 3, 2, 1, 2), strict=True))
    with BackupReader(io.BytesIO(data)) as reader:
        reader.header()
        rows = {table.name: [json.loads(row) for row in each] for table, each in reader.tables()}
    assert rows["audit_logs"][0]["created_at"] == "2024-02-29T23:59:59.999999+00:00"
    assert rows["master_wallets"][0].keys() == {"id", "label", "scheme", "encrypted_phrase", "created_at"}
    digests = [hashlib.sha256(text).hexdigest() for text in (b"a", b"b")]
    assert [row["digest"] for row in rows["taken_over_audit_rows"]] == [f"\\x{digest}" for digest in sorted(digests)]


async def test_every_table_is_in_it_or_left_out_for_a_reason(database_url: str) -> None:
    """Who adds a table says what becomes of it in a backup."""
    async with connected(database_url) as connection:
        names = await connection.fetch(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace"
        )

    assert TABLES.keys() | LEFT_OUT.keys() == {row["relname"] for row in names}


async def test_holds_one_picture_while_others_write(full_url: str, empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written after the backup has begun is not in it: no address without its wallet, no count that does not fit."""
    monkeypatch.setattr(backup, "_ROWS_AT_ONCE", 1)
    before, writing = await everything(full_url), []

    def write_more(*_: object) -> None:
        writing.append(asyncio.ensure_future(fill_more(full_url)))

    data = await backed_up(full_url, write_more)
    await asyncio.gather(*writing)
    await put_back(empty_database_url, data)

    assert before == await everything(empty_database_url)
    assert len((await everything(full_url))["master_wallets"]) == 3 + len(writing)


async def fill_more(url: str) -> None:
    """Add a wallet and delete what there was of an address."""
    async with connected(url) as connection:
        await connection.execute("INSERT INTO master_wallets VALUES (gen_random_uuid(), 'new', 'standard', 'vault:v1:new', now())")
        await connection.execute("DELETE FROM derived_addresses")


@pytest.mark.parametrize("table", TABLES)
async def test_refuses_a_database_that_is_not_empty(full_url: str, target_url: str, table: str) -> None:
    """One row of any table is enough, and stays as it is."""
    data = await backed_up(full_url)
    async with connected(target_url) as connection, connected(full_url) as full:
        for of_wallets in ("derived_addresses", "account_keys"):
            await connection.execute(f"ALTER TABLE {of_wallets} DROP CONSTRAINT {of_wallets}_wallet_id_fkey")
        columns = await backup._columns(full, table)
        row = await full.fetchval(backup._naming(backup._ROWS, table, columns))
        await connection.execute(backup._naming(backup._INSERT, table, columns), [row])
    before = await everything(target_url)

    with pytest.raises(RestoreError, match=f"rows in {table}"):
        await put_back(target_url, data)

    assert before == await everything(target_url)


async def test_a_row_that_the_database_refuses_changes_nothing(full_url: str, target_url: str) -> None:
    """An address of no wallet, say, in a file whose checksums fit: the whole restore is taken back."""
    data = changed(await backed_up(full_url), lambda table, rows: (table, rows[1:] if table.name == "master_wallets" else rows))

    with pytest.raises(RestoreError, match="refuses what is in the backup"):
        await put_back(target_url, data)

    assert not any((await everything(target_url)).values())


@pytest.mark.parametrize("text", ["{}", "[]", "null", "nonsense", '{"id": "x"}', '{"id": null}'])
async def test_rows_that_are_none_change_nothing(full_url: str, target_url: str, text: str) -> None:
    """Whatever stands in the place of a row."""
    data = changed(await backed_up(full_url), lambda table, rows: (table, [*rows, text] if table.name == "audit_logs" else rows))

    with pytest.raises(RestoreError):
        await put_back(target_url, data)

    assert not any((await everything(target_url)).values())


async def test_rows_that_the_database_would_write_otherwise_change_nothing(full_url: str, target_url: str) -> None:
    """A field more, or a time of another zone, would not be the same to the letter."""

    def change(table: Table, rows: list[str]) -> tuple[Table, list[str]]:
        return table, [row.replace("23:59:59.999999+00:00", "22:59:59.999999-01:00") for row in rows]

    with pytest.raises(RestoreError, match="not what the backup holds"):
        await put_back(target_url, changed(await backed_up(full_url), change))

    assert not any((await everything(target_url)).values())


async def test_refuses_tables_and_columns_that_it_does_not_know(full_url: str, target_url: str) -> None:
    """A table or a column that this schema has not is refused by name."""
    data = await backed_up(full_url)

    with pytest.raises(RestoreError, match="does not know: pg_authid"):
        await put_back(
            target_url, changed(data, lambda table, rows: (Table(table.name.replace("audit_logs", "pg_authid"), table.columns, 0), rows))
        )
    with pytest.raises(RestoreError, match="columns of master_wallets"):
        await put_back(target_url, changed(data, lambda table, _: (Table(table.name, {**table.columns, "more": "text"}, 0), [])))


def _later(sql: str = "ALTER TABLE master_wallets ADD COLUMN note text NOT NULL DEFAULT 'old'") -> Sequence[Migration]:
    known = all_migrations()
    return (*known, Migration(known[-1].version + 1, "later", sql))


async def test_an_older_backup_gets_its_own_schema_first(full_url: str, empty_database_url: str) -> None:
    """Into a database without tables, the backup's schema, its rows, and then the newer migrations, as if it had been upgraded."""
    data = await backed_up(full_url)

    applied = await put_back(empty_database_url, data, migrations=_later())

    assert [migration.name for migration in applied] == ["later"]
    async with connected(empty_database_url) as connection:
        assert await connection.fetchval("SELECT count(*) FROM master_wallets WHERE note = 'old'") == 3


async def test_an_older_backup_does_not_fit_a_newer_schema(full_url: str, empty_database_url: str) -> None:
    """A database that has the newer schema already is refused, with the way out."""
    data = await backed_up(full_url)
    await migrate(empty_database_url, migrations=_later())

    with pytest.raises(RestoreError, match="into a database without any tables"):
        await put_back(empty_database_url, data, migrations=_later())


async def test_a_migration_that_fails_behind_the_rows_takes_all_back(full_url: str, empty_database_url: str) -> None:
    """Neither rows nor tables remain."""
    data = await backed_up(full_url)

    with pytest.raises(RestoreError, match="later failed"):
        await put_back(empty_database_url, data, migrations=_later("SELECT 1 / 0"))

    async with connected(empty_database_url) as connection:
        assert await connection.fetchval("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == 0


async def test_refuses_backups_of_other_schemas(full_url: str, target_url: str) -> None:
    """A newer schema, and the same one made by other migrations, are told apart."""
    data = await backed_up(full_url)
    first, *rest = all_migrations()

    with pytest.raises(RestoreError, match="schema is too new"):
        await put_back(target_url, data, migrations=[first])
    with pytest.raises(RestoreError, match="other migrations"):
        await put_back(target_url, data, migrations=[Migration(1, "initial", "SELECT 1"), *rest])


async def test_refuses_to_back_up_another_schema(empty_database_url: str) -> None:
    """What this version does not understand it does not back up."""
    with pytest.raises(SchemaMismatchError):
        await backed_up(empty_database_url)


async def test_waits_for_nobody_for_long(full_url: str, target_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who is writing in the database is told of, and nothing is changed."""
    monkeypatch.setattr(backup, "_LOCK_SECONDS", 0.1)
    data = await backed_up(full_url)
    async with connected(target_url) as connection, connection.transaction():
        await connection.execute("LOCK TABLE audit_logs IN ROW EXCLUSIVE MODE")

        with pytest.raises(RestoreError, match="somebody is working in this database"):
            await put_back(target_url, data)


async def test_a_file_exchanged_meanwhile_is_not_restored(full_url: str, target_url: str) -> None:
    """What is restored is what was verified."""
    contents = verify(io.BytesIO(await backed_up(full_url)))
    other = Contents(contents.header, contents.tables[:1], contents.checksums)
    file = io.BytesIO(changed(await backed_up(full_url), lambda table, _: (table, [])))

    for verified in (contents, other):
        with pytest.raises((RestoreError, BackupFileError)):
            await restore(target_url, file, verified, progress=lambda *_: None)

    assert not any((await everything(target_url)).values())


async def test_says_that_the_database_is_away(full_url: str) -> None:
    """Both ways, in an error of ours."""
    data = await backed_up(full_url)

    with pytest.raises(StoreUnavailableError):
        await backed_up(NOWHERE)
    with pytest.raises(StoreUnavailableError):
        await put_back(NOWHERE, data)
