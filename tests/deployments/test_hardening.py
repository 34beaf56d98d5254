"""A hardened process, a real one: it dumps no core, nobody of its user looks into it, and what the system forbids stops nothing."""

import json
import mmap
import os
import resource
import shutil
import signal
import subprocess
import sys
import sysconfig
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ray import cloudpickle

from deployments import hardening
from deployments.hardening import CoreDumps, Dumpable, Hardening, Memory, harden
from tests.serve_app.processes import ROOT, python_for
from wallets.secret import Seed

NOBODY = 65534
ROOM = 1 << 30

CHILD = textwrap.dedent(
    """
    import json, mmap, sys
    from dataclasses import asdict
    from deployments.hardening import harden
    from wallets.secret import Seed

    state = asdict(harden()) if sys.argv[1] == "hardened" else None
    secret = Seed(bytes.fromhex(sys.argv[2])[::-1])
    room = mmap.mmap(-1, int(sys.argv[3]))
    room[0] = 1
    print(json.dumps(state), flush=True)
    sys.stdin.readline()
    """
)
"""Holds its second argument backwards: its memory has the command line too, and that is not the secret."""

SECRET = os.urandom(48)


class Process:
    """A child that holds the secret and waits; `told` is what it says of its protection."""

    def __init__(self, folder: Path, kind: str, user: int | None, limits: tuple[str, ...], room: int) -> None:
        python = sys.executable if user is None else python_for(user)
        as_user = () if user is None else ("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups")
        self.popen = subprocess.Popen(
            (*limits, *as_user, python, "-c", CHILD, kind, SECRET[::-1].hex(), str(room)),
            env={"PYTHONPATH": f"{ROOT}:{sysconfig.get_path('purelib')}", "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
        )
        assert self.popen.stdout is not None
        self.told: dict[str, str] | None = json.loads(self.popen.stdout.readline())

    def status(self, field: str) -> str:
        """Return a field of proc_pid_status(5)."""
        lines = Path(f"/proc/{self.popen.pid}/status").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith(f"{field}:"))


Start = Callable[..., Process]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a child in the test's folder, which every user may write to."""
    tmp_path.chmod(0o777)
    started: list[Process] = []

    def new(kind: str = "hardened", *, user: int | None = None, limits: tuple[str, ...] = (), room: int = mmap.PAGESIZE) -> Process:
        started.append(Process(tmp_path, kind, user, limits, room))
        return started[-1]

    yield new
    for process in started:
        process.popen.kill()
        process.popen.communicate()


def with_core_dumps() -> tuple[str, ...]:
    """Return what starts a process that dumps as much as it may by now: a command that was tested here may have hardened this process."""
    most = resource.getrlimit(resource.RLIMIT_CORE)[1]
    # What a shell runs in the background ignores SIGQUIT, and so would its children.
    return ("env", "--default-signal=QUIT", "prlimit", f"--core={'unlimited' if most == resource.RLIM_INFINITY else most}:")


WITH_LITTLE_LOCKABLE_MEMORY = ("prlimit", f"--memlock={8 << 20}")
"""Starts one that may lock 8 MiB, which is what Debian lets users lock."""


@pytest.mark.parametrize("crash", [signal.SIGABRT, signal.SIGSEGV, signal.SIGQUIT])
def test_a_crash_leaves_no_core(start: Start, tmp_path: Path, crash: signal.Signals) -> None:
    """A signal that dumps core ends it without a file, where it would have left one with the secret in it."""
    if Path("/proc/sys/kernel/core_pattern").read_text().startswith("|"):
        pytest.skip("cores go to a program here, not to the folder")
    hardened, plain = start(limits=with_core_dumps()), start("plain", limits=with_core_dumps())

    hardened.popen.send_signal(crash)

    assert hardened.popen.wait(20) == -crash
    assert list(tmp_path.glob("core*")) == []
    if resource.getrlimit(resource.RLIMIT_CORE)[1] != 0:
        plain.popen.send_signal(crash)
        plain.popen.wait(20)
        (core,) = tmp_path.glob("core*")
        assert SECRET in core.read_bytes()


def test_core_dumps_are_off_for_good(start: Start) -> None:
    """Neither the process nor its children can allow them again."""
    process = start(limits=with_core_dumps())

    assert resource.prlimit(process.popen.pid, resource.RLIMIT_CORE) == (0, 0)
    assert process.told is not None
    assert (process.told["core_dumps"], process.told["dumpable"]) == ("off", "no")


