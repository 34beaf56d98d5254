"""Correct what Ray Serve does in a replica of ours that it has no switch for. Each corrects one thing, and refuses an unknown version.

Call them in the deployment's constructor: Serve opens the replica's ports after it.
"""

from http import HTTPStatus
from types import ModuleType

from ray.serve._private import http_util, replica
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import problems
from api.errors import OverloadedError
from api.middleware import request_id_of

_SERVES_OWN = frozenset({b"x-request-id", b"x-request-disconnect-disabled", b"x-request-timeout-seconds"})
"""Headers by which Serve lets clients say how it treats their requests."""

_UNWATCHED = (b"x-request-disconnect-disabled", b"?1")
"""Has Serve spare the two tasks a request by which it would cancel one whose client goes away. Ours are short, and a signature that is
audited is better finished than cut off."""


def close_handle_port() -> None:
    """Have this replica open no port for calls from other deployments.

    Serve 2.60 gives each replica a gRPC server on all interfaces that unpickles what it receives, without authentication: whoever reaches
    it runs code in the process that holds keys. A replica that is called through the ingress alone does not need it.

    Raises:
        RuntimeError: This version of Ray does it in another way, so the port would be open.
    """
    _replace(replica, "add_port_to_grpc_server", _no_port)


def own_requests() -> None:
    """Have each request carry exactly one well-formed `X-Request-ID` before Serve reads it, and what Serve refuses be a problem document.

    Serve's own middleware takes over whatever the client sent, answers it a second time beside ours, and fails on bytes that are no UTF-8.
    When too many requests wait, Serve refuses in plain text before the edge hears of the request.

    Raises:
        RuntimeError: This version of Ray does it in another way.
    """
    _replace(http_util, "RequestIdMiddleware", OwnRequests)


class OwnRequests:
    """Put the request's id, taken over or new, in the place of every `X-Request-ID` it came with; refuse as the edge does."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            request_id = request_id_of(scope)
            others = [field for field in scope["headers"] if field[0] not in _SERVES_OWN]
            scope["headers"] = [*others, (b"x-request-id", request_id.encode()), _UNWATCHED]
            send = _Refusals(scope, receive, send, request_id).send
        await self._app(scope, receive, send)


class _Refusals:
    """Answer in Serve's place where it refuses a request: those answers lack the header that every one of the edge's has."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._request_id = request_id
        self._is_replaced = False

    async def send(self, message: Message) -> None:
        is_start = message["type"] == "http.response.start"
        if is_start and message["status"] == HTTPStatus.SERVICE_UNAVAILABLE and not _is_of_the_edge(message):
            self._is_replaced = True
            error = OverloadedError("the service has more requests than it can answer; try again shortly")
            await problems.response(error, self._request_id)(self._scope, self._receive, self._send)
        elif not self._is_replaced:
            await self._send(message)


def _is_of_the_edge(start: Message) -> bool:
    return any(name == b"x-request-id" for name, _ in start.get("headers", ()))


def _no_port(_server: object, _address: str) -> int:
    return 0


def _replace(module: ModuleType, name: str, ours: object) -> None:
    if not hasattr(module, name):
        msg = f"this version of Ray has no {module.__name__}.{name}; use the locked version"
        raise RuntimeError(msg)
    setattr(module, name, ours)
