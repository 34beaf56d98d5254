"""Calls that come together are made as one."""

import asyncio
from collections.abc import Sequence

import pytest

from adapters.gathering import Gathered


class Backend:
    """Answers each number with its double, says no to odd ones, and waits to be told before each call but the first."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.go_on = asyncio.Event()
        self.broken = False

    async def double(self, numbers: Sequence[int]) -> Sequence[int | Exception]:
        """Answer."""
        self.calls.append(list(numbers))
        await self.go_on.wait()
        if self.broken:
            msg = "away"
            raise ConnectionError(msg)
        return [ValueError(number) if number % 2 else number * 2 for number in numbers]


@pytest.fixture
def backend() -> Backend:
    """A backend that has not been asked."""
    return Backend()


async def _asked(gathered: Gathered[int, int], numbers: Sequence[int]) -> list[asyncio.Task[int]]:
    tasks = []
    for number in numbers:
        tasks.append(asyncio.create_task(gathered.ask(number)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    return tasks


async def test_one_alone_goes_at_once_and_those_meanwhile_together(backend: Backend) -> None:
    """Under way is one call; what comes meanwhile is the next."""
    gathered = Gathered(backend.double)
    tasks = await _asked(gathered, [2, 4, 6])
    waiting = len(gathered)

    backend.go_on.set()
    answers = await asyncio.gather(*tasks)

    assert answers == [4, 8, 12]
    assert backend.calls == [[2], [4, 6]]
    assert waiting == 2
    assert len(gathered) == 0


async def test_an_error_is_raised_where_it_belongs(backend: Backend) -> None:
    """One item's error is nobody else's."""
    backend.go_on.set()

    answers = await Gathered(backend.double).ask_all([2, 3, 4])

    assert [answers[0], answers[2]] == [4, 8]
    assert isinstance(answers[1], ValueError)
    assert backend.calls == [[2, 3, 4]]


async def test_a_call_that_fails_fails_all_of_its_items_and_no_other(backend: Backend) -> None:
    """The next call is made as if nothing had been."""
    gathered = Gathered(backend.double)
    backend.broken = True
    backend.go_on.set()

    failed = await gathered.ask_all([2, 4])
    backend.broken = False
    answer = await gathered.ask(6)

    assert [type(error) for error in failed] == [ConnectionError, ConnectionError]
    assert answer == 12


async def test_one_who_goes_away_ends_nothing_for_the_others(backend: Backend) -> None:
    """Neither while the call is under way nor while waiting for the next."""
    gathered = Gathered(backend.double)
    tasks = await _asked(gathered, [2, 4, 6])

    tasks[0].cancel()
    tasks[1].cancel()
    backend.go_on.set()

    assert await tasks[2] == 12
    assert tasks[0].cancelled()


async def test_many_who_go_away_together_leave_nothing(backend: Backend) -> None:
    """Their answers are nobody's, and no error is left unheard."""
    gathered = Gathered(backend.double)
    task = asyncio.create_task(gathered.ask_all([3, 5]))
    await asyncio.sleep(0.01)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    backend.go_on.set()

    assert await gathered.ask(2) == 4


async def test_a_batch_is_bounded(backend: Backend) -> None:
    """What is more goes into the next call."""
    backend.go_on.set()

    answers = await Gathered(backend.double, max_batch=2).ask_all([2, 4, 6, 8, 10])

    assert answers == [4, 8, 12, 16, 20]
    assert [len(call) for call in backend.calls] == [2, 2, 1]


async def test_nothing_is_asked_for_nothing(backend: Backend) -> None:
    """No item, no call."""
    assert await Gathered(backend.double).ask_all([]) == []
    assert backend.calls == []
