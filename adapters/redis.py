"""Reach Redis, and share addresses between replicas through it. Redis away is a miss, never a failure."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import structlog
from redis.exceptions import NoScriptError, RedisClusterException, RedisError

from adapters.redis_url import CONNECT_SECONDS, close, connect, parse
from adapters.resilience import CircuitBreaker, CircuitOpenError, CircuitState
from wallets.derivation import DerivationScheme
from wallets.model import Account, ComponentHealth, HealthStatus, SealedAddress

LONGEST_SECONDS = 0.05
"""What an answer of Redis may cost at most: it is asked to save time."""

_AWAY = (RedisError, RedisClusterException, OSError, TimeoutError, ValueError)
"""The last is what the client makes of an answer that is none."""

_log = structlog.get_logger(__name__)


class RedisAwayError(Exception):
    """Redis did not answer in time, or answered an error. Never leaves this package."""


@dataclass(frozen=True, slots=True)
class Script:
    """A script in Lua, and the digest by which Redis knows it once it has run."""

    text: str
    digest: str

    @classmethod
    def of(cls, text: str) -> Self:
        """Return the script of a text."""
        return cls(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


class RedisConnections:
    """Connections to one Redis (`adapters.redis_url`). One that is away is not asked again for a while.

    At most `max_connections` commands are under way at a time; more wait. Use as an asynchronous context manager.
    """

    def __init__(
        self,
        url: str,
        ca_file: Path | None = None,
        *,
        max_connections: int = 64,
        longest_seconds: float = LONGEST_SECONDS,
        breaker: CircuitBreaker | None = None,
    ) -> None:
        self._longest_seconds = longest_seconds
        self._client = connect(parse(url), ca_file)
        self._turns = asyncio.Semaphore(max_connections)
        self._breaker = breaker or CircuitBreaker(failures_to_open=3, open_seconds=0.5, longest_open_seconds=5, successes_to_close=1)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await close(self._client)

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

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[str | int]) -> Any:
        """Run a script in one step, and return its answer.

        Raises:
            RedisAwayError: Redis is away.
        """
        return await self._asked(lambda: self._run(script, keys, args))

    async def run_patiently(self, script: Script, keys: Sequence[str], args: Sequence[str | int]) -> Any:
        """Run a script for nobody who waits: it has a second, and is asked also when Redis was given up.

        This is how connections are made again that take longer to make than a request may wait.

        Raises:
            RedisAwayError: Redis is away.
        """
        started = time.monotonic()
        answer = await self._patiently(lambda: self._run(script, keys, args))
        if time.monotonic() - started < self._longest_seconds:
            # Requests would find the same; without any, nobody would ever see that it is well again.
            self._breaker.hasten()
            with suppress(CircuitOpenError), self._breaker.guard(_AWAY):
                pass
        return answer

    async def _run(self, script: Script, keys: Sequence[str], args: Sequence[str | int]) -> Any:
        try:
            return await self._client.evalsha(script.digest, len(keys), *keys, *args)
        except NoScriptError:  # after a restart or a failover
            return await self._client.eval(script.text, len(keys), *keys, *args)

    async def ping(self) -> None:
        """See that Redis answers, whether or not the others ask it at present.

        Raises:
            RedisAwayError: Redis is away.
        """
        await self._patiently(lambda: self._client.get("wallets:health"))  # which nobody ever writes

    @property
    def is_given_up(self) -> bool:
        """Whether Redis is not asked at present, or for once only, because it did not serve."""
        return self._breaker.state is not CircuitState.CLOSED

    async def _asked(self, command: Callable[[], Awaitable[Any]]) -> Any:
        try:
            with self._breaker.guard(_AWAY):
                async with asyncio.timeout(self._longest_seconds), self._turns:
                    return await command()
        except CircuitOpenError as error:
            raise RedisAwayError from error
        except _AWAY as error:
            _log.warning("redis_away", error=type(error).__name__)
            raise RedisAwayError from error

    async def _patiently(self, command: Callable[[], Awaitable[Any]]) -> Any:
        try:
            async with asyncio.timeout(CONNECT_SECONDS), self._turns:
                return await command()
        except _AWAY as error:
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
        text, blank, seal = value.rpartition(" ")
        return SealedAddress(text, seal) if blank else SealedAddress(value)

    async def put(self, account: Account, scheme: DerivationScheme, address: SealedAddress) -> None:
        """See `SharedAddressCache.put`."""
        try:
            await self._connections.put(_address_key(account, scheme), f"{address.text} {address.seal}", self._ttl_seconds)
        except RedisAwayError:
            return


class RedisHealth:
    """Say whether Redis serves; without it the service goes on, `degraded`. See `wallets.ports.Component`."""

    name = "redis"

    def __init__(self, connections: RedisConnections) -> None:
        self._connections = connections

    async def check(self) -> ComponentHealth:
        """See `Component.check`."""
        start = time.monotonic()
        try:
            await self._connections.ping()
        except RedisAwayError:
            return _degraded(start, "Redis is away: each replica limits requests by itself")
        if self._connections.is_given_up:
            # It is full, or slow, or was away until a moment ago.
            return _degraded(start, "Redis answers, but does not serve: each replica limits requests by itself")
        return ComponentHealth(HealthStatus.OK, (time.monotonic() - start) * 1000)


def _degraded(start: float, reason: str) -> ComponentHealth:
    return ComponentHealth(HealthStatus.DEGRADED, (time.monotonic() - start) * 1000, {"reason": reason})


def _address_key(account: Account, scheme: DerivationScheme) -> str:
    place = f"{account.network}:{account.variant}" if account.variant else account.network
    return f"wallets:address:{account.wallet_id}:{scheme}:{place}:{account.index}"
