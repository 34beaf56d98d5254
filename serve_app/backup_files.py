"""Open backups: a new one appears whole or not at all, and never in the place of another file."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from adapters.backup_file import BackupFileError
from adapters.files import sync_folder


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a backup to be read.

    Raises:
        BackupFileError: It cannot be.
    """
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}"
        raise BackupFileError(msg) from error


@contextmanager
def created(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes its name, mode 0600 and on the disk, at the end of the block; with an error in it nothing remains.

    Raises:
        BackupFileError: There is a file of this name, or it cannot be written.
    """
    if os.path.lexists(path):
        raise _exists(path)
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.unfinished-")
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            _publish(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror}"
        raise BackupFileError(msg) from error


def _publish(temporary: Path, path: Path) -> None:
    """Give the file its name, unless there is one of this name by now."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise _exists(path) from None
    except OSError:  # a file system without links: then two that make the same name at the same instant are not told apart
        if os.path.lexists(path):
            raise _exists(path) from None
        temporary.rename(path)
    sync_folder(path.parent)


def _exists(path: Path) -> BackupFileError:
    return BackupFileError(f"{path} exists; a backup never writes over a file")
