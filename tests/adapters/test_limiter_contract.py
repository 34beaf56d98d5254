"""The contract of the edge's rate limiter (`api.limits.RateLimiter`), on every implementation."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from adapters.limits import CallKind, Client, Limit, Limits
from adapters.memory import MemoryRateLimiter
from adapters.redis import RedisConnections
from adapters.redis_limiter import LiveReplicas, RedisRateLimiter
from tests.adapters.limits_house import Limiter, Watching, decided, limiter_on, limits, somebody, wait_of

RARELY = 1 / 60
"""Requests a second of which none comes back while a test runs."""


@pytest.fixture
async def redis_connections(request: pytest.FixtureRequest) -> AsyncIterator[RedisConnections]:
    """Connections to the real server."""
    async with RedisConnections(request.getfixturevalue("redis_server").server.url, longest_seconds=10) as connections:
        yield connections


@pytest.fixture(params=["memory", "redis", "redis away"])
async def limiter_of(request: pytest.FixtureRequest) -> AsyncIterator[Callable[[Limits], Limiter]]:
    """Make limiters."""
    if request.param == "memory":
        yield MemoryRateLimiter
        return
    url = "redis://127.0.0.1:1/0" if request.param == "redis away" else request.getfixturevalue("redis_server").server.url
    async with RedisConnections(url, longest_seconds=10) as connections:
        yield lambda which: RedisRateLimiter(connections, which, LiveReplicas(connections, 1), Watching())


@pytest.fixture
def limiter(limiter_of: Callable[[Limits], Limiter]) -> Limiter:
    """A limiter of 1 a minute and 3 at once."""
    return limiter_of(limits(RARELY, 3))


async def test_a_burst_is_allowed_and_no_more(limiter: Limiter) -> None:
    """The next is told how long to wait: a minute at most."""
    client = somebody()

    answers = [await wait_of(limiter, client) for _ in range(4)]

    assert answers[:3] == [None] * 3
    assert answers[3] is not None
    assert 0 < answers[3] <= 60


async def test_a_client_is_told_what_is_left(limiter: Limiter) -> None:
    """Of the burst, and when it will be whole again."""
    client = somebody()

    verdicts = [await decided(limiter, client) for _ in range(4)]

    assert [verdict.remaining for verdict in verdicts] == [2, 1, 0, 0]
    assert [verdict.limit.name for verdict in verdicts] == ["client"] * 4
    assert all(60 * used - 5 < verdict.reset_seconds <= 60 * used for used, verdict in zip((1, 2, 3, 3), verdicts, strict=True))


async def test_requests_at_the_same_time_get_a_burst_and_no_more(limiter: Limiter) -> None:
    """Also when they are asked for together: three are allowed, whichever, and the others told to wait."""
    client = somebody()

    answers = await asyncio.gather(*(wait_of(limiter, client) for _ in range(20)))

    assert answers.count(None) == 3


async def test_a_request_may_cost_more_than_one(limiter: Limiter) -> None:
    """Two of a burst of three leave one."""
    client = somebody()

    answers = [await wait_of(limiter, client, 2), await wait_of(limiter, client, 2), await wait_of(limiter, client)]

    assert answers[0] is None
    assert answers[1] is not None
    assert answers[2] is None


async def test_what_costs_more_than_a_burst_is_allowed_once_and_paid_for(limiter: Limiter) -> None:
    """Ten at one a minute: a whole burst lets it pass, and the next request waits for what is owed beyond the burst."""
    client = somebody()

    first, second = await decided(limiter, client, 10), await wait_of(limiter, client)

    assert (first.wait_seconds, first.remaining) == (None, 0)
    assert second is not None
    assert 7 * 60 < second <= 8 * 60


async def test_clients_are_limited_apart(limiter: Limiter) -> None:
    """One client's requests cost another nothing: another key, or another address, is another client."""
    one, other = somebody(), somebody()
    for _ in range(4):
        await wait_of(limiter, one)

    assert await wait_of(limiter, other) is None
    assert await wait_of(limiter, Client(one.api_key_id, "192.0.2.2")) is None


async def test_after_the_wait_a_request_is_allowed(limiter_of: Callable[[Limits], Limiter]) -> None:
    """The seconds that are told are enough."""
    limiter, client = limiter_of(limits(5, 3)), somebody()
    waits = [await wait_of(limiter, client) for _ in range(4)]

    await asyncio.sleep(waits[3] or 0)  # the clock is Redis' own and cannot be moved

    assert await wait_of(limiter, client) is None


async def test_any_client_can_be_limited(limiter: Limiter) -> None:
    """Also one with an empty, long or odd name."""
    for name in ("", "x" * 100_000, "a\0b\r\nFLUSHALL", "✓", "{}{a}"):
        client = Client(name, somebody().api_key_id)
        answers = [await wait_of(limiter, client) for _ in range(4)]

        assert answers.count(None) == 3


async def test_kinds_of_calls_have_limits_of_their_own(limiter_of: Callable[[Limits], Limiter]) -> None:
    """Where there is one for the kind, it stands in the place of the general one; the others share that."""
    which = Limits(Limit("client", RARELY, 2), {CallKind.SIGN: Limit("sign", RARELY, 1)})
    limiter, client = limiter_of(which), somebody()
    kinds = [CallKind.SIGN, CallKind.SIGN, CallKind.READ, CallKind.CREATE, CallKind.READ]

    verdicts = [await limiter.acquire(client, kind) for kind in kinds]

    assert [verdict.wait_seconds is None for verdict in verdicts] == [True, False, True, True, False]
    assert [verdict.limit.name for verdict in verdicts] == ["sign", "sign", "client", "client", "client"]


async def test_a_key_is_limited_over_all_addresses(limiter_of: Callable[[Limits], Limiter]) -> None:
    """What one limit refuses is taken from no other: the address that was refused for its key still has its own burst."""
    limiter = limiter_of(Limits(Limit("client", RARELY, 2), key=Limit("key", RARELY, 3)))
    key = somebody().api_key_id
    one, other, third = (Client(key, f"192.0.2.{number}") for number in range(3))

    verdicts = [await decided(limiter, client) for client in (one, one, other, other, third)]

    assert [verdict.wait_seconds is None for verdict in verdicts] == [True, True, True, False, False]
    assert [(verdict.limit.name, verdict.remaining) for verdict in verdicts] == [
        ("client", 1),
        ("client", 0),
        ("key", 0),
        ("key", 0),
        ("key", 0),
    ]
    assert {limit.name for limit in verdicts[0].limits} == {"client", "key"}
    assert await wait_of(limiter, Client(somebody().api_key_id, other.address)) is None


async def test_replicas_share_one_limit(redis_connections: RedisConnections) -> None:
    """Three replicas together allow what one would."""
    client = somebody()
    replicas = [limiter_on(redis_connections, RARELY, 10) for _ in range(3)]

    answers = [await wait_of(replicas[number % 3], client) for number in range(30)]

    assert answers.count(None) == 10


@pytest.mark.parametrize(("rate", "burst"), [(3, 1), (0.7, 1), (1_000_000, 1), (3, 100)])
async def test_a_whole_burst_is_always_allowed(redis_connections: RedisConnections, rate: float, burst: int) -> None:
    """Rounding takes no request away."""
    limiter = limiter_on(redis_connections, rate, burst)

    for _ in range(10):
        client = somebody()
        assert [await wait_of(limiter, client) for _ in range(burst)] == [None] * burst
