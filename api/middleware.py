"""Wrap every request: its id, its size, its clock, and what becomes of errors that escape."""

import re
import time
import uuid

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.observability import Metrics
from api.problems import problem_response

MAX_BODY_BYTES = 1024 * 1024

_log = structlog.get_logger()
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


class BodyTooLargeError(Exception):
    """The body is larger than 1 MiB."""


class RequestMiddleware:
    """One plain ASGI layer around the application."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        started, status = time.perf_counter(), 0

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [(b"x-request-id", request_id.encode()), (b"x-content-type-options", b"nosniff")]
                message["headers"] = [*message.get("headers", []), *headers]
            await send(message)

        try:
            await self._app(scope, _limited(receive), observed)
        except BodyTooLargeError:
            await problem_response(413, "body-too-large", "The body is too large", "at most 1 MiB", request_id)(scope, receive, observed)
        except Exception:
            _log.exception("request_failed", request_id=request_id)
            if status:
                raise
            await problem_response(500, "internal-error", "Internal error", None, request_id)(scope, receive, observed)
        finally:
            self._observe(scope, status, time.perf_counter() - started, request_id)

    def _observe(self, scope: Scope, status: int, seconds: float, request_id: str) -> None:
        route = getattr(scope.get("route"), "path", "unknown")
        method = scope["method"] if scope["method"] in {"GET", "POST", "HEAD", "OPTIONS"} else "other"
        self._metrics.requests.labels(method, route, str(status)).inc()
        self._metrics.latency.labels(method, route).observe(seconds)
        milliseconds = round(seconds * 1000, 2)
        _log.info("request_completed", method=method, route=route, status=status, ms=milliseconds, request_id=request_id)


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value.decode("latin-1")):
            return str(value.decode())
    return uuid.uuid4().hex


def _limited(receive: Receive) -> Receive:
    """Count the body while it arrives, whatever its headers promise."""
    received = 0

    async def limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > MAX_BODY_BYTES:
            raise BodyTooLargeError
        return message

    return limited
