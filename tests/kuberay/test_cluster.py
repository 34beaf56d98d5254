"""What the overlay `local` tells Serve runs on a real Ray cluster of three nodes, which scales, and loses what a cluster loses.

A trickle of ten requests a second goes to the nodes that a Service would send to. Three nodes on one machine take minutes, and Ray gives
up one that takes 30 s to start: `make cluster` runs it, on a machine that does nothing else.
"""

import asyncio
import itertools
import os
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest

from tests.kuberay.cluster_house import API_KEY, House, cluster_house
from tests.kuberay.conftest import Render
from tests.kuberay.ray_nodes import START_SECONDS
from tests.kuberay.trickle import Outcome, trickle
from tests.servers import wait_until

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(900),
    pytest.mark.skipif(os.environ.get("CLUSTER") != "whole", reason="`make cluster` runs it, on a machine that does nothing else"),
]
_UNSIGNED = "0xec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080018080"
_HEADERS = {"X-Api-Key": API_KEY}
_IN_FLIGHT_OF_EACH = 24
"""Requests in flight on each replica that ask for more: its target is 22, and it takes 32, with those of the trickle that wait then."""

_HEARD_OF_SECONDS = 5
"""Until HAProxy has heard of a replica that runs."""

_IN_FLIGHT = 3
"""Requests at most that a node can have in flight, of ten a second that take some hundredths of a second each."""


@pytest.fixture(scope="module")
def house(render: Render) -> Iterator[House]:
    """The cluster, with the application deployed to it by `serve deploy`."""
    with cluster_house() as made:
        begin = time.monotonic()
        made.nodes.deploy(made.config)
        wait_until(made.nodes.is_running, START_SECONDS)
        _say(f"the head runs after {made.head_seconds:.0f} s, the application {time.monotonic() - begin:.0f} s after it is deployed")
        begin = time.monotonic()
        third = made.nodes.add_worker("workers")
        wait_until(lambda: third.address in made.nodes.joined(), START_SECONDS)
        _say(f"one more worker has joined after {time.monotonic() - begin:.0f} s")
        for node in made.nodes.nodes:
            _say(f"{node.address}: {sum(node.memory().values())} MiB: {dict(node.memory())}")
        yield made


@pytest.fixture
def path(house: House) -> str:
    """The path to sign at, on a cluster that is whole: what a test before has taken is put back, as the operator would."""
    if not house.nodes.is_up(house.nodes.head):
        house.nodes.start_head()
    missing = 2 - sum(house.nodes.is_up(worker) for worker in house.nodes.workers)
    for _ in range(missing):
        house.nodes.add_worker("workers")
    house.nodes.deploy(house.config)
    wait_until(lambda: _is_whole(house), START_SECONDS)
    with httpx.Client(base_url=f"http://{house.nodes.head.address}:3000", headers=_HEADERS, timeout=30) as client:
        wallet = client.post("/api/v1/wallets", json={"label": "of the cluster"}).raise_for_status().json()
    return f"/api/v1/wallets/{wallet['id']}/sign"


def _say(text: str) -> None:
    """Tell a figure to whoever runs this with `-s`."""
    sys.stdout.write(f"{text}\n")


def _is_whole(house: House) -> bool:
    found = house.nodes.replicas("WalletService")
    return house.nodes.is_running() and list(found) == ["RUNNING"] and len(found["RUNNING"]) == 2


def _running(house: House) -> set[str]:
    return {str(each["replica_id"]) for each in house.nodes.replicas("WalletService").get("RUNNING", [])}


def _is_spread(house: House) -> bool:
    return len({each["node_ip"] for each in house.nodes.replicas("WalletService").get("RUNNING", [])}) > 1


def _spread(house: House) -> None:
    """Have the replicas on two workers, as they are where a worker has room for one; Serve moves none, but places those it starts."""
    configs = itertools.cycle([house.another_version(), house.config])
    for config in itertools.islice(configs, 6):
        if _is_spread(house):
            return
        _roll_out(house, config)
    assert _is_spread(house)


def _roll_out(house: House, config: Path) -> None:
    """Deploy another version, and return when every replica is a new one."""
    before = _running(house)
    house.nodes.deploy(config)
    wait_until(lambda: _is_whole(house) and not _running(house) & before, START_SECONDS)


def _until_asked(outcome: Outcome, more: int = 30) -> None:
    """Return when some more requests have been answered."""
    enough = outcome.answered + more
    wait_until(lambda: outcome.answered >= enough, START_SECONDS)


