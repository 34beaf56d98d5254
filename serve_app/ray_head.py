"""Run a Ray head on loopback with the Serve application behind HAProxy: `python -m serve_app.ray_head TEMP_DIR PORT GRPC_PORT`.

Upon SIGTERM or SIGINT HAProxy stops taking connections, what is in flight is answered, and Ray ends. `serve_app.cluster` says how it is
started; it is a program of its own, so that the supervisor has no Ray in it.
"""

import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import ray
from ray import serve

from deployments.grpc_port import NO_SERVICES
from deployments.requirements import require_dependencies
from deployments.settings import load
from serve_app import haproxy
from serve_app.app import APPLICATION, bind, cores, replicas_at_least
from serve_app.cluster import DRAIN_SECONDS
from serve_app.warden import runs

OBJECT_STORE_BYTES = 78_643_200
"""The least that Ray takes: nothing large is ever put into its object store."""

IDLE_SECONDS = 3.0
"""How long connections on which nothing is asked may stay open during a drain."""

LOOPBACK = "127.0.0.1"

_RAY_CORE = ("gcs_server", "raylet")


def main(temp_dir: str, port: int, grpc_port: int) -> int:
    """Run the cluster until SIGTERM or SIGINT; return the exit code."""
    stop = threading.Event()
    _start(temp_dir, port, grpc_port, stop)
    core = {child.pid: child.name() for child in psutil.Process().children() if child.name() in _RAY_CORE}
    while not stop.wait(0.5):
        lost = [name for pid, name in core.items() if not runs(pid)]
        if lost:
            sys.stdout.write(f"Ray's {' and '.join(lost)} ended; the cluster cannot go on\n")
            sys.stdout.flush()
            return 1
    _drain()
    return 0


def _start(temp_dir: str, port: int, grpc_port: int, stop: threading.Event) -> None:
    """Start Ray, then the application; `stop` is set by SIGTERM and SIGINT from before the first request can come."""
    settings = require_dependencies(load())
    ray.init(
        address="local",
        num_cpus=max(cores(), replicas_at_least(settings)),
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
    serve.start(http_options={"host": LOOPBACK, "port": port}, grpc_options={"port": grpc_port, "grpc_servicer_functions": [NO_SERVICES]})
    serve.run(bind(settings, cores=cores()), name=APPLICATION, route_prefix="/")


def _drain() -> None:
    """Have HAProxy take no more connections, wait until what is in flight is answered, and end Ray.

    First its frontend is shut, and every answer closes its connection. Only then it is told to end, which closes idle connections at once:
    a client that had just sent a request on one would never hear of it.
    """
    deadline = time.monotonic() + DRAIN_SECONDS
    sockets = list(Path(os.environ["RAY_SERVE_HAPROXY_SOCKET_PATH"]).parent.rglob("admin.sock"))
    for admin in sockets:
        # In this order: clients that must connect anew find nobody listening, rather than a queue that is thrown away.
        for command in haproxy.STOP_ACCEPTING:
            _ask_haproxy(admin, command)
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
