"""Make the gRPC server of the contract: both versions of the service, health and reflection."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2
from starlette.types import Scope

from adapters.limits import CallKind
from api.edge import Edge
from api.grpc.call import Calls, Context, Requests, Slots
from api.grpc.once import OF_VERSION_1, OF_VERSION_2, REPLAYED
from api.grpc.operations import Health, Reflection
from api.grpc.refusals import REQUEST_ID, tell_in_version_1, tell_in_version_2
from api.grpc.services import VERSION_1, VERSION_2, Version1, Version2, range_cost
from api.grpc.stream import SignStream
from api.health import HealthMonitor
from api.limits import MAX_BODY_BYTES
from api.routes import WalletRoutes

REFLECTION = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")
SERVICES = (VERSION_1.full_name, VERSION_2.full_name, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name)

MAX_RPCS = 2_000
"""RPCs that are open at once in a replica, those included that have sent nothing yet; beyond it RESOURCE_EXHAUSTED."""

MAX_METADATA_BYTES = 16_384

_OPTIONS: Sequence[tuple[str, int]] = (
    ("grpc.max_receive_message_length", MAX_BODY_BYTES),
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),
    ("grpc.absolute_max_metadata_size", MAX_METADATA_BYTES),
    # Of what a client compresses, the size is known too late; HTTP takes no compressed body either.
    ("grpc.compression_enabled_algorithms_bitset", 1),
    # A port that another process holds must be refused, not shared with it.
    ("grpc.so_reuseport", 0),
)

_CALL_KINDS: Mapping[str, CallKind] = MappingProxyType(
    {
        "CreateWallet": CallKind.CREATE,
        "ImportWallet": CallKind.CREATE,
        "SignTransaction": CallKind.SIGN,
        "SignMessage": CallKind.SIGN,
        "SignTypedData": CallKind.SIGN,
    }
)
"""What the methods that are not about reading are about, by which limits differ."""

Work = Callable[[Requests, Context, Scope], Awaitable[Any]]
Handlers = Mapping[str, Any]
"""`grpc.RpcMethodHandler` of each path: generic in the stubs alone."""


class GrpcServer:
    """Serve `edge`; `more` are handlers of somebody else, by path."""

    def __init__(self, edge: Edge, slots: Slots, more: Handlers = MappingProxyType({})) -> None:
        new = Calls(edge, slots, tell_in_version_2)
        routes = WalletRoutes(edge)
        self._stream = SignStream(new, routes)
        self._health = Health(HealthMonitor(edge.custody.health), SERVICES)
        self._reflection = Reflection((*SERVICES, *REFLECTION))
        handlers = {
            **_wallet_handlers(new, Calls(edge, slots, tell_in_version_1), routes, self._stream),
            **_operations(new, self._health, self._reflection),
            **more,
        }
        self._server = grpc.aio.server(options=_OPTIONS, maximum_concurrent_rpcs=MAX_RPCS)
        self._server.add_generic_rpc_handlers((_ByPath(handlers),))

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the port: a free one where 0 is given.

        Raises:
            RuntimeError: It cannot be listened on.
        """
        bound = self._server.add_insecure_port(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        await self._server.start()
        return bound

    async def stop(self, grace: float) -> None:
        """Take no more requests, have streams end after what is under way, and wait so many seconds for everything that is."""
        self.end_streams()
        await self._server.stop(grace)

    def end_streams(self) -> None:
        """Open no more streams, and have those that are open end after what is under way; single calls go on."""
        for streams in (self._stream, self._health, self._reflection):
            streams.close()

    async def wait(self) -> None:
        """Return when the server has ended."""
        await self._server.wait_for_termination()


class _ByPath(grpc.GenericRpcHandler):
    """Find a handler by its path, `/package.Service/Method`."""

    def __init__(self, handlers: Handlers) -> None:
        self._handlers = handlers

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """Return the handler; None where there is none, which gRPC answers with UNIMPLEMENTED."""
        return self._handlers.get(handler_call_details.method)


def _wallet_handlers(new: Calls, old: Calls, routes: WalletRoutes, stream: SignStream) -> Handlers:
    found = _unary(old, VERSION_1, Version1(routes)) | _unary(new, VERSION_2, Version2(routes), GetAddressRange=range_cost)
    return found | _streaming(new, f"/{VERSION_2.full_name}/SignTransactions", stream.serve)


def _operations(calls: Calls, health: Health, reflection: Reflection) -> Handlers:
    path = f"/{SERVICES[-1]}"
    found = _single(calls, f"{path}/Check", health.check) | _single(calls, f"{path}/List", health.list)
    found |= _streaming(calls, f"{path}/Watch", health.watch, level="debug")
    for name in REFLECTION:
        found |= _streaming(calls, f"/{name}/ServerReflectionInfo", reflection.info, level="debug")
    return found


def _unary(calls: Calls, service: ServiceDescriptor, servicer: object, **costs: Callable[[Any], int]) -> dict[str, Any]:
    """Return the handlers of all methods of a service that answer one message with one."""
    found: dict[str, Any] = {}
    for method in service.methods:
        if not method.client_streaming:
            found |= _single(
                calls, f"/{service.full_name}/{method.name}", _answering(calls, method, servicer, costs.get(method.name)), "info"
            )
    return found


def _answering(calls: Calls, method: MethodDescriptor, servicer: object, cost_of: Callable[[Any], int] | None) -> Work:
    kind = GetMessageClass(method.input_type)
    call_kind = _CALL_KINDS.get(method.name, CallKind.READ)
    answer = getattr(servicer, re.sub("(?!^)([A-Z])", r"_\1", method.name).lower())

    told = (OF_VERSION_1 if method.containing_service.full_name == VERSION_1.full_name else OF_VERSION_2).get(method.name)

    async def work(requests: Requests, context: Context, scope: Scope) -> bytes:
        reply = await calls.answer(requests, scope, kind, answer, call_kind, cost_of, told)
        if scope.get(REPLAYED):
            context.set_trailing_metadata(((REQUEST_ID, scope["request_id"]), (REPLAYED, "true")))
        return reply

    return work


def _single(calls: Calls, path: str, work: Work, level: str = "debug") -> dict[str, Any]:
    async def serve(requests: Requests, context: Context) -> Any:
        return await calls.guarded(path, context, lambda scope: work(requests, context, scope), level=level)

    return {path: grpc.stream_unary_rpc_method_handler(serve)}


def _streaming(calls: Calls, path: str, work: Work, level: str = "info") -> dict[str, Any]:
    async def serve(requests: Requests, context: Context) -> None:
        await calls.guarded(path, context, lambda scope: work(requests, context, scope), level=level)

    return {path: grpc.stream_stream_rpc_method_handler(serve)}
