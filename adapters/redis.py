"""Share addresses and rate limits between replicas through Redis. Redis away is a miss, never a failure."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Self, TypeVar

import redis.asyncio
import structlog
from redis.exceptions import RedisError

from adapters.gathering import Gathered
from adapters.memory import MemoryRateLimiter
from adapters.resilience import CircuitBreaker, CircuitOpenError
from wallets.derivation import DerivationScheme
from wallets.model import Account, ComponentHealth, HealthStatus, SealedAddress

T = TypeVar("T")

LONGEST_SECONDS = 0.05
"""What an answer of Redis may cost at most: it is asked to save time."""

_AWAY = (RedisError, OSError, TimeoutError)
_HEALTH_SECONDS = 1.0

_TAKE = """\
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, tolerance = tonumber(ARGV[1]), tonumber(ARGV[2])
local whole_at = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
local waits, is_taken = {}, false
for i = 3, #ARGV do
  local cost = tonumber(ARGV[i]) * interval
  local wait = whole_at + math.min(cost, tolerance) - tolerance - now
  if wait >= 1 then
    waits[i - 2] = math.ceil(wait)
  else
    waits[i - 2], whole_at, is_taken = 0, whole_at + cost, true
  end
end
if is_taken then redis.call('SET', KEYS[1], string.format('%.0f', whole_at), 'PX', math.ceil((whole_at - now) / 1000)) end
return waits
"""
"""The algorithm of `MemoryRateLimiter` for several requests of one client, in microseconds of Redis' clock, which is one for all replicas.
Lua's numbers are doubles: at today's date they err by a quarter of a microsecond, so that a wait of less than one is none."""

_log = structlog.get_logger(__name__)


class RedisAwayError(Exception):
    """Redis did not answer in time, or answered an error. Never leaves this package."""


class RedisConnections:
    """Connections to one Redis. One that is away is not asked again for a while. Use as an asynchronous context manager."""

    def __init__(
        self, url: str, *, max_connections: int = 64, longest_seconds: float = LONGEST_SECONDS, breaker: CircuitBreaker | None = None
    ) -> None:
        self._longest_seconds = longest_seconds
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            url,
            max_connections=max_connections,
            timeout=longest_seconds,
            socket_connect_timeout=_HEALTH_SECONDS,
            socket_timeout=_HEALTH_SECONDS,
        )
        self._client = redis.asyncio.Redis.from_pool(pool)
        self._take = self._client.register_script(_TAKE)
        self._breaker = breaker or CircuitBreaker(failures_to_open=5, open_seconds=2, successes_to_close=1)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def get(self, key: str) -> str | None:
        """Return the text kept under a key.

        Raises:
            RedisAwayError: Redis is away.
        """
        value = await self._asked(lambda: self._client.get(key))
        return None if value is None else bytes(value).decode(errors="replace")

    async def put(self, key: str, value: str, ttl_seconds: int) -> None:
        """Keep a text for a time.

        Raises:
            RedisAwayError: Redis is away.
        """
        await self._asked(lambda: self._client.set(key, value, ex=ttl_seconds))

    async def take(self, key: str, costs: Sequence[int], interval_us: float, tolerance_us: float) -> list[int]:
        """Take requests of a key in one step; return for each 0, or the microseconds until it will be allowed.

        Raises:
            RedisAwayError: Redis is away.
        """
        args: list[str | int] = [f"{interval_us:.3f}", f"{tolerance_us:.3f}", *costs]
        return [int(wait) for wait in await self._asked(lambda: self._take(keys=[key], args=args))]

    async def ping(self) -> None:
        """See that Redis answers, whether or not the others ask it at present.

        Raises:
            RedisAwayError: Redis is away.
        """
        try:
            async with asyncio.timeout(_HEALTH_SECONDS):
                await self._client.echo("ping")
        except _AWAY as error:
            raise RedisAwayError from error

    async def _asked(self, command: Callable[[], Awaitable[Any]]) -> Any:
        try:
            with self._breaker.guard(_AWAY):
                async with asyncio.timeout(self._longest_seconds):
                    return await command()
        except CircuitOpenError as error:
            raise RedisAwayError from error
        except _AWAY as error:
            _log.warning("redis_away", error=type(error).__name__)
            raise RedisAwayError from error


class RedisAddressCache:
    """Keep sealed addresses in Redis for `ttl_seconds`. See `wallets.ports.SharedAddressCache`."""

    def __init__(self, connections: RedisConnections, *, ttl_seconds: int = 3600) -> None:
        self._connections = connections
        self._ttl_seconds = ttl_seconds

    async def get(self, account: Account, scheme: DerivationScheme) -> SealedAddress | None:
        """See `SharedAddressCache.get`."""
        try:
            value = await self._connections.get(_address_key(account, scheme))
        except RedisAwayError:
            return None
        if value is None:
            return None
        # No seal has a blank in it, whatever an address may have.
        text, _, seal = value.rpartition(" ")
        return SealedAddress(text, seal)

    async def put(self, account: Account, scheme: DerivationScheme, address: SealedAddress) -> None:
        """See `SharedAddressCache.put`."""
        try:
            await self._connections.put(_address_key(account, scheme), f"{address.text} {address.seal}", self._ttl_seconds)
        except RedisAwayError:
            return


class RedisRateLimiter:
    """Limit a key over all replicas together; while Redis is away, in each replica alone.

    Requests of one key that come together are asked for in one step.
    """

    def __init__(self, connections: RedisConnections, requests_per_second: float, burst_size: int) -> None:
        self._connections = connections
        self._interval_us = 1e6 / requests_per_second
        self._tolerance_us = burst_size * self._interval_us
        self._alone = MemoryRateLimiter(requests_per_second, burst_size)
        self._steps: dict[str, Gathered[int, float | None]] = {}

    async def acquire(self, key: str, cost: int = 1) -> float | None:
        """See `api.limits.RateLimiter.acquire`."""
        step = self._steps.get(key)
        if step is None:
            step = self._steps[key] = Gathered(partial(self._take, key))
        try:
            return await step.ask(cost)
        finally:
            if step.is_idle:
                self._steps.pop(key, None)

    async def _take(self, key: str, costs: Sequence[int]) -> Sequence[float | None]:
        # Hashed: what a client sends must not become the name of a key of any length.
        name = f"wallets:limit:{hashlib.sha256(key.encode()).hexdigest()[:32]}"
        try:
            waits_us = await self._connections.take(name, costs, self._interval_us, self._tolerance_us)
        except RedisAwayError:
            return [await self._alone.acquire(key, cost) for cost in costs]
        return [wait / 1e6 if wait else None for wait in waits_us]


class RedisHealth:
    """Say whether Redis answers; without it the service goes on, `degraded`. See `wallets.ports.Component`."""

    name = "redis"

    def __init__(self, connections: RedisConnections) -> None:
        self._connections = connections

    async def check(self) -> ComponentHealth:
        """See `Component.check`."""
        start = time.monotonic()
        try:
            await self._connections.ping()
        except RedisAwayError:
            return ComponentHealth(HealthStatus.DEGRADED, (time.monotonic() - start) * 1000, {"reason": "Redis is away"})
        return ComponentHealth(HealthStatus.OK, (time.monotonic() - start) * 1000)


def _address_key(account: Account, scheme: DerivationScheme) -> str:
    place = f"{account.network}:{account.variant}" if account.variant else account.network
    return f"wallets:address:{account.wallet_id}:{scheme}:{place}:{account.index}"
