"""Go on when what we call fails: a circuit breaker, and retries in a bounded time. Clock and sleep are passed in."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TypeVar

import tenacity

T = TypeVar("T")


class CircuitState(StrEnum):
    """What a circuit breaker does with calls."""

    CLOSED = "closed"
    """It lets all pass."""
    OPEN = "open"
    """It lets none pass."""
    HALF_OPEN = "half_open"
    """It lets one pass at a time, to see."""


class CircuitOpenError(Exception):
    """The circuit is open: the call was not made. `retry_after_seconds` says when one will be."""

    def __init__(self, message: str, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


TRIAL_SECONDS = 1.0
"""When to ask again while another call is the trial."""


class CircuitBreaker:
    """Stop calling what has failed several times in a row, for a while; then try with one call at a time, until several succeeded.

    After each trial that fails it is open for twice as long, up to `longest_open_seconds`, if that is given.

    Written here because no library closes only after several successes, which 1.0.8 did.
    """

    def __init__(
        self,
        *,
        failures_to_open: int = 5,
        open_seconds: float = 30,
        longest_open_seconds: float | None = None,
        successes_to_close: int = 3,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._failures_to_open = failures_to_open
        self._first_open_seconds = self._open_seconds = open_seconds
        self._longest_open_seconds = longest_open_seconds or open_seconds
        self._successes_to_close = successes_to_close
        self._clock = clock
        self._opened_at: float | None = None
        self._failures = 0
        self._successes = 0
        self._is_trying = False
        self._generation = 0

    @property
    def changes(self) -> int:
        """How often it has opened or closed."""
        return self._generation

    @property
    def state(self) -> CircuitState:
        """What would be done with a call now."""
        if self._opened_at is None:
            return CircuitState.CLOSED
        return CircuitState.OPEN if self._clock() < self._opened_at + self._open_seconds else CircuitState.HALF_OPEN

    @property
    def successes_to_close(self) -> int:
        """How many trials in a row must succeed."""
        return self._successes_to_close

    def trip(self) -> None:
        """Open, or begin to be open anew: somebody knows that the other side is not well."""
        self._change(self._clock())

    def hasten(self) -> None:
        """Let a trial pass now, if it is open: somebody says that the other side is well again."""
        if self.state is CircuitState.OPEN:
            self._opened_at = self._clock() - self._open_seconds

    @contextmanager
    def guard(self, failures: tuple[type[BaseException], ...]) -> Iterator[None]:
        """Let the block run or not, and learn from how it ends.

        Args:
            failures: What says that the other side is not well. Any other error means that it answered; a cancellation means nothing.

        Raises:
            CircuitOpenError: The block is not run.
        """
        trial, generation = self._admit(), self._generation
        try:
            yield
        except (asyncio.CancelledError, GeneratorExit):
            raise
        except BaseException as error:
            if generation == self._generation:
                self._learn(failed=isinstance(error, failures))
            raise
        else:
            if generation == self._generation:
                self._learn(failed=False)
        finally:
            if trial and generation == self._generation:
                self._is_trying = False

    def _admit(self) -> bool:
        """Return whether the call is a trial."""
        state = self.state
        if state is CircuitState.OPEN or self._is_trying:
            msg = "the circuit is open"
            raise CircuitOpenError(msg, self._seconds_until_trial())
        self._is_trying = state is CircuitState.HALF_OPEN
        return self._is_trying

    def _seconds_until_trial(self) -> float:
        assert self._opened_at is not None
        return max(self._opened_at + self._open_seconds - self._clock(), TRIAL_SECONDS)

    def _learn(self, *, failed: bool) -> None:
        half_open = self._opened_at is not None
        if failed:
            self._failures += 1
            if half_open or self._failures >= self._failures_to_open:
                if half_open:
                    self._open_seconds = min(2 * self._open_seconds, self._longest_open_seconds)
                self._change(self._clock())
            return
        self._failures = 0
        self._successes += half_open
        if half_open and self._successes >= self._successes_to_close:
            self._open_seconds = self._first_open_seconds
            self._change(None)

    def _change(self, opened_at: float | None) -> None:
        """Open or close; calls that began before have nothing to say any more."""
        self._opened_at = opened_at
        self._failures = self._successes = 0
        self._is_trying = False
        self._generation += 1


async def retried(
    call: Callable[[], Awaitable[T]],
    *,
    on: tuple[type[BaseException], ...],
    retries: int = 3,
    first_wait_seconds: float = 0.1,
    longest_wait_seconds: float = 5,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> T:
    """Make the call, and again after each error named in `on`, waiting twice as long each time, plus up to the first wait at random.

    Raises:
        BaseException: What the last call raised.
    """
    doubling = tenacity.wait_exponential(multiplier=first_wait_seconds, max=longest_wait_seconds)
    retrying = tenacity.AsyncRetrying(
        stop=tenacity.stop_after_attempt(1 + retries),
        wait=doubling + tenacity.wait_random(0, first_wait_seconds),
        retry=tenacity.retry_if_exception_type(on),
        sleep=sleep,
        reraise=True,
    )

    async def attempt() -> T:
        return await call()

    return await retrying(attempt)
