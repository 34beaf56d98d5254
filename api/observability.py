"""Count and time what clients ask for."""

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, multiprocess


class Metrics:
    """The metrics of the contract. Labels come from closed sets: never an address, a wallet or a caller."""

    def __init__(self, multiprocess_folder: str | None = None) -> None:
        self._registry = CollectorRegistry()
        self._multiprocess_folder = multiprocess_folder
        registry = self._registry
        self.wallets_created = Counter("wallets_created", "Wallets created or imported", registry=registry)
        self.sign_operations = Counter("sign_operations", "Signatures asked for", ["network", "status"], registry=registry)
        self.requests = Counter("http_requests", "HTTP requests", ["method", "route", "status"], registry=registry)
        self.latency = Histogram("http_request_duration_seconds", "Time to answer", ["method", "route"], registry=registry)

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format; of all replicas of this node when they share a folder."""
        if self._multiprocess_folder is None:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry, path=self._multiprocess_folder)  # type: ignore[no-untyped-call]  # it has no types
        return generate_latest(registry)
