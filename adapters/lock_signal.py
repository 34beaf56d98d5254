"""Have every replica forget its unlocked seeds, by way of PostgreSQL: an epoch that each lock moves on, and a notification of it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NoReturn

import asyncpg
import structlog

from adapters.database import UNAVAILABLE, PostgresDatabase
from adapters.postgres import insert_event
from wallets.errors import StoreUnavailableError
from wallets.model import AuditEvent

BEAT_SECONDS = 0.5
"""How often the epoch is read. It finds a connection that broke without a word, and what a pooler between us and PostgreSQL swallows."""

_CONNECT_SECONDS = 2.0
_COMMAND_SECONDS = 1.0
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 1.0

_CHANNEL = "crypto_wallets_keyring_lock"
_EPOCH = "SELECT epoch FROM keyring_lock"
_MOVE_ON = """\
WITH moved AS (
    INSERT INTO keyring_lock (epoch) VALUES (1) ON CONFLICT (is_only_row) DO UPDATE SET epoch = keyring_lock.epoch + 1 RETURNING epoch
)
SELECT pg_notify($1, epoch::text) FROM moved"""

_log = structlog.get_logger(__name__)


class PostgresLockSignal:
    """See `wallets.ports.LockSignal`.

    Following takes a connection of its own, to `url`. While it has none it reads the epoch by one of `database`: a replica that can write
    audit rows, and so can sign, hears of a lock.
    """

    def __init__(self, database: PostgresDatabase, url: str, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._database = database
        self._url = url
        self._sleep = sleep
        self._heard: int | None = None
        """The last epoch. None at first, so that what is unlocked before it is known goes."""
        self._failures = 0

    async def send(self, event: AuditEvent) -> None:
        """See `LockSignal.send`."""
        async with self._database.connection() as connection, connection.transaction():
            await connection.execute(_MOVE_ON, _CHANNEL)
            await insert_event(connection, event)

    async def follow(self, lock: Callable[[], object]) -> NoReturn:
        """See `LockSignal.follow`."""
        while True:
            try:
                await self._listen(lock)
            except (*UNAVAILABLE, asyncpg.PostgresError) as error:
                if self._failures == 0:
                    _log.warning("lock_signal_lost", error=type(error).__name__)
            await self._read(lock)
            await self._sleep(min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2**self._failures))
            self._failures = min(self._failures + 1, 10)

    async def _listen(self, lock: Callable[[], object]) -> NoReturn:
        """Take every epoch that is notified or read, until the connection breaks."""
        settings = {"application_name": "crypto-wallets lock"}
        connection = await asyncpg.connect(self._url, timeout=_CONNECT_SECONDS, command_timeout=_COMMAND_SECONDS, server_settings=settings)
        try:
            await connection.add_listener(_CHANNEL, lambda *notified: self._take(int(str(notified[3])), lock))
            while True:
                self._take(await connection.fetchval(_EPOCH), lock)
                self._failures = 0
                await self._sleep(BEAT_SECONDS)
        finally:
            connection.terminate()

    async def _read(self, lock: Callable[[], object]) -> None:
        with suppress(StoreUnavailableError, TimeoutError, asyncpg.PostgresError):
            async with asyncio.timeout(_COMMAND_SECONDS), self._database.connection() as connection:
                self._take(await connection.fetchval(_EPOCH), lock)

    def _take(self, epoch: int | None, lock: Callable[[], object]) -> None:
        # Not only a later one: a database that was restored starts again.
        if epoch != self._heard:
            self._heard = epoch
            lock()
