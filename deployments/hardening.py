"""Keep a process that sees seeds to itself: no core dump, no debugger of the same user, no page in the swap. Linux alone has the calls.

`harden()` stands at the start of every such process, before it has anything to lose. What the system does not allow is told
(`Hardening`, the metric `process_hardening`, `crypto-wallets status`) and stops nothing.

Not dumpable, a process belongs to root in /proc: its owner can no more attach to it, or read its memory, environment and open files.
"""

import ctypes
import os
import resource
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

PR_SET_DUMPABLE = 4
MCL_CURRENT = 1
MCL_FUTURE = 2
MCL_ONFAULT = 4
CAP_IPC_LOCK = 14

_PROC = Path("/proc/self")
_ALL_USERS = 2**32 - 1
"""How many user ids the first user namespace maps."""


class CoreDumps(StrEnum):
    """Whether a crash writes memory to a file."""

    OFF = "off"
    ON = "on"


class Dumpable(StrEnum):
    """Whether processes of the same user can attach and read memory."""

    NO = "no"
    YES = "yes"


class Memory(StrEnum):
    """Whether the pages of the process stay out of the swap."""

    LOCKED = "locked"
    LIMITED = "limited"
    """RLIMIT_MEMLOCK is finite, and CAP_IPC_LOCK missing. Locked all the same, the process would get no memory once the limit is full."""
    REFUSED = "refused"
    """The system has no such call, or forbids it."""


@dataclass(frozen=True, slots=True)
class Hardening:
    """How a process is protected."""

    core_dumps: CoreDumps
    dumpable: Dumpable
    memory: Memory


def harden() -> Hardening:
    """Protect this process as far as the system lets it, and say how far that is. Never fails; doing it again changes nothing."""
    return Hardening(
        forbid_core_dumps(),
        Dumpable.NO if _quietly(lambda: _libc("prctl", PR_SET_DUMPABLE, 0, 0, 0, 0)) else Dumpable.YES,
        _lock_memory(),
    )


def forbid_core_dumps() -> CoreDumps:
    """Have this process, and every one that it starts from now on, leave no core file; say whether that holds."""
    _quietly(lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)))
    return CoreDumps.OFF if resource.getrlimit(resource.RLIMIT_CORE) == (0, 0) else CoreDumps.ON


def _lock_memory() -> Memory:
    """Lock what is mapped and what will be, each page once it is used: locked at once, libraries and stacks would take gigabytes."""
    if not (_raise_limit() or _may_lock_beyond_limit()):
        return Memory.LIMITED
    return Memory.LOCKED if _quietly(lambda: _libc("mlockall", MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) else Memory.REFUSED


def _raise_limit() -> bool:
    """Raise our limit of locked memory as far as we may; tell whether there is none any more."""
    hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
    _quietly(lambda: resource.setrlimit(resource.RLIMIT_MEMLOCK, (hard, hard)))
    return resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY


def _may_lock_beyond_limit() -> bool:
    """Tell whether we have CAP_IPC_LOCK (capabilities(7)) where it counts, which is not inside of a user namespace."""
    try:
        status = (_PROC / "status").read_text()
        mapped = (_PROC / "uid_map").read_text().split()
    except OSError:
        return False
    effective = int(status.partition("\nCapEff:")[2].split(None, 1)[0], 16)
    return bool(effective >> CAP_IPC_LOCK & 1) and mapped == ["0", "0", str(_ALL_USERS)]


def _quietly(call: Callable[[], object]) -> bool:
    try:
        call()
    except (OSError, ValueError):
        return False
    return True


def _libc(name: str, *arguments: int) -> int:
    """Call a function of the C library.

    Raises:
        OSError: It fails, or there is none of this name.
    """
    try:
        function = getattr(ctypes.CDLL(None, use_errno=True), name)
    except AttributeError as error:
        raise OSError(name) from error
    result = int(function(*map(ctypes.c_ulong, arguments)))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
