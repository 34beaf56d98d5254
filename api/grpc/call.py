"""Wrap every RPC: who asks and what it costs, its deadline, its log line and metrics, and the answer to whatever goes wrong.

Handlers take the raw messages of a client as a stream, also where there is but one: so the caller is known before anything is read, as over
HTTP, a message that never comes holds up nobody, and nothing of gRPC's own answers to bytes that are no message.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, Protocol, TypeVar
from urllib.parse import unquote

import grpc
import structlog
from google.protobuf.message import DecodeError, Message
from starlette.types import Scope

from adapters.limits import CallKind
from api.edge import Edge, admit, charge, recognize
from api.errors import DeadlineExceededError, MalformedBodyError, UnprocessableError, outcome
from api.grpc.once import Told, answered_once
from api.grpc.refusals import REQUEST_ID, Refusal, Tell
from api.middleware import known_fields, request_id_of
from api.observability import describe_exception
from wallets.errors import WalletError
from wallets.model import Caller

MESSAGE_SECONDS = 10.0
"""How long a client who has begun an RPC may take to send its message."""

_HEADERS = frozenset({"x-api-key", "x-forwarded-for", "x-request-id", "idempotency-key"})
"""What of the metadata is looked at: as HTTP calls it."""

Requests = AsyncIterator[bytes]
Sleep = Callable[[float], Awaitable[None]]
Context = grpc.aio.ServicerContext[Any, Any]
Slots = Callable[[], AbstractAsyncContextManager[object]]
"""Wait for a place among the requests that are worked on at once.

Raises:
    OverloadedError: Too many wait already.
"""

M = TypeVar("M", bound=Message)
Asked_contra = TypeVar("Asked_contra", bound=Message, contravariant=True)


class Answer(Protocol[Asked_contra]):
    """Answer the one message of an RPC."""

    async def __call__(self, request: Asked_contra, caller: Caller, /) -> Message:
        """Return the answer; raise a `WalletError`, or a bug."""
        ...


class ClientGoneError(Exception):
    """The client of a stream has ended it, so that nothing can be written to it any more."""


class Calls:
    """What stands around the RPCs of one version of the contract."""

    def __init__(self, edge: Edge, slots: Slots, tell: Tell) -> None:
        self.edge = edge
        self.slots = slots
        self._tell = tell
        self._log = structlog.get_logger("api")

    async def guarded(self, method: str, context: Context, work: Callable[[Scope], Awaitable[bytes]], *, level: str = "info") -> bytes:
        """Do the work of one RPC within its caller's deadline. Nothing escapes but what ends the RPC with a status of ours."""
        scope = scope_of(context)
        started, code = time.perf_counter(), "OK"
        context.set_trailing_metadata(((REQUEST_ID, scope["request_id"]),))
        deadline = asyncio.timeout(context.time_remaining())
        with structlog.contextvars.bound_contextvars(request_id=scope["request_id"]):
            try:
                async with deadline:
                    return await work(scope)
            except asyncio.CancelledError:
                code = "CANCELLED"
                raise
            except ClientGoneError:
                code = "CANCELLED"
                raise asyncio.CancelledError from None
            except Exception as error:  # noqa: BLE001  # gRPC would tell the client whatever escapes; it is logged, and told as a status
                refusal = self._refusal(_deadline_or(error, deadline), scope)
                code = refusal.code.name
            finally:
                self._record(method, scope, code, time.perf_counter() - started, level)
        return await context.abort(*refusal)

    def _refusal(self, error: Exception, scope: Scope) -> Refusal:
        scope["problem"] = outcome(error).name
        if not isinstance(error, WalletError):
            self._log.error("request_failed", **describe_exception(error))
        return self._tell(error, scope["request_id"])

    def _record(self, method: str, scope: Scope, code: str, seconds: float, level: str) -> None:
        self.edge.metrics.rpc_ended(method, code, seconds)
        fields = {"request_id": scope["request_id"], "method": method, "status": code, "duration_ms": round(seconds * 1000, 3)}
        self.edge.access_log.record(level, {**fields, **known_fields(scope)})

    async def answer(
        self,
        requests: Requests,
        scope: Scope,
        kind: type[M],
        answer: Answer[M],
        call_kind: CallKind = CallKind.READ,
        cost_of: Callable[[M], int] | None = None,
        told: Told | None = None,
    ) -> bytes:
        """Let a caller in, read their message, and answer it; it costs one of `call_kind`, or as much as `cost_of` says of it.

        With `told`, which tells an answer that was kept, a request that has an `idempotency-key` is carried out once.
        """
        if cost_of is None:
            caller = await admit(self.edge, scope, call_kind)
            request = await read(requests, kind)
        else:
            caller, cost = recognize(self.edge, scope), 1
            try:
                request = await read(requests, kind)
                cost = cost_of(request)
            finally:
                await charge(self.edge, caller, cost, call_kind)
        _remember_wallet(request, scope)
        async with self.slots():
            if told is None:
                return (await answer(request, caller)).SerializeToString()
            return (await answered_once(self.edge.custody, scope, request, answer, told)).SerializeToString()


