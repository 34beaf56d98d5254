"""Correct what Ray Serve does in a replica of ours that it has no switch for. Each corrects one thing, and refuses an unknown version.

Call them in the deployment's constructor: Serve opens the replica's ports after it.
"""

from types import ModuleType

from ray.serve._private import http_util, replica
from starlette.types import ASGIApp, Receive, Scope, Send

from api.middleware import request_id_of


def close_handle_port() -> None:
    """Have this replica open no port for calls from other deployments.

    Serve 2.60 gives each replica a gRPC server on all interfaces that unpickles what it receives, without authentication: whoever reaches
    it runs code in the process that holds keys. A replica that is called through the ingress alone does not need it.

    Raises:
        RuntimeError: This version of Ray does it in another way, so the port would be open.
    """
    _replace(replica, "add_port_to_grpc_server", _no_port)


def own_request_ids() -> None:
    """Have each request carry exactly one well-formed `X-Request-ID` before Serve reads it.

    Serve's own middleware takes over whatever the client sent, answers it a second time beside ours, and fails on bytes that are no UTF-8.

    Raises:
        RuntimeError: This version of Ray does it in another way.
    """
    _replace(http_util, "RequestIdMiddleware", OneRequestId)


class OneRequestId:
    """Put the request's id, taken over or new, in the place of every `X-Request-ID` it came with."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            request_id = request_id_of(scope).encode()
            others = [(name, value) for name, value in scope["headers"] if name != b"x-request-id"]
            scope["headers"] = [*others, (b"x-request-id", request_id)]
        await self._app(scope, receive, send)


def _no_port(_server: object, _address: str) -> int:
    return 0


def _replace(module: ModuleType, name: str, ours: object) -> None:
    if not hasattr(module, name):
        msg = f"this version of Ray has no {module.__name__}.{name}; use the locked version"
        raise RuntimeError(msg)
    setattr(module, name, ours)
