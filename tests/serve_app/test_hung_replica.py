"""A replica that neither works nor ends holds up what it was given for a bounded time, and nobody else."""

import time

import httpx
import pytest

from tests.serve_app.whole_service import eventually, whole_service

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

_ANSWER_SECONDS = 6
_NOTICED_SECONDS = 15.0
"""HAProxy asks every 5 s, twice, and waits as long for the answer."""


def test_a_replica_that_hangs_is_gone_around_and_replaced() -> None:
    """What it was given is a 504 in time, everybody else is soon answered by the other, and Serve makes a new one."""
    with whole_service(APP__REPLICAS__MIN="2", APP__REPLICAS__MAX="2", APP__REPLICAS__MAX_ANSWER_SECS=str(_ANSWER_SECONDS)) as service:
        hung, other = service.named("ray::ServeReplica")
        with service.client() as client:
            answers = [_asked(client) for _ in range(10)]
            hung.suspend()
            begin = time.monotonic()
            while time.monotonic() < begin + 2 * _NOTICED_SECONDS:
                answers.append(_asked(client))
        late = [(at - begin, status) for at, _, status in answers if status != 200]

        assert {status for _, _, status in answers} <= {200, 504}
        assert max(seconds for _, seconds, _ in answers) < _ANSWER_SECONDS + 2
        assert all(at < _NOTICED_SECONDS for at, _ in late), late
        eventually(lambda: service.has_another("ray::ServeReplica", than=hung))
        eventually(service.is_well)
        assert other.is_running()


def _asked(client: httpx.Client) -> tuple[float, float, int]:
    """Return when it was asked, how long the answer took in seconds, and its status."""
    at = time.monotonic()
    answer = client.get("/api/v1/wallets", params={"per_page": 1})
    assert answer.status_code == 200 or answer.json()["type"] == "urn:crypto-wallets:problem:replica-timeout"
    return at, time.monotonic() - at, answer.status_code
