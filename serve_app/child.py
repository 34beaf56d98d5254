"""Describe a process that the supervisor runs."""

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Child:
    """One child: how it is started, asked whether it is ready (quickly, never raising), and stopped. `uid` and `gid` drop privileges."""

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    ready: Callable[[], bool]
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_seconds: float = 10.0
    uid: int | None = None
    gid: int | None = None
