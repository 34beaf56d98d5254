"""Let replicas learn from each other, through Redis, that a circuit has opened or closed.

What Redis says is a hint, never an order: whoever hears that the circuit of another has opened or closed asks the other side itself, in the
background, and changes its own circuit by what it finds. So a Redis that is away, slow or lies makes no request fail or wait.
"""

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol, Self

import structlog

from adapters.redis import RedisAwayError
from adapters.resilience import CircuitBreaker, CircuitOpenError, CircuitState

POLL_SECONDS = 1.0
NEWS_SECONDS = 60
"""How long news are kept for replicas that start."""

_NEWS = re.compile(r"(open|closed):([0-9a-f]{16})")

_log = structlog.get_logger(__name__)


class Board(Protocol):
    """Where news are written and read: `adapters.redis.RedisConnections`."""

    async def get(self, key: str, /) -> str | None:
        """Return the text under a key; raises `RedisAwayError`."""
        ...

    async def put(self, key: str, value: str, ttl_seconds: int, /) -> None:
        """Keep a text for a time; raises `RedisAwayError`."""
        ...


class SharedCircuit:
    """Tell the others how this circuit changed, and look for oneself when theirs did. Use as an asynchronous context manager.

    `probe` asks the other side and raises one of `failures` if it does not serve.
    """

    def __init__(
        self,
        name: str,
        breaker: CircuitBreaker,
        board: Board,
        probe: Callable[[], Awaitable[None]],
        failures: tuple[type[BaseException], ...],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._key = f"wallets:circuit:{name}"
        self._breaker = breaker
        self._board = board
        self._probe = probe
        self._failures = failures
        self._sleep = sleep
        self._told = breaker.changes
        self._heard: str | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        while True:
            with suppress(RedisAwayError):
                await self.exchange()
            await self._sleep(POLL_SECONDS)

    async def exchange(self) -> None:
        """Tell what is new here, else hear what is new there.

        Raises:
            RedisAwayError: Redis is away; what was to be told is told next time.
        """
        if self._told != self._breaker.changes:
            await self._tell()
        else:
            await self._hear()

    async def _tell(self) -> None:
        changes, state = self._breaker.changes, self._breaker.state
        word = "closed" if state is CircuitState.CLOSED else "open"
        news = f"{word}:{secrets.token_hex(8)}"
        await self._board.put(self._key, news, NEWS_SECONDS)
        self._told, self._heard = changes, news

    async def _hear(self) -> None:
        news = await self._board.get(self._key)
        match = _NEWS.fullmatch(news or "")
        if match is None or news == self._heard:
            return
        self._heard = news
        if match[1] == "open" and self._breaker.state is CircuitState.CLOSED:
            await self._see_whether_it_is_away()
        elif match[1] == "closed" and self._breaker.state is not CircuitState.CLOSED:
            await self._see_whether_it_is_back()

    async def _see_whether_it_is_away(self) -> None:
        try:
            await self._probe()
        except self._failures:
            if self._breaker.state is CircuitState.CLOSED:
                _log.warning("circuit_opened_on_a_hint", key=self._key)
                self._breaker.trip()
                self._told = self._breaker.changes

    async def _see_whether_it_is_back(self) -> None:
        self._breaker.hasten()
        with suppress(CircuitOpenError, *self._failures):
            for _ in range(self._breaker.successes_to_close):
                with self._breaker.guard(self._failures):
                    await self._probe()
            self._told = self._breaker.changes
