"""What a process limits by itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.limits import CallKind
from adapters.memory import MemoryRateLimiter
from tests.adapters.limits_house import limits, somebody, wait_of
from tests.clock import Clock


async def test_a_limited_client_is_told_when_it_may_come_again() -> None:
    """And then it may."""
    clock, client = Clock(), somebody()
    limiter = MemoryRateLimiter(limits(2, 3), clock=clock)

    answers = [await wait_of(limiter, client) for _ in range(4)]
    assert answers[:3] == [None] * 3
    assert answers[3] == pytest.approx(0.5)
    clock.now += 0.5

    assert await wait_of(limiter, client) is None
    assert await wait_of(limiter, client) is not None


@given(
    st.floats(min_value=0.1, max_value=10_000),
    st.integers(min_value=1, max_value=50),
    st.lists(st.floats(min_value=0, max_value=10), max_size=100),
)
async def test_no_more_is_allowed_than_the_limit_says(rate: float, burst: int, pauses: list[float]) -> None:
    """In any time, a burst and what the rate gives in that time."""
    clock, client = Clock(), somebody()
    limiter = MemoryRateLimiter(limits(rate, burst), clock=clock)
    allowed = 0
    for pause in [0.0] * burst + pauses:
        clock.now += pause
        allowed += await wait_of(limiter, client) is None

    assert burst <= allowed <= burst + rate * sum(pauses) + 1e-3


@given(
    st.integers(min_value=1, max_value=12),
    st.integers(min_value=1, max_value=50),
    st.lists(st.floats(min_value=0, max_value=1), max_size=50),
)
async def test_replicas_that_limit_apart_allow_together_what_the_limit_says(count: int, burst: int, pauses: list[float]) -> None:
    """Each its part of the rate and of the burst, but at least one request."""
    clock, (bucket,) = Clock(), limits(20, burst).buckets(somebody(), CallKind.READ)
    replicas = [MemoryRateLimiter(limits(20, burst), clock=clock) for _ in range(count)]
    allowed = 0
    for pause in [0.0] * burst + pauses:
        clock.now += pause
        allowed += sum(replica.decide([bucket], 1, share=count).wait_seconds is None for replica in replicas)

    assert allowed <= max(burst, count) + 20 * sum(pauses) + 1e-3
    assert allowed >= count


async def test_clients_are_forgotten_when_their_burst_is_whole() -> None:
    """Clients that come and go do not fill the memory."""
    clock = Clock()
    limiter = MemoryRateLimiter(limits(1, 5), clock=clock)
    for _ in range(100):
        await wait_of(limiter, somebody())
    clock.now += 10

    await wait_of(limiter, somebody())

    assert len(limiter) == 1


async def test_the_number_of_clients_is_bounded() -> None:
    """Also while all of them are in use."""
    limiter = MemoryRateLimiter(limits(0.001, 5), capacity=10, clock=Clock())

    for _ in range(100):
        await wait_of(limiter, somebody())

    assert len(limiter) == 10
