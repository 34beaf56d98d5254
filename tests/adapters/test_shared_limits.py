"""However many replicas there are, a client gets what the limit says: processes of their own ask one Redis, under full load.

A minute of it with `make shared`; otherwise a few seconds.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import pytest

from serve_app.embedded import EmbeddedRedis
from tests.servers import RunningServer

ROOT = Path(__file__).parent.parent.parent
SECONDS = float(os.environ.get("SHARED_SECONDS", "4"))
RATE, BURST = 250, 100


Requests = list[tuple[float, float, bool]]
"""When each request was asked, when it was answered, and whether it was allowed."""


class Replica:
    """A process that is ready to ask."""

    def __init__(self, url: str, client: str, seconds: float) -> None:
        command = (sys.executable, "-m", "tests.adapters.asking", url, str(RATE), str(BURST), client, str(seconds))
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._input, self._output = self.process.stdin, self.process.stdout
        assert self._output.readline() == b"ready\n"

    def begin(self) -> None:
        """Have it ask until it is killed, or its time is over."""
        self._input.write(b"go\n")
        self._input.flush()

    def requests(self) -> Requests:
        """Return what it asked, when it has ended. What it was about to write when it was killed is lost."""
        lines = [line.split() for line in self._output.read().splitlines()]
        self.process.wait(timeout=30)
        self._input.close()
        self._output.close()
        return [(float(line[0]), float(line[1]), line[2] == b"1") for line in lines if len(line) == 3]


def check(requests: Requests) -> None:
    """See that together it is the limit, within one in a hundred, and in no second more than it and a burst."""
    allowed = [(asked, answered) for asked, answered, is_allowed in requests if is_allowed]
    begin, end = min(asked for asked, _ in allowed), max(answered for _, answered in allowed)

    assert len(allowed) <= RATE * (end - begin) + BURST
    assert len(allowed) >= 0.99 * ideally_allowed(requests)
    for second, _ in allowed[:: len(allowed) // 20]:
        assert sum(second <= asked and answered <= second + 1 for asked, answered in allowed) <= RATE + BURST


def ideally_allowed(requests: Requests) -> int:
    """Count what one limiter would have allowed of these: all that the limit gives, but for times when nobody asked on a busy machine."""
    left, last, count = float(BURST), 0.0, 0
    for answered in sorted(answered for _, answered, _ in requests):
        left, last = min(BURST, left + RATE * (answered - last)), answered
        if left >= 1:
            left, count = left - 1, count + 1
    return count


@pytest.mark.timeout(180 + 3 * SECONDS)
@pytest.mark.parametrize("count", [2, 4])
def test_replicas_together_allow_what_the_limit_says(redis_server: RunningServer[EmbeddedRedis], count: int) -> None:
    """Two or four under load."""
    client = uuid4().hex
    replicas = [Replica(redis_server.server.url, client, SECONDS) for _ in range(count)]
    for replica in replicas:
        replica.begin()

    requests = [replica.requests() for replica in replicas]

    assert all(requests)
    check([request for each in requests for request in each])


@pytest.mark.timeout(180 + 3 * SECONDS)
def test_a_replica_that_is_killed_takes_nothing_with_it(redis_server: RunningServer[EmbeddedRedis]) -> None:
    """One of two is killed under load, and another begins: together they are allowed what the limit says."""
    client, url = uuid4().hex, redis_server.server.url
    replicas = [Replica(url, client, SECONDS), Replica(url, client, SECONDS), Replica(url, client, SECONDS / 3)]
    for replica in replicas[:2]:
        replica.begin()

    time.sleep(SECONDS / 3)  # it is killed under load, not when something has come about
    replicas[1].process.kill()
    replicas[2].begin()
    requests = [replica.requests() for replica in replicas]

    assert all(requests)
    check([request for each in requests for request in each])