def memory_of(pid: int) -> bytes:
    """Read the heap of a process in a shell of another user, by what /proc offers to whoever may."""
    script = """
import sys
pid = sys.argv[1]
with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
    for line in maps:
        area, rights, *_ = line.split()
        first, last = (int(part, 16) for part in area.split("-"))
        if "rw" in rights and last - first < 1 << 28:
            memory.seek(first)
            sys.stdout.buffer.write(memory.read(last - first))
"""
    reader = subprocess.run(
        ("/usr/bin/env", python_for(NOBODY), "-c", script, str(pid)),
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        capture_output=True,
        check=False,
        cwd="/",
    )
    return reader.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_processes_of_the_same_user_cannot_read_its_memory(start: Start) -> None:
    """Of a plain process they find the secret, of a hardened one nothing."""
    hardened, plain = start(user=NOBODY), start("plain", user=NOBODY)
    if Path("/proc/sys/kernel/yama/ptrace_scope").exists() and Path("/proc/sys/kernel/yama/ptrace_scope").read_text().strip() != "0":
        pytest.skip("here nobody may read the memory of a process that is not its child")

    assert SECRET in memory_of(plain.popen.pid)
    assert memory_of(hardened.popen.pid) == b""


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("gcore") is None, reason="needs root, to become another user, and gdb")
def test_a_debugger_of_the_same_user_is_refused(start: Start, tmp_path: Path) -> None:
    """With gcore it gets the memory of a plain process, and not that of a hardened one."""
    dumps = {}
    for kind in ("hardened", "plain"):
        process = start(kind, user=NOBODY)
        command = ("gcore", "-o", kind, str(process.popen.pid))
        dumps[kind] = subprocess.run(
            command, user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True, text=True, check=False, cwd=tmp_path
        )

    assert "Operation not permitted" in dumps["hardened"].stderr
    assert list(tmp_path.glob("hardened*")) == []
    assert dumps["plain"].returncode == 0, dumps["plain"].stderr
    (core,) = tmp_path.glob("plain*")
    assert SECRET in core.read_bytes()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs CAP_IPC_LOCK")
def test_memory_is_locked_with_the_capability(start: Start) -> None:
    """However low the limit: what is mapped is locked, later mappings as well, and more than the limit can still be mapped."""
    process = start(limits=WITH_LITTLE_LOCKABLE_MEMORY, room=ROOM)

    assert process.told is not None
    assert process.told["memory"] == "locked"
    assert int(process.status("VmLck").split()[0]) > ROOM // 1024
    assert int(process.status("VmRSS").split()[0]) < ROOM // 1024 // 4


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_memory_is_not_locked_under_a_limit(start: Start) -> None:
    """Without the capability a finite limit would keep the process from getting memory: it says so, and can map more than the limit."""
    process = start(user=NOBODY, limits=WITH_LITTLE_LOCKABLE_MEMORY, room=ROOM)

    assert process.told == {"core_dumps": "off", "dumpable": "no", "memory": "limited"}
    assert process.status("VmLck") == "0 kB"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user, and raise its limit")
def test_memory_is_locked_without_a_limit(start: Start) -> None:
    """An unlimited hard limit suffices, whatever the soft one is."""
    limits = ("prlimit", f"--memlock={8 << 20}:unlimited")
    if subprocess.run((*limits, "true"), capture_output=True, check=False).returncode != 0:
        pytest.skip("this root has no CAP_SYS_RESOURCE, and so cannot raise a limit")

    process = start(user=NOBODY, limits=limits, room=ROOM)

    assert process.told == {"core_dumps": "off", "dumpable": "no", "memory": "locked"}
    assert int(process.status("VmLck").split()[0]) > ROOM // 1024


def test_what_the_system_refuses_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where every call fails, it is said, and that is all."""

    def refuse(*_: object) -> int:
        raise PermissionError

    monkeypatch.setattr(hardening, "_libc", refuse)
    monkeypatch.setattr(resource, "setrlimit", refuse)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    assert harden() == Hardening(CoreDumps.ON, Dumpable.YES, Memory.REFUSED)


def test_a_capability_of_a_user_namespace_does_not_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A container's root that is another user outside has the bit, but the kernel asks for the real one; without /proc there is none."""
    status, uid_map = tmp_path / "status", tmp_path / "uid_map"
    status.write_text("Name:\tpython\nCapEff:\t0000000000004000\nCapBnd:\t0\n")
    monkeypatch.setattr(hardening, "_PROC", tmp_path)
    found = []

    for mapped in ("         0          0 4294967295\n", "         0     100000      65536\n"):
        uid_map.write_text(mapped)
        found.append(hardening._may_lock_beyond_limit())
    status.write_text("Name:\tpython\nCapEff:\t0000000000000001\n")
    found.append(hardening._may_lock_beyond_limit())
    status.unlink()
    found.append(hardening._may_lock_beyond_limit())

    assert found == [True, False, False, False]


def test_an_unknown_call_is_a_refusal() -> None:
    """A system whose C library has no such function refuses like one whose kernel does."""
    with pytest.raises(OSError, match="no_such_call"):
        hardening._libc("no_such_call")
    with pytest.raises(OSError, match="Bad file descriptor"):
        hardening._libc("close", 1_000_000)


def test_a_secret_does_not_pass_by_rays_own_pickle() -> None:
    """What Ray sends between processes is pickled by its own library, which refuses as well, also inside of something else."""
    seed = Seed(SECRET)
    for value in (seed, [seed], lambda: seed):
        with pytest.raises(TypeError, match="must not be pickled"):
            cloudpickle.dumps(value)
