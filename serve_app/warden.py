"""Keep one command and everything it spawns: no process of it outlives this one, its parent, or the command itself.

Run as a program, with the standard library alone so that it starts in milliseconds::

    python -I -S warden.py --parent PID --stop-signal N --stop-timeout SECONDS --report-fd FD --log FILE --log-bytes N
                           [--lock-fd FD] [--uid UID --gid GID] -- command...

It runs the command in a session of its own, writes the command's pid to the report (which it closes only by ending, as it does the lock)
and the command's output to FILE, and ends with the command's exit code, or 128 and the signal that ended it.

- SIGTERM, SIGINT and the death of the parent pass the command its stop signal; after the timeout it is killed. SIGQUIT kills it at once.
- When the command has ended, whatever it left running is killed, in whichever session that is: orphans come to the warden, because
  it is their subreaper (prctl(2), PR_SET_CHILD_SUBREAPER).
- When the warden itself is killed, the kernel kills the command (PR_SET_PDEATHSIG); the supervisor, a subreaper as well, sees to the rest.
"""

import ctypes
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from typing import NoReturn

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

CANNOT_EXECUTE = 127
KEPT_LOGS = 3
MARK = "--- "

_SIGNAL_EXIT = 128
_KILL_SECONDS = 10.0
_POLL_SECONDS = 0.02
_CHUNK = 65536
_STOPS = {signal.SIGTERM, signal.SIGINT}
_OURS = _STOPS | {signal.SIGCHLD, signal.SIGQUIT}


def prctl(option: int, argument: int) -> None:
    """Change one attribute of this process in the kernel.

    Raises:
        OSError: The kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(argument), 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def parents() -> dict[int, int]:
    """Return the parent of every process that can be seen."""
    table = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            fields = stat_fields(int(name))
            if fields:
                table[int(name)] = int(fields[1])
    return table


def stat_fields(pid: int) -> list[str]:
    """Return the fields of proc_pid_stat(5) from `state`, the third, on; nothing if the process is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name in parentheses is the process's own choice and may hold spaces and parentheses.
            return file.read().rpartition(b")")[2].decode().split()
    except OSError:
        return []


def runs(pid: int) -> bool:
    """Tell whether a process is there and does not only wait to be reaped."""
    fields = stat_fields(pid)
    return bool(fields) and fields[0] not in "ZX"


def descendants(roots: set[int]) -> set[int]:
    """Return all processes below `roots`, without these."""
    table = parents()
    found: set[int] = set()
    level = roots
    while level:
        level = {pid for pid, parent in table.items() if parent in level and pid not in found}
        found |= level
    return found


