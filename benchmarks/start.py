"""How long until a replica that was killed is replaced, what does each stage of the start take, and how long the first signature?

The first signature has the wallet unlocked: it waits for Vault. `until in service` counts from the kill, so Serve's noticing it and Ray's
making of a process are in it besides the stages, which the new replica tells of itself (`replica_start_seconds` of its metrics).
"""

import re
import time
from collections.abc import Iterator

import psutil

from benchmarks import wallet
from benchmarks.house import Target
from benchmarks.session import Session
from serve_app.service_client import ServiceError
from serve_app.warden import descendants

QUESTION = "start"

_NETWORK = "eth"
_PATIENCE_SECONDS = 60.0
_POLL_SECONDS = 0.02
_STAGE = re.compile(r'^replica_start_seconds\{stage="(\w+)"\} (\S+)$', re.MULTILINE)


def measure(session: Session) -> None:
    """Kill the only replica of a service of its own, as often as there are rounds, and wait for the next one."""
    with session.house.another("restarted", {}) as target:
        path = f"/api/v1/wallets/{wallet.import_wallet(target)}/sign"
        body = {"network": _NETWORK, "index": 0, "unsigned_tx": wallet.transactions(_NETWORK)[0].hex()}
        for _ in range(session.scale.rounds):
            for stage, seconds in (*_replaced(target), ("first signature", _timed(target, path, body))):
                session.results.add(QUESTION, {"target": target.name, "stage": stage}, "seconds", seconds, "s")


def _replaced(target: Target) -> Iterator[tuple[str, float]]:
    (replica,) = _replicas(target)
    begin = time.perf_counter()
    replica.kill()
    psutil.wait_procs([replica], timeout=_PATIENCE_SECONDS)
    while not _serves(target):
        if time.perf_counter() - begin > _PATIENCE_SECONDS:
            msg = "no replica has come in the place of the one that was killed"
            raise TimeoutError(msg)
        time.sleep(_POLL_SECONDS)
    yield "until in service", time.perf_counter() - begin
    for stage, seconds in _STAGE.findall(target.client.text("/metrics")):
        yield stage, float(seconds)


def _replicas(target: Target) -> list[psutil.Process]:
    processes = [psutil.Process(pid) for pid in descendants({target.pid})]
    return [each for each in processes if each.name().startswith("ray::ServeRepli")]


def _serves(target: Target) -> bool:
    try:
        return target.client.get("/api/v1/health/ready")[0] == 200
    except ServiceError:
        return False


def _timed(target: Target, path: str, body: dict[str, object]) -> float:
    begin = time.perf_counter()
    target.client.post(path, body)
    return time.perf_counter() - begin
