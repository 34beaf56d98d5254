"""Replicas of the whole service, behind HAProxy, let a client have together what the limit says, while one of them is killed as well.

A minute of it with two and with four with `make shared`; otherwise some seconds with two.
"""

import os
import re
import threading
import time
from typing import Self

import httpx
import pytest

from tests.serve_app.whole_service import Service, eventually, whole_service

SECONDS = float(os.environ.get("SHARED_SECONDS", "8"))
COUNTS = (2, 4) if "SHARED_SECONDS" in os.environ else (2,)
RATE, BURST = 50, 25
CLIENTS = 6

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400 + 5 * SECONDS)]

Times = list[tuple[float, float]]
"""When each request that was allowed was asked, and when it was answered."""


class Load:
    """Clients with one key that ask for more than the limit, for a time."""

    def __init__(self, service: Service) -> None:
        self.allowed: Times = []
        self.statuses: set[int] = set()
        self._service = service
        self._end = time.monotonic() + SECONDS
        self._threads = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        with self._service.client() as client:
            while (asked := time.monotonic()) < self._end:
                try:
                    status = client.get("/api/v1/wallets/3f1f1c0a-8c5e-4a53-9d55-0d2f3f0a7f11").status_code
                except httpx.TransportError:
                    continue  # its replica was killed
                self.statuses.add(status)
                if status == 404:
                    self.allowed.append((asked, time.monotonic()))
                time.sleep(0.03)  # so that the load, which is on the same machine, leaves the service something of it


def _alone(service: Service) -> int:
    """Return how many requests replicas have limited by themselves: a machine so busy that Redis takes 50 ms has them do so."""
    with service.client() as client:
        found = re.search(r"^rate_limit_alone_total (\S+)$", client.get("/metrics").text, re.MULTILINE)
    assert found is not None
    return int(float(found[1]))


def _check(times: Times, alone: int) -> None:
    begin, end = min(asked for asked, _ in times), max(answered for _, answered in times)

    assert len(times) - alone <= RATE * (end - begin) + BURST
    assert len(times) >= 0.99 * RATE * (end - begin)


@pytest.mark.parametrize("count", COUNTS)
def test_replicas_keep_one_limit(count: int) -> None:
    """All of them at work, then with one of them killed in the middle."""
    limit = {
        "APP__SERVER__RATE_LIMIT__READ_REQUESTS_PER_SECOND": str(RATE),
        "APP__SERVER__RATE_LIMIT__READ_BURST_SIZE": str(BURST),
        "APP__REPLICAS__MIN": str(count),
        "APP__REPLICAS__MAX": str(count),
    }
    with whole_service(**limit) as service:
        eventually(lambda: len(service.named("ray::ServeReplica")) == count)
        with Load(service) as steady:
            pass
        alone = _alone(service)
        with Load(service) as shaken:
            time.sleep(SECONDS / 3)  # it is killed under load, not when something has come about
            service.named("ray::ServeReplica")[0].kill()
        alone_at_last = _alone(service)

    assert steady.statuses == {404, 429}
    _check(steady.allowed, alone)
    assert {404, 429} <= shaken.statuses <= {404, 429, 502, 503}
    assert len(shaken.allowed) - (alone_at_last - alone) <= RATE * (shaken.allowed[-1][1] - shaken.allowed[0][0]) + BURST
