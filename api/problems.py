"""Render errors as problem documents (RFC 9457), and translate the framework's own errors into ours."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import orjson
import structlog
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from api import errors
from api.errors import (
    EdgeError,
    InvalidParameterError,
    MethodNotAllowedError,
    UnknownRouteError,
    UnprocessableError,
)
from api.observability import describe_exception

MEDIA_TYPE = "application/problem+json"

_log = structlog.get_logger("api")

_MAX_REPORTED = 5
_FIELD_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
# Messages of these kinds speak of the rule alone. All others might repeat what was sent, which might be a mnemonic.
_SAFE_MESSAGES = frozenset(
    {
        "missing",
        "greater_than_equal",
        "int_from_float",
        "int_parsing",
        "int_type",
        "less_than_equal",
        "literal_error",
        "string_too_long",
        "string_too_short",
        "string_type",
    }
)
_OWN_MESSAGES = {
    "extra_forbidden": "is not known here",
    "int_parsing_size": "is too large",
    "model_attributes_type": "must be a JSON object",
    "model_type": "must be a JSON object",
    "string_unicode": "holds half of a surrogate pair",
    "too_long": "is too long",
    "uuid_parsing": "is no UUID",
    "uuid_type": "is no UUID",
}


def response(error: BaseException, request_id: str) -> Response:
    """Render the problem document of an error, with the headers that its status asks for."""
    result = errors.outcome(error)
    document = {
        "type": result.urn,
        "title": result.title,
        "status": result.http_status,
        "detail": errors.detail(error),
        "request_id": request_id,
    }
    return Response(orjson.dumps(document), result.http_status, errors.headers(error), MEDIA_TYPE)


def of_item(error: Exception) -> dict[str, object]:
    """Render why one item of a batch has no result; a bug is logged here, since the answer as a whole succeeds."""
    result = errors.outcome(error)
    if result is errors.INTERNAL:
        _log.error("item_failed", **describe_exception(error))
    return {"type": result.urn, "title": result.title, "status": result.http_status, "detail": errors.detail(error)}


async def on_error(request: Request, error: Exception) -> Response:
    """Answer an error of ours."""
    request.scope["problem"] = errors.outcome(error).name
    return response(error, request.scope["request_id"])


async def send(error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer an error of ours where there is no framework to do so."""
    scope["problem"] = errors.outcome(error).name
    await response(error, scope["request_id"])(scope, receive, send)


async def on_invalid(request: Request, error: Exception) -> Response:
    """Answer what does not fit the schema: 400 for a part of the path, else 422. Values are never repeated."""
    found: Sequence[Any] = error.errors() if isinstance(error, RequestValidationError) else ()
    return await on_error(request, invalid(found))


async def on_http_error(request: Request, error: Exception) -> Response:
    """Answer what the router refuses: an unknown path, or a method that the path does not have."""
    if isinstance(error, HTTPException) and error.status_code == 404:
        return await on_error(request, UnknownRouteError("nothing is served under this path"))
    if isinstance(error, HTTPException) and error.status_code == 405:
        allowed = _allowed_methods(request.app.router.routes, request.scope)
        return await on_error(request, MethodNotAllowedError(f"this path is served with {', '.join(allowed)}", allowed))
    raise error


def invalid(found: Sequence[Any]) -> EdgeError:
    """Make one error of ours out of pydantic's, which name the field and the rule, never the value."""
    in_path = any(item["loc"][0] == "path" for item in found)
    sentences = [_sentence(item) for item in found[:_MAX_REPORTED]]
    if len(found) > _MAX_REPORTED:
        sentences.append(f"and {len(found) - _MAX_REPORTED} more")
    message = "; ".join(sentences) or "the request does not fit the schema"
    return InvalidParameterError(message) if in_path else UnprocessableError(message)


def _sentence(item: Any) -> str:
    kind: str = item["type"]
    place, *path = item["loc"]
    field = ".".join(_shown(str(step)) for step in path) or f"the {place}"
    message = _OWN_MESSAGES.get(kind)
    if message is None:
        message = item["msg"] if kind in _SAFE_MESSAGES else _value_error(item)
    return f"{field}: {message}"


def _value_error(item: Any) -> str:
    """Repeat the message of a check of ours (`api.schemas`), and of nothing else."""
    cause = item.get("ctx", {}).get("error")
    return str(cause) if item["type"] == "value_error" and isinstance(cause, ValueError) else "is not valid"


def _shown(step: str) -> str:
    """Name a field if it looks like a name: what stands there in an unknown field is the client's own text."""
    return step if _FIELD_NAME.fullmatch(step) else "(a field whose name is not shown)"


def _allowed_methods(routes: Iterable[Any], scope: Scope) -> tuple[str, ...]:
    """List the methods of every route with this path: the router itself names those of the first one only."""
    matching = (route for route in routes if route.matches(scope)[0] is not Match.NONE)
    return tuple(sorted({method for route in matching for method in (getattr(route, "methods", None) or ())}))
