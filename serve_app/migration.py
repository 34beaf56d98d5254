"""Migrate a database for people: every way in which it can fail is one message."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from adapters.migrations import MigrationError, SchemaMismatchError, SchemaTooOldError, check_database, migrate
from wallets.errors import StoreUnavailableError

_POLL_SECONDS = 1.0


class CannotMigrateError(Exception):
    """The database was not migrated; the message says why."""


async def bring_up_to_date(url: str, tell: Callable[[str], None]) -> int:
    """Apply the migrations that are missing and return how many there were; `tell` is called with a line for each.

    Raises:
        CannotMigrateError: The URL is malformed, the database is away, or a migration cannot be applied.
    """
    try:
        return len(await migrate(url, tell=tell))
    except MigrationError as error:
        raise CannotMigrateError(str(error)) from error
    except (StoreUnavailableError, ValueError) as error:
        raise CannotMigrateError(_trouble(error)) from error


async def until_up_to_date(
    url: str, seconds: float, tell: Callable[[str], None], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Return when the schema is this version's, which somebody else sees to; `tell` is called once with what is waited for.

    Raises:
        CannotMigrateError: It is not so within these seconds, or cannot become so; the message says what it was at last.
    """
    deadline, is_told = time.monotonic() + seconds, False
    while True:
        try:
            await check_database(url)
        except ValueError as error:
            raise CannotMigrateError(_trouble(error)) from error
        except StoreUnavailableError as error:
            trouble = str(error) if isinstance(error, SchemaMismatchError) else _trouble(error)
            is_final = isinstance(error, SchemaMismatchError) and not isinstance(error, SchemaTooOldError)
            if is_final or time.monotonic() >= deadline:
                raise CannotMigrateError(trouble) from error
        else:
            return
        if not is_told:
            is_told = True
            tell(f"{trouble}; waiting for that, at most {seconds:g} s")
        await sleep(_POLL_SECONDS)


def _trouble(error: Exception) -> str:
    if isinstance(error, StoreUnavailableError):
        return f"the database of APP__DATABASE__URL cannot be reached, or refuses us: {_reason(error.__cause__)}"
    # asyncpg's ClientConfigurationError is a ValueError.
    return "APP__DATABASE__URL: is not a URL as in `postgresql://user:password@host:port/database`"


def _reason(cause: BaseException | None) -> str:
    """Say what the network or PostgreSQL said; never the URL, which has a password in it."""
    return str(cause).splitlines()[0] if cause is not None and str(cause) else type(cause).__name__
