"""Answer how the service is: alive, ready, and in full. None of these needs an API key, so none may be expensive to ask often."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from api.render import timestamp
from wallets.model import ComponentHealth, HealthStatus

OPTIONAL = frozenset({"redis"})
"""Components without which everything still works: in error they count as degraded."""

_CHECK_SECONDS = 2.5
"""More than the two seconds that a component has, so that its own answer comes first; less than the three of Kubernetes' probes."""

_FRESH_SECONDS = 1.0

Components = Mapping[str, ComponentHealth]


@dataclass(frozen=True, slots=True)
class Report:
    """How every component was when it was last asked, at most a second ago, and how long asking took in milliseconds."""

    components: Components
    latency_ms: float

    @property
    def status(self) -> HealthStatus:
        """The worst of the components, as far as it concerns the service."""
        found = {_effective(name, health.status) for name, health in self.components.items()}
        return next((status for status in (HealthStatus.ERROR, HealthStatus.DEGRADED) if status in found), HealthStatus.OK)

    @property
    def is_ready(self) -> bool:
        """Whether requests should be sent here: yes while degraded (Vault's circuit open), no in error."""
        return self.status is not HealthStatus.ERROR

    def full(self) -> dict[str, object]:
        """Render for `/health`: each component's status, and what it says of itself as `<component>_<detail>`."""
        components: dict[str, object] = {}
        for name, health in self.components.items():
            components[name] = _effective(name, health.status)
            components.update({f"{name}_{key}": value for key, value in health.details.items()})
        return {"status": self.status, "components": components}

    def readiness(self, now: datetime) -> dict[str, object]:
        """Render for `/health/ready`."""
        components = {
            name: {"status": _effective(name, health.status), "latency_ms": round(health.latency_ms, 3), **health.details}
            for name, health in self.components.items()
        }
        return {"ready": self.is_ready, "timestamp": timestamp(now), "latency_ms": round(self.latency_ms, 3), "components": components}


class HealthMonitor:
    """Ask the components, once for all who want to know at the same time, and remember the answer for a second."""

    def __init__(self, check: Callable[[], Awaitable[Components]], clock: Callable[[], float] = time.monotonic) -> None:
        self._check = check
        self._clock = clock
        self._last: tuple[float, Report] | None = None
        self._asking: asyncio.Task[Report] | None = None

    async def report(self) -> Report:
        """Return how the components are, in bounded time. Never raises."""
        if self._last is not None and self._clock() - self._last[0] < _FRESH_SECONDS:
            return self._last[1]
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask())
        # A probe that gives up must not end the question of the others.
        return await asyncio.shield(self._asking)

    async def _ask(self) -> Report:
        started = self._clock()
        try:
            components = await _bounded(self._check)
            report = Report(components, (self._clock() - started) * 1000)
            self._last = (self._clock(), report)
            return report
        finally:
            self._asking = None


def alive(now: datetime) -> dict[str, object]:
    """Render for `/health/live`: that this process answers, whatever it depends on does."""
    return {"status": "alive", "timestamp": timestamp(now)}


def now() -> datetime:
    """Return the time in UTC."""
    return datetime.now(UTC)


async def _bounded(check: Callable[[], Awaitable[Components]]) -> Components:
    """Return the components' answers; one in error named `service` if there is none in time, or asking itself failed."""
    task = asyncio.ensure_future(check())
    # Not wait_for: it waits for what it cancels, which may be what hangs.
    done, _ = await asyncio.wait({task}, timeout=_CHECK_SECONDS)
    if done and not task.cancelled() and task.exception() is None:
        return task.result()
    task.cancel()
    return {"service": ComponentHealth(HealthStatus.ERROR, _CHECK_SECONDS * 1000)}


def _effective(name: str, status: HealthStatus) -> HealthStatus:
    return HealthStatus.DEGRADED if status is HealthStatus.ERROR and name in OPTIONAL else status
