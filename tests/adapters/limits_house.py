"""Limiters, and clients that ask them."""

from dataclasses import dataclass
from uuid import uuid4

from adapters.limits import CallKind, Client, Limit, Limits, Verdict
from adapters.memory import MemoryRateLimiter
from adapters.redis import RedisConnections
from adapters.redis_limiter import LiveReplicas, RedisRateLimiter

Limiter = MemoryRateLimiter | RedisRateLimiter


@dataclass
class Watching:
    """Counts what was decided without Redis."""

    alone: int = 0

    def limited_alone(self, requests: int) -> None:
        """See `adapters.redis_limiter.Watcher`."""
        self.alone += requests


def limits(rate: float, burst: int) -> Limits:
    """Return the one limit of a client."""
    return Limits(Limit("client", rate, burst))


def limiter_on(connections: RedisConnections, rate: float, burst: int, replicas: int = 1) -> RedisRateLimiter:
    """Return the limiter of one of several replicas."""
    return RedisRateLimiter(connections, limits(rate, burst), LiveReplicas(connections, replicas), Watching())


def somebody() -> Client:
    """Return a client that has never asked."""
    return Client(uuid4().hex, "192.0.2.1")


async def wait_of(limiter: Limiter, client: Client | None = None, cost: int = 1) -> float | None:
    """Ask for a client, or for one that always is the same, and return how long it has to wait."""
    return (await decided(limiter, client or Client("key", "192.0.2.7"), cost)).wait_seconds


async def decided(limiter: Limiter, client: Client, cost: int = 1) -> Verdict:
    """Ask for a client."""
    return await limiter.acquire(client, CallKind.READ, cost)
