"""Run what is measured: the service as users run it, others on the same servers, and the same application under bare uvicorn."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

from benchmarks.machine import ROOT
from deployments.settings import PREFIX
from serve_app.ports import free_port_range
from serve_app.service_client import ServiceClient, ServiceError
from serve_app.state import read_state

START_SECONDS = 120.0
STOP_SECONDS = 60.0

UP = ("-c", "from serve_app.cli import app; app(['up'])")
_UVICORN = ("-m", "benchmarks.bare_uvicorn")
_DIES_WITH_US = ("/usr/bin/setpriv", "--pdeathsig", "KILL")
"""util-linux's way to have a program killed when the process that has started it ends, however that is."""

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
    """Something that answers the HTTP API at `url`, and the process below which its own processes are.

    `database_url` is None where the database is that of all.
    """

    name: str
    url: str
    api_key: str
    pid: int
    database_url: str | None = None

    @property
    def grpc(self) -> str:
        """Where its gRPC is: at the next port."""
        host, _, port = self.url.removeprefix("http://").rpartition(":")
        return f"{host}:{int(port) + 1}"

    @property
    def client(self) -> ServiceClient:
        """A client that shows the key."""
        return ServiceClient(self.url, self.api_key)


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
        """The database of all targets that have none of their own."""
        return Path(self.environ["APP__DATABASE__URL_FILE"]).read_text().strip()

    @contextmanager
    def another(self, name: str, settings: Mapping[str, str], program: Sequence[str] = UP) -> Iterator[Target]:
        """Run another service on the same servers, with some other settings, or by a program that changes more than settings can."""
        shared = {key: value for key, value in self.environ.items() if key not in _OF_ONE_SERVICE}
        with (
            _service(self.folder / name.replace(" ", "-"), name, {**shared, **settings}, program) as target,
            self._with(target) as added,
        ):
            yield added

    @contextmanager
    def another_uvicorn(self, name: str, database_url: str) -> Iterator[Target]:
        """Run bare uvicorn once more, on a database of its own."""
        folder = self.folder / f"{name.replace(' ', '-')}-files"
        folder.mkdir(mode=0o700)
        (folder / "database-url").write_text(database_url)
        own = {"APP__DATABASE__URL_FILE": str(folder / "database-url"), "APP__METRICS_DIR": str(folder)}
        with (
            _service(self.folder / name.replace(" ", "-"), name, {**self.environ, **own}, _UVICORN) as target,
            self._with(replace(target, database_url=database_url)) as added,
        ):
            yield added

    @contextmanager
    def _with(self, target: Target) -> Iterator[Target]:
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
        with _service(folder / "service", "service", _SETTINGS, UP) as service:
            environ = _environ_of_replicas(folder / "service")
            metrics = folder / "uvicorn-metrics"
            metrics.mkdir()
            with _service(folder / "uvicorn", "uvicorn", {**environ, "APP__METRICS_DIR": str(metrics)}, _UVICORN) as uvicorn:
                yield House(folder, service, environ, uvicorn, [service, uvicorn])
    finally:
        for name in (*folder.glob("*/runtime-folder"), *folder.glob("*/*/socket-folder")):
            shutil.rmtree(name.read_text(), ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _service(folder: Path, name: str, settings: Mapping[str, str], program: Sequence[str]) -> Iterator[Target]:
    folder.mkdir(mode=0o711)
    port = free_port_range(2)
    environ = {**settings, "APP__DATA_DIR": str(folder), "APP__SERVER__PORT": str(port)}
    with _running(program, environ, folder / "output") as process:
        target = Target(name, f"http://127.0.0.1:{port}", "", process.pid)
        _wait_for(target, process, folder / "output")
        key_file = settings.get("APP__SERVER__API_KEY_FILE", folder / "api-key")
        yield replace(target, api_key=Path(key_file).read_text().strip())


@contextmanager
def _running(program: Sequence[str], settings: Mapping[str, str], output: Path) -> Iterator[subprocess.Popen[bytes]]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    with output.open("wb") as file:
        process = subprocess.Popen(  # noqa: S603  # no shell, and no word of it comes from outside of this package
            (*_DIES_WITH_US, sys.executable, *program),
            cwd=ROOT,
            env={**environ, **settings},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            # The kernel shares the cores among sessions (sched_autogroup): uvicorn has one of its own, as the replicas have.
            start_new_session=True,
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


def run(program: Sequence[str], settings: Mapping[str, str], output: Path) -> None:
    """Run a program of ours to its end.

    Raises:
        CannotStartError: It fails.
    """
    with _running(program, settings, output) as process:
        if process.wait() != 0:
            raise CannotStartError(output.read_text(errors="replace")[-4_000:])


def _wait_for(target: Target, process: subprocess.Popen[bytes], output: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _is_ready(target):
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
