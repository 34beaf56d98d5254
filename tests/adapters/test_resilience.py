"""When calls are made, and when not."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.resilience import CircuitBreaker, CircuitOpenError, CircuitState, retried
from tests.clock import Clock


def fail(breaker: CircuitBreaker, times: int = 1) -> None:
    """Make calls that fail."""
    for _ in range(times):
        with pytest.raises(TimeoutError), breaker.guard((TimeoutError,)):
            raise TimeoutError


def succeed(breaker: CircuitBreaker, times: int = 1) -> None:
    """Make calls that succeed."""
    for _ in range(times):
        with breaker.guard((TimeoutError,)):
            pass


def assert_refuses(breaker: CircuitBreaker) -> None:
    """See that no call is made."""
    with pytest.raises(CircuitOpenError), breaker.guard((TimeoutError,)):
        pytest.fail("the call was made")


def half_open(clock: Clock) -> CircuitBreaker:
    """Return a circuit that has opened, and whose time has come to try again."""
    breaker = CircuitBreaker(clock=clock)
    fail(breaker, 5)
    clock.now += 30
    return breaker


def test_five_failures_in_a_row_open_it() -> None:
    """Four do not."""
    breaker = CircuitBreaker(clock=Clock())

    fail(breaker, 4)
    after_four = breaker.state
    fail(breaker)
    after_five = breaker.state

    assert [after_four, after_five] == [CircuitState.CLOSED, CircuitState.OPEN]
    assert_refuses(breaker)


def test_it_may_try_less_and_less_often() -> None:
    """Each trial that fails doubles the time to the next, up to a bound; once closed it begins anew."""
    clock = Clock()
    breaker = CircuitBreaker(failures_to_open=1, open_seconds=1, longest_open_seconds=3, successes_to_close=1, clock=clock)
    waits = []
    for _ in range(4):
        fail(breaker)
        start = clock.now
        while breaker.state is CircuitState.OPEN:
            clock.now += 0.5
        waits.append(clock.now - start)
    succeed(breaker)
    fail(breaker)
    clock.now += 1

    assert waits == [1, 2, 3, 3]
    assert breaker.state is CircuitState.HALF_OPEN


def test_a_success_in_between_begins_anew() -> None:
    """Failures count in a row only."""
    breaker = CircuitBreaker(clock=Clock())
    fail(breaker, 4)

    succeed(breaker)
    fail(breaker, 4)

    assert breaker.state is CircuitState.CLOSED


def test_an_answer_that_is_an_error_is_no_failure() -> None:
    """Who answers is there."""
    breaker = CircuitBreaker(clock=Clock())
    fail(breaker, 4)

    with pytest.raises(KeyError), breaker.guard((TimeoutError,)):
        raise KeyError
    fail(breaker, 4)

    assert breaker.state is CircuitState.CLOSED


def test_it_tries_again_after_thirty_seconds() -> None:
    """Not before."""
    clock = Clock()
    breaker = CircuitBreaker(clock=clock)
    fail(breaker, 5)

    clock.now += 29.9
    assert_refuses(breaker)
    clock.now += 0.1

    assert breaker.state is CircuitState.HALF_OPEN
    succeed(breaker)


def test_three_successes_close_it() -> None:
    """Two do not."""
    clock = Clock()
    breaker = half_open(clock)

    succeed(breaker, 2)
    after_two = breaker.state
    succeed(breaker)
    after_three = breaker.state

    assert [after_two, after_three] == [CircuitState.HALF_OPEN, CircuitState.CLOSED]


def test_a_failure_while_trying_opens_it_again() -> None:
    """For thirty seconds more."""
    clock = Clock()
    breaker = half_open(clock)
    succeed(breaker, 2)

    fail(breaker)

    assert_refuses(breaker)
    clock.now += 30
    assert breaker.state is CircuitState.HALF_OPEN


def test_only_one_call_tries_at_a_time() -> None:
    """A server that comes back is not met by everybody who waited; the next trial comes after the one before."""
    clock = Clock()
    breaker = half_open(clock)

    for _ in range(3):
        with breaker.guard((TimeoutError,)):
            assert_refuses(breaker)

    assert breaker.state is CircuitState.CLOSED


def test_who_is_refused_hears_when_to_ask_again() -> None:
    """The time that is left; a second while another call is the trial."""
    clock = Clock()
    breaker = CircuitBreaker(clock=clock)
    fail(breaker, 5)
    waits = []
    for seconds in (0, 12.5, 17):
        clock.now += seconds
        with pytest.raises(CircuitOpenError) as refusal, breaker.guard((TimeoutError,)):
            pytest.fail("the call was made")
        waits.append(refusal.value.retry_after_seconds)
    clock.now += 0.5
    with breaker.guard((TimeoutError,)), pytest.raises(CircuitOpenError) as refusal, breaker.guard((TimeoutError,)):
        pytest.fail("the call was made")

    assert [*waits, refusal.value.retry_after_seconds] == [30, 17.5, 1, 1]


def test_tripped_it_is_open_and_hastened_it_tries() -> None:
    """As somebody says who knows better; each opening and closing is a change."""
    clock = Clock()
    breaker = CircuitBreaker(clock=clock)

    breaker.hasten()
    untouched = breaker.state
    breaker.trip()
    tripped = breaker.state
    breaker.hasten()
    hastened = breaker.state
    succeed(breaker, 3)

    assert [untouched, tripped, hastened] == [CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN]
    assert (breaker.state, breaker.changes) == (CircuitState.CLOSED, 2)


def test_a_call_that_began_before_has_nothing_to_say() -> None:
    """An answer from before the circuit opened does not close it."""
    clock = Clock()
    breaker = CircuitBreaker(clock=clock, successes_to_close=1)

    with breaker.guard((TimeoutError,)):
        fail(breaker, 5)
        clock.now += 30

    assert breaker.state is CircuitState.HALF_OPEN


def test_a_cancelled_trial_makes_room_for_another() -> None:
    """It says neither that the server is well nor that it is not."""
    clock = Clock()
    breaker = half_open(clock)

    for _ in range(5):
        with pytest.raises(asyncio.CancelledError), breaker.guard((TimeoutError,)):
            raise asyncio.CancelledError

    succeed(breaker, 3)
    assert breaker.state is CircuitState.CLOSED


@given(st.lists(st.one_of(st.booleans(), st.floats(min_value=0, max_value=60)), max_size=60))
def test_it_never_stays_shut_for_ever(events: list[bool | float]) -> None:
    """Whatever happened, half a minute and three successes later calls pass."""
    clock = Clock()
    breaker = CircuitBreaker(clock=clock)
    for event in events:
        if isinstance(event, float):
            clock.now += event
        elif breaker.state is not CircuitState.OPEN:
            succeed(breaker) if event else fail(breaker)

    clock.now += 30
    succeed(breaker, 3)

    assert breaker.state is CircuitState.CLOSED


class Calls:
    """A call that fails a number of times, and the waits before each further attempt."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.made = 0
        self.waits: list[float] = []

    async def __call__(self) -> str:
        """Fail, or answer."""
        self.made += 1
        if self.made <= self.failures:
            raise TimeoutError
        return "answer"

    async def sleep(self, seconds: float) -> None:
        """Take down the wait instead of waiting."""
        self.waits.append(seconds)


async def test_it_retries_and_waits_twice_as_long_each_time() -> None:
    """100 ms, doubling, and up to 100 ms more at random."""
    calls = Calls(failures=3)

    answer = await retried(calls, on=(TimeoutError,), sleep=calls.sleep)

    assert answer == "answer"
    for wait, least in zip(calls.waits, (0.1, 0.2, 0.4), strict=True):
        assert least <= wait <= least + 0.1


async def test_it_gives_up_after_three_retries() -> None:
    """The last error is what comes out."""
    calls = Calls(failures=99)

    with pytest.raises(TimeoutError):
        await retried(calls, on=(TimeoutError,), sleep=calls.sleep)

    assert calls.made == 4


async def test_other_errors_are_not_retried() -> None:
    """An answer is an answer."""
    calls = Calls(failures=99)

    with pytest.raises(TimeoutError):
        await retried(calls, on=(KeyError,), sleep=calls.sleep)

    assert calls.made == 1


async def test_no_wait_is_longer_than_the_longest() -> None:
    """Five seconds, and the random part."""
    calls = Calls(failures=99)

    with pytest.raises(TimeoutError):
        await retried(calls, on=(TimeoutError,), retries=12, sleep=calls.sleep)

    assert max(calls.waits) <= 5.1
