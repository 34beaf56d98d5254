"""Render errors as RFC 9457 problem documents."""

import orjson
from starlette.responses import Response

from api.errors import TYPE_PREFIX


def problem_response(
    status: int, name: str, title: str, detail: str | None, request_id: str, headers: dict[str, str] | None = None
) -> Response:
    """Make the response; `detail` is for the client and has no internals."""
    body: dict[str, object] = {"type": TYPE_PREFIX + name, "title": title, "status": status, "request_id": request_id}
    if detail is not None:
        body["detail"] = detail
    return Response(orjson.dumps(body), status, headers, "application/problem+json")
