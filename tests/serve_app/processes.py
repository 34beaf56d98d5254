"""Start the supervisor of a test in a process of its own, and find what it left by a mark in the environment."""

import json
import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import psutil
import pytest

ROOT = Path(__file__).parents[2]
IS_ROOT = os.geteuid() == 0
only_as_root = pytest.mark.skipif(not IS_ROOT, reason="only root can become another user")
SUPERVISE = Path(__file__).with_name("supervise.py")


def marked(mark: str) -> list[psutil.Process]:
    """Return the processes that have `MARK=<mark>` in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("MARK") == mark:
                found.append(process)
        except psutil.Error:
            continue
    return found


def all_gone(processes: list[psutil.Process], seconds: float = 20.0) -> bool:
    """Wait until all have ended; say whether they have. Whether their new parent, the system's init, has reaped them does not matter."""
    deadline = time.monotonic() + seconds
    while left := [process for process in processes if not has_ended(process)]:
        if time.monotonic() > deadline:
            return False
        psutil.wait_procs(left, timeout=0.02)
    return True


def has_ended(process: psutil.Process) -> bool:
    """Say whether it is gone or a zombie."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


class Supervised:
    """A run of `supervise.py`."""

    def __init__(
        self,
        folder: Path,
        *units: Mapping[str, Any],
        patience: Mapping[str, Any] | None = None,
        max_log_bytes: int = 1_000_000,
        python: str = sys.executable,
        preexec: Callable[[], None] | None = None,
        path: str = "",
    ) -> None:
        self.folder = folder
        arguments = [json.dumps(part) for part in (units, patience or {}, max_log_bytes)]
        self.process = subprocess.Popen(
            (python, str(SUPERVISE), str(folder), *arguments),
            env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}:{path}", "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
            preexec_fn=preexec,  # noqa: PLW1509  # tests start it from one thread
        )
        self.events: list[tuple[str, str]] = []

    def expect(self, name: str, phase: str) -> str:
        """Read events up to this one, and return its detail."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event = json.loads(line)
            self.events.append((event["name"], event["phase"]))
            if self.events[-1] == (name, phase):
                return str(event["detail"])
        pytest.fail(f"no {phase} of {name} came, but {self.events}; {self.process.stderr and self.process.stderr.read()}")

    def state(self) -> dict[str, Any]:
        """Read the state file."""
        content: dict[str, Any] = json.loads((self.folder / "state.json").read_text())
        return content

    def pid(self, name: str) -> int:
        """Return the process id of a child, as the state file has it."""
        return next(int(child["pid"]) for child in self.state()["children"] if child["name"] == name)

    def wardens(self) -> list[psutil.Process]:
        """Return the supervisor's own children."""
        return psutil.Process(self.process.pid).children()

    def everything(self) -> list[psutil.Process]:
        """Return all processes below the supervisor."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self) -> tuple[int, str]:
        """Wait for the end; return exit code and standard error, and add the last events."""
        output, errors = self.process.communicate(timeout=60)
        self.events += [(event["name"], event["phase"]) for event in map(json.loads, output.splitlines())]
        return self.process.returncode, errors

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self.process.communicate(timeout=60)


def python_for(uid: int) -> str:
    """Return a Python of our version that this user can run, or skip the test: ours may be in a closed home."""
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        command = (python, "-c", "import deployments.hardening, serve_app.supervisor")
        environment = {"PYTHONPATH": f"{ROOT}:{sysconfig.get_path('purelib')}", "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            if subprocess.run(command, user=uid, env=environment, cwd="/", capture_output=True, check=False).returncode == 0:
                return python
        except OSError:
            continue
    pytest.skip("no Python here that an ordinary user can run")
