"""Run a Ray head on loopback with the Serve application behind HAProxy: `python -m serve_app.ray_head TEMP_DIR PORT GRPC_PORT`.

Upon SIGTERM or SIGINT HAProxy stops taking connections, what is in flight is answered, streams are ended, and Ray ends. `serve_app.cluster`
says how it is started; it is a program of its own, so that the supervisor has no Ray in it.
"""

import asyncio
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import ray
from ray import serve
from ray.exceptions import RayError
from ray.serve._private.constants import SERVE_CONTROLLER_NAME, SERVE_NAMESPACE
from ray.serve.exceptions import RayServeException
from ray.serve.handle import DeploymentHandle

from deployments.grpc_port import NO_SERVICES
from deployments.ingress import Ingress
from deployments.requirements import require_dependencies
from deployments.settings import load
from serve_app import haproxy
from serve_app.app import APPLICATION, bind, cores, replicas_at_least
from serve_app.cluster import DRAIN_SECONDS
from serve_app.haproxy_console import Console
from serve_app.warden import runs

OBJECT_STORE_BYTES = 78_643_200
"""The least that Ray takes: nothing large is ever put into its object store."""

IDLE_SECONDS = 3.0
"""How long connections on which nothing is asked may stay open during a drain."""

QUIET_SECONDS = 0.5
"""How long nothing must have been in flight once HAProxy was told to end: what its clients had sent by then has come."""

STREAMS_SECONDS = 2.0
"""How long the replicas may take to hear that their streams shall end; those of one that does not are cut off at the end of the drain."""

LOOPBACK = "127.0.0.1"

_POLL_SECONDS = 0.05
_RAY_CORE = ("gcs_server", "raylet")


def main(temp_dir: str, port: int, grpc_port: int) -> int:
    """Run the cluster until SIGTERM or SIGINT; return the exit code."""
    stop = threading.Event()
    application = _start(temp_dir, port, grpc_port, stop)
    core = {child.pid: child.name() for child in psutil.Process().children() if child.name() in _RAY_CORE}
    while not stop.wait(0.5):
        lost = [name for pid, name in core.items() if not runs(pid)]
        if lost:
            sys.stdout.write(f"Ray's {' and '.join(lost)} ended; the cluster cannot go on\n")
            sys.stdout.flush()
            return 1
    _drain(application)
    return 0


def _start(temp_dir: str, port: int, grpc_port: int, stop: threading.Event) -> DeploymentHandle[Ingress]:
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
    return serve.run(bind(settings, cores=cores()), name=APPLICATION, route_prefix="/")


def _drain(application: DeploymentHandle[Ingress]) -> None:
    """Have HAProxy take no more connections and the replicas end streams, wait until what is in flight is answered, and end Ray.

    First its frontends are shut, and every answer over HTTP closes its connection. Only then it is told to end, which closes idle
    connections at once: a client that had just sent a request on one would never hear of it. Clients of gRPC are only told to leave, and
    some stay, so its end is not waited for.
    """
    deadline = time.monotonic() + DRAIN_SECONDS
    with ExitStack() as stack:
        sockets = Path(os.environ["RAY_SERVE_HAPROXY_SOCKET_PATH"]).parent.rglob("admin.sock")
        consoles = [stack.enter_context(Console(admin)) for admin in sockets]
        for console in consoles:
            # In this order: clients that must connect anew find nobody listening, rather than a queue that is thrown away.
            for command in (*haproxy.STOP_ACCEPTING, *haproxy.DRAINING):
                console.ask(command)
        with suppress(RayError, RayServeException, TimeoutError):
            asyncio.run(_end_streams(application))
        _end_controller()
        idle_until = time.monotonic() + IDLE_SECONDS
        while any(console.connections() for console in consoles) and time.monotonic() < idle_until:
            time.sleep(_POLL_SECONDS)
        proxies = list(_haproxies())
        for proxy in proxies:
            with suppress(psutil.NoSuchProcess):
                proxy.send_signal(signal.SIGUSR1)
        current = {console.pid() for console in consoles}
        _wait_until_quiet(consoles, {proxy.pid for proxy in proxies} - current, deadline)
    psutil.wait_procs(proxies, timeout=QUIET_SECONDS)
    ray.shutdown()


def _wait_until_quiet(consoles: Sequence[Console], replaced: AbstractSet[int], deadline: float) -> None:
    """Return when nothing has been in flight for some time, or the deadline has passed.

    HAProxies that others have replaced, as Serve does whenever replicas come or go, have no console: each ends with its last request.
    """
    last = time.monotonic()
    while time.monotonic() < min(deadline, last + QUIET_SECONDS):
        if any(console.in_flight() for console in consoles) or any(map(runs, replaced)):
            last = time.monotonic()
        time.sleep(_POLL_SECONDS)


async def _end_streams(application: DeploymentHandle[Ingress]) -> None:
    """Tell every replica that the streams of gRPC shall end: each would keep its HAProxy for as long as its client likes."""
    await application.broadcast("end_streams").results_async(timeout_s=STREAMS_SECONDS, return_exceptions=True)


def _end_controller() -> None:
    """End Serve's controller, which takes an HAProxy that ends for one that is not well: after 3 s it kills it, and what is in flight."""
    with suppress(RayError, ValueError):  # it is not there
        ray.kill(ray.get_actor(SERVE_CONTROLLER_NAME, SERVE_NAMESPACE), no_restart=True)


def _haproxies() -> Iterator[psutil.Process]:
    for process in psutil.Process().children(recursive=True):
        try:
            if process.name() == "haproxy":
                yield process
        except psutil.NoSuchProcess:
            continue


if __name__ == "__main__":
    code = main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    sys.stdout.flush()
    # Ray has ended by now; what gRPC's and Ray's libraries do at an orderly exit takes seconds more.
    os._exit(code)
