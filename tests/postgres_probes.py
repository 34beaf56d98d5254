"""Look into a database from outside of the pool that is tested, and hold its tables."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from tests.servers import eventually


@asynccontextmanager
async def connected(url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """Lend a connection."""
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def locked(url: str, table: str) -> AsyncIterator[None]:
    """Have every write to the table wait until the block ends."""
    async with connected(url) as connection, connection.transaction():
        await connection.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
        yield


async def waiting_for_lock(url: str) -> None:
    """Return when a statement waits for the lock of the table."""
    waits = "SELECT 1 FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"

    async def waiting() -> None:
        if not await query(url, waits):
            raise LookupError

    await eventually(waiting, LookupError)


async def query(url: str, statement: str, *values: object) -> Sequence[Any]:
    """Run a statement in a connection of its own, and return its rows."""
    async with connected(url) as connection:
        return list(await connection.fetch(statement, *values))
