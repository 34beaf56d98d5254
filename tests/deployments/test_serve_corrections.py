"""What is corrected in Ray Serve is corrected there where Serve looks, and keeps what Serve steers by."""

import asyncio
from dataclasses import dataclass, field
from functools import partial
from types import MethodType, SimpleNamespace
from typing import Any

import grpc
import orjson
import pytest
import uvicorn
from ray._common.utils import import_attr
from ray.serve._private import default_impl, http_util, replica
from ray.serve._private.common import RequestMetadata, RequestProtocol
from ray.serve._private.replica import Replica
from ray.serve._private.utils import Semaphore
from starlette.types import Message, Receive, Scope, Send

from api.errors import OverloadedError
from api.grpc.call import Slots
from api.grpc.server import GrpcServer, Handlers
from deployments import grpc_port, serve_corrections
from deployments.serve_corrections import answer_directly, answer_grpc_by, close_handle_port
from serve_app.cluster import CORRECT_PROXY
from serve_app.ports import free_ports
from tests.api.conftest import World

ORIGINALS = {(replica, "add_port_to_grpc_server"): close_handle_port, (Replica, "_direct_ingress_asgi"): answer_directly}
ORIGINALS |= {(http_util, "RequestIdMiddleware"): answer_directly}
ORIGINALS |= {(replica, "start_grpc_server"): lambda: answer_grpc_by(partial(GrpcServer, World().edge()))}


@pytest.fixture
def _as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have Serve be itself again after the test."""
    for owner, name in ORIGINALS:
        monkeypatch.setattr(owner, name, getattr(owner, name))


@dataclass
class Counter:
    """What Serve counts ongoing requests with, and by it scales and drains."""

    ongoing: int = 0
    most: int = 0

    def inc_num_ongoing_requests(self, request: RequestMetadata) -> None:
        """Count one more."""
        assert request.is_direct_ingress
        assert request.protocol is RequestProtocol.HTTP
        self.ongoing += 1
        self.most = max(self.most, self.ongoing)

    def dec_num_ongoing_requests(self, _request: RequestMetadata) -> None:
        """Count one less."""
        self.ongoing -= 1


@dataclass
class Server:
    """A replica of Serve's that runs at most 2 requests and lets 1 wait, and an application that answers when it is told to."""

    counter: Counter = field(default_factory=Counter)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    fails: bool = False

    def __post_init__(self) -> None:
        """Put the replica together from Serve's own parts."""
        self.replica = SimpleNamespace(
            max_queued_requests=1,
            _num_queued_requests=0,
            _semaphore=Semaphore(lambda: 2),
            _metrics_manager=self.counter,
            _user_callable_asgi_app=self.app,
            _http_options=SimpleNamespace(host="127.0.0.1"),
        )

    async def app(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer, or fail, once it may."""
        await self.go.wait()
        if self.fails:
            raise RuntimeError
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"signed"})

    async def call(self, path: str = "/api/v1/wallets", kind: str = "http", headers: Any = ()) -> list[Message]:
        """Serve one request as the replica's port does, and return what was sent."""
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request"}

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {"type": kind, "path": path, "method": "GET", "headers": list(headers)}
        await vars(Replica)["_direct_ingress_asgi"](self.replica, scope, receive, send)
        return sent


@pytest.fixture
def server(_as_it_was: None) -> Server:
    """A replica that was corrected."""
    answer_directly()
    return Server()


async def test_a_request_goes_straight_to_the_application(server: Server) -> None:
    """It is counted while it is ongoing, and no longer."""
    task = asyncio.create_task(server.call())
    await asyncio.sleep(0)
    assert server.counter.ongoing == 1

    server.go.set()
    sent = await task

    assert [message.get("body") for message in sent] == [None, b"signed"]
    assert server.counter.ongoing == 0


async def test_no_more_run_and_wait_than_may(server: Server) -> None:
    """The third waits until one has ended; the fourth is refused at once, by a problem document that says when to come again."""
    tasks = [asyncio.create_task(server.call()) for _ in range(3)]
    await asyncio.sleep(0)

    refused = await server.call(headers=[(b"x-request-id", b"mine-1")])

    assert refused[0]["status"] == 503
    headers = dict(refused[0]["headers"])
    assert headers[b"retry-after"] == b"5"
    assert headers[b"x-request-id"] == b"mine-1"
    assert orjson.loads(refused[1]["body"])["type"] == "urn:crypto-wallets:problem:overloaded"
    assert server.counter.most == 2
    server.go.set()
    assert all(sent[0]["status"] == 200 for sent in await asyncio.gather(*tasks))
    assert (server.counter.ongoing, server.counter.most, server.replica._num_queued_requests) == (0, 2, 0)


async def test_what_ends_badly_gives_its_place_back(server: Server) -> None:
    """A request that fails, one that is cancelled while it runs, and one that is cancelled while it waits leave nothing behind."""
    tasks = [asyncio.create_task(server.call()) for _ in range(3)]
    await asyncio.sleep(0)
    server.fails = True

    tasks[2].cancel()
    tasks[0].cancel()
    await asyncio.wait([tasks[0], tasks[2]])
    server.go.set()
    await asyncio.wait(tasks)

    assert isinstance(tasks[1].exception(), RuntimeError)
    assert (server.counter.ongoing, server.replica._num_queued_requests) == (0, 0)
    assert not server.replica._semaphore.locked()


@pytest.mark.parametrize(("path", "kind"), [("/-/healthz", "http"), ("/-/routes", "http"), ("/api/v1/wallets", "websocket")])
async def test_the_rest_is_left_to_serve(server: Server, monkeypatch: pytest.MonkeyPatch, path: str, kind: str) -> None:
    """Serve itself says whether a replica is well, and treats what is not HTTP."""
    left: list[str] = []

    async def of_serve(_self: object, scope: Scope, _receive: Receive, _send: Send) -> None:
        left.append(scope["path"])

    monkeypatch.setattr(serve_corrections, "_answer_of_serve", of_serve)

    await server.call(path, kind)

    assert left == [path]
    assert server.counter.most == 0


async def test_a_replica_starts_our_server_where_serve_starts_its_own(server: Server) -> None:
    """It listens where the replica's HTTP port does, takes its places from Serve's, and lets Serve say whether it is well."""
    given: list[Slots] = []
    asked: list[str] = []

    def make(slots: Slots, more: Handlers) -> GrpcServer:
        given.append(slots)
        return GrpcServer(World().edge(), slots, more)

    def factory(_self: object, service_method: str, streaming_type: object) -> Any:
        async def answer(_request: object, _context: object) -> bytes:
            asked.append(f"{service_method} {streaming_type}")
            return b""

        return answer

    answer_grpc_by(make)
    options, loop = SimpleNamespace(port=free_ports(1)[0]), asyncio.get_running_loop()
    method = MethodType(factory, server.replica)
    task, started = await vars(replica)["start_grpc_server"](method, options, event_loop=loop, enable_so_reuseport=False)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{options.port}") as channel:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/ray.serve.RayServeAPIService/Healthz")
        await call(b"")
    async with given[0]():
        ongoing = server.counter.ongoing
    await started.stop(0)
    await task

    assert asked == ["/ray.serve.RayServeAPIService/Healthz gRPCStreamingType.UNARY_UNARY"]
    assert (ongoing, server.counter.ongoing) == (1, 0)


