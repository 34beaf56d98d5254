"""The lock signal on PostgreSQL: what is sent while it cannot be heard is heard later, and no audit row means no signal."""

import asyncio
from dataclasses import replace

import pytest

from adapters.database import PostgresDatabase
from adapters.lock_signal import PostgresLockSignal
from serve_app.embedded import EmbeddedPostgres
from tests.adapters.conftest import NOWHERE, on_postgres
from tests.adapters.test_lock_signal_contract import EVENT, Locks, following
from tests.postgres_probes import connected, query
from tests.servers import RunningServer, eventually
from wallets.errors import StoreUnavailableError

_END_LISTENER = """\
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'crypto-wallets lock' AND datname = current_database()"""
_LISTENER = "SELECT pid FROM pg_stat_activity WHERE application_name = 'crypto-wallets lock' AND datname = current_database()"


async def test_a_connection_that_was_ended_is_made_anew(database: PostgresDatabase, database_url: str) -> None:
    """A lock that was sent in the meantime is heard with the new one, and later ones too."""
    signal = PostgresLockSignal(database, database_url)

    async with following(signal) as locks:
        await query(database_url, _END_LISTENER)
        await signal.send(EVENT)
        await locks.next()
        await signal.send(EVENT)
        await locks.next()

    assert locks.count == 2


async def test_an_outage_without_a_lock_locks_nothing(database: PostgresDatabase, database_url: str) -> None:
    """What is unlocked stays so when the connection comes back and the epoch is as it was."""
    signal = PostgresLockSignal(database, database_url)

    async with following(signal) as locks, asyncio.timeout(10):
        was = await _listener(database_url)
        await query(database_url, _END_LISTENER)
        while await _listener(database_url) in {was, None}:
            await asyncio.sleep(0.02)
        await query(database_url, "SELECT pg_notify('crypto_wallets_keyring_lock', epoch::text) FROM keyring_lock")
        await signal.send(EVENT)
        await locks.next()

    assert locks.count == 1


async def _listener(url: str) -> int | None:
    async with connected(url) as connection:
        pid: int | None = await connection.fetchval(_LISTENER)
        return pid


async def test_a_database_that_was_away_is_heard_when_it_is_back(
    postgres_server: RunningServer[EmbeddedPostgres], database: PostgresDatabase, database_url: str
) -> None:
    """After a restart of the server the first lock arrives, also where it is sent before the follower is back."""
    signal = PostgresLockSignal(database, database_url)

    async with following(signal) as locks:
        postgres_server.stop()
        with pytest.raises(StoreUnavailableError):
            await signal.send(EVENT)
        postgres_server.start()
        await eventually(lambda: signal.send(EVENT), StoreUnavailableError)
        await locks.next(3)

    assert locks.count == 1


async def test_a_lock_without_a_notification_is_heard(database: PostgresDatabase, database_url: str) -> None:
    """A pooler that gives each statement another session swallows notifications: the epoch itself is read often enough."""
    async with following(PostgresLockSignal(database, database_url)) as locks:
        await query(database_url, "UPDATE keyring_lock SET epoch = epoch + 1")
        await locks.next()

    assert locks.count == 1


async def test_it_is_heard_without_a_connection_of_its_own(database: PostgresDatabase) -> None:
    """Where only the pool still reaches the database, which is enough to sign, locks are heard by it."""
    signal = PostgresLockSignal(database, NOWHERE)

    async with following(signal) as locks:
        await signal.send(EVENT)
        await locks.next(2)

    assert locks.count == 1


async def test_an_earlier_epoch_locks_as_well(database: PostgresDatabase, database_url: str) -> None:
    """A database that was restored from a backup has another epoch, not a later one."""
    signal = PostgresLockSignal(database, database_url)
    await signal.send(EVENT)

    async with following(signal) as locks:
        await query(database_url, "DELETE FROM keyring_lock")
        await locks.next()
        await signal.send(EVENT)
        await locks.next()

    assert locks.count == 2


async def test_a_missing_table_ends_nothing(database: PostgresDatabase, database_url: str) -> None:
    """A database whose schema is wrong is waited for like one that is away."""
    await query(database_url, "ALTER TABLE keyring_lock RENAME TO elsewhere")
    locks = Locks()
    follower = asyncio.create_task(PostgresLockSignal(database, database_url).follow(locks))
    await asyncio.wait([follower], timeout=0.3)
    assert locks.count == 0

    await query(database_url, "ALTER TABLE elsewhere RENAME TO keyring_lock")
    await locks.next(3)

    assert not follower.done()
    follower.cancel()
    await asyncio.wait([follower])


async def test_no_audit_row_means_no_signal(database: PostgresDatabase, database_url: str) -> None:
    """Both are written in one transaction."""
    signal = PostgresLockSignal(database, database_url)
    unwritable = replace(EVENT, details={"number": float("nan")})

    async with following(signal) as locks:
        with pytest.raises(ValueError, match="JSON"):
            await signal.send(unwritable)
        await signal.send(EVENT)
        await locks.next()

    assert locks.count == 1
    assert list(await on_postgres(database, database_url).events()) == [EVENT]


async def test_many_at_once_are_all_written(database: PostgresDatabase, database_url: str) -> None:
    """Locks that are sent at the same time wait for each other, and none fails."""
    signal = PostgresLockSignal(database, database_url)

    async with following(signal) as locks:
        await asyncio.gather(*(signal.send(EVENT) for _ in range(10)))
        await locks.next()

    assert len(await on_postgres(database, database_url).events()) == 10
