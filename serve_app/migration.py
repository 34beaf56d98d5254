"""Migrate a database for people: every way in which it can fail is one message."""

from collections.abc import Callable

from adapters.migrations import MigrationError, migrate
from wallets.errors import StoreUnavailableError


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
    except StoreUnavailableError as error:
        msg = f"the database of APP__DATABASE__URL cannot be reached, or refuses us: {_reason(error.__cause__)}"
        raise CannotMigrateError(msg) from error
    except ValueError as error:  # asyncpg's ClientConfigurationError is one
        msg = "APP__DATABASE__URL: is not a URL as in `postgresql://user:password@host:port/database`"
        raise CannotMigrateError(msg) from error


def _reason(cause: BaseException | None) -> str:
    """Say what the network or PostgreSQL said; never the URL, which has a password in it."""
    return str(cause).splitlines()[0] if cause is not None and str(cause) else type(cause).__name__
