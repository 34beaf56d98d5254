"""Start one child under its warden, and see it end."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

from serve_app import warden
from serve_app.child import Child

MAX_LOG_BYTES = 10 * 1024 * 1024
"""Of one file; three older ones are kept beside it."""

_POLL_SECONDS = 0.02
_TAIL_BYTES = 65_536


class CannotStartError(Exception):
    """The system refuses to start the child; the message says why."""


class WardedProcess:
    """A running child: its warden is our process, the command is the warden's.

    Made in the main thread of a running event loop: the kernel tells the warden of our end when the thread that made it ends.
    """

    def __init__(self, child: Child, log: Path, *, lock: int | None = None, max_log_bytes: int = MAX_LOG_BYTES) -> None:
        """Start it; its warden holds the descriptor `lock` open until everything has ended.

        Raises:
            CannotStartError: There is no such folder, no memory, no permission.
        """
        self.child = child
        self.log = log
        self._report, report_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        loop = asyncio.get_running_loop()
        self._pid: asyncio.Future[int] = loop.create_future()
        self._ended: asyncio.Future[int] = loop.create_future()
        try:
            self._warden = subprocess.Popen(  # noqa: S603  # no shell, and no word of a Child's command comes from a client
                _command(child, log, max_log_bytes, report_write, lock),
                env=child.env,
                cwd=child.cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(report_write,) if lock is None else (report_write, lock),
                start_new_session=True,
            )
        except OSError as error:
            os.close(self._report)
            msg = f"{child.name} cannot be started in {child.cwd}: {error.strerror}"
            raise CannotStartError(msg) from error
        finally:
            os.close(report_write)
        loop.add_reader(self._report, self._on_report)

    @property
    def warden_pid(self) -> int:
        """The process that is our own child."""
        return self._warden.pid

    @property
    def has_ended(self) -> bool:
        """Whether the command and everything it spawned is gone; if its warden was killed, `end_orphans` sees to that."""
        return self._ended.done()

    @property
    def exit_code(self) -> int:
        """How it ended: 0..255 (128 and more: by a signal), negative if its warden was killed by that signal."""
        return self._ended.result()

    async def pid(self) -> int:
        """Return the command's own process id; 0 if it ended before it had one."""
        return await asyncio.shield(self._pid)

    async def ended_within(self, seconds: float | None) -> bool:
        """Wait for the end, not longer than that; say whether it came."""
        await asyncio.wait([self._ended], timeout=seconds)
        return self.has_ended

    def stop(self) -> None:
        """Ask the command to end by its stop signal; the warden kills it after its timeout."""
        self._send(signal.SIGTERM)

    def kill_command(self) -> None:
        """Kill the command and all below it now."""
        self._send(signal.SIGQUIT)

    def kill_warden(self) -> None:
        """Kill the warden, if it does not do its work; what it leaves is `end_orphans`' business."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if not self.has_ended:
            self._warden.send_signal(number)

    def _on_report(self) -> None:
        data = os.read(self._report, 64)
        if data:
            self._pid.set_result(int(data))
            return
        asyncio.get_running_loop().remove_reader(self._report)
        os.close(self._report)
        if not self._pid.done():
            self._pid.set_result(0)
        self._ended.set_result(self._warden.wait())


def _command(child: Child, log: Path, max_log_bytes: int, report_fd: int, lock_fd: int | None) -> tuple[str, ...]:
    options = {
        "--parent": os.getpid(),
        "--stop-signal": int(child.stop_signal),
        "--stop-timeout": child.stop_timeout_seconds,
        "--report-fd": report_fd,
        "--log": log,
        "--log-bytes": max_log_bytes,
        **({} if lock_fd is None else {"--lock-fd": lock_fd}),
        **({} if child.uid is None else {"--uid": child.uid, "--gid": child.uid if child.gid is None else child.gid}),
    }
    words = (str(word) for option in options.items() for word in option)
    return (sys.executable, "-I", "-S", warden.__file__, *words, "--", *child.command)


def become_subreaper() -> None:
    """Have orphans of our wardens come to us.

    Raises:
        OSError: The kernel refuses.
    """
    warden.prctl(warden.PR_SET_CHILD_SUBREAPER, 1)


async def end_orphans(processes: list[WardedProcess], *, seconds: float = 5.0) -> None:
    """Kill what a killed warden left to us: children in other sessions than ours that are no wardens, and all below them.

    Whatever else this process starts stays in its session and is left alone.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < deadline:
        orphans = _orphans({process.warden_pid for process in processes})
        if not orphans:
            return
        warden.kill(orphans | warden.descendants(orphans))
        await asyncio.sleep(_POLL_SECONDS)
        for pid in orphans:
            _reap(pid)


def _orphans(wardens: set[int]) -> set[int]:
    own, session = os.getpid(), str(os.getsid(0))
    children = {pid for pid, parent in warden.parents().items() if parent == own} - wardens
    return {pid for pid in children if (fields := warden.stat_fields(pid)) and fields[3] != session}


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def end_leftovers(variable: str, value: str) -> int:
    """Kill every process that has this in its environment, and return how many: what a run left that was killed with all its wardens.

    A process that has overwritten its environment to change its title is not found.
    """
    setting = f"{variable}={value}".encode()
    found = {pid for pid in warden.parents() if pid != os.getpid() and setting in _environment(pid)}
    warden.kill(found)
    return len(found)


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def last_lines(log: Path, count: int = 12) -> str:
    """Return what the child wrote at last, since it was last started."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    _, _, since = text.rpartition(" started, pid ")
    lines = [line for line in since.splitlines()[1:] if not line.startswith(warden.MARK)]
    return "\n".join(lines[-count:])
