"""What the commands have in common: how they show what they do and find, and how they tell what goes wrong."""

import os
import pwd
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from adapters.backup import RestoreError
from adapters.backup_file import BackupFileError
from adapters.v1_database import V1DatabaseError
from deployments.key_wiring import KeysLostError
from deployments.settings import ConfigurationError
from serve_app.folder_lock import FolderInUseError
from serve_app.migration import CannotMigrateError
from serve_app.ports import PortError
from serve_app.server_home import EmbeddedServerError
from serve_app.service_client import ServiceError
from serve_app.supervisor import ChildFailedError
from wallets.encoding import legible
from wallets.errors import WalletError
from wallets.model import Caller

BAD_SETTINGS = 2

MOST_FINDINGS = 1_000
"""Rows that a table of findings shows; the others are counted."""

_TOLD = (
    BackupFileError,
    CannotMigrateError,
    ChildFailedError,
    EmbeddedServerError,
    FolderInUseError,
    KeysLostError,
    PortError,
    RestoreError,
    ServiceError,
    V1DatabaseError,
    WalletError,
)


def open_console() -> Console:
    """Write to standard output; a pipe or a file gets lines as wide as a table needs."""
    console = Console()
    return console if console.is_terminal else Console(width=500)


def open_bars(console: Console) -> Progress:
    """Make bars that show on a terminal how far something is; elsewhere they show nothing. Use as a context manager."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)


def new_table(*columns: str) -> Table:
    """Make a table without lines, whose cells are never cut."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for column in columns:
        table.add_column(column, header_style="dim", overflow="fold")
    return table


class Findings:
    """A table of what a command has found out of order. Its cells are shown as they are, whoever has written them into a database."""

    def __init__(self, *columns: str) -> None:
        self._table = new_table(*columns)
        self._more = 0

    def add(self, *cells: object) -> None:
        """Add a finding; None is an empty cell."""
        if self._table.row_count < MOST_FINDINGS:
            self._table.add_row(*("" if cell is None else _as_it_is(str(cell)) for cell in cells))
        else:
            self._more += 1

    def show(self, hint: str = "") -> None:
        """Write the table, unless nothing was found; where it has not all of it, `hint` says how to see the others."""
        if self._table.row_count:
            open_console().print(self._table, highlight=False)
        if self._more:
            typer.echo(f"and {self._more} more{hint}")


def _as_it_is(text: str) -> Text:
    """Return a text that can write nothing else to a terminal, neither by its characters nor by markup."""
    return Text(legible(text).replace("\n", "\N{REPLACEMENT CHARACTER}"))


def counted(number: int, one: str, many: str) -> str:
    """Return `1 wallet` or `2 wallets`."""
    return f"{number} {one if number == 1 else many}"


@contextmanager
def told_plainly() -> Iterator[None]:
    """Turn what a person can do something about into its message and an exit code: 2 for settings, else 1."""
    try:
        yield
    except ConfigurationError as error:
        fail(str(error), BAD_SETTINGS)
    except _TOLD as error:
        fail(str(error))


def fail(message: str, code: int = 1) -> NoReturn:
    """End the command with a message on standard error."""
    typer.echo(message, err=True)
    raise typer.Exit(code)


def operator() -> Caller:
    """Return who runs the command, as the audit knows him."""
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = str(uid)
    return Caller(request_id=uuid.uuid4().hex, ip_address="command line", api_key_id=f"os-user:{name}")