def kill(pids: set[int]) -> None:
    """Send SIGKILL to each that is still there."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            continue


class Log:
    """A file of bounded size: when full it becomes `FILE.1`, the one before `FILE.2` and so on. What does not fit on the disk is lost."""

    def __init__(self, path: str, max_bytes: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._open()

    def write(self, data: bytes) -> None:
        """Append; begin a new file at the end of a line when this one is full."""
        while len(data) > self._max_bytes - self._size:
            end = data.rfind(b"\n", 0, max(0, self._max_bytes - self._size)) + 1
            if end == 0 and self._size == 0:  # A line longer than the whole file is cut.
                end = self._max_bytes
            self._append(data[:end])
            self._rotate()
            data = data[end:]
        self._append(data)

    def mark(self, text: str) -> None:
        """Append a line of our own, with the time in UTC."""
        self.write(f"{MARK}{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {text}\n".encode())

    def _open(self) -> None:
        self._fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        self._size = os.fstat(self._fd).st_size

    def _append(self, data: bytes) -> None:
        try:
            self._size += os.write(self._fd, data)
        except OSError:
            return

    def _rotate(self) -> None:
        full = self._fd
        try:
            for number in range(KEPT_LOGS - 1, 0, -1):
                older = f"{self._path}.{number}"
                if os.path.exists(older):
                    os.replace(older, f"{self._path}.{number + 1}")
            os.replace(self._path, f"{self._path}.1")
            self._open()
            os.close(full)
        except OSError:  # No log is worth the command: it goes on in the full file.
            self._size = 0


class Options:
    """The command line, read without argparse, which alone takes longer than all of this."""

    def __init__(self, arguments: list[str]) -> None:
        end = arguments.index("--")
        pairs = dict(zip(arguments[:end:2], arguments[1:end:2], strict=True))
        self.command = arguments[end + 1 :]
        self.parent = int(pairs["--parent"])
        self.stop_signal = int(pairs["--stop-signal"])
        self.stop_timeout = float(pairs["--stop-timeout"])
        self.report_fd = int(pairs["--report-fd"])
        self.lock_fd = int(pairs.get("--lock-fd", pairs["--report-fd"]))
        self.log = pairs["--log"]
        self.log_bytes = int(pairs["--log-bytes"])
        self.uid = int(pairs["--uid"]) if "--uid" in pairs else None
        self.gid = int(pairs.get("--gid", "-1"))


class Warden:
    """The loop: signals and output in, one exit code out."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._log = Log(options.log, options.log_bytes)
        for descriptor in (options.report_fd, options.lock_fd):  # ours, not the command's
            os.set_inheritable(descriptor, False)
        self._wake, wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        for number in _OURS:
            signal.signal(number, lambda *_: None)
        self._output, self._output_write = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._output, False)
        self._pid = 0
        self._status: int | None = None
        self._deadline: float | None = None

    def run(self) -> int:
        """Run the command to its end and return the exit code."""
        warden = os.getpid()
        # A signal for the command that comes before it executes must end it, not wake this loop.
        signal.pthread_sigmask(signal.SIG_BLOCK, _OURS)
        self._pid = os.fork()
        if self._pid == 0:
            _become(self._options, self._output_write, warden)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _OURS)
        os.close(self._output_write)
        self._report()
        if os.getppid() != self._options.parent:
            self._stop()
        while self._status is None:
            self._wait()
        self._end_descendants()
        while self._copy_output():
            continue
        code = os.waitstatus_to_exitcode(self._status)
        self._log.mark(f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}")
        return _SIGNAL_EXIT - code if code < 0 else code

    def _report(self) -> None:
        self._log.mark(f"started, pid {self._pid}")
        try:
            os.write(self._options.report_fd, f"{self._pid}\n".encode())
        except OSError:  # The parent is gone, which is looked at next.
            return

    def _wait(self) -> None:
        timeout = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
        outputs = [] if self._output < 0 else [self._output]
        ready = select.select([self._wake, *outputs], [], [], timeout)[0]
        if self._output in ready:
            self._copy_output()
        if self._wake in ready:
            for number in os.read(self._wake, _CHUNK):
                self._on_signal(number)
        if self._deadline is not None and time.monotonic() >= self._deadline:
            self._kill_command()

    def _on_signal(self, number: int) -> None:
        if number == signal.SIGCHLD:
            self._reap()
        elif number == signal.SIGQUIT:
            self._kill_command()
        elif number in _STOPS:
            self._stop()

    def _stop(self) -> None:
        if self._deadline is None and self._status is None:
            self._deadline = time.monotonic() + self._options.stop_timeout
            os.kill(self._pid, self._options.stop_signal)
            os.kill(self._pid, signal.SIGCONT)

    def _kill_command(self) -> None:
        self._deadline = None
        if self._status is None:
            os.kill(self._pid, signal.SIGKILL)

    def _reap(self) -> None:
        for pid, status in _ended():
            if pid == self._pid:
                self._status = status

    def _end_descendants(self) -> None:
        """Kill until there is no child left: what is killed may have had children, which come to us."""
        end = time.monotonic() + _KILL_SECONDS
        while _has_children() and time.monotonic() < end:
            kill(descendants({os.getpid()}))
            self._copy_output()
            for _ in _ended():
                continue
            time.sleep(_POLL_SECONDS)

    def _copy_output(self) -> bool:
        """Copy what is there, one read of it; say whether there was anything."""
        if self._output < 0:
            return False
        try:
            data = os.read(self._output, _CHUNK)
        except BlockingIOError:
            return False
        if not data:
            os.close(self._output)
            self._output = -1
        self._log.write(data)
        return bool(data)


def _ended() -> Iterator[tuple[int, int]]:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        yield pid, status


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _become(options: Options, output: int, warden: int) -> NoReturn:
    """Turn this fork into the command."""
    try:
        signal.set_wakeup_fd(-1)
        for number in (*_OURS, signal.SIGPIPE, signal.SIGXFSZ):  # the last two Python ignores, and exec would pass that on
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _OURS)
        os.setsid()
        with open(os.devnull, "rb") as null:
            os.dup2(null.fileno(), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        if options.uid is not None:
            os.setgroups([])
            os.setgid(options.gid)
            os.setuid(options.uid)
        # Only now: a change of user clears it.
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != warden:
            os._exit(_SIGNAL_EXIT + signal.SIGKILL)
        os.execvpe(options.command[0], options.command, os.environ)  # noqa: S606  # the warden is there to become a command, which the supervisor has written
    except OSError as error:
        os.write(2, f"cannot start {options.command[0]}: {error.strerror}\n".encode())
    os._exit(CANNOT_EXECUTE)


def main() -> int:
    """Run as the module says."""
    options = Options(sys.argv[1:])
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    return Warden(options).run()


if __name__ == "__main__":
    sys.exit(main())
