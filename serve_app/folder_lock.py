"""Let one supervisor at a time use a data folder."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from serve_app.warden import runs

_POLL_SECONDS = 0.1


class FolderInUseError(Exception):
    """Another supervisor uses the folder; the message says which process."""


@contextmanager
def folder_lock(folder: Path, *, patience_seconds: float = 30.0) -> Iterator[int]:
    """Hold the folder, and yield the descriptor that holds it: an flock(2) on its file `lock`, which has our process id in it.

    Wardens hold the descriptor as well, so that the folder is free only when all children have ended. When their supervisor was killed and
    they are still at it, wait for them.

    Raises:
        FolderInUseError: Another process holds it.
        OSError: The file cannot be made.
    """
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        deadline = time.monotonic() + patience_seconds
        while not _taken(descriptor):
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
            if (holder.isdigit() and runs(int(holder))) or time.monotonic() > deadline:
                msg = f"{folder} is in use by process {holder or 'unknown'}; stop that first, or choose another folder with APP__DATA_DIR"
                raise FolderInUseError(msg)
            time.sleep(_POLL_SECONDS)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
