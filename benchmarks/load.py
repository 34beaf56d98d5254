"""Send requests: as fast as they are answered on some connections (wrk), or when they are due, answered or not (`generator`)."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.house import Target
from benchmarks.machine import ROOT

_SCRIPT = Path(__file__).with_name("requests.lua")
_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a load. `latencies` are seconds by the fraction of requests that took no longer, `refusals` of those refused with 503.

    `failed` counts refusals as well; a closed loop does not time them.
    """

    requests: int
    failed: int
    seconds: float
    latencies: Mapping[float, float]
    generator_cpu_seconds: float
    refusals: Mapping[float, float] = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        """Requests a second that succeeded."""
        return (self.requests - self.failed) / self.seconds


def write_requests(file: Path, target: Target, path: str, bodies: Iterable[str] = ()) -> Path:
    """Write a file of requests to send in turn; without bodies they are GETs. A `%d` in the path counts the requests.

    The API key is in it, not on the load generators' command lines.
    """
    lines = list(bodies)
    file.write_text("\n".join(["POST" if lines else "GET", path, target.api_key, *lines]) + "\n")
    file.chmod(0o600)
    return file


def closed(target: Target, requests: Path, *, connections: int, seconds: float) -> Outcome:
    """Have each connection send a request as soon as its last one is answered."""
    options = ("-t", "1", "-c", str(connections), "-d", f"{round(seconds)}s", "--timeout", "10s", "-s", str(_SCRIPT))
    return _outcome(("wrk", *options, target.url, "--", str(requests)), seconds)


def opened(target: Target, requests: Path, *, per_second: float, seconds: float, seed: int) -> Outcome:
    """Send requests at random times, `per_second` on average, whether or not those before are answered."""
    program = (sys.executable, "-m", "benchmarks.generator")
    return _outcome((*program, target.url, str(requests), str(per_second), str(seconds), str(seed)), seconds)


def called(target: Target, requests: Path, *, batch: int, connections: int, seconds: float) -> Outcome:
    """Have each connection send a request over gRPC as soon as its last one is answered."""
    program = (sys.executable, "-m", "benchmarks.grpc_generator")
    return _outcome((*program, target.grpc, str(requests), str(batch), str(connections), str(seconds)), seconds)


def _outcome(command: Sequence[str], seconds: float) -> Outcome:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = subprocess.run(  # noqa: S603  # no shell; `closed` and `opened` write the command
        command, cwd=ROOT, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=True, timeout=seconds + _PATIENCE_SECONDS
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    content = json.loads(result.stdout.splitlines()[-1])
    times: dict[str, Any] = {
        name: {float(fraction): value for fraction, value in content.pop(name, {}).items()} for name in ("latencies", "refusals")
    }
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Outcome(**content, **times, generator_cpu_seconds=cpu)
