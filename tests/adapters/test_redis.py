"""Redis away costs little and fails nothing."""

import inspect
import time
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from redis import exceptions

from adapters.redis import LONGEST_SECONDS, RedisAddressCache, RedisAwayError, RedisConnections, RedisHealth
from adapters.resilience import CircuitBreaker
from serve_app.embedded import EmbeddedRedis
from tests.adapters.limits_house import limiter_on, wait_of
from tests.servers import RunningServer, eventually
from wallets.derivation import DerivationScheme
from wallets.model import Account, HealthStatus, SealedAddress

ACCOUNT, STANDARD = Account(uuid4(), "eth", 0), DerivationScheme.STANDARD
ADDRESS = SealedAddress("0xabc", "seal")


@pytest.fixture
async def connections(redis_server: RunningServer[EmbeddedRedis]) -> AsyncIterator[RedisConnections]:
    """Connections that are always tried, so that a test sees each call."""
    breaker = CircuitBreaker(failures_to_open=1_000_000)
    async with RedisConnections(redis_server.server.url, breaker=breaker) as opened:
        yield opened


async def test_a_server_that_hangs_costs_a_moment(redis_server: RunningServer[EmbeddedRedis], connections: RedisConnections) -> None:
    """A miss, an allowed request, a cache that forgets; each in about 50 ms."""
    cache, limiter = RedisAddressCache(connections), limiter_on(connections, 1, 1)
    await cache.put(ACCOUNT, STANDARD, ADDRESS)
    with redis_server.held() as duration:
        found = await cache.get(ACCOUNT, STANDARD)
        await cache.put(ACCOUNT, STANDARD, ADDRESS)
        answers = [await wait_of(limiter) for _ in range(2)]

    assert found is None
    assert [answer is None for answer in answers] == [True, False]
    assert duration.seconds < 4 * LONGEST_SECONDS + 0.5


async def test_a_server_that_hangs_is_not_asked_for_a_while(redis_server: RunningServer[EmbeddedRedis]) -> None:
    """After a few failures requests wait for it no longer."""
    async with RedisConnections(redis_server.server.url) as connections:
        cache = RedisAddressCache(connections)
        with redis_server.held():
            for _ in range(5):
                await cache.get(ACCOUNT, STANDARD)
            start = time.monotonic()
            for _ in range(100):
                await cache.get(ACCOUNT, STANDARD)
            elapsed = time.monotonic() - start

    assert elapsed < 1


async def test_a_server_that_crashes_comes_back(redis_server: RunningServer[EmbeddedRedis], connections: RedisConnections) -> None:
    """It is used again by itself, and remembers what it was told before."""
    cache = RedisAddressCache(connections)
    await cache.put(ACCOUNT, STANDARD, ADDRESS)
    with redis_server.stopped():
        assert await cache.get(ACCOUNT, STANDARD) is None

    async def found() -> SealedAddress:
        address = await cache.get(ACCOUNT, STANDARD)
        if address is None:
            raise LookupError
        return address

    assert await eventually(found, LookupError) == ADDRESS


async def test_answers_are_not_mixed_up_after_a_timeout(redis_server: RunningServer[EmbeddedRedis], connections: RedisConnections) -> None:
    """A late answer to one question is never taken for the answer to the next."""
    accounts = [Account(uuid4(), "eth", index) for index in range(20)]
    cache = RedisAddressCache(connections)
    for account in accounts:
        await cache.put(account, STANDARD, SealedAddress(f"0x{account.index}", "seal"))
    with redis_server.held():
        await cache.get(accounts[0], STANDARD)

    found = [await cache.get(account, STANDARD) for account in accounts]

    assert any(found)
    assert {(account.index, address.text) for account, address in zip(accounts, found, strict=True) if address is not None} <= {
        (account.index, f"0x{account.index}") for account in accounts
    }


async def test_addresses_end(connections: RedisConnections) -> None:
    """After the time that is set."""
    await RedisAddressCache(connections, ttl_seconds=100).put(ACCOUNT, STANDARD, ADDRESS)

    ttl = await connections._client.ttl(f"wallets:address:{ACCOUNT.wallet_id}:standard:eth:0")

    assert 90 < ttl <= 100


@pytest.mark.parametrize("value", ["0xabc", "", "\0"])
async def test_what_somebody_else_has_written_has_no_seal(connections: RedisConnections, value: str) -> None:
    """It is what it says, and its reader sees that nobody has sealed it."""
    await connections.put(f"wallets:address:{ACCOUNT.wallet_id}:standard:eth:0", value, 10)

    assert await RedisAddressCache(connections).get(ACCOUNT, STANDARD) == SealedAddress(value)


async def test_a_wrong_password_is_away(redis_server: RunningServer[EmbeddedRedis]) -> None:
    """An error that Redis answers is a miss as well."""
    url = redis_server.server.url.replace("unix://:", "unix://:wrong")
    async with RedisConnections(url) as connections:
        assert await RedisAddressCache(connections).get(ACCOUNT, STANDARD) is None
        with pytest.raises(RedisAwayError):
            await connections.ping()


NOT_OURS = (exceptions.RedisClusterException, exceptions.IncorrectPolicyType, exceptions.ChildDeadlockedError, exceptions.ExceptionType)
"""What only a client of a cluster, or a lock, meets; and an enumeration."""


@pytest.mark.parametrize(
    "error", [error for _, error in inspect.getmembers(exceptions, inspect.isclass) if error.__module__.startswith("redis")]
)
def test_every_vendor_error_is_decided(error: type[Exception]) -> None:
    """What redis-py raises at our commands has one root, which is mapped."""
    assert issubclass(error, (exceptions.RedisError, *NOT_OURS))


async def test_health(redis_server: RunningServer[EmbeddedRedis], connections: RedisConnections) -> None:
    """Well, or degraded in a bounded time."""
    well = await RedisHealth(connections).check()
    with redis_server.held() as duration:
        hanging = await RedisHealth(connections).check()

    assert (well.status, hanging.status) == (HealthStatus.OK, HealthStatus.DEGRADED)
    assert duration.seconds < 2
