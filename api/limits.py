"""Bound what a client may send: how often, and how much."""

from typing import Protocol

from starlette.requests import Request

from api.errors import BodyTooLargeError

MAX_BODY_BYTES = 1_048_576


class RateLimiter(Protocol):
    """Count the requests of clients, told apart by `key`."""

    async def acquire(self, key: str) -> float | None:
        """Take one request. Return None if it is allowed, else the seconds until one will be. Never raises."""
        ...


class Unlimited:
    """Allow every request: what stands in when limits are switched off."""

    async def acquire(self, key: str) -> float | None:  # noqa: ARG002  # the protocol's name
        """See `RateLimiter.acquire`."""
        return None


async def read_body(request: Request, max_bytes: int = MAX_BODY_BYTES) -> bytes:
    """Read the whole body, giving up while it arrives once it has more than `max_bytes`.

    Raises:
        BodyTooLargeError: It is larger, by its declared length or by what came.
        starlette.requests.ClientDisconnect: The client went away before the end.
    """
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > max_bytes:
        raise _too_large(max_bytes)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise _too_large(max_bytes)
    return bytes(body)


def _too_large(max_bytes: int) -> BodyTooLargeError:
    return BodyTooLargeError(f"the body may have at most {max_bytes} bytes")
