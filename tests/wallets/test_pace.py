"""Long computations take turns with each other, and let everybody else run between."""

import asyncio

import pytest

from wallets import pace
from wallets.pace import Pace

BATCHES = 8


@pytest.fixture(autouse=True)
def _short_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "SECONDS", 0.0)


async def test_others_wait_for_one_turn_however_many_compute() -> None:
    """Between two steps of somebody else at most one of them has had a turn, once each has had its first."""
    steps: list[int] = []

    async def compute(number: int) -> None:
        async with Pace() as each:
            for _ in range(20):
                steps.append(number)
                await each.keep()

    between: list[int] = []

    async def somebody_else() -> None:
        while len(steps) < 20 * BATCHES:
            before = len(steps)
            await asyncio.sleep(0)
            between.append(len(steps) - before)

    other = asyncio.create_task(somebody_else())
    await asyncio.gather(*(compute(number) for number in range(BATCHES)), other)

    assert max(between[2:]) == 1
    assert sorted(steps[BATCHES : 2 * BATCHES]) == list(range(BATCHES))  # nobody has two before each has had one


async def test_who_is_cancelled_while_waiting_holds_up_nobody() -> None:
    """Neither a turn that was not had is given back, nor one that was had is kept."""

    async def compute() -> None:
        async with Pace() as each:
            while True:
                await each.keep()

    tasks = [asyncio.create_task(compute()) for _ in range(3)]
    for _ in range(10):
        await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)

    async with asyncio.timeout(5), Pace() as after:
        await after.keep()
    assert [type(each) for each in ended] == [asyncio.CancelledError] * 3
