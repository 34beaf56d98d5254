"""Correct what Ray Serve does in a replica of ours that it has no switch for. Each corrects one thing, and refuses an unknown version.

Call them in the deployment's constructor: Serve opens the replica's ports after it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from types import MethodType
from typing import Any, Protocol, cast

import grpc
from ray.serve._private import http_util, replica
from ray.serve._private.common import RequestMetadata, RequestProtocol
from ray.serve._private.proxy_request_response import gRPCStreamingType
from ray.serve._private.replica import Replica, ReplicaMetricsManager
from ray.serve.config import HTTPOptions
from ray.serve.generated import serve_pb2
from starlette.types import ASGIApp, Receive, Scope, Send

from api.errors import OverloadedError
from api.grpc.call import Slots
from api.grpc.server import GrpcServer, Handlers
from api.middleware import refuse
from deployments.replacing import replace_in

_OF_SERVE = "/-/"
"""How the paths begin by which HAProxy asks Serve whether a replica is well."""

_HEALTHZ = "/ray.serve.RayServeAPIService/Healthz"
"""By which it asks over gRPC."""

LOOPBACK = "127.0.0.1"

_OVERLOADED = "the service has more requests than it can answer; try again shortly"

_DIRECT = RequestMetadata(
    request_id="", internal_request_id="", _request_protocol=RequestProtocol.HTTP, is_direct_ingress=True, is_streaming=True
)
"""All that Serve's count of ongoing requests looks at."""

_answer_of_serve: Callable[[Any, Scope, Receive, Send], Awaitable[None]] = Replica._direct_ingress_asgi


class _Slots(Protocol):
    async def acquire(self) -> object: ...

    def release(self) -> None: ...


class _ServeReplica(Protocol):
    """What of Serve's replica is used here."""

    max_queued_requests: int
    _num_queued_requests: int
    _semaphore: _Slots
    _metrics_manager: ReplicaMetricsManager
    _http_options: HTTPOptions
    _user_callable_asgi_app: ASGIApp


def close_handle_port() -> None:
    """Have this replica open no port for calls from other deployments.

    Serve 2.60 gives each replica a gRPC server on all interfaces that unpickles what it receives, without authentication: whoever reaches
    it runs code in the process that holds keys. Calls by handle go through Ray itself, which knows who calls.

    Raises:
        RuntimeError: This version of Ray does it in another way, so the port would be open.
    """
    replace_in(replica, "add_port_to_grpc_server", _no_port)


def answer_directly() -> None:
    """Have HTTP requests go from this replica's port straight to its application.

    Serve wraps each in some 100 us of CPU, to hand over its own request context, logs, metrics and treatment of clients that go away.
    The edge has its own of each that it needs. What is kept is what Serve steers by: how many requests are ongoing, and the two limits.

    Raises:
        RuntimeError: This version of Ray does it in another way.
    """
    replace_in(Replica, "_direct_ingress_asgi", _answer)
    replace_in(http_util, "RequestIdMiddleware", _unwrapped)


def answer_grpc_by(make: Callable[[Slots, Handlers], GrpcServer]) -> None:
    """Have gRPC requests go from this replica's port straight to the server that `make` makes of Serve's limits and its question of health.

    Serve's own server would hand each request to a method of the deployment by its name, and to the client whatever escapes that; it
    listens on all interfaces, and takes messages of any size.

    Raises:
        RuntimeError: This version of Ray does it in another way.
    """

    async def start(
        factory: MethodType, options: Any, *, event_loop: asyncio.AbstractEventLoop, enable_so_reuseport: bool
    ) -> tuple[asyncio.Task[object], GrpcServer]:
        assert not enable_so_reuseport, "replicas share no port"
        serve_replica = cast("_ServeReplica", factory.__self__)
        health = factory(service_method=_HEALTHZ, streaming_type=gRPCStreamingType.UNARY_UNARY)
        parse = vars(serve_pb2)["HealthzRequest"].FromString
        server = make(lambda: _Slot(serve_replica), {_HEALTHZ: grpc.unary_unary_rpc_method_handler(health, request_deserializer=parse)})
        await server.start(serve_replica._http_options.host or LOOPBACK, options.port)
        return event_loop.create_task(server.wait()), server

    replace_in(replica, "start_grpc_server", start)


async def _answer(self: _ServeReplica, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http" or scope["path"].startswith(_OF_SERVE):
        await _answer_of_serve(self, scope, receive, send)
        return
    if _is_full(self):
        await refuse(OverloadedError(_OVERLOADED), scope, receive, send)
        return
    async with _Slot(self):
        await self._user_callable_asgi_app(scope, receive, send)


class _Slot:
    """A place among the requests that a replica works on at once, waited for and given back; Serve counts who has one as ongoing."""

    __slots__ = ("_replica",)

    def __init__(self, serve_replica: _ServeReplica) -> None:
        self._replica = serve_replica

    async def __aenter__(self) -> None:
        if _is_full(self._replica):
            raise OverloadedError(_OVERLOADED)
        self._replica._num_queued_requests += 1
        try:
            await self._replica._semaphore.acquire()
        finally:
            self._replica._num_queued_requests -= 1
        self._replica._metrics_manager.inc_num_ongoing_requests(_DIRECT)

    async def __aexit__(self, *_: object) -> None:
        self._replica._metrics_manager.dec_num_ongoing_requests(_DIRECT)
        self._replica._semaphore.release()


def _is_full(serve_replica: _ServeReplica) -> bool:
    return serve_replica._num_queued_requests >= serve_replica.max_queued_requests != -1


def _unwrapped(app: ASGIApp) -> ASGIApp:
    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        """Be a function, by which uvicorn knows that this is ASGI 3: it does not know it of a method."""
        await app(scope, receive, send)

    return serve


def _no_port(_server: object, _address: str) -> int:
    return 0
