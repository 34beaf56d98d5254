"""The contracts of both ports of address caches in `wallets.ports`, and of the edge's rate limiter, on every implementation."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from uuid import uuid4

import pytest

from adapters.memory import LruAddressCache, MemoryRateLimiter
from adapters.redis import RedisAddressCache, RedisConnections, RedisRateLimiter
from tests.fake_addresses import FakeAddressCache, FakeSharedAddressCache
from wallets.derivation import DerivationScheme
from wallets.model import Account, SealedAddress
from wallets.ports import AddressCache, SharedAddressCache

Limiter = MemoryRateLimiter | RedisRateLimiter


@pytest.fixture
async def redis_connections(request: pytest.FixtureRequest) -> AsyncIterator[RedisConnections]:
    """Connections to the real server."""
    async with RedisConnections(request.getfixturevalue("redis_server").server.url, longest_seconds=10) as connections:
        yield connections


@pytest.fixture(params=[FakeAddressCache, LruAddressCache])
def cache(request: pytest.FixtureRequest) -> AddressCache:
    """An address cache of one process."""
    made: AddressCache = request.param()
    return made


@pytest.fixture(params=["fake", "redis"])
async def shared_cache(request: pytest.FixtureRequest) -> AsyncIterator[SharedAddressCache]:
    """An address cache of all replicas that is there."""
    if request.param == "fake":
        yield FakeSharedAddressCache()
        return
    async with RedisConnections(request.getfixturevalue("redis_server").server.url, longest_seconds=10) as connections:
        yield RedisAddressCache(connections)


@pytest.fixture(params=["memory", "redis", "redis away"])
async def limiter_of(request: pytest.FixtureRequest) -> AsyncIterator[Callable[[float], Limiter]]:
    """Make limiters of so many requests a second and 3 at once."""
    if request.param == "memory":
        yield lambda rate: MemoryRateLimiter(rate, 3)
        return
    url = "redis://127.0.0.1:1/0" if request.param == "redis away" else request.getfixturevalue("redis_server").server.url
    async with RedisConnections(url, longest_seconds=10) as connections:
        yield lambda rate: RedisRateLimiter(connections, rate, 3)


@pytest.fixture
def limiter(limiter_of: Callable[[float], Limiter]) -> Limiter:
    """A limiter of 1 a minute: nothing comes back while a test runs."""
    return limiter_of(1 / 60)


async def test_an_address_is_remembered(cache: AddressCache) -> None:
    """For its account alone."""
    account = Account(uuid4(), "eth", 7)

    await cache.put(account, "0xabc")

    assert await cache.get(account) == "0xabc"
    assert await cache.get(replace(account, index=8)) is None
    assert await cache.get(replace(account, network="bsc")) is None
    assert await cache.get(replace(account, variant="other")) is None
    assert await cache.get(replace(account, wallet_id=uuid4())) is None


async def test_an_address_can_be_replaced(cache: AddressCache) -> None:
    """The last one counts."""
    account = Account(uuid4(), "eth", 7)
    await cache.put(account, "0xabc")

    await cache.put(account, "0xdef")

    assert await cache.get(account) == "0xdef"


@pytest.mark.parametrize(
    "address", [SealedAddress("0xabc", "blake2b:v1:x"), SealedAddress("0xabc"), SealedAddress("a b", "c"), SealedAddress("")]
)
async def test_a_sealed_address_is_remembered(shared_cache: SharedAddressCache, address: SealedAddress) -> None:
    """With its seal, for its account and scheme alone."""
    account, scheme = Account(uuid4(), "eth", 7), DerivationScheme.STANDARD

    await shared_cache.put(account, scheme, address)

    assert await shared_cache.get(account, scheme) == address
    assert await shared_cache.get(account, DerivationScheme.V1_0_8) is None
    for other in ({"index": 8}, {"network": "bsc"}, {"variant": "other"}, {"wallet_id": uuid4()}):
        assert await shared_cache.get(replace(account, **other), scheme) is None


async def test_a_sealed_address_can_be_replaced(shared_cache: SharedAddressCache) -> None:
    """The last one counts."""
    account, scheme = Account(uuid4(), "eth", 7), DerivationScheme.STANDARD
    await shared_cache.put(account, scheme, SealedAddress("0xabc", "a"))

    await shared_cache.put(account, scheme, SealedAddress("0xabc", "b"))

    assert await shared_cache.get(account, scheme) == SealedAddress("0xabc", "b")


async def test_a_burst_is_allowed_and_no_more(limiter: Limiter) -> None:
    """The next is told how long to wait: a minute at most."""
    key = str(uuid4())

    answers = [await limiter.acquire(key) for _ in range(4)]

    assert answers[:3] == [None] * 3
    assert answers[3] is not None
    assert 0 < answers[3] <= 60


async def test_requests_at_the_same_time_get_a_burst_and_no_more(limiter: Limiter) -> None:
    """Also when they are asked for together: three are allowed, whichever, and the others told to wait."""
    key = str(uuid4())

    answers = await asyncio.gather(*(limiter.acquire(key) for _ in range(20)))

    assert answers.count(None) == 3


async def test_a_request_may_cost_more_than_one(limiter: Limiter) -> None:
    """Two of a burst of three leave one."""
    key = str(uuid4())

    answers = [await limiter.acquire(key, 2), await limiter.acquire(key, 2), await limiter.acquire(key)]

    assert answers[0] is None
    assert answers[1] is not None
    assert answers[2] is None


async def test_what_costs_more_than_a_burst_is_allowed_once_and_paid_for(limiter: Limiter) -> None:
    """Ten at one a minute: a whole burst lets it pass, and the next request waits for what is owed beyond the burst."""
    key = str(uuid4())

    first, second = await limiter.acquire(key, 10), await limiter.acquire(key)

    assert first is None
    assert second is not None
    assert 7 * 60 < second <= 8 * 60


async def test_keys_are_limited_apart(limiter: Limiter) -> None:
    """One client's requests cost another nothing."""
    one, other = str(uuid4()), str(uuid4())
    for _ in range(4):
        await limiter.acquire(one)

    assert await limiter.acquire(other) is None


