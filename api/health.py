"""Answer how the service is."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime

from wallets.custody import Custody
from wallets.model import ComponentHealth, HealthStatus


async def health(custody: Custody) -> tuple[int, dict[str, object]]:
    """Answer `/api/v1/health`: the status code, and each component in a word."""
    found = await custody.health()
    components: dict[str, object] = {name: component.status.value for name, component in found.items()}
    if "vault" in found:
        components["vault_circuit_state"] = found["vault"].details.get("circuit_state", "closed")
    worst = _worst(found)
    return (503 if worst is HealthStatus.ERROR else 200), {"status": worst.value, "components": components}


def live() -> dict[str, object]:
    """Answer `/api/v1/health/live`, touching nothing."""
    return {"status": "alive", "timestamp": _now()}


async def ready(custody: Custody) -> tuple[int, dict[str, object]]:
    """Answer `/api/v1/health/ready`: degraded components still count as ready."""
    started = time.monotonic()
    found = await custody.health()
    is_ready = _worst(found) is not HealthStatus.ERROR
    components = {
        name: {"status": component.status.value, "latency_ms": component.latency_ms, **component.details}
        for name, component in found.items()
    }
    latency = round((time.monotonic() - started) * 1000, 1)
    return (200 if is_ready else 503), {"ready": is_ready, "timestamp": _now(), "latency_ms": latency, "components": components}


def _worst(found: Mapping[str, ComponentHealth]) -> HealthStatus:
    statuses = {component.status for component in found.values()}
    return next((status for status in (HealthStatus.ERROR, HealthStatus.DEGRADED) if status in statuses), HealthStatus.OK)


def _now() -> str:
    return datetime.now(UTC).isoformat()
