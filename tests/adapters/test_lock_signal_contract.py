"""The contract of `wallets.ports.LockSignal`, on the fake and on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from adapters.database import PostgresDatabase
from adapters.lock_signal import PostgresLockSignal
from tests.adapters.conftest import NOWHERE, new_event, on_postgres
from tests.fakes import FakeLockSignal
from wallets.errors import StoreUnavailableError
from wallets.model import AuditAction, AuditEvent
from wallets.ports import LockSignal

EVENT = new_event(action=AuditAction.KEYRING_LOCK, forgotten_seeds=3)


@dataclass(frozen=True)
class Signals:
    """The lock signals of two replicas, and a way to read the audit rows back."""

    here: LockSignal
    there: LockSignal
    events: Callable[[], Awaitable[Sequence[AuditEvent]]]


class Locks:
    """Counts calls, and lets a test wait for the next."""

    def __init__(self) -> None:
        self.count = 0
        self._called = asyncio.Event()

    def __call__(self) -> None:
        """Be called to lock."""
        self.count += 1
        self._called.set()

    async def next(self, seconds: float = 1.0) -> None:
        """Wait for a call after the last one that was waited for."""
        async with asyncio.timeout(seconds):
            await self._called.wait()
        self._called.clear()


@asynccontextmanager
async def following(signal: LockSignal) -> AsyncIterator[Locks]:
    """Follow a signal inside the block; the call that may come at the beginning is not counted."""
    locks = Locks()
    task = asyncio.create_task(signal.follow(locks))
    try:
        if isinstance(signal, PostgresLockSignal):
            await locks.next(5)
        else:
            await asyncio.sleep(0)
        locks.count = 0
        yield locks
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.fixture(params=["fake", "postgres"])
async def signals(request: pytest.FixtureRequest) -> AsyncIterator[Signals]:
    """Two replicas that can hear each other."""
    if request.param == "fake":
        fake = FakeLockSignal()

        async def events() -> Sequence[AuditEvent]:
            return fake.journal.events

        yield Signals(fake, fake, events)
        return
    url = request.getfixturevalue("database_url")
    async with (
        PostgresDatabase(url, pool_size=2, min_connections=1) as here,
        PostgresDatabase(url, pool_size=2, min_connections=1) as there,
    ):
        yield Signals(PostgresLockSignal(here, url), PostgresLockSignal(there, url), on_postgres(here, url).events)


@pytest.fixture(params=["fake", "postgres"])
async def signal_away(request: pytest.FixtureRequest) -> AsyncIterator[LockSignal]:
    """A lock signal whose database is away."""
    if request.param == "fake":
        fake = FakeLockSignal()
        fake.away = True
        yield fake
        return
    async with PostgresDatabase(NOWHERE, acquire_timeout_seconds=1) as database:
        yield PostgresLockSignal(database, NOWHERE)


async def test_all_are_told_within_a_second_and_it_is_written_down(signals: Signals) -> None:
    """Whoever sends hears it as well, and there is one audit row."""
    async with following(signals.here) as here, following(signals.there) as there:
        await signals.here.send(EVENT)
        await here.next()
        await there.next()

    assert list(await signals.events()) == [EVENT]


async def test_each_signal_is_heard(signals: Signals) -> None:
    """The second as the first, whoever sends it."""
    async with following(signals.there) as there:
        for sender in (signals.here, signals.there, signals.here):
            await sender.send(EVENT)
            await there.next()

    assert there.count == 3
    assert len(await signals.events()) == 3


async def test_nobody_is_told_while_it_is_away(signal_away: LockSignal) -> None:
    """Sending says so in bounded time, and following waits without an error."""
    locks = Locks()
    follower = asyncio.create_task(signal_away.follow(locks))

    async with asyncio.timeout(10):
        with pytest.raises(StoreUnavailableError):
            await signal_away.send(EVENT)

    assert not follower.done()
    assert locks.count == 0
    follower.cancel()
    await asyncio.wait([follower])
