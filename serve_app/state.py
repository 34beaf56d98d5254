"""Write what the supervisor knows to a file of the data folder, for `status` in another process."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

from serve_app.warden import stat_fields

_STARTED_AT = 19
"""Place of `starttime` among the fields from `state` on, proc_pid_stat(5): with the process id it names a process for good."""


class Phase(StrEnum):
    """Where a child, or all of them, are."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    NOT_READY = "not ready"
    """Runs, and was ready once, but does not answer now."""
    RESTARTING = "restarting"
    """Ended, and is started again after a pause."""
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class ChildState:
    """One child. `pid` is the command's own, None while it does not run; `since` says when it was started, in ISO 8601."""

    name: str
    phase: Phase = Phase.WAITING
    pid: int | None = None
    since: str | None = None
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class MachineState:
    """The supervisor and its children; `facts` are what others may want to know (URLs, folders), and no secret."""

    pid: int
    since: str
    phase: Phase
    children: tuple[ChildState, ...]
    facts: Mapping[str, str] = field(default_factory=dict)


def write_state(path: Path, state: MachineState) -> None:
    """Replace the file whole, mode 0600.

    Raises:
        OSError: It cannot be written.
    """
    temporary = path.with_name(f".{path.name}.new")
    content = json.dumps({**asdict(state), "started_at": _started_at(state.pid)}, indent=1)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
        file.write(content)
    temporary.replace(path)


def read_state(path: Path) -> MachineState | None:
    """Return the state of the supervisor that runs; None if there is no file, or the process that wrote it is gone.

    Raises:
        PermissionError: The file belongs to another user.
    """
    try:
        content = json.loads(path.read_text())
        if _started_at(content["pid"]) != content.pop("started_at"):
            return None
        children = tuple(ChildState(**{**child, "phase": Phase(child["phase"])}) for child in content.pop("children"))
        return MachineState(**{**content, "phase": Phase(content["phase"]), "children": children})
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        return None


def _started_at(pid: int) -> str | None:
    """Return when the process was started, in clock ticks since boot; None if it is gone or only waits to be reaped."""
    fields = stat_fields(pid)
    return fields[_STARTED_AT] if fields and fields[0] not in "ZX" else None