async def test_grpc_is_refused_where_http_is(server: Server) -> None:
    """Both take their places from the same number; where too many wait, the next is refused."""
    slot = serve_corrections._Slot(server.replica)
    server.replica._num_queued_requests = server.replica.max_queued_requests

    with pytest.raises(OverloadedError):
        await slot.__aenter__()

    assert server.counter.most == 0


def test_serves_own_proxy_serves_nothing_and_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """The function that Serve is given adds no service, and the one by which it opens a port opens it there."""
    monkeypatch.setattr(default_impl, "add_grpc_address", default_impl.add_grpc_address)
    bound: list[str] = []

    middlewares = grpc_port.keep_on_loopback()
    vars(default_impl)["add_grpc_address"](SimpleNamespace(add_insecure_port=bound.append), "[::]:9500")

    assert middlewares == []
    assert bound == ["127.0.0.1:9500"]
    assert import_attr(CORRECT_PROXY) is grpc_port.keep_on_loopback
    import_attr(grpc_port.NO_SERVICES)(object(), object())


def test_an_unknown_proxy_of_serves_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Serve opens the port in another way, it would be open to all."""
    monkeypatch.delattr(default_impl, "add_grpc_address")

    with pytest.raises(RuntimeError, match="locked version"):
        grpc_port.keep_on_loopback()


@pytest.mark.usefixtures("_as_it_was")
def test_no_port_for_handles_is_opened() -> None:
    """The replica's port opener opens nothing."""
    close_handle_port()

    assert vars(replica)["add_port_to_grpc_server"](None, "[::]:0") == 0


async def test_nothing_is_put_around_the_application(server: Server) -> None:
    """Serve puts no request id of its own before the edge's, and uvicorn takes what it is given for ASGI 3."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    config = uvicorn.Config(http_util._apply_middlewares(server.app, []), log_config=None)
    config.load()
    scope: Scope = {"type": "http", "headers": []}
    server.go.set()
    await config.loaded_app(scope, receive, send)

    assert config.interface == "asgi3"
    assert (scope["headers"], sent[0]["headers"]) == ([], [])


@pytest.mark.parametrize(("owner", "name"), ORIGINALS)
@pytest.mark.usefixtures("_as_it_was")
def test_an_unknown_version_of_ray_is_refused(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
    """Where Serve no longer has what is corrected, the replica does not start."""
    monkeypatch.delattr(owner, name)

    with pytest.raises(RuntimeError, match="locked version"):
        ORIGINALS[owner, name]()
