"""The whole service, started by its command line on the real servers, for tests that need all of it."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import httpx
import psutil

from serve_app.ports import free_port_range


class Service:
    """A `crypto-wallets up` in a folder of its own."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self.folder = folder
        # Below the range from which the system gives out ports: it must stay free while a killed HAProxy is away.
        port = free_port_range(2)
        self.url = f"http://127.0.0.1:{port}"
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith("APP__")} | {
            "APP__DATA_DIR": str(folder),
            "APP__SERVER__PORT": str(port),
            "APP__SERVER__RATE_LIMIT__REQUESTS_PER_SECOND": "1000",
            "APP__SERVER__RATE_LIMIT__BURST_SIZE": "1000",
            "COLUMNS": "200",
            **settings,
        }
        self.tree: set[psutil.Process] = set()
        self.start()

    def start(self) -> None:
        """Start it; it is not ready yet."""
        self.output = self.folder / "output"
        with self.output.open("w") as output:
            self.process = subprocess.Popen(self.command("up"), env=self.environ, stdout=output, stderr=subprocess.STDOUT)

    def command(self, *arguments: str) -> list[str]:
        """Return the command line with `arguments`."""
        return [sys.executable, "-c", f"from serve_app.cli import app; app({list(arguments)!r})"]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command line with `arguments` beside the service."""
        return subprocess.run(self.command(*arguments), env=self.environ, capture_output=True, text=True, timeout=60, check=False)

    def headers(self) -> dict[str, str]:
        """Return the header with the API key."""
        return {"X-Api-Key": (self.folder / "api-key").read_text()}

    def client(self) -> httpx.Client:
        """Make a client that shows the API key."""
        return httpx.Client(base_url=self.url, headers=self.headers(), timeout=15)

    def is_well(self) -> bool:
        """Tell whether it is ready and all its components are."""
        self.note()
        assert self.process.poll() is None, self.output.read_text()
        try:
            return bool(httpx.get(f"{self.url}/api/v1/health", timeout=5).json().get("status") == "ok")
        except (httpx.TransportError, json.JSONDecodeError):
            return False

    def note(self) -> None:
        """Remember every process of it."""
        with contextlib.suppress(psutil.NoSuchProcess):
            self.tree.update(psutil.Process(self.process.pid).children(recursive=True))

    def left(self) -> list[psutil.Process]:
        """Return the processes of it that still run."""
        return [each for each in self.tree if _runs(each)]

    def named(self, name: str) -> list[psutil.Process]:
        """Return its processes with this name, which the kernel cuts at 15 characters."""
        self.note()
        return [each for each in self.left() if _name(each).startswith(name[:15])]

    def has_another(self, name: str, than: psutil.Process) -> bool:
        """Tell whether `than` is gone and a process of its name was started since."""
        return not _runs(than) and any(each.create_time() > than.create_time() for each in self.named(name))


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _name(process: psutil.Process) -> str:
    try:
        return str(process.name())
    except psutil.NoSuchProcess:
        return ""


def eventually(condition: Callable[[], bool], seconds: float = 120) -> None:
    """Return when something holds, and fail when it does not in a bounded time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.2)


@contextlib.contextmanager
def whole_service(**settings: str) -> Iterator[Service]:
    """Start one that is well, with these `APP__*`, and end it with everything of it."""
    folder = Path(tempfile.mkdtemp(prefix="cw-test-"))
    folder.chmod(0o711)
    service = Service(folder, settings)
    try:
        eventually(service.is_well)
        yield service
    finally:
        service.note()
        service.process.kill()
        service.process.wait()
        # Shown where a test has failed.
        shutil.rmtree((folder / "runtime-folder").read_text(), ignore_errors=True)
        sys.stdout.write(service.output.read_text() + (folder / "logs" / "ray.log").read_text()[-4000:])
        eventually(lambda: not service.left(), 30)
        shutil.rmtree(folder, ignore_errors=True)
