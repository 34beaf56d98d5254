"""A replica that neither works nor ends holds up what it was given for a bounded time, and nobody else."""

import time

import httpx
import pytest

from tests.serve_app.whole_service import Service, eventually, whole_service

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

_ANSWER_SECONDS = 6
_NOTICED_SECONDS = 15.0
"""HAProxy asks every 5 s, twice, and waits as long for the answer."""

_TOLD_SECONDS = 3.0
"""Within these Serve has seen that a replica is there, and told HAProxy."""


def test_a_replica_that_hangs_is_gone_around_and_replaced() -> None:
    """What it was given is a 504 in time, everybody else is soon answered by the other, and Serve makes a new one."""
    with whole_service(APP__REPLICAS__MIN="2", APP__REPLICAS__MAX="2", APP__REPLICAS__MAX_ANSWER_SECS=str(_ANSWER_SECONDS)) as service:
        eventually(lambda: _started(service) == 2)  # it is ready with the first
        time.sleep(_TOLD_SECONDS)
        hung, other = service.named("ray::ServeReplica")
        with service.client() as client:
            answers = [_asked(client) for _ in range(10)]
            hung.suspend()
            begin = time.monotonic()
            while time.monotonic() < begin + 2 * _NOTICED_SECONDS:
                answers.append(_asked(client))
        late = [(at - begin, status) for at, _, status in answers if status != 200]

        assert {status for _, _, status in answers} <= {200, 503, 504}
        assert max(seconds for _, seconds, _ in answers) < _ANSWER_SECONDS + 2
        assert all(at < _NOTICED_SECONDS for at, _ in late), late
        eventually(lambda: service.has_another("ray::ServeReplica", than=hung))
        eventually(service.is_well)
        assert other.is_running()


def _started(service: Service) -> int:
    lines = httpx.get(f"{service.url}/metrics", timeout=10).text.splitlines()
    return sum(line.startswith("process_hardening{") for line in lines)


def _asked(client: httpx.Client) -> tuple[float, float, int]:
    """Return when it was asked, how long the answer took in seconds, and its status."""
    at = time.monotonic()
    answer = client.get("/api/v1/wallets", params={"per_page": 1})
    name = {200: None, 503: "unavailable", 504: "replica-timeout"}[answer.status_code]
    assert name is None or answer.json()["type"] == f"urn:crypto-wallets:problem:{name}"
    return at, time.monotonic() - at, answer.status_code
