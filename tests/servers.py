"""Run the embedded servers for tests: start, stop, kill and hold them, and leave none behind."""

import asyncio
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Generic, Protocol, TypeVar

import psutil

from serve_app import warden
from serve_app.child import Child

START_SECONDS = 30.0


class Embedded(Protocol):
    """What the embedded servers have in common."""

    def prepare(self) -> None:
        """Make what it needs."""
        ...

    def child(self) -> Child:
        """Say how it runs."""
        ...


S = TypeVar("S", bound=Embedded)
T = TypeVar("T")


async def eventually(attempt: Callable[[], Awaitable[T]], failing_with: type[Exception], seconds: float = 15.0) -> T:
    """Try until it does not fail in this way any more, for a bounded time, and return what it returned."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return await attempt()
        except failing_with:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.02)


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Return when something holds, and fail when it does not in a bounded time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)


@dataclass
class Duration:
    """How long something took, once it is over."""

    seconds: float = 0.0


class RunningServer(Generic[S]):
    """One embedded server and its process."""

    def __init__(self, server: S, log: Path) -> None:
        self.server = server
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._child = server.child()

    @property
    def pid(self) -> int:
        """The server's process id."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, and return when it is ready."""
        child = self._child = self.server.child()
        with self.log.open("ab") as log:
            self._process = spawn(child, log)
        deadline = time.monotonic() + START_SECONDS
        while not child.ready():
            assert self._process.poll() is None, f"{child.name} ended: {self.log.read_text()[-2000:]}"
            assert time.monotonic() < deadline, f"{child.name} is not ready: {self.log.read_text()[-2000:]}"
            time.sleep(0.01)

    def stop(self) -> None:
        """Ask it to end, and return when it has."""
        if self._process is not None:
            self._process.send_signal(self._child.stop_signal)
            self._process.wait(timeout=30)

    def kill(self) -> None:
        """Kill it as a crash would, and return when nothing of it is left."""
        family = self._family()
        family[0].kill()
        assert self._process is not None
        self._process.wait(timeout=30)
        psutil.wait_procs(family[1:], timeout=30)

    def hold(self) -> None:
        """Have it stop answering, its connections open, and return when no thread of it runs any more."""
        main = psutil.Process(self.pid)
        _suspend(main)
        for process in main.children(recursive=True):  # it makes no more of them now
            _suspend(process)

    def release(self) -> None:
        """Have it go on after `hold`."""
        for process in self._family():
            process.resume()

    @contextmanager
    def held(self) -> Iterator[Duration]:
        """Have it stop answering for a block, and tell how long the block took."""
        duration = Duration()
        try:
            self.hold()
            start = time.monotonic()
            yield duration
            duration.seconds = time.monotonic() - start
        finally:
            self.release()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """End it in order for a block."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def killed(self) -> Iterator[None]:
        """Kill it, and start it again after a block."""
        self.kill()
        try:
            yield
        finally:
            self.start()

    def _family(self) -> list[psutil.Process]:
        main = psutil.Process(self.pid)
        return [main, *main.children(recursive=True)]


def _suspend(process: psutil.Process) -> None:
    """Stop a process. The signal takes its time on a busy machine, and meanwhile each of the threads goes on answering.

    One that has ended already is not reaped while its parent is stopped.
    """
    process.suspend()
    wait_until(lambda: {(warden.stat_fields(thread.id) or ["X"])[0] for thread in process.threads()} <= {"T", "Z", "X"})


@contextmanager
def started(server: S, log: Path) -> Iterator[RunningServer[S]]:
    """Prepare and start a server, and end it after."""
    server.prepare()
    running = RunningServer(server, log)
    running.start()
    try:
        yield running
    finally:
        running.stop()


@contextmanager
def open_folder() -> Iterator[Path]:
    """Lend a data folder that the servers' own users can enter, as pytest's are closed to them."""
    folder = Path(tempfile.mkdtemp(prefix="wallets-test-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        for sockets in folder.rglob("socket-folder"):
            shutil.rmtree(sockets.read_text(), ignore_errors=True)
        shutil.rmtree(folder)


def spawn(child: Child, output: IO[bytes] | int) -> subprocess.Popen[bytes]:
    """Start a child as it says, and have it end with this process; what it says goes to `output`."""
    return subprocess.Popen(
        child.command,
        env=dict(child.env),
        cwd=child.cwd,
        user=child.uid,
        group=child.gid,
        extra_groups=None if child.uid is None else [],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        preexec_fn=_die_with_parent,  # noqa: PLW1509  # one system call, after the change of user that would undo it
    )


def _die_with_parent() -> None:
    warden.prctl(warden.PR_SET_PDEATHSIG, signal.SIGKILL)
