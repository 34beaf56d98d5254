"""The audit log is partitioned by month: nothing that was in it is lost, nobody waits for it, and no row is without a place."""

import asyncio
import io
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from adapters.audit_partitions import MAKE_PARTITIONS, MONTHS_AHEAD, PERIOD_SECONDS, keep_partitions, make_partitions
from adapters.backup import back_up, restore
from adapters.backup_file import BackupWriter, verify
from adapters.database import PostgresDatabase
from adapters.migrations import all_migrations, migrate
from adapters.postgres import PostgresAuditLog
from tests.adapters.conftest import NOWHERE, new_event
from tests.postgres_probes import query

NUMBER = next(each.version for each in all_migrations() if each.name == "audit_bound")
BEFORE = all_migrations()[: NUMBER - 1]
ROWS = "SELECT row::text FROM audit_logs AS row ORDER BY id"
INSERT = """\
INSERT INTO audit_logs (action, status, request_id, ip_address, api_key_id, details, created_at)
VALUES ('a', 'ok', 'r', '', '', '{}', $1)"""
TIMES = [datetime(1970, 1, 1, tzinfo=UTC), datetime.now(UTC), datetime(2999, 12, 31, 23, 59, 59, 999_999, UTC)]


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection to a migrated, empty database."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def execute(url: str, *statements: str) -> None:
    """Run statements in a connection of their own."""
    for statement in statements:
        await query(url, statement)


async def insert(url: str, *times: datetime) -> None:
    """Write rows of these times."""
    connection = await asyncpg.connect(url)
    await connection.executemany(INSERT, [(time,) for time in times])
    await connection.close()


async def places(url: str) -> Sequence[str]:
    """Return the partition of each row, in the order of ids."""
    return [row["place"] for row in await query(url, "SELECT tableoid::regclass::text AS place FROM audit_logs ORDER BY id")]


async def last_partition(url: str) -> str:
    """Return the partition of the last month that has one."""
    rows = await query(url, r"SELECT max(relid::text) AS name FROM pg_partition_tree('audit_logs') WHERE relid::text ~ '\d$'")
    return str(rows[0]["name"])


def month_of(partition: str) -> datetime:
    """Return the time at which a partition's month begins."""
    return datetime.strptime(partition, "audit_logs_%Y_%m").replace(tzinfo=UTC)


async def test_existing_rows_stay_as_they_are(empty_database_url: str) -> None:
    """Every row with its id, those of a wrong clock too; new ids follow, and only the rows of the far future have moved."""
    await migrate(empty_database_url, migrations=BEFORE)
    await insert(empty_database_url, *TIMES)
    before = await query(empty_database_url, ROWS)

    await migrate(empty_database_url)
    after = await query(empty_database_url, ROWS)
    await insert(empty_database_url, datetime.now(UTC))

    assert before == after
    assert await places(empty_database_url) == ["audit_logs_first", "audit_logs_first", "audit_logs_default", "audit_logs_first"]
    assert len({row["id"] for row in await query(empty_database_url, "SELECT id FROM audit_logs")}) == 4


async def test_no_row_is_read_while_the_log_is_locked(empty_database_url: str) -> None:
    """PostgreSQL says that it needs not look at the rows of the table that becomes the first partition."""
    await migrate(empty_database_url, migrations=BEFORE)
    await insert(empty_database_url, *TIMES[:2])
    await migrate(empty_database_url, migrations=all_migrations()[:NUMBER])
    connection, messages = await asyncpg.connect(empty_database_url), list[str]()
    connection.add_log_listener(lambda _, message: messages.append(str(message.message)))
    await connection.execute("SET client_min_messages = debug1")

    await connection.execute(all_migrations()[NUMBER].sql)

    assert 'partition constraint for table "audit_logs_first" is implied by existing constraints' in messages
    await connection.close()


async def test_those_who_write_meanwhile_lose_nothing(empty_database_url: str) -> None:
    """Replicas of the version before go on writing, by statements they prepared before."""
    await migrate(empty_database_url, migrations=BEFORE)
    audit_ready, done = asyncio.Event(), asyncio.Event()
    async with PostgresDatabase(empty_database_url, pool_size=2, min_connections=2) as database:
        audit = PostgresAuditLog(database)

        async def write() -> int:
            count = 0
            while not done.is_set():
                await audit.record(replace(new_event(), at=datetime.now(UTC)))
                count += 1
                if count == 10:
                    audit_ready.set()
            await audit.record(new_event())
            return count + 1

        writing = asyncio.create_task(write())
        await audit_ready.wait()
        await migrate(empty_database_url)
        done.set()
        count = await writing

    assert len(await query(empty_database_url, "SELECT DISTINCT id FROM audit_logs")) == count


