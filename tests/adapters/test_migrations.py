"""The schema comes to the version that is needed, once, whoever asks for it."""

import asyncio
from dataclasses import replace

import asyncpg
import pytest

from adapters import migrations
from adapters.migrations import (
    ADVISORY_LOCK,
    Migration,
    MigrationError,
    SchemaMismatchError,
    _check_server,
    all_migrations,
    check_schema,
    in_order,
    migrate,
)
from wallets.errors import StoreUnavailableError

FIRST = Migration(1, "first", "CREATE TABLE one (id integer)")
SECOND = Migration(2, "second", "CREATE TABLE two (id integer)")


async def test_migrations_are_applied_once(empty_database_url: str) -> None:
    """A first run applies everything, a second nothing."""
    first = await migrate(empty_database_url)
    second = await migrate(empty_database_url)

    assert first == all_migrations()
    assert second == ()


async def test_ten_at_once_apply_each_migration_once(empty_database_url: str) -> None:
    """Of ten processes that start together one migrates, and all succeed."""
    applied = await asyncio.gather(*(migrate(empty_database_url) for _ in range(10)))

    assert sorted(len(each) for each in applied) == [0] * 9 + [len(all_migrations())]


async def test_later_migrations_are_added(empty_database_url: str) -> None:
    """Only what is missing runs."""
    await migrate(empty_database_url, migrations=[FIRST])

    applied = await migrate(empty_database_url, migrations=[FIRST, SECOND])

    assert applied == [SECOND]


async def test_a_failing_migration_changes_nothing(empty_database_url: str) -> None:
    """The ones before stay, of the failing one nothing does."""
    failing = replace(SECOND, sql="CREATE TABLE two (id integer); SELECT nothing_like_it()")

    with pytest.raises(MigrationError, match="0002 second failed and changed nothing"):
        await migrate(empty_database_url, migrations=[FIRST, failing])

    assert await migrate(empty_database_url, migrations=[FIRST, SECOND]) == [SECOND]


@pytest.mark.parametrize(
    "outage",
    ["SELECT pg_terminate_backend(pg_backend_pid())", "DO $$ BEGIN RAISE EXCEPTION 'full' USING ERRCODE = 'disk_full'; END $$"],
)
async def test_an_outage_is_no_failing_migration(empty_database_url: str, outage: str) -> None:
    """The database is away then; nothing was changed, and the next run starts where this one did."""
    cut_off = replace(FIRST, sql=f"{FIRST.sql}; {outage}")

    with pytest.raises(StoreUnavailableError):
        await migrate(empty_database_url, migrations=[cut_off])

    assert await migrate(empty_database_url, migrations=[FIRST]) == [FIRST]


async def test_a_changed_migration_is_refused(empty_database_url: str) -> None:
    """What was applied must be what the file says now."""
    await migrate(empty_database_url, migrations=[FIRST])
    changed = replace(FIRST, sql="CREATE TABLE other (id integer)")

    with pytest.raises(MigrationError, match="0001 first was applied with other contents"):
        await migrate(empty_database_url, migrations=[changed])


async def test_a_newer_schema_is_refused(empty_database_url: str) -> None:
    """An old version of the service leaves a newer schema alone."""
    await migrate(empty_database_url, migrations=[FIRST, SECOND])

    with pytest.raises(MigrationError, match="too new: it has version 2"):
        await migrate(empty_database_url, migrations=[FIRST])


async def test_waiting_for_another_migration_is_told_and_bounded(empty_database_url: str) -> None:
    """A process that finds another one migrating says so, and gives up in time."""
    told: list[str] = []
    other = await asyncpg.connect(empty_database_url)
    await other.execute("SELECT pg_advisory_lock($1)", ADVISORY_LOCK)

    with pytest.raises(MigrationError, match="another process has been migrating"):
        await migrate(empty_database_url, lock_timeout_seconds=0.1, tell=told.append)

    assert told == ["another process is migrating; waiting for it, at most 0.1 s"]
    await other.close()


async def test_no_database_is_told() -> None:
    """A database that is away is not a bug."""
    with pytest.raises(StoreUnavailableError):
        await migrate("postgresql://nobody:x@127.0.0.1:1/none")


@pytest.mark.parametrize(
    ("applied", "needed", "message"),
    [
        ([], [FIRST], "too old: it has version 0, and 1 is needed"),
        ([FIRST], [FIRST, SECOND], "too old: it has version 1, and 2 is needed"),
        ([FIRST, SECOND], [FIRST], "too new: it has version 2"),
        ([FIRST], [replace(FIRST, sql="SELECT 1")], "other contents"),
    ],
)
async def test_a_wrong_schema_is_told(empty_database_url: str, applied: list[Migration], needed: list[Migration], message: str) -> None:
    """A schema other than the one needed is refused, with what to do."""
    if applied:
        await migrate(empty_database_url, migrations=applied)
    connection = await asyncpg.connect(empty_database_url)

    with pytest.raises(SchemaMismatchError, match=message):
        await check_schema(connection, needed)

    await connection.close()


async def test_the_schema_that_is_needed_passes(database_url: str) -> None:
    """A migrated database has the version that the service needs."""
    connection = await asyncpg.connect(database_url)

    version = await check_schema(connection)

    assert version == all_migrations()[-1].version
    await connection.close()


@pytest.mark.parametrize(
    "names", [["0002_second.sql"], ["0001_first.sql", "0001_second.sql"], ["0001_first.sql", "0003_third.sql"], ["1_first.sql"]]
)
def test_wrong_numbers_are_refused(names: list[str]) -> None:
    """Files are numbered from 1 without a gap."""
    with pytest.raises(MigrationError, match="comes here"):
        in_order(dict.fromkeys(names, "SELECT 1"))


def test_a_server_that_is_too_old_is_refused() -> None:
    """The message names both versions."""
    old = asyncpg.types.ServerVersion(13, 14, 0, "final", 0)

    with pytest.raises(SchemaMismatchError, match="PostgreSQL 13; 14 or newer"):
        _check_server(old)


async def test_a_table_in_use_is_waited_for_and_told(empty_database_url: str) -> None:
    """While others use a table, a migration lets them go first again and again."""
    await migrate(empty_database_url, migrations=[FIRST])
    told: list[str] = []
    other = await asyncpg.connect(empty_database_url)
    await other.execute("BEGIN; SELECT * FROM one")
    changing = replace(SECOND, sql="ALTER TABLE one ADD two integer")

    async def migrated() -> list[Migration]:
        return list(await migrate(empty_database_url, migrations=[FIRST, changing], tell=told.append))

    migrating = asyncio.create_task(migrated())
    while len(told) < 2:
        await asyncio.sleep(0.02)
    await other.execute("COMMIT")

    assert await migrating == [changing]
    assert told == ["applying 0002 second", "a table is in use; trying again"]
    await other.close()


async def test_a_table_in_use_for_too_long_is_told(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the end nothing has changed, and the message says what to look for."""
    monkeypatch.setattr(migrations, "_TABLE_SECONDS", 0.01)
    await migrate(empty_database_url, migrations=[FIRST])
    other = await asyncpg.connect(empty_database_url)
    await other.execute("BEGIN; SELECT * FROM one")
    changing = replace(SECOND, sql="ALTER TABLE one ADD two integer")

    with pytest.raises(MigrationError, match="0002 second found a table in use"):
        await migrate(empty_database_url, migrations=[FIRST, changing], lock_timeout_seconds=0)

    await other.close()
