"""What every question works with: what runs, how much shall be measured, and where samples go."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import load, wallet
from benchmarks.house import House, Target
from benchmarks.load import Outcome
from benchmarks.observe import Observation, observed
from benchmarks.results import Case, Results
from wallets.chains import CHAINS

ONE_OF_EACH_FAMILY = ("eth", "tron", "sol", "ton")
MICROSECONDS = 1e6
WARM_UP_SECONDS = 1.0
THROUGHPUT = "throughput"
CPU = "CPU of "


@dataclass(frozen=True, slots=True)
class Size:
    """How much a database holds."""

    wallets: int
    audit_rows: int = 0

    def __str__(self) -> str:
        return f"{self.wallets:,} wallets" + (f", {self.audit_rows:,} audit rows" if self.audit_rows else "")


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured. `rounds` is how often each target has its turn; seconds are of one run."""

    name: str
    rounds: int
    closed_seconds: float
    open_seconds: float
    custody_seconds: float
    batches: int
    """Batches of calls of each primitive."""
    networks: Mapping[str, Sequence[int]]
    """The networks that are signed on over HTTP, with the connections of the closed loop."""
    replicas: Sequence[int]
    """The numbers of replicas that are compared with one."""
    topology_connections: Sequence[int]
    """The connections on which topologies are compared."""
    counts_instructions: bool = False
    """Whether valgrind runs the application as well, which takes minutes."""
    growth: Sequence[Size] = ()
    """The databases that are compared; to fill them takes minutes."""


CONNECTIONS = (1, 8, 32, 128)
USUAL_CONNECTIONS = 32

_SHORT_NETWORKS = {name: CONNECTIONS if name == "eth" else (USUAL_CONNECTIONS,) for name in ONE_OF_EACH_FAMILY}

SIZES = (Size(10), Size(1_000), Size(100_000), Size(100_000, 10_000_000))
SHORT = Scale("short", 3, 1.0, 1.2, 1.0, 12, _SHORT_NETWORKS, replicas=(2,), topology_connections=(64,))
FULL = Scale(
    "full",
    5,
    6.0,
    20.0,
    5.0,
    500,
    dict.fromkeys(CHAINS, CONNECTIONS),
    replicas=(2, 4),
    topology_connections=(32, 64, 128),
    counts_instructions=True,
    growth=SIZES,
)


@dataclass(frozen=True, slots=True)
class Session:
    """One run of the benchmarks. `tell` is called with a line for people."""

    house: House
    scale: Scale
    results: Results
    tell: Callable[[str], None]

    @property
    def yardsticks(self) -> Sequence[Target]:
        """The service, and the same application under bare uvicorn."""
        return self.house.service, self.house.uvicorn

    def interleaved(self, targets: Sequence[Target]) -> Iterator[tuple[int, Target]]:
        """Give each target its turn, as often as there are rounds: A B A B, so that what changes meanwhile changes for all."""
        for number in range(self.scale.rounds):
            for target in targets:
                yield number, target

    def requests(self, target: Target, name: str, path: str, bodies: Sequence[str] = ()) -> Path:
        """Write a file of requests."""
        return load.write_requests(self.house.folder / f"{target.name} {name}.requests".replace(" ", "-"), target, path, bodies)

    def sign_requests(self, target: Target, network: str) -> Path:
        """Write a file of requests that sign one transaction each with the first account of a wallet, each with another recipient."""
        return self.requests(target, f"sign {network}", f"/api/v1/wallets/{wallet.import_wallet(target)}/sign", wallet.sign_bodies(network))

    def warm_up(self, target: Target, requests: Path) -> None:
        """Have a target unlock the wallet, fill its pools and adapt, without measuring it."""
        load.closed(target, requests, connections=USUAL_CONNECTIONS, seconds=WARM_UP_SECONDS)

    def closed(self, question: str, case: Case, target: Target, requests: Path, *, connections: int, work: int = 1) -> None:
        """Measure a closed loop once. With `work`, throughput and CPU times are of each of the things that a request asks for."""
        with observed(self.house, target) as observation:
            outcome = load.closed(target, requests, connections=connections, seconds=self.scale.closed_seconds)
        self._add(question, case, outcome, observation, work)

    def called(self, question: str, case: Case, target: Target, requests: Path, *, connections: int, work: int = 1) -> None:
        """Measure a closed loop over gRPC once."""
        with observed(self.house, target) as observation:
            outcome = load.called(target, requests, batch=work, connections=connections, seconds=self.scale.closed_seconds)
        self._add(question, case, outcome, observation, work)

    def opened(self, question: str, case: Case, target: Target, requests: Path, *, per_second: float, seed: int) -> None:
        """Measure an open loop once."""
        with observed(self.house, target) as observation:
            outcome = load.opened(target, requests, per_second=per_second, seconds=self.scale.open_seconds, seed=seed)
        self._add(question, case, outcome, observation)

    def _add(self, question: str, case: Case, outcome: Outcome, observation: Observation, work: int = 1) -> None:
        def add(measure: str, value: float, unit: str) -> None:
            self.results.add(question, case, measure, value, unit)

        succeeded = max(1, outcome.requests - outcome.failed) * work
        add(THROUGHPUT, outcome.per_second * work, "requests/s")
        for fraction, latency in outcome.latencies.items():
            add(f"p{fraction * 100:g}", latency * 1_000, "ms")
        for fraction, latency in outcome.refusals.items():
            add(f"refused p{fraction * 100:g}", latency * 1_000, "ms")
        add("failed", outcome.failed, "requests")
        add("audit rows a commit", observation.audit_rows / max(1, observation.audit_groups), "rows")
        add("Vault calls a request", observation.vault_calls / succeeded, "calls")
        for role, seconds in observation.cpu_seconds.items():
            add(CPU + role, seconds / succeeded * MICROSECONDS, "us/request")
        add(f"{CPU}load generator", outcome.generator_cpu_seconds / succeeded * MICROSECONDS, "us/request")
        add("other targets", observation.idle_seconds / outcome.seconds, "cores")
        add("strangers", observation.stranger_seconds(outcome.generator_cpu_seconds) / outcome.seconds, "cores")
