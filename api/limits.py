"""Bound what a client may send: how often, and how much."""

import math
from functools import lru_cache
from typing import Protocol

from starlette.requests import Request

from adapters.limits import CallKind, Client, Limit, Verdict
from api.errors import BodyTooLargeError

MAX_BODY_BYTES = 1_048_576
MAX_DISCARDED_BYTES = 2 * 1_048_576


class RateLimiter(Protocol):
    """Count the requests of clients."""

    async def acquire(self, client: Client, kind: CallKind, cost: int = 1, /) -> Verdict | None:
        """Take what a request costs, and say whether it is allowed; None where nothing is limited.

        What costs more than a burst is allowed when the burst is whole, and paid in full: the client waits the longer afterwards.

        Raises:
            LimiterUnavailableError: The limits cannot be kept at present, and the settings say to refuse then.
        """
        ...


class Unlimited:
    """Allow every request: what stands in when limits are switched off."""

    async def acquire(self, _client: Client, _kind: CallKind, _cost: int = 1, /) -> None:
        """See `RateLimiter.acquire`."""


def limit_fields(verdict: Verdict) -> list[tuple[str, str]]:
    """Return the header fields that tell a client of its limits (draft-ietf-httpapi-ratelimit-headers-10)."""
    seconds = math.ceil(verdict.reset_seconds if verdict.wait_seconds is None else verdict.wait_seconds)
    return [("ratelimit", f'"{verdict.limit.name}";r={verdict.remaining};t={seconds}'), ("ratelimit-policy", _policies(verdict.limits))]


@lru_cache
def _policies(limits: tuple[Limit, ...]) -> str:
    return ", ".join(map(_policy, limits))


def _policy(limit: Limit) -> str:
    """Write a limit as the quota of a window of whole seconds, of which the draft has no other: that in which a burst becomes whole."""
    window = max(1, math.ceil(limit.burst_size / limit.requests_per_second))
    quota = limit.burst_size if window > 1 else max(limit.burst_size, int(limit.requests_per_second))
    return f'"{limit.name}";q={quota};w={window}'


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
