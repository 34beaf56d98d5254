"""Wrap every request: its id, its headers, its log line and metrics, and the answer to what nobody else caught."""

import re
import time
import uuid
from typing import Any

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.limits import Verdict
from api import problems
from api.access_log import AccessLog
from api.errors import EdgeError
from api.limits import limit_fields
from api.observability import HTTP_METHODS, Metrics, describe_exception

CLIENT_CLOSED_REQUEST = 499
"""What is logged and counted when the client went away before the answer (nginx's number for it)."""

UNMATCHED = "unmatched"

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_QUIET = frozenset({"/metrics", "/api/v1/health", "/api/v1/health/live", "/api/v1/health/ready"})
"""Asked every few seconds by machines: logged at DEBUG."""


class EdgeMiddleware:
    """The only middleware: plain ASGI, since each layer costs every request."""

    def __init__(self, app: ASGIApp, metrics: Metrics, access_log: AccessLog) -> None:
        self._app = app
        self._metrics = metrics
        self._access_log = access_log
        self._log = structlog.get_logger("api")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Nothing escapes but cancellation, and what breaks an answer that has already begun."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["request_id"] = request_id = request_id_of(scope)
        answer = _Answer(send, request_id, scope)
        started = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, answer.send)
            except ClientDisconnect:
                pass
            except Exception as error:  # one of the two places where whatever escapes is answered
                self._log.error("request_failed", **describe_exception(error))
                if answer.status is not None:
                    raise
                await problems.response(error, request_id)(scope, receive, answer.send)
            finally:
                self._record(scope, request_id, answer.status or CLIENT_CLOSED_REQUEST, time.perf_counter() - started)

    def _record(self, scope: Scope, request_id: str, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", UNMATCHED)
        self._metrics.request_ended(scope["method"], route, status, seconds)
        fields = {
            "request_id": request_id,
            "method": scope["method"] if scope["method"] in HTTP_METHODS else UNMATCHED,
            "route": route,
            "status": status,
            "duration_ms": round(seconds * 1000, 3),
            **known_fields(scope),
        }
        self._access_log.record("debug" if route in _QUIET else "info", fields)


class _Answer:
    """Send an answer on with the headers that every one has, and remember its status."""

    __slots__ = ("_request_id", "_scope", "_send", "status")

    def __init__(self, send: Send, request_id: str, scope: Scope) -> None:
        self._send = send
        self._request_id = request_id.encode()
        self._scope = scope
        self.status: int | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message.get("headers", ()), (b"x-request-id", self._request_id), (b"x-content-type-options", b"nosniff")]
            if all(name != b"cache-control" for name, _ in headers):
                headers.append((b"cache-control", b"no-store"))
            limited: Verdict | None = self._scope.get("rate_limit")
            if limited is not None:
                headers += [(name.encode(), value.encode()) for name, value in limit_fields(limited)]
            message = {**message, "headers": headers}
        await self._send(message)


async def refuse(error: EdgeError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request that is not let as far as the middleware, with the headers that every answer has."""
    request_id = request_id_of(scope)
    await problems.response(error, request_id)(scope, receive, _Answer(send, request_id, scope).send)


def request_id_of(scope: Scope) -> str:
    """Return the request's `X-Request-ID` if there is exactly one and it is an id, else a new one."""
    given = [value for name, value in scope["headers"] if name == b"x-request-id"]
    if len(given) == 1 and _REQUEST_ID.fullmatch(given[0]):
        return str(given[0], "ascii")
    return str(uuid.uuid4())


def known_fields(scope: Scope) -> dict[str, Any]:
    """Return what is known of the request by now: who asked, which wallet, which problem. Never the path, which may hold anything."""
    fields: dict[str, Any] = {}
    wallet_id = scope.get("path_params", {}).get("wallet_id")
    if wallet_id is not None and _UUID.fullmatch(str(wallet_id)):
        fields["wallet_id"] = str(wallet_id)
    if "caller" in scope:
        fields["api_key_id"] = scope["caller"].api_key_id
    for name in ("client_address", "problem"):
        if name in scope:
            fields[name] = scope[name]
    return fields
