"""Reach PostgreSQL: one pool a process, opened when it can be, and every one of asyncpg's errors turned into ours."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Self

import asyncpg
import structlog
from asyncpg import exceptions

from wallets.errors import StoreUnavailableError

if TYPE_CHECKING:  # generic in the stubs alone
    type_pool = asyncpg.Pool[asyncpg.Record]
    type_connection = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]

UNAVAILABLE = (
    exceptions.ConfigFileError,
    exceptions.IdleInTransactionSessionTimeoutError,
    exceptions.InsufficientResourcesError,
    exceptions.InterfaceError,
    exceptions.InternalClientError,
    exceptions.InternalServerError,
    exceptions.InvalidAuthorizationSpecificationError,
    exceptions.InvalidCachedStatementError,
    exceptions.InvalidCatalogNameError,
    exceptions.ObjectNotInPrerequisiteStateError,
    exceptions.OperatorInterventionError,
    exceptions.PostgresConnectionError,
    exceptions.PostgresSystemError,
    exceptions.ReadOnlySQLTransactionError,
    exceptions.SnapshotTooOldError,
    exceptions.TransactionRollbackError,
    exceptions.UnknownPostgresError,
    OSError,
    TimeoutError,
)
"""What says that the database is away, overloaded or being changed: the same request may succeed later. Anything else is a bug."""

_log = structlog.get_logger(__name__)


def means_unavailable(error: BaseException) -> bool:
    """Tell errors of the world from errors of ours. asyncpg's own data error is an InterfaceError, but means a wrong argument."""
    misuse = isinstance(error, exceptions.InterfaceError) and isinstance(error, ValueError)
    return isinstance(error, UNAVAILABLE) and not misuse


@contextmanager
def mapped_errors() -> Iterator[None]:
    """Turn what asyncpg, the network and the clock raise into `StoreUnavailableError`; let bugs through as they are."""
    try:
        yield
    except (*UNAVAILABLE, ValueError) as error:
        if not means_unavailable(error):
            raise
        _log.warning("database_unavailable", error=type(error).__name__)
        msg = "the database is away"
        raise StoreUnavailableError(msg) from error


class PostgresDatabase:
    """A pool of connections that need not be there when the process starts, and comes back when the database does.

    `verify` is asked of the first connection; while it raises, no connection is lent.

    Use as an asynchronous context manager.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 20,
        min_connections: int = 5,
        max_lifetime_seconds: float = 600,
        idle_timeout_seconds: float = 300,
        acquire_timeout_seconds: float = 5,
        command_timeout_seconds: float = 5,
        verify: "Callable[[type_connection], Awaitable[object]] | None" = None,
    ) -> None:
        self._url = url
        self._pool_size = pool_size
        self._min_connections = min_connections
        self._max_lifetime_seconds = max_lifetime_seconds
        self._idle_timeout_seconds = idle_timeout_seconds
        self._acquire_timeout_seconds = acquire_timeout_seconds
        self._command_timeout_seconds = command_timeout_seconds
        self._verify = verify
        self._pool: type_pool | None = None
        self._opening: asyncio.Task[type_pool] | None = None
        self._renewal: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._renewal = asyncio.create_task(self._renew())
        self._start_opening()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in (self._renewal, self._opening):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError, StoreUnavailableError, *UNAVAILABLE):
                    await task
        if self._pool is not None:
            try:
                async with asyncio.timeout(self._command_timeout_seconds):
                    await self._pool.close()
            except UNAVAILABLE:
                self._pool.terminate()

    @property
    def connections(self) -> tuple[int, int]:
        """How many connections are open, and how many of these are idle."""
        return (self._pool.get_size(), self._pool.get_idle_size()) if self._pool else (0, 0)

    @asynccontextmanager
    async def connection(self) -> "AsyncIterator[type_connection]":
        """Lend a connection; the block's errors are mapped as well.

        Raises:
            StoreUnavailableError: There is none in time, or it breaks.
        """
        with mapped_errors():
            end = time.monotonic() + self._acquire_timeout_seconds
            pool = await self._opened()
            connection = await pool.acquire(timeout=max(0.01, end - time.monotonic()))
            try:
                yield connection
            except (asyncio.CancelledError, *UNAVAILABLE):
                # Given back, it would first have its statement cancelled, which a server that does not answer makes last as long again.
                connection.terminate()
                raise
            finally:
                await pool.release(connection, timeout=self._command_timeout_seconds)

    async def _opened(self) -> "type_pool":
        if self._pool is not None:
            return self._pool
        # Everybody waits for the same attempt, which is bounded.
        return await asyncio.shield(self._start_opening())

    def _start_opening(self) -> "asyncio.Task[type_pool]":
        if self._opening is None:
            self._opening = asyncio.create_task(self._open())
            self._opening.add_done_callback(self._end_opening)
        return self._opening

    def _end_opening(self, task: "asyncio.Task[type_pool]") -> None:
        self._opening = None
        if not task.cancelled() and task.exception() is None:
            self._pool = task.result()

    async def _open(self) -> "type_pool":
        async with asyncio.timeout(self._acquire_timeout_seconds):
            pool = await asyncpg.create_pool(
                self._url,
                min_size=self._min_connections,
                max_size=self._pool_size,
                max_inactive_connection_lifetime=self._idle_timeout_seconds,
                timeout=self._acquire_timeout_seconds,
                command_timeout=self._command_timeout_seconds,
                reset=_keep_session,
                server_settings={"application_name": "crypto-wallets"},
            )
            try:
                if self._verify is not None:
                    async with pool.acquire() as connection:
                        await self._verify(connection)
            except BaseException:
                pool.terminate()
                raise
            return pool

    async def _renew(self) -> None:
        """Have every connection replaced at its next use, once in their lifetime: a failover or a new password gets to all of them."""
        while True:
            await asyncio.sleep(self._max_lifetime_seconds)
            if self._pool is not None:
                await self._pool.expire_connections()


async def _keep_session(_connection: object) -> None:
    """Save the round trip of RESET ALL at every release: nothing here changes a session."""