async def test_who_could_write_before_still_can(empty_database_url: str, reader_url: str) -> None:
    """Rights on the log are kept."""
    await migrate(empty_database_url, migrations=BEFORE)
    await insert(empty_database_url, *TIMES)

    await migrate(empty_database_url)

    assert len(await query(reader_url, ROWS)) == 3


async def test_a_new_log_begins_with_this_month(database_url: str) -> None:
    """Rows of now have their month's partition from the first on, older ones the first, and those of no partition the default one."""
    now = datetime.now(UTC)

    await insert(database_url, now, *TIMES)

    this_month = f"audit_logs_{now:%Y_%m}"
    assert await places(database_url) == [this_month, "audit_logs_first", this_month, "audit_logs_default"]


async def test_partitions_are_made_once(connection: "asyncpg.Connection[asyncpg.Record]", database_url: str) -> None:
    """The last ones that are missing are made, and then none is."""
    last = await last_partition(database_url)
    await execute(database_url, f"DROP TABLE {last}")

    made = [(await connection.fetch(MAKE_PARTITIONS, MONTHS_AHEAD)) for _ in range(2)]

    assert [[row[0] for row in each] for each in made] == [[last], []]


async def test_a_missing_partition_stops_nobody(database: PostgresDatabase, database_url: str) -> None:
    """A row of a month without a partition is kept; its month stays where the row is, and the next months get theirs."""
    last = await last_partition(database_url)
    await execute(database_url, f"DROP TABLE {last}")
    event = replace(new_event(), at=month_of(last))

    await PostgresAuditLog(database).record(event)
    rows = await query(database_url, f"SELECT make_audit_partitions({MONTHS_AHEAD + 1}) AS name")

    assert await places(database_url) == ["audit_logs_default"]
    assert [month_of(row["name"]) for row in rows] == [(month_of(last) + timedelta(days=31)).replace(day=1)]
    assert last != rows[0]["name"]


async def test_writing_goes_on_while_partitions_are_made(
    connection: "asyncpg.Connection[asyncpg.Record]", database: PostgresDatabase, database_url: str
) -> None:
    """Nobody waits for the transaction that makes them, and who wants to make them too leaves it at that."""
    last = await last_partition(database_url)
    await execute(database_url, f"DROP TABLE {last}")

    async with connection.transaction():
        made = await connection.fetch(MAKE_PARTITIONS, MONTHS_AHEAD)
        await PostgresAuditLog(database).record(replace(new_event(), at=datetime.now(UTC)))
        others = await query(database_url, f"SELECT make_audit_partitions({MONTHS_AHEAD})")

    assert (len(made), others) == (1, [])
    assert len(await places(database_url)) == 1


async def test_an_old_partition_is_taken_out_and_dropped(database: PostgresDatabase, database_url: str) -> None:
    """Retention is the operator's: what docs/audit-log.md says works while rows are written."""
    await insert(database_url, *TIMES[:2])

    await execute(database_url, "ALTER TABLE audit_logs DETACH PARTITION audit_logs_first", "DROP TABLE audit_logs_first")
    await PostgresAuditLog(database).record(new_event())

    assert (await places(database_url))[0] == f"audit_logs_{TIMES[1]:%Y_%m}"
    assert len(await places(database_url)) == 2


async def test_all_partitions_are_in_a_backup(database_url: str, empty_database_url: str) -> None:
    """And come back from it."""
    await insert(database_url, *TIMES)
    file = io.BytesIO()

    await back_up(database_url, BackupWriter(file), key={"backend": "local"}, service_version="2", progress=lambda *_: None)
    await restore(empty_database_url, file, verify(file), progress=lambda *_: None)

    assert await query(empty_database_url, ROWS) == await query(database_url, ROWS)


async def test_a_role_that_may_not_make_them_can_do_without(database_url: str) -> None:
    """Without rights, or without the function, nothing fails."""
    last = await last_partition(database_url)
    await execute(database_url, f"DROP TABLE {last}", "DROP FUNCTION make_audit_partitions")
    connection = await asyncpg.connect(database_url)

    await make_partitions(connection)

    assert await last_partition(database_url) < last
    await connection.close()


async def test_partitions_are_made_as_time_goes_by(database: PostgresDatabase, database_url: str) -> None:
    """Every few hours, also after the database was away."""
    last = await last_partition(database_url)
    await execute(database_url, f"DROP TABLE {last}")
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        if pauses:
            raise asyncio.CancelledError
        pauses.append(seconds)

    async with PostgresDatabase(NOWHERE, acquire_timeout_seconds=1) as away:
        for pool in (away, database):
            pauses.clear()
            with pytest.raises(asyncio.CancelledError):
                await keep_partitions(pool, sleep)

    assert pauses == [PERIOD_SECONDS]
    assert await last_partition(database_url) == last
