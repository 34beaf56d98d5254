"""Say how often clients may call, and what a decision over one call is. The algorithm is the generic cell rate algorithm (ITU-T I.371).

Of each bucket only the time is kept at which its burst will be whole again; the time from now until then is its debt.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

_REMEMBERED = 4096
"""Clients whose buckets are remembered: the same few ask again and again."""


class CallKind(StrEnum):
    """What a call is about. Each kind may have a limit of its own."""

    SIGN = "sign"
    CREATE = "create"
    READ = "read"


@dataclass(frozen=True, slots=True)
class Limit:
    """Allow `burst_size` requests at once, and `requests_per_second` in the long run."""

    name: str
    requests_per_second: float
    burst_size: int

    @property
    def interval_us(self) -> float:
        """Microseconds after which one request more is allowed."""
        return 1e6 / self.requests_per_second


@dataclass(frozen=True, slots=True)
class Client:
    """Whose requests are counted together: those of an API key (its id) from an address, or from a network of addresses."""

    api_key_id: str
    address: str


@dataclass(frozen=True, slots=True)
class Bucket:
    """One limit of one client. `key` names it among all, and is short, whatever the client sent."""

    key: str
    limit: Limit


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided over a request.

    `wait_seconds` is None where it is allowed, else the time until it will be. `limit` is the tightest of all `limits` that count it:
    `remaining` requests are left of it at once, and after `reset_seconds` its burst is whole again.
    """

    limits: tuple[Limit, ...]
    limit: Limit
    wait_seconds: float | None
    remaining: int
    reset_seconds: float


class Limits:
    """Say which buckets a request is taken from: all of them, or none.

    A client has one for each kind of calls that has a limit of its own, and one for all others; an API key, from whichever address it
    comes, may have one as well.
    """

    def __init__(self, client: Limit, kinds: Mapping[CallKind, Limit] | None = None, key: Limit | None = None) -> None:
        self._client = client
        self._kinds = dict(kinds or {})
        self._key = key
        self.buckets = lru_cache(_REMEMBERED)(self._buckets)

    def _buckets(self, client: Client, kind: CallKind) -> tuple[Bucket, ...]:
        limit = self._kinds.get(kind, self._client)
        # What stands in braces places a key in a Redis Cluster: all buckets of an API key are in one place, as one script needs them.
        key = f"wallets:limit:{{{_digest(client.api_key_id)}}}"
        own = Bucket(f"{key}:{limit.name}:{_digest(client.address)}", limit)
        return (own,) if self._key is None else (own, Bucket(f"{key}:{self._key.name}", self._key))


def verdict(buckets: Sequence[Bucket], wait_us: float, debts_us: Sequence[float], *, share: int = 1) -> Verdict:
    """Return what a request was answered: it has to wait, or `wait_us` is 0 and `debts_us` are the buckets' debts after it.

    One of `share` replicas that limit apart has that part of each limit.
    """
    tightest, remaining, reset = buckets[0].limit, math.inf, 0.0
    for bucket, debt in zip(buckets, debts_us, strict=True):
        interval = bucket.limit.interval_us * share
        # A hair more, because debts are rounded to whole microseconds.
        left = (tolerance_us(bucket.limit, share) - debt + 1) // interval
        if left < remaining:
            tightest, remaining, reset = bucket.limit, left, debt
    return Verdict(
        tuple(bucket.limit for bucket in buckets),
        tightest,
        wait_us / 1e6 if wait_us > 0 else None,
        max(0, int(remaining)),
        max(reset, wait_us) / 1e6,
    )


def tolerance_us(limit: Limit, share: int = 1) -> float:
    """Return the debt up to which requests are allowed: a burst, or where replicas share it, each one's part, but at least a request."""
    return limit.interval_us * max(limit.burst_size, share)


def _digest(text: str) -> str:
    """Name a client in 16 hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
