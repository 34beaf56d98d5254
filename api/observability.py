"""Log as JSON lines without secrets, and define every metric of the contract, once."""

import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, Literal

import orjson
import prometheus_client
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, multiprocess, values
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from api.redaction import redact
from wallets.address_watcher import Source
from wallets.chains import CHAINS, find_chain
from wallets.errors import InvalidRequestError, NotFoundError

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
METRICS_MEDIA_TYPE = CONTENT_TYPE_PLAIN_0_0_4
UNKNOWN = "other"

VAULT_OPERATIONS = frozenset({"encrypt", "decrypt"})
VAULT_STATUSES = frozenset({"ok", "refused", "error"})
FORGERY_STORES = (Source.SHARED, Source.BOOK, Source.ACCOUNT_KEYS)
CIRCUIT_STATES = ("closed", "open", "half_open")
HTTP_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_HTTP_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


def configure_logging(level: str = "info", stream: BinaryIO | None = None) -> None:
    """Have structlog write one JSON object a line to `stream` (standard output), from `level` on, without secrets."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            redact,
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.BytesLoggerFactory(stream or sys.stdout.buffer),
        cache_logger_on_first_use=True,
    )


def describe_exception(error: BaseException) -> dict[str, object]:
    """Return an exception's type and where it was raised, for the log.

    Its message and the local variables stay out: vendors' messages quote what they were given, which may be a secret.
    """
    frames = traceback.extract_tb(error.__traceback__)
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return {
        "exception": _qualified_name(error),
        "stack": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-20:]],
        "caused_by": [_qualified_name(link) for link in _chain(cause)],
    }


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(5):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def _qualified_name(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"


class Metrics:
    """Every metric of the contract. Labels come from closed sets: whatever else is observed counts as `other`.

    With a `directory` the values live in files there, which all processes of a node share: any of them then answers for all. Such a process
    makes one `Metrics`, and makes it before anything else makes a metric of prometheus_client.
    """

    def __init__(self, directory: Path | None = None, registry: CollectorRegistry | None = None) -> None:
        self._registry = registry or CollectorRegistry()
        self._directory = directory
        if directory is not None:
            _share_values(directory)
        prometheus_client.disable_created_metrics()
        self._wallets_created = self._counter("wallets_created_total", "Wallets created")
        self._wallets_imported = self._counter("wallets_imported_total", "Wallets imported")
        self._signs = self._counter("sign_operations_total", "Signing requests by how they ended", "network", "status")
        self._vault = self._histogram("vault_operations_duration_seconds", "Calls of Vault, with their retries", "operation", "status")
        self._circuit = self._gauge("vault_circuit_state", "Processes of this node by the state of their circuit to Vault", "state")
        self._cache_size = self._gauge("address_cache_size", "Addresses in the caches of this node's processes")
        self._cache_capacity = self._gauge("address_cache_capacity", "Addresses that these caches hold at most")
        self._count_addresses()
        self._seeds = self._gauge("keyring_unlocked_seeds", "Seeds that this node's processes hold unlocked")
        self._corrupt = self._counter("keyring_corrupt_ciphertexts_total", "Stored ciphertexts that did not decrypt; each is an alarm")
        self._limited_alone = self._counter(
            "rate_limit_alone_total", "Requests limited without the other replicas: Redis was away; their rate is an alarm"
        )
        hardening = "How each process that sees seeds is protected; the value is 1"
        self._hardening = self._gauge("process_hardening", hardening, "core_dumps", "dumpable", "memory", mode="liveall")
        self._start = Gauge(
            "replica_start_seconds",
            "How long the newest replica of this node took to start, by stage",
            ("stage",),
            registry=self._registry,
            multiprocess_mode="livemostrecent",
        )
        self._define_answers()
        self._sign_series = lru_cache(1024)(self._signs.labels)

    def _define_answers(self) -> None:
        """Define what is counted of every request, over HTTP and over gRPC."""
        self._requests = self._counter("http_requests_total", "HTTP requests answered", "method", "route", "status")
        self._durations = self._histogram("http_request_duration_seconds", "Time to answer HTTP requests", "method", "route")
        self._rpcs = self._counter("grpc_requests_total", "gRPC requests answered", "method", "code")
        self._rpc_durations = self._histogram(
            "grpc_request_duration_seconds", "Time to answer gRPC requests; of streams, while they lasted", "method"
        )
        # Looking a series up by its labels takes as long as counting in it.
        self._request_series = lru_cache(1024)(self._find_request_series)
        self._rpc_series = lru_cache(1024)(self._find_rpc_series)

    def wallet_created(self) -> None:
        """Count a wallet that was created."""
        self._wallets_created.inc()

    def wallet_imported(self) -> None:
        """Count a wallet that was taken over."""
        self._wallets_imported.inc()

    def sign_ended(self, network: str, error: BaseException | None = None) -> None:
        """Count a signing request: `ok`, `refused` (the client's doing) or `failed` (ours, or of what we need)."""
        status = "ok" if error is None else "refused" if isinstance(error, InvalidRequestError | NotFoundError) else "failed"
        # Networks without a row count together: a client could name any number of them.
        label = network if network in CHAINS else UNKNOWN if find_chain(network) is None else "evm"
        self._sign_series(label, status).inc()

    def observe_vault(self, operation: str, status: str, seconds: float) -> None:
        """Take the duration of a call of Vault."""
        self._vault.labels(_one_of(VAULT_OPERATIONS, operation), _one_of(VAULT_STATUSES, status)).observe(seconds)

    def observe_circuit(self, state: str) -> None:
        """Take the state of this process's circuit to Vault: `closed`, `open` or `half_open`."""
        for each in CIRCUIT_STATES:
            self._circuit.labels(each).set(each == state)

    def observe_cache(self, size: int, capacity: int) -> None:
        """Take how full this process's address cache is."""
        self._cache_size.set(size)
        self._cache_capacity.set(capacity)

    def address_looked_up(self, source: Source, *, is_found: bool) -> None:
        """Count a lookup of the address cache in memory or of the one in Redis."""
        self._cache_series(source.value, "hit" if is_found else "miss").inc()

    def address_forged(self, source: Source) -> None:
        """Count what somebody else has written in the place of an address or of its key."""
        self._forgeries.labels(source.value).inc()

    def address_unsealed(self) -> None:
        """Count an address that was stored without a seal."""
        self._unsealed.inc()

    def seeds_unlocked(self, count: int) -> None:
        """See `wallets.keyring.Watcher.seeds_unlocked`."""
        self._seeds.set(count)

    def ciphertext_refused(self) -> None:
        """See `wallets.keyring.Watcher.ciphertext_refused`."""
        self._corrupt.inc()

    def limited_alone(self, requests: int) -> None:
        """See `adapters.redis_limiter.Watcher.limited_alone`."""
        self._limited_alone.inc(requests)

    def process_hardened(self, *, core_dumps: str, dumpable: str, memory: str) -> None:
        """Take how this process is protected, each in a word of a closed set."""
        self._hardening.labels(core_dumps, dumpable, memory).set(1)

    def replica_started(self, seconds: Mapping[str, float]) -> None:
        """Take how long each stage of this process's start took."""
        for stage, value in seconds.items():
            self._start.labels(stage).set(value)

    def request_ended(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an HTTP request. `route` is the template, such as `/api/v1/wallets/{wallet_id}`."""
        count, duration = self._request_series(method, route, status)
        count.inc()
        duration.observe(seconds)

    def rpc_ended(self, method: str, code: str, seconds: float) -> None:
        """Count a gRPC request. `method` is one that is served, such as `/crypto_wallet.v1.WalletService/SignTransaction`."""
        count, duration = self._rpc_series(method, code)
        count.inc()
        duration.observe(seconds)

    def render(self) -> bytes:
        """Return all metrics in Prometheus' text format: of every process of the node where they are shared, else of this one."""
        if self._directory is None:
            return prometheus_client.generate_latest(self._registry)
        _forget_dead(self._directory)
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry, str(self._directory))
        return prometheus_client.generate_latest(registry)

    def _count_addresses(self) -> None:
        """Make what counts how addresses are found."""
        self._cache_requests = self._counter("address_cache_requests_total", "Addresses looked for in a cache", "cache", "result")
        self._forgeries = self._counter(
            "address_forgeries_total", "Addresses, and keys of addresses, that somebody else has written; each is an alarm", "store"
        )
        self._unsealed = self._counter("addresses_without_seal_total", "Stored addresses that were derived again because they had no seal")
        self._cache_series = lru_cache(1024)(self._cache_requests.labels)
        for store in FORGERY_STORES:  # an alarm needs a value to rise from
            self._forgeries.labels(store)

    def _find_request_series(self, method: str, route: str, status: int) -> tuple[Counter, Histogram]:
        method = _one_of(HTTP_METHODS, method)
        return self._requests.labels(method, route, str(status)), self._durations.labels(method, route)

    def _find_rpc_series(self, method: str, code: str) -> tuple[Counter, Histogram]:
        return self._rpcs.labels(method, code), self._rpc_durations.labels(method)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(name, meaning, labels, registry=self._registry)

    def _gauge(self, name: str, meaning: str, *labels: str, mode: Literal["livesum", "liveall"] = "livesum") -> Gauge:
        return Gauge(name, meaning, labels, registry=self._registry, multiprocess_mode=mode)

    def _histogram(self, name: str, meaning: str, *labels: str) -> Histogram:
        return Histogram(name, meaning, labels, registry=self._registry, buckets=_HTTP_BUCKETS)


def _one_of(known: frozenset[str], value: str) -> str:
    return value if value in known else UNKNOWN


def _share_values(directory: Path) -> None:
    """Replace the class of values: prometheus_client chooses it when it is imported, which is before a replica knows its settings."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)
    values.ValueClass = values.MultiProcessValue()


def _forget_dead(directory: Path) -> None:
    """Take the gauges of processes that have ended out of the sum: nobody else tells prometheus_client of them."""
    for file in directory.glob("gauge_live*_*.db"):
        pid = file.stem.rpartition("_")[2]
        if pid.isdigit() and not _is_alive(int(pid)):
            file.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
