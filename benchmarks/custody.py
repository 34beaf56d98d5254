"""What does the use case cost in-process, on real servers: `LocalCustody.sign`, without HTTP, API key or limit?"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from itertools import cycle

import uvloop

from api.observability import Metrics, configure_logging
from benchmarks import wallet
from benchmarks.confidence import quantile
from benchmarks.observe import APPLICATION, observed
from benchmarks.session import CONNECTIONS, CPU, MICROSECONDS, THROUGHPUT, Session
from deployments.settings import load
from deployments.wiring import open_custody
from wallets.custody import Custody
from wallets.model import Account, Caller, SigningRequest
from wallets.secret import Phrase

QUESTION = "custody"

_CALLER = Caller("benchmark", "127.0.0.1", "benchmark")
_NETWORK = "eth"
_QUANTILES = (0.5, 0.9, 0.99)


def measure(session: Session) -> None:
    """Sign in closed loops of 1 to 128 signers, in turns, each as soon as its last signature is there."""
    configure_logging("error")
    settings = load(session.house.environ)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        stack = AsyncExitStack()
        custody = runner.run(stack.enter_async_context(open_custody(settings, Metrics(None), None)))
        try:
            requests = runner.run(_requests(custody))
            runner.run(_sign_for(custody, requests, 1, 0.5))
            for _ in range(session.scale.rounds):
                for signers in CONNECTIONS:
                    _measure_once(session, runner, custody, requests, signers)
        finally:
            runner.run(stack.aclose())


def _measure_once(session: Session, runner: asyncio.Runner, custody: Custody, requests: Iterator[SigningRequest], signers: int) -> None:
    case = {"signers": str(signers)}

    def add(measure: str, value: float, unit: str) -> None:
        session.results.add(QUESTION, case, measure, value, unit)

    with observed(session.house, session.house.service) as observation:
        start, cpu = time.perf_counter(), time.process_time()
        latencies = runner.run(_sign_for(custody, requests, signers, session.scale.custody_seconds))
        seconds, own = time.perf_counter() - start, time.process_time() - cpu
    add(THROUGHPUT, len(latencies) / seconds, "signatures/s")
    for fraction in _QUANTILES:
        add(f"p{fraction * 100:g}", quantile(sorted(latencies), fraction) * 1_000, "ms")
    add("audit rows a commit", observation.audit_rows / max(1, observation.audit_groups), "rows")
    # The replica that belongs to the observed service has nothing to do meanwhile; here this process is what signs.
    for role, spent in {**observation.cpu_seconds, APPLICATION: own}.items():
        if role in {APPLICATION, "PostgreSQL", "OpenBao"}:
            add(CPU + role, spent / len(latencies) * MICROSECONDS, "us/signature")


async def _requests(custody: Custody) -> Iterator[SigningRequest]:
    imported = await custody.import_wallet("benchmark", Phrase.of(wallet.WORDS, ""), wallet.SCHEME, _CALLER)
    account = Account(imported.id, _NETWORK, 0)
    return cycle([SigningRequest(account, each.hex(), _CALLER) for each in wallet.transactions(_NETWORK)])


async def _sign_for(custody: Custody, requests: Iterator[SigningRequest], signers: int, seconds: float) -> list[float]:
    """Return the latency of each signature, in seconds."""
    latencies: list[float] = []
    end = time.perf_counter() + seconds

    async def sign() -> None:
        while (start := time.perf_counter()) < end:
            await custody.sign(next(requests))
            latencies.append(time.perf_counter() - start)

    await asyncio.gather(*(sign() for _ in range(signers)))
    return latencies
