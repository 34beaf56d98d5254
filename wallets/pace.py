"""Keep long computations from holding up everybody else: a batch of a thousand signatures, a range of a thousand addresses."""

import asyncio
import time
from types import TracebackType
from typing import Self
from weakref import WeakKeyDictionary

SECONDS = 0.001
"""How long a turn is. At half of it batches become slower, at twice of it singles wait twice as long (`benchmarks/beside_batches.py`)."""

_turns: "WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock]" = WeakKeyDictionary()


class Pace:
    """Compute in turns of a few milliseconds, between which others run.

    All that compute so in a process take one turn after the other, from the second on: else each would have one before a single request
    has its next step, which with sixteen batches would wait for sixteen.

    Use as an asynchronous context manager, and wait for nothing else in its block.
    """

    __slots__ = ("_has_turn", "_pause_at", "_turn")

    def __init__(self) -> None:
        self._has_turn = False

    async def __aenter__(self) -> Self:
        """Begin the first turn."""
        self._turn = _turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())
        self._pause_at = time.perf_counter() + SECONDS
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """End the last one."""
        self._end()

    async def keep(self) -> None:
        """Let others run if it is time. Call it after each step."""
        if time.perf_counter() > self._pause_at:
            await asyncio.sleep(0)  # the turn is still ours, or the next would have one at once
            self._end()
            await self._turn.acquire()
            self._has_turn = True
            self._pause_at = time.perf_counter() + SECONDS

    def _end(self) -> None:
        if self._has_turn:
            self._has_turn = False
            self._turn.release()