def _signing(house: House, path: str) -> AbstractContextManager[Outcome]:
    return trickle(lambda: house.nodes.nodes, path, {"network": "eth", "index": 0, "unsigned_tx": _UNSIGNED}, _HEADERS)


def test_a_worker_may_be_killed(house: House, path: str) -> None:
    """Requests fail only that were in flight on it; its replicas come back on other workers, and on one that takes its place."""
    _spread(house)
    victim = next(each for each in house.nodes.workers if house.nodes.is_up(each) and house.nodes.replicas_on(each, "WalletService"))

    with _signing(house, path) as outcome:
        _until_asked(outcome)
        victim.kill()
        house.nodes.add_worker("workers")
        wait_until(lambda: _is_whole(house) and not house.nodes.replicas_on(victim, "WalletService"), START_SECONDS)
        _until_asked(outcome)

    _say(f"killed: {outcome}")
    assert len(outcome.failed) <= _IN_FLIGHT
    # Another node's HAProxy that had a request on a connection to the victim says so, or closes the client's.
    assert all("replica-lost" in each or each.endswith(("RemoteProtocolError", "ReadError")) for each in outcome.failed), outcome.failed


def test_a_worker_may_be_drained(house: House, path: str) -> None:
    """It is told to end, as by `kubectl drain`: replicas start elsewhere, what is in flight is answered, and it ends by itself in time."""
    leaving = next(each for each in house.nodes.workers if house.nodes.is_up(each) and house.nodes.replicas_on(each, "WalletService"))

    with _signing(house, path) as outcome:
        _until_asked(outcome)
        begin = time.monotonic()
        leaving.leave()
        house.nodes.add_worker("workers")
        leaving.wait(START_SECONDS)
        took = time.monotonic() - begin
        wait_until(lambda: _is_whole(house), START_SECONDS)
        _until_asked(outcome)

    _say(f"drained in {took:.0f} s: {outcome}")
    assert outcome.failed == []
    assert took < 75


def test_the_head_may_be_lost(house: House, path: str) -> None:
    """GCS is killed, and the head with it; a new one takes its state from Redis, and the replicas are those of before."""
    before, head = _running(house), house.nodes.head

    with _signing(house, path) as outcome:
        _until_asked(outcome)
        for gcs in head.named("gcs_server"):
            gcs.kill()
        head.wait(60)
        head.kill()
        _until_asked(outcome)
        house.nodes.start_head()
        wait_until(lambda: _is_whole(house), START_SECONDS)
        _until_asked(outcome)

    _say(f"head lost: {outcome}")
    assert len(outcome.failed) <= _IN_FLIGHT
    assert all(each.startswith(head.address) for each in outcome.failed), outcome.failed
    assert _running(house) == before


def test_a_new_version_is_rolled_out_and_back(house: House, path: str) -> None:
    """Every replica is a new one after each, and no request fails meanwhile."""
    with _signing(house, path) as outcome:
        _until_asked(outcome)
        _roll_out(house, house.another_version())
        _until_asked(outcome)
        _roll_out(house, house.config)
        _until_asked(outcome)

    _say(f"rolled out and back: {outcome}")
    assert outcome.failed == []


def test_replicas_come_and_go_with_the_load(house: House, path: str) -> None:
    """As many requests in flight as the replicas take ask for three, then for four; without them there are two again, and none fails."""
    with _signing(house, path) as outcome:
        begin = time.monotonic()
        asyncio.run(_load_until(house, f"{path}-batch", 4))
        _say(f"four replicas after {time.monotonic() - begin:.0f} s")
        wait_until(lambda: _is_whole(house), START_SECONDS)
        _until_asked(outcome)

    _say(f"scaled: {outcome}")
    assert outcome.failed == []


async def _load_until(house: House, path: str, replicas: int) -> None:
    """Have nearly as many batches in flight as the replicas take, until there are so many replicas."""
    body = {"items": [{"network": "eth", "index": 0, "unsigned_tx": _UNSIGNED}] * 100}
    enough = asyncio.Event()
    address = house.nodes.head.address

    async def load() -> None:
        async with httpx.AsyncClient(base_url=f"http://{address}:3000", headers=_HEADERS, timeout=120) as client:
            while not enough.is_set():
                answer = await client.post(path, json=body)
                assert answer.status_code == 200, answer.text

    async with asyncio.TaskGroup() as group:
        loaded = 0
        while loaded < replicas:
            if len(await asyncio.to_thread(_running, house)) > loaded:
                await asyncio.sleep(_HEARD_OF_SECONDS)
                loaded += 1
                for _ in range(_IN_FLIGHT_OF_EACH):
                    group.create_task(load())
            await asyncio.sleep(0.5)
        enough.set()
