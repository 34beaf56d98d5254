"""Keep the audit log's partitions ahead of its rows: each month has one, made by the database's own function (migration 0006)."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

import asyncpg
import structlog

from adapters.database import PostgresDatabase
from wallets.errors import StoreUnavailableError

if TYPE_CHECKING:  # generic in the stubs alone
    from asyncpg.pool import PoolConnectionProxy

    type_connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]

MONTHS_AHEAD = 6
"""So many that a role which may not make partitions needs `crypto-wallets migrate` twice a year only."""

PERIOD_SECONDS = 6 * 3600.0

MAKE_PARTITIONS = "SELECT make_audit_partitions($1)"

_log = structlog.get_logger(__name__)


async def make_partitions(connection: "type_connection") -> None:
    """Make the partitions of this month and those ahead that are missing, or say in the log why not.

    Never fails: rows that no partition is for go to the default one, and no signature depends on this.
    """
    try:
        made = [record[0] for record in await connection.fetch(MAKE_PARTITIONS, MONTHS_AHEAD)]
    except asyncpg.PostgresError as error:
        _log.warning("audit_partitions_not_made", error=type(error).__name__)
        return
    if made:
        _log.info("audit_partitions_made", partitions=made)


async def keep_partitions(database: PostgresDatabase, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> NoReturn:
    """Make partitions every few hours, as long as the process lives."""
    while True:
        await sleep(PERIOD_SECONDS)
        with suppress(StoreUnavailableError):
            async with database.connection() as connection:
                await make_partitions(connection)
