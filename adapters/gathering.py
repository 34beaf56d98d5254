"""Have many calls that come at the same time made as one."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar, cast

K = TypeVar("K")
V = TypeVar("V")

Call = Callable[[Sequence[K]], Awaitable[Sequence[V | Exception]]]
"""Answer each of several items, in their order, with a value or an error; raise what is wrong with all of them."""


class Gathered(Generic[K, V]):
    """Ask for one item each, and make calls for all that wait.

    At most `max_calls` are under way at a time. An item that comes while there are fewer is asked for at once, and those that come
    meanwhile go together in the next: nobody waits for others to come, and under load a call costs as much for one as for all.
    """

    def __init__(
        self, call: Call[K, V], *, max_batch: int = 1_000, max_calls: int = 1, discard: Callable[[V], None] = lambda _: None
    ) -> None:
        """Make calls by `call`; `discard` is given the answers that nobody waits for any more."""
        self._call = call
        self._discard = discard
        self._max_batch = max_batch
        self._max_calls = max_calls
        self._waiting: deque[tuple[K, asyncio.Future[V]]] = deque()
        self._workers: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._waiting)

    async def ask(self, item: K) -> V:
        """Return the answer for an item, or raise its error. Going away ends nothing for the others."""
        return await self._enqueue(item)

    async def ask_all(self, items: Sequence[K]) -> list[V | Exception]:
        """Return the answer for each item, or its error."""
        answers = [self._enqueue(item) for item in items]
        if answers:
            try:
                await asyncio.wait(answers)
            except asyncio.CancelledError:
                for answer in answers:
                    answer.cancel()
                raise
        return [self._outcome(answer) for answer in answers]

    def _enqueue(self, item: K) -> "asyncio.Future[V]":
        answer: asyncio.Future[V] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, answer))
        if len(self._workers) < self._max_calls:
            worker = asyncio.create_task(self._work())
            self._workers.add(worker)
        return answer

    async def _work(self) -> None:
        batch: list[tuple[K, asyncio.Future[V]]] = []
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(self._max_batch, len(self._waiting)))]
                for (_, answer), value in zip(batch, await self._values([item for item, _ in batch]), strict=True):
                    self._set(answer, value)
        finally:
            self._workers.discard(cast("asyncio.Task[None]", asyncio.current_task()))
            # Should this end otherwise, nobody may wait for ever.
            for _, answer in (*batch, *self._waiting):
                answer.cancel()
            self._waiting.clear()

    def _set(self, answer: "asyncio.Future[V]", value: V | Exception) -> None:
        if isinstance(value, Exception):
            if not answer.done():
                answer.set_exception(value)
        elif answer.done():  # whoever asked went away
            self._discard(value)
        else:
            answer.set_result(value)

    async def _values(self, items: Sequence[K]) -> Sequence[V | Exception]:
        try:
            return await self._call(items)
        except Exception as error:  # noqa: BLE001  # not swallowed: everybody who waits for this call has it raised, a bug as well
            return [error] * len(items)

    @staticmethod
    def _outcome(answer: "asyncio.Future[V]") -> V | Exception:
        error = answer.exception()
        if error is None:
            return answer.result()
        assert isinstance(error, Exception)  # as `_set` sets no other
        return error
