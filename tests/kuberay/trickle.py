"""Ask a cluster ten times a second, as clients behind a Service do, and keep what became of each request."""

import asyncio
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from tests.kuberay.ray_nodes import Node

_PERIOD_SECONDS = 0.1
_PROBE_SECONDS = 0.5


@dataclass
class Outcome:
    """What became of the requests: how many were answered with 200, and every other end."""

    answered: int = 0
    failed: list[str] = field(default_factory=list)
    connected_elsewhere: int = 0
    slowest_seconds: float = 0.0


class Endpoints:
    """Which nodes a Service would send to: those that are ready, and are not about to end."""

    def __init__(self, nodes: Callable[[], Sequence[Node]]) -> None:
        self._nodes = nodes
        self._ready: tuple[str, ...] = ()
        self._turn = itertools.count()
        self.are_known = asyncio.Event()

    async def follow(self, client: httpx.AsyncClient) -> None:
        """Ask every node what its readiness probe asks, again and again."""
        while True:
            addresses = [node.address for node in self._nodes() if not node.is_leaving]
            answers = await asyncio.gather(*(self._is_ready(client, each) for each in addresses))
            self._ready = tuple(address for address, is_ready in zip(addresses, answers, strict=True) if is_ready)
            # A Service of one endpoint would have none while that is lost.
            if len(self._ready) > 1:
                self.are_known.set()
            await asyncio.sleep(_PROBE_SECONDS)

    async def _is_ready(self, client: httpx.AsyncClient, address: str) -> bool:
        try:
            answers = [await client.get(f"http://{address}:3000{path}", timeout=3) for path in ("/-/healthz", "/api/v1/health/ready")]
        except httpx.TransportError:
            return False
        return all(each.status_code == 200 for each in answers)

    def choose(self) -> list[str]:
        """Return the endpoints in the order in which to try them."""
        leaving = {node.address for node in self._nodes() if node.is_leaving}
        ready = [each for each in self._ready if each not in leaving]
        start = next(self._turn) % len(ready) if ready else 0
        return ready[start:] + ready[:start]


@contextmanager
def trickle(nodes: Callable[[], Sequence[Node]], path: str, body: object, headers: dict[str, str]) -> Iterator[Outcome]:
    """Post ten times a second for a block; the outcome is whole when the block has ended."""
    outcome, stop = Outcome(), threading.Event()

    async def run() -> None:
        endpoints = Endpoints(nodes)
        limits = httpx.Limits(max_keepalive_connections=0)
        async with httpx.AsyncClient(headers=headers, limits=limits, timeout=30) as client, asyncio.TaskGroup() as group:
            following = group.create_task(endpoints.follow(client))
            await endpoints.are_known.wait()
            begin = time.monotonic()
            pending = set[asyncio.Task[None]]()
            for number in itertools.count():
                if stop.is_set():
                    break
                pending.add(asyncio.create_task(_ask(client, endpoints, path, body, outcome)))
                await asyncio.sleep(max(0.0, begin + (number + 1) * _PERIOD_SECONDS - time.monotonic()))
            await asyncio.gather(*pending)
            following.cancel()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        yield outcome
    finally:
        stop.set()
        thread.join()


async def _ask(client: httpx.AsyncClient, endpoints: Endpoints, path: str, body: object, outcome: Outcome) -> None:
    begin = time.monotonic()
    for address in endpoints.choose():
        try:
            answer = await client.post(f"http://{address}:3000{path}", json=body)
        except httpx.ConnectError:
            # Nobody listens any more, so nothing was sent: every client tries another address.
            outcome.connected_elsewhere += 1
            continue
        except httpx.TransportError as error:
            outcome.failed.append(f"{address}: {type(error).__name__}")
            return
        if answer.status_code == 200:
            outcome.answered += 1
            outcome.slowest_seconds = max(outcome.slowest_seconds, time.monotonic() - begin)
        else:
            outcome.failed.append(f"{address}: {answer.status_code} {answer.text[:200]}")
        return
    outcome.failed.append("no endpoint")
