"""How long does a single signature take beside batches of 1,000 in the same replica, and would a thread for these do better?

Over HTTP singles come at random times, few enough to be nothing beside the batches. In-process, without HTTP and servers, the same is done
in two ways: in turns on the event loop (`wallets.pace`), and in a thread of its own, which Python has take turns too, of 5 ms.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from types import MappingProxyType

from benchmarks import batches, load
from benchmarks.confidence import quantile
from benchmarks.primitives import ALL, Call, calls
from benchmarks.session import Session
from wallets.chains import CHAINS
from wallets.pace import Pace

QUESTION = "beside batches"
CLIENTS = (0, 1, 4, 16)
"""Who have batches signed meanwhile, one after the other."""

_NETWORK = "eth"
_SIZE = 1_000
_SINGLES_PER_SECOND = 50
_SINGLE_EVERY_SECONDS = 0.01
_ALONE_SECONDS = 1.0
_OF_BATCHES = "of batches"

Way = Callable[[Call], Awaitable[None]]


def measure(session: Session) -> None:
    """Ask over HTTP first, then in-process."""
    service = session.house.service
    singles = session.sign_requests(service, _NETWORK)
    many = batches.requests(session, service, _SIZE)
    session.warm_up(service, singles)
    for number in range(session.scale.rounds):
        for clients in CLIENTS:
            case = {"target": service.name, "clients with batches": str(clients)}
            with ThreadPoolExecutor(1) as beside:
                seconds = session.scale.open_seconds
                others = beside.submit(load.closed, service, many, connections=clients, seconds=seconds) if clients else None
                session.opened(QUESTION, case, service, singles, per_second=_SINGLES_PER_SECOND, seed=number)
                if others is not None:
                    session.results.add(QUESTION, case, _OF_BATCHES, others.result().per_second * _SIZE, "signatures/s")
    for _ in range(session.scale.rounds):
        for name, way in _WAYS.items():
            for clients in CLIENTS:
                asyncio.run(_alone(session, name, way, clients))


async def _alone(session: Session, name: str, way: Way, clients: int) -> None:
    """Do what a signature needs every 10 ms, while `clients` have it done without end."""
    call, taken, done = calls(CHAINS[_NETWORK])[ALL], list[float](), count()

    def counted() -> None:
        next(done)
        call()

    others = [asyncio.create_task(_without_end(way, counted)) for _ in range(clients)]
    end = time.perf_counter() + _ALONE_SECONDS
    while (due := time.perf_counter()) < end:
        await asyncio.sleep(0)
        call()
        await asyncio.sleep(0)  # a request has more than one step: it waits for Redis and PostgreSQL
        taken.append(time.perf_counter() - due)
        await asyncio.sleep(_SINGLE_EVERY_SECONDS)
    signed = next(done)
    for other in others:
        other.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    case = {"target": name, "clients with batches": str(clients)}
    for fraction in (0.5, 0.99):
        session.results.add(QUESTION, case, f"p{fraction * 100:g}", quantile(sorted(taken), fraction) * 1_000, "ms")
    if clients:
        session.results.add(QUESTION, case, _OF_BATCHES, signed / _ALONE_SECONDS, "signatures/s")


async def _without_end(way: Way, call: Call) -> None:
    while True:
        await way(call)
        await asyncio.sleep(0)


async def _in_turns(call: Call) -> None:
    async with Pace() as pace:
        for _ in range(_SIZE):
            call()
            await pace.keep()


async def _in_a_thread(call: Call) -> None:
    def work() -> None:
        for _ in range(_SIZE):
            call()

    await asyncio.get_running_loop().run_in_executor(_THREAD, work)


_THREAD = ThreadPoolExecutor(1)
_WAYS: Mapping[str, Way] = MappingProxyType({"in turns": _in_turns, "in a thread": _in_a_thread})