async def test_after_the_wait_a_request_is_allowed(limiter_of: Callable[[float], Limiter]) -> None:
    """The seconds that are told are enough."""
    limiter, key = limiter_of(5), str(uuid4())
    waits = [await limiter.acquire(key) for _ in range(4)]

    await asyncio.sleep(waits[3] or 0)  # the clock is Redis' own and cannot be moved

    assert await limiter.acquire(key) is None


async def test_requests_at_once_share_one_burst(limiter: Limiter) -> None:
    """No race lets more through."""
    key = str(uuid4())

    answers = await asyncio.gather(*(limiter.acquire(key) for _ in range(20)))

    assert answers.count(None) == 3


async def test_any_key_can_be_limited(limiter: Limiter) -> None:
    """Also an empty, long or odd one."""
    for key in ("", "x" * 100_000, "a\0b\r\nFLUSHALL", "✓"):
        answers = [await limiter.acquire(key) for _ in range(4)]

        assert answers.count(None) == 3


async def test_replicas_share_one_limit(redis_connections: RedisConnections) -> None:
    """Three replicas together allow what one would."""
    key = str(uuid4())
    replicas = [RedisRateLimiter(redis_connections, 1 / 60, 10) for _ in range(3)]

    answers = [await replicas[number % 3].acquire(key) for number in range(30)]

    assert answers.count(None) == 10


@pytest.mark.parametrize(("rate", "burst"), [(3, 1), (0.7, 1), (1_000_000, 1), (3, 100)])
async def test_a_whole_burst_is_always_allowed(redis_connections: RedisConnections, rate: float, burst: int) -> None:
    """Rounding takes no request away."""
    limiter = RedisRateLimiter(redis_connections, rate, burst)

    for _ in range(10):
        key = str(uuid4())
        assert [await limiter.acquire(key) for _ in range(burst)] == [None] * burst
