"""Look into a database from outside of the pool that is tested, and hold its tables."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from tests.servers import eventually


@asynccontextmanager
async def locked(url: str, table: str) -> AsyncIterator[None]:
    """Have every write to the table wait until the block ends."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
            yield
    finally:
        await connection.close()


async def waiting_for_lock(url: str) -> None:
    """Return when a statement waits for the lock of the table."""
    waits = "SELECT 1 FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"

    async def waiting() -> None:
        if not await query(url, waits):
            raise LookupError

    await eventually(waiting, LookupError)


async def query(url: str, statement: str) -> list[asyncpg.Record]:
    """Run a statement in a connection of its own, and return its rows."""
    connection = await asyncpg.connect(url)
    try:
        return list(await connection.fetch(statement))
    finally:
        await connection.close()
