"""Say what a child process of the supervisor is: how it runs, when it is ready, how it ends."""

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """One process that the supervisor starts, watches and ends.

    `env` is its whole environment, nothing is inherited. `uid` and `gid` are who it runs as, with no further groups; None leaves it as the
    supervisor is, and they are set together. `ready` asks in well under a second whether it serves, and never raises. `stop_signal` asks it
    to end; after `stop_timeout_seconds` it is killed.
    """

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    ready: Callable[[], bool]
    uid: int | None = None
    gid: int | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_seconds: float = 10.0
