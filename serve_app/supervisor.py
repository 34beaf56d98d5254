"""Run children in order, start them again when they die, and end them in the reverse order. Knows nothing of wallets."""

import asyncio
import fcntl
import os
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Self

from serve_app import warden
from serve_app.child import Child

FIRST_BACKOFF_SECONDS, LAST_BACKOFF_SECONDS = 0.5, 10.0
MAX_FAILURES = 6
"""Deaths in a row, each within a minute of the start, after which the supervisor gives up."""
READY_SECONDS = 120.0
LOG_BYTES = 20_000_000


class SupervisorError(Exception):
    """The machine cannot go on; the message says why, for people."""


class Lock:
    """Hold a data folder for one supervisor."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        self._file = self._path.open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.seek(0)
            raise SupervisorError(f"{self._path.parent} is in use by process {self._file.read().strip()}") from None
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()


@dataclass(slots=True)
class Running:
    """A child as it runs: its warden, how often it was started again, and since when."""

    child: Child
    process: asyncio.subprocess.Process
    restarts: int = 0
    failures: int = 0
    since: float = field(default_factory=time.monotonic)


class Supervisor:
    """Run children. `say` is told what happens, in words for people."""

    def __init__(self, log_folder: Path, say: Callable[[str], None]) -> None:
        self._log_folder = log_folder
        self._say = say
        self._running: list[Running] = []

    async def start(self, child: Child) -> None:
        """Start one more child and return when it is ready.

        Raises:
            SupervisorError: It ended, or was not ready in time; the message has the last lines of its log.
        """
        self._say(f"starting {child.name}")
        running = Running(child, await self._spawn(child))
        self._running.append(running)
        deadline = time.monotonic() + READY_SECONDS
        while not await asyncio.to_thread(child.ready):
            if running.process.returncode is not None:
                raise SupervisorError(f"{child.name} ended with code {running.process.returncode}:\n{self._last_lines(child)}")
            if time.monotonic() > deadline:
                raise SupervisorError(f"{child.name} was not ready within {READY_SECONDS:.0f} s:\n{self._last_lines(child)}")
            await asyncio.sleep(0.05)

    async def watch(self, stop: asyncio.Event) -> None:
        """Start again what dies, until `stop` is set.

        Raises:
            SupervisorError: A child keeps dying.
        """
        watchers = [asyncio.create_task(self._keep(running)) for running in self._running]
        stopping = asyncio.create_task(stop.wait())
        try:
            done, _ = await asyncio.wait([*watchers, stopping], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            await _cancel([*watchers, stopping])

    async def stop(self) -> None:
        """End every child, the last one first; each has its own time, after which it is killed."""
        for running in reversed(self._running):
            if running.process.returncode is None:
                self._say(f"stopping {running.child.name}")
                running.process.terminate()
                await running.process.wait()

    async def _keep(self, running: Running) -> None:
        while True:
            code = await running.process.wait()
            lived = time.monotonic() - running.since
            running.failures = running.failures + 1 if lived < 60 else 1
            if running.failures >= MAX_FAILURES:
                text = f"{running.child.name} died {running.failures} times in a row, the last time with code {code}"
                raise SupervisorError(f"{text}:\n{self._last_lines(running.child)}")
            pause = min(FIRST_BACKOFF_SECONDS * 2 ** (running.failures - 1), LAST_BACKOFF_SECONDS)
            self._say(f"{running.child.name} ended with code {code}; starting it again in {pause:g} s")
            await asyncio.sleep(pause)
            running.process = await self._spawn(running.child)
            running.since = time.monotonic()
            running.restarts += 1

    async def _spawn(self, child: Child) -> asyncio.subprocess.Process:
        path = self._log_folder / f"{child.name}.log"
        if path.exists() and path.stat().st_size > LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        ids = [str(-1 if each is None else each) for each in (child.uid, child.gid)]
        limits = [str(int(child.stop_signal)), str(child.stop_timeout_seconds), *ids]
        command = [sys.executable, "-I", "-S", warden.__file__, *limits, "--", *child.command]
        with path.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=child.cwd,
                env=dict(child.env),
                start_new_session=True,
            )

    def _last_lines(self, child: Child) -> str:
        text = (self._log_folder / f"{child.name}.log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-15:])


async def _cancel(tasks: Sequence[asyncio.Task[object] | asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    waits: list[Awaitable[object]] = list(tasks)
    await asyncio.gather(*waits, return_exceptions=True)