def _deadline_or(error: Exception, deadline: asyncio.Timeout) -> Exception:
    if isinstance(error, TimeoutError) and deadline.expired():
        return DeadlineExceededError("the deadline of the request has passed")
    return error


async def read(requests: Requests, kind: type[M]) -> M:
    """Read one message, in which nothing is that is not known here: a constraint that is not understood must not be overlooked.

    Raises:
        MalformedBodyError: None comes, or it is none of this kind.
        UnprocessableError: It has fields that are not known here.
    """
    try:
        async with asyncio.timeout(MESSAGE_SECONDS):
            raw = await anext(requests)
    except StopAsyncIteration:
        raise MalformedBodyError("a message is missing") from None
    except TimeoutError:
        raise MalformedBodyError(f"no message came within {MESSAGE_SECONDS:g} s") from None
    return parse(raw, kind)


async def begin(context: Context) -> None:
    """Send the initial metadata of a stream, whose writes may be given up from then on.

    By themselves, and to the end: grpcio notes that they were sent only once the write that carried them has ended. After one that was
    given up it would send them again with the status, which fails, and the RPC would stay open for as long as its client keeps it.

    Raises:
        ClientGoneError: The client has ended the RPC.
    """
    sending = asyncio.ensure_future(context.send_initial_metadata(()))
    try:
        with _client_there():
            await asyncio.shield(sending)
    except asyncio.CancelledError:
        await asyncio.gather(sending, return_exceptions=True)
        raise


async def write(context: Context, message: Message) -> None:
    """Write one message of a stream that was begun.

    Raises:
        ClientGoneError: The client has ended the RPC.
    """
    with _client_there():
        await context.write(message.SerializeToString())


@contextmanager
def _client_there() -> Iterator[None]:
    try:
        yield
    except grpc.aio.InternalError:
        # It may be told before the cancellation that follows from the same.
        raise ClientGoneError from None


def parse(raw: bytes, kind: type[M]) -> M:
    """Parse a message.

    Raises:
        MalformedBodyError: It is none of this kind.
        UnprocessableError: It has fields that are not known here.
    """
    message = kind()
    try:
        message.ParseFromString(raw)
    except DecodeError:
        raise MalformedBodyError(f"the message is no {message.DESCRIPTOR.full_name}") from None
    size = message.ByteSize()
    message.DiscardUnknownFields()
    if message.ByteSize() != size:
        raise UnprocessableError("the message has fields that are not known here")
    return message


def scope_of(context: Context) -> Scope:
    """Return what the edge looks at, as ASGI has it: the peer, and the metadata that stands for headers."""
    headers = [
        (name.encode(), value if isinstance(value, bytes) else value.encode("latin-1", "replace"))
        for name, value in context.invocation_metadata() or ()
        if name in _HEADERS
    ]
    scope: Scope = {"type": "grpc", "headers": headers, "client": (_host(context.peer()), 0)}
    scope["request_id"] = request_id_of(scope)
    return scope


def _host(peer: str) -> str:
    """Return the address in what gRPC calls a peer: `ipv4:127.0.0.1:50051`, `ipv6:%5B::1%5D:50051`, or `unix:` and a path."""
    family, _, place = peer.partition(":")
    return unquote(place).rpartition(":")[0].strip("[]") if family in {"ipv4", "ipv6"} else ""


def _remember_wallet(request: Message, scope: Scope) -> None:
    """Tell the log which wallet the request is about, as its path does over HTTP."""
    known = request.DESCRIPTOR.fields_by_name
    place: Any = getattr(request, "account" if "account" in known else "first", request)
    if "wallet_id" in place.DESCRIPTOR.fields_by_name:
        scope["path_params"] = {"wallet_id": place.wallet_id}
