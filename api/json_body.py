"""Read a body that is exactly one JSON text, in the one way everybody reads it."""

import json
from typing import Any

import orjson
from starlette.requests import Request
from starlette.types import Receive, Scope

from api.errors import MalformedBodyError, UnsupportedMediaTypeError
from api.limits import read_body
from wallets.strict_json import RepeatedFieldError, unique_fields


class JsonRequest(Request):
    """A request whose body has been read and parsed before FastAPI asks for it."""

    def __init__(self, scope: Scope, receive: Receive, raw: bytes, parsed: Any) -> None:
        super().__init__(scope, receive)
        self._raw = raw
        self._parsed = parsed

    async def body(self) -> bytes:
        """Return the bytes that were read."""
        return self._raw

    async def json(self) -> Any:
        """Return the value that they are."""
        return self._parsed


async def read_json(request: Request) -> JsonRequest:
    """Read the body of `request`.

    Raises:
        UnsupportedMediaTypeError: The content type is not `application/json` in UTF-8, or the body is compressed.
        BodyTooLargeError: See `api.limits.read_body`.
        MalformedBodyError: See `parse`.
    """
    check_media_type(request.headers.getlist("content-type"), request.headers.get("content-encoding", "identity"))
    raw = await read_body(request)
    return JsonRequest(request.scope, request.receive, raw, parse(raw))


def check_media_type(content_types: list[str], content_encoding: str) -> None:
    """Return if the body is declared as plain JSON in UTF-8.

    Raises:
        UnsupportedMediaTypeError: It is not.
    """
    media_type, _, parameters = (content_types[0] if len(content_types) == 1 else "").partition(";")
    charset = parameters.replace(" ", "").replace('"', "").lower()
    if media_type.strip().lower() != "application/json" or charset not in ("", "charset=utf-8"):
        msg = "the body must be sent as Content-Type: application/json"
        raise UnsupportedMediaTypeError(msg)
    if content_encoding.strip().lower() != "identity":
        msg = "the body must be sent without Content-Encoding"
        raise UnsupportedMediaTypeError(msg)


def parse(raw: bytes) -> Any:
    """Parse one JSON text (RFC 8259): UTF-8, no duplicate names, no NaN or Infinity.

    Raises:
        MalformedBodyError: It is something else; the message names the place and never the text.
    """
    try:
        # orjson bounds the depth, and Python's own parser only the interpreter's recursion limit, which libraries raise until a body of
        # brackets ends the process. Python's then tells of duplicate names, which orjson does not.
        orjson.loads(raw)
        return json.loads(raw, object_pairs_hook=unique_fields)
    except json.JSONDecodeError as error:
        msg = f"the body is not JSON in UTF-8: {error.msg} at character {error.pos}"
        raise MalformedBodyError(msg) from None
    except RepeatedFieldError:
        raise MalformedBodyError("the body names a field twice") from None
    except RecursionError:
        raise MalformedBodyError("the body is nested too deep") from None
