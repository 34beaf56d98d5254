"""Start children one after the other, start again what dies, and end all of them in order: knows nothing of wallets or Ray."""

import asyncio
import contextlib
import functools
import os
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from serve_app.child import Child
from serve_app.process import (
    MAX_LOG_BYTES,
    CannotStartError,
    WardedProcess,
    become_subreaper,
    end_leftovers,
    end_orphans,
    last_lines,
)
from serve_app.state import ChildState, MachineState, Phase, write_state

FOLDER_VARIABLE = "SUPERVISED_IN"
"""Stands in every child's environment, with the folder: so the next run finds what a run left that was killed together with all wardens."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_KILL_SECONDS = 1.0


class ChildFailedError(Exception):
    """A child cannot be started, or does not stay; the message says which and why, with what it said last."""


class _EndedError(ChildFailedError):
    """The child ended by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A child and what belongs to it.

    `make` prepares it and says how it runs, before every start; `after_ready` does what must be done before the next unit starts, after
    every start. Both raise ChildFailedError, with what a person can do about it.
    """

    name: str
    make: Callable[[], Awaitable[Child]]
    after_ready: Callable[[], Awaitable[None]] | None = None
    start_timeout_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Event:
    """What happens to a child, for people."""

    name: str
    phase: Phase
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long is waited, and how often tried.

    A child that dies is started again after `first_pause_seconds`, which double up to `longest_pause_seconds`. After `failures` deaths in
    a row all is given up, or after `first_failures` if it never was ready; in a row are those without `well_seconds` of readiness between.
    """

    first_pause_seconds: float = 0.5
    longest_pause_seconds: float = 10.0
    failures: int = 6
    first_failures: int = 3
    well_seconds: float = 60.0
    probe_seconds: float = 0.1
    watch_seconds: float = 5.0
    stop_seconds: float = 27.0
    """From the signal to where whatever is left is killed; less than the 30 s after which others kill us."""


