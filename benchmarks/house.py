"""Run what is measured: the service as users run it, others on the same servers, and the same application under bare uvicorn."""

import http.client
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.machine import ROOT
from deployments.settings import PREFIX
from serve_app import warden
from serve_app.ports import free_port_range
from serve_app.service_client import ServiceClient, ServiceError
from serve_app.state import read_state

START_SECONDS = 120.0
STOP_SECONDS = 60.0

_UP = "from serve_app.cli import app; app(['up'])"
_POLL_SECONDS = 0.1
_SETTINGS = {
    # On, as in earnest, and so high that it never refuses.
    "APP__SERVER__RATE_LIMIT__REQUESTS_PER_SECOND": "1000000",
    "APP__SERVER__RATE_LIMIT__BURST_SIZE": "1000000",
    "APP__REPLICAS__MIN": "1",
    "APP__REPLICAS__MAX": "1",
}
_OF_ONE_SERVICE = ("APP__DATA_DIR", "APP__METRICS_DIR", "APP__SERVER__PORT")


class CannotStartError(Exception):
    """What shall be measured does not start; the message has the end of its output."""


@dataclass(frozen=True, slots=True)
class Target:
    """Something that answers the HTTP API at `url`, and the process below which its own processes are."""

    name: str
    url: str
    api_key: str
    pid: int

    @property
    def client(self) -> ServiceClient:
        """A client that shows the key."""
        return ServiceClient(self.url, self.api_key)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, _, port = self.url.removeprefix("http://").partition(":")
        return host, int(port)

    def metrics(self) -> str:
        """Return what it tells Prometheus."""
        connection = http.client.HTTPConnection(*self.address, timeout=10)
        try:
            connection.request("GET", "/metrics")
            return connection.getresponse().read().decode()
        finally:
            connection.close()


@dataclass(slots=True)
class House:
    """All that runs. `environ` has the `APP__*` of the service's replica, which leads others to the same servers."""

    folder: Path
    service: Target
    environ: Mapping[str, str]
    uvicorn: Target
    targets: list[Target] = field(default_factory=list)

    @property
    def database_url(self) -> str:
        """The database of all targets."""
        return Path(self.environ["APP__DATABASE__URL_FILE"]).read_text().strip()

    @contextmanager
    def another(self, name: str, settings: Mapping[str, str], program: Sequence[str] = ("-c", _UP)) -> Iterator[Target]:
        """Run another service on the same servers, with some other settings, or by a program that changes more than settings can."""
        shared = {key: value for key, value in self.environ.items() if key not in _OF_ONE_SERVICE}
        with _service(self.folder / name.replace(" ", "-"), name, {**shared, **settings}, program) as target:
            self.targets.append(target)
            try:
                yield target
            finally:
                self.targets.remove(target)


@contextmanager
def open_house() -> Iterator[House]:
    """Run the service with one replica and everything it needs in a folder that is removed at the end; beside it, bare uvicorn.

    Raises:
        CannotStartError: One of them does not start.
    """
    folder = Path(tempfile.mkdtemp(prefix="cw-bench-"))
    folder.chmod(0o711)  # the servers' own users enter it
    try:
        with _service(folder / "service", "service", _SETTINGS, ("-c", _UP)) as service:
            environ = _environ_of_replicas(folder / "service")
            with _bare_uvicorn(folder / "uvicorn", service, environ) as uvicorn:
                yield House(folder, service, environ, uvicorn, [service, uvicorn])
    finally:
        for name in (*folder.glob("*/runtime-folder"), *folder.glob("*/*/socket-folder")):
            shutil.rmtree(name.read_text(), ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _service(folder: Path, name: str, settings: Mapping[str, str], program: Sequence[str]) -> Iterator[Target]:
    folder.mkdir(mode=0o711)
    port = free_port_range(1)
    environ = {**settings, "APP__DATA_DIR": str(folder), "APP__SERVER__PORT": str(port)}
    with _running(program, environ, folder / "output") as process:
        target = Target(name, f"http://127.0.0.1:{port}", "", process.pid)
        _wait(process, lambda: _is_ready(target), folder / "output")
        key_file = settings.get("APP__SERVER__API_KEY_FILE", folder / "api-key")
        yield Target(name, target.url, Path(key_file).read_text().strip(), process.pid)


@contextmanager
def _bare_uvicorn(folder: Path, service: Target, environ: Mapping[str, str]) -> Iterator[Target]:
    metrics = folder / "metrics"
    metrics.mkdir(parents=True)
    port = free_port_range(1)
    own = {"APP__DATA_DIR": str(folder), "APP__METRICS_DIR": str(metrics), "APP__SERVER__PORT": str(port)}
    with _running(("-m", "benchmarks.bare_uvicorn"), {**environ, **own}, folder / "output") as process:
        target = Target("uvicorn", f"http://127.0.0.1:{port}", service.api_key, process.pid)
        _wait(process, lambda: _is_ready(target), folder / "output")
        yield target


@contextmanager
def _running(program: Sequence[str], settings: Mapping[str, str], output: Path) -> Iterator[subprocess.Popen[bytes]]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    with output.open("wb") as file:
        process = subprocess.Popen(  # noqa: S603  # our own programs
            (sys.executable, *program),
            cwd=ROOT,
            env={**environ, **settings},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            # The kernel shares the cores among sessions (sched_autogroup): uvicorn has one of its own, as the replicas have.
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509  # one system call, from the only thread
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _die_with_parent() -> None:
    warden.prctl(warden.PR_SET_PDEATHSIG, signal.SIGKILL)


def _wait(process: subprocess.Popen[bytes], is_ready: Callable[[], bool], output: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not is_ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise CannotStartError(output.read_text(errors="replace")[-4_000:])
        time.sleep(_POLL_SECONDS)


def _is_ready(target: Target) -> bool:
    try:
        return target.client.get("/api/v1/health/ready")[0] == 200
    except ServiceError:
        return False


def _environ_of_replicas(folder: Path) -> Mapping[str, str]:
    """Return the `APP__*` that the cluster was started with: the settings, and where the servers are."""
    state = read_state(folder / "state.json")
    assert state is not None, "the service runs"
    pid = next(child.pid for child in state.children if child.name == "ray")
    return {name: value for name, value in psutil.Process(pid).environ().items() if name.startswith(PREFIX)}
