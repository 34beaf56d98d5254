"""Bound what a client may send: how often, and how much."""

from typing import Protocol

from starlette.requests import Request

from api.errors import BodyTooLargeError

MAX_BODY_BYTES = 1_048_576
MAX_DISCARDED_BYTES = 2 * 1_048_576


class RateLimiter(Protocol):
    """Count the requests of clients, told apart by `key`."""

    async def acquire(self, key: str, cost: int = 1, /) -> float | None:
        """Take what a request costs. Return None if it is allowed, else the seconds until it will be. Never raises.

        What costs more than a burst is allowed when the burst is whole, and paid in full: the client waits the longer afterwards.
        """
        ...


class Unlimited:
    """Allow every request: what stands in when limits are switched off."""

    async def acquire(self, _key: str, _cost: int = 1, /) -> float | None:
        """See `RateLimiter.acquire`."""
        return None


async def read_body(request: Request, max_bytes: int = MAX_BODY_BYTES) -> bytes:
    """Read the whole body, keeping none of it once it has more than `max_bytes`.

    What is somewhat too large is still read, `MAX_DISCARDED_BYTES` at most: a connection that is closed on a client which still sends
    loses the answer. What declares more than that is refused at once.

    Raises:
        BodyTooLargeError: It is larger, by its declared length or by what came.
        starlette.requests.ClientDisconnect: The client went away before the end.
    """
    text = request.headers.get("content-length", "")
    declared = int(text[:20]) if text.isascii() and text.isdigit() else 0
    if declared > max_bytes + MAX_DISCARDED_BYTES:
        raise _too_large(max_bytes)
    body, received, is_too_large = bytearray(), 0, declared > max_bytes
    async for chunk in request.stream():
        received += len(chunk)
        is_too_large = is_too_large or received > max_bytes
        if not is_too_large:
            body += chunk
        elif received > max_bytes + MAX_DISCARDED_BYTES:
            break
    if is_too_large:
        raise _too_large(max_bytes)
    return bytes(body)


def _too_large(max_bytes: int) -> BodyTooLargeError:
    return BodyTooLargeError(f"the body may have at most {max_bytes} bytes")