class Supervisor:
    """Keeps `units` running, in their order, until it is told to stop.

    Runs in the main thread of a process that has no other children in sessions of their own. What it writes is in `folder`: the children's
    output in `logs/<name>.log`, its own state in `state.json`. It tells `on_event` of every change, and `on_ready` once, when all are ready
    for the first time.
    """

    def __init__(
        self,
        units: Sequence[Unit],
        folder: Path,
        *,
        on_event: Callable[[Event], None],
        on_ready: Callable[[], None] = lambda: None,
        facts: Mapping[str, str] | None = None,
        lock: int | None = None,
        patience: Patience | None = None,
        max_log_bytes: int = MAX_LOG_BYTES,
    ) -> None:
        self._units = units
        self._folder = folder
        self._on_event = on_event
        self._on_ready = on_ready
        self._patience = patience or Patience()
        self._spawn = functools.partial(WardedProcess, lock=lock, max_log_bytes=max_log_bytes)
        self._running: dict[str, WardedProcess] = {}
        self._state = _initial_state(units, facts or {})
        self._stop = asyncio.Event()
        self._hasten = asyncio.Event()

    def stop(self) -> None:
        """Begin to end everything; asked again, kill it."""
        if self._stop.is_set():
            self._hasten.set()
        self._stop.set()

    async def run(self) -> None:
        """Start all and keep them until SIGTERM, SIGINT, SIGHUP or `stop`; leave nothing running.

        Raises:
            ChildFailedError: A child cannot be started or kept; all others were ended.
            OSError: The folder cannot be written to.
        """
        become_subreaper()
        self._logs.mkdir(mode=0o700, exist_ok=True)
        end_leftovers(FOLDER_VARIABLE, str(self._folder))
        with _on_signals(self.stop):
            work = asyncio.create_task(self._work())
            stop = asyncio.create_task(self._stop.wait())
            try:
                await asyncio.wait([work, stop], return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._stop.set()
                work.cancel()
                await asyncio.wait([work])
                await self._end_all()
            if not work.cancelled():
                work.result()

    @property
    def _logs(self) -> Path:
        return self._folder / "logs"

    async def _work(self) -> None:
        """Start one unit after the other and keep each, for ever."""
        try:
            async with asyncio.TaskGroup() as group:
                for unit in self._units:
                    ready = asyncio.Event()
                    group.create_task(self._keep(unit, ready))
                    await ready.wait()
                self._publish(replace(self._state, phase=Phase.READY))
                self._on_ready()
        except* ChildFailedError as failed:
            failures = failed.exceptions
        raise failures[0]

    async def _keep(self, unit: Unit, ready: asyncio.Event) -> None:
        """Start it whenever it does not run; set `ready` when it is for the first time."""
        failures = 0
        while True:
            try:
                process = await self._start(unit)
                ready.set()
                failures = await self._watch(process, failures)
                reason = self._why_ended(unit.name, process)
            except ChildFailedError as error:
                if not ready.is_set() and not isinstance(error, _EndedError):
                    raise
                reason = str(error)
            failures += 1
            if failures >= (self._patience.failures if ready.is_set() else self._patience.first_failures):
                msg = f"{reason}\nGiven up after {failures} failures in a row; its log is {self._log_of(unit.name)}"
                raise ChildFailedError(msg)
            await self._pause(unit.name, failures, reason)

    async def _pause(self, name: str, failures: int, reason: str) -> None:
        pause = min(self._patience.longest_pause_seconds, self._patience.first_pause_seconds * 2 ** (failures - 1))
        self._change(
            name, Phase.RESTARTING, f"{reason}\nStarting it again in {pause:g} s", pid=None, restarts=self._child(name).restarts + 1
        )
        await asyncio.sleep(pause)

    async def _start(self, unit: Unit) -> WardedProcess:
        self._change(unit.name, Phase.STARTING)
        child = await unit.make()
        environment = {**child.env, FOLDER_VARIABLE: str(self._folder)}
        try:
            process = self._spawn(replace(child, env=environment), self._log_of(unit.name))
        except CannotStartError as error:
            raise ChildFailedError(str(error)) from error
        self._running[unit.name] = process
        try:
            self._record(replace(self._child(unit.name), pid=await process.pid() or None, since=_now()))
            await self._until_ready(unit, process)
            if unit.after_ready:
                await unit.after_ready()
        except ChildFailedError:
            process.stop()
            await process.ended_within(None)
            await end_orphans(list(self._running.values()))
            raise
        self._change(unit.name, Phase.READY)
        return process

    async def _until_ready(self, unit: Unit, process: WardedProcess) -> None:
        try:
            async with asyncio.timeout(unit.start_timeout_seconds):
                while not await asyncio.to_thread(process.child.ready):
                    await process.ended_within(self._patience.probe_seconds)
                    if process.has_ended:
                        break
        except TimeoutError:
            msg = f"{unit.name} was not ready within {unit.start_timeout_seconds:g} s{self._said(unit.name)}"
            raise ChildFailedError(msg) from None
        if process.has_ended:
            raise _EndedError(self._why_ended(unit.name, process))

    async def _watch(self, process: WardedProcess, failures: int) -> int:
        """Wait until it has ended, asking now and then whether it still answers; return how many failures in a row now count."""
        clock = asyncio.get_running_loop().time
        since = clock()
        while not await process.ended_within(self._patience.watch_seconds):
            phase = Phase.READY if await asyncio.to_thread(process.child.ready) else Phase.NOT_READY
            if phase is not self._child(process.child.name).phase and not process.has_ended:
                self._change(process.child.name, phase)
        await end_orphans(list(self._running.values()))
        return 0 if clock() - since >= self._patience.well_seconds else failures

    async def _end_all(self) -> None:
        """End all in the reverse of their order, each after the last has ended; what is left at the end of the time is killed."""
        self._publish(replace(self._state, phase=Phase.STOPPING))
        deadline = asyncio.get_running_loop().time() + self._patience.stop_seconds
        for name, process in reversed(self._running.items()):
            if not process.has_ended:
                self._change(name, Phase.STOPPING)
                process.stop()
                await self._ended_or_hastened(process, deadline)
            if process.has_ended:
                self._change(name, Phase.STOPPED, pid=None)
        left = [process for process in self._running.values() if not process.has_ended]
        for end in (WardedProcess.kill_command, WardedProcess.kill_warden):
            for process in left:
                end(process)
            await asyncio.gather(*(process.ended_within(_KILL_SECONDS) for process in left))
        await end_orphans(list(self._running.values()), seconds=_KILL_SECONDS)
        for process in left:
            self._change(process.child.name, Phase.STOPPED, "killed, because it had not ended in time", pid=None)
        self._publish(replace(self._state, phase=Phase.STOPPED))

    async def _ended_or_hastened(self, process: WardedProcess, deadline: float) -> None:
        left = deadline - asyncio.get_running_loop().time()
        waits = [asyncio.create_task(process.ended_within(None)), asyncio.create_task(self._hasten.wait())]
        await asyncio.wait(waits, timeout=max(0.0, left), return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    def _why_ended(self, name: str, process: WardedProcess) -> str:
        code = process.exit_code
        how = f"with exit code {code}" if 0 <= code <= 128 else f"by {signal.Signals(code - 128 if code > 0 else -code).name}"
        return f"{name} ended {how}{self._said(name)}"

    def _said(self, name: str) -> str:
        lines = last_lines(self._log_of(name))
        return f"; its last lines:\n{lines}" if lines else ""

    def _log_of(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def _child(self, name: str) -> ChildState:
        return next(child for child in self._state.children if child.name == name)

    def _change(self, name: str, phase: Phase, detail: str = "", **changes: Any) -> None:
        self._record(replace(self._child(name), phase=phase, **changes))
        self._on_event(Event(name, phase, detail))

    def _record(self, new: ChildState) -> None:
        children = tuple(new if child.name == new.name else child for child in self._state.children)
        self._publish(replace(self._state, children=children))

    def _publish(self, state: MachineState) -> None:
        self._state = state
        # A full disk must not stop what runs; whoever reads finds the state before.
        with contextlib.suppress(OSError):
            write_state(self._folder / "state.json", state)


def _initial_state(units: Sequence[Unit], facts: Mapping[str, str]) -> MachineState:
    return MachineState(os.getpid(), _now(), Phase.STARTING, tuple(ChildState(unit.name) for unit in units), facts)


@contextlib.contextmanager
def _on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` at each signal to end, but for a hang-up that whoever started us has us ignore (nohup)."""
    loop = asyncio.get_running_loop()
    is_nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    numbers = [number for number in _SIGNALS if not (is_nohup and number is signal.SIGHUP)]
    for number in numbers:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
