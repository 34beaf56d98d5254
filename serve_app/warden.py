"""Keep one process and everything it starts: when it, or the one who asked for it, ends, nothing of it is left.

Run as a program, `python -I -S warden.py STOP_SIGNAL STOP_SECONDS UID GID -- COMMAND...` (-1 keeps the ids). Uses the standard
library alone, so that it starts in milliseconds.
"""

import ctypes
import os
import signal
import sys
import time

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_libc = ctypes.CDLL(None)


def main(arguments: list[str]) -> int:
    """Run the command until it ends or the parent does; return its exit code."""
    stop_signal, stop_seconds, uid, gid = int(arguments[0]), float(arguments[1]), int(arguments[2]), int(arguments[3])
    parent = os.getppid()
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD})
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    child = _start(arguments[5:], uid, gid)
    deadline = None
    while True:
        code = _reap(child)
        if code is not None:
            _end_descendants()
            return code
        received = signal.sigtimedwait({signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}, 0.5)
        asked = received is not None and received.si_signo != signal.SIGCHLD
        if deadline is None and (asked or os.getppid() != parent):
            os.kill(child, stop_signal)
            deadline = time.monotonic() + stop_seconds
        if deadline is not None and time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)


def _start(command: list[str], uid: int, gid: int) -> int:
    child = os.fork()
    if child:
        return child
    try:
        os.setsid()
        if gid >= 0:
            os.setgroups([])
            os.setgid(gid)
        if uid >= 0:
            os.setuid(uid)
        # After the change of ids, which clears it.
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD})
        os.execvp(command[0], command)  # noqa: S606  # the supervisor's own command
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    os._exit(127)


def _reap(child: int) -> int | None:
    """Reap what has ended; return the child's exit code once it is among it."""
    code = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if pid == 0:
            return code
        if pid == child:
            code = os.waitstatus_to_exitcode(status) % 256


def _end_descendants() -> None:
    """Kill what the child has left behind, which is our child now, again and again until there is none."""
    while True:
        left = _children()
        if not left:
            return
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        os.waitpid(left[0], 0)


def _children() -> list[int]:
    me, found = os.getpid(), []
    for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208  # pathlib would be a third of the start
        try:
            with open(f"/proc/{name}/stat") as file:  # noqa: PTH123  # the same
                if int(file.read().rsplit(")", 1)[1].split()[1]) == me:
                    found.append(int(name))
        except OSError:
            continue
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
