"""What the commands have in common: where they write, and how what goes wrong is told."""

import os
import pwd
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer
from rich.console import Console

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
from wallets.errors import WalletError
from wallets.model import Caller

BAD_SETTINGS = 2

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
