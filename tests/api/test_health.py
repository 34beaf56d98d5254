"""Health is told quickly, truthfully, and not at the cost of what is asked."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import httpx
import pytest

from api import health
from api.health import HealthMonitor
from tests.api.conftest import World
from wallets import component_health
from wallets.model import ComponentHealth, HealthStatus

OK = ComponentHealth(HealthStatus.OK, 0.5)
DEGRADED = ComponentHealth(HealthStatus.DEGRADED, 0.5, {"circuit_state": "open"})
ERROR = ComponentHealth(HealthStatus.ERROR, 0.5)


class Hanging:
    """A component that never answers, not even when it is cancelled."""

    name = "vault"

    async def check(self) -> ComponentHealth:
        """See `wallets.ports.Component.check`."""
        release = asyncio.get_running_loop().create_future()
        while True:
            try:
                await asyncio.shield(release)
            except asyncio.CancelledError:
                release.set_result(None)
                return OK


class Raising:
    """A component that breaks its promise not to raise."""

    name = "database"

    async def check(self) -> ComponentHealth:
        """See `wallets.ports.Component.check`."""
        msg = "postgresql://user:password@host"
        raise RuntimeError(msg)


class Asked:
    """Count how often the components are asked, and hold the answer back until it may come."""

    def __init__(self) -> None:
        self.times = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def check(self) -> Mapping[str, ComponentHealth]:
        """Answer as `Custody.health` does."""
        self.times += 1
        await self.may_answer.wait()
        return {"database": OK}


async def test_all_well(client: httpx.AsyncClient, world: World) -> None:
    """When every component is well, so is the service."""
    world.vault.answer = ComponentHealth(HealthStatus.OK, 1.0, {"circuit_state": "closed"})

    answer = await client.get("/api/v1/health")

    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok",
        "components": {"database": "ok", "vault": "ok", "vault_circuit_state": "closed", "redis": "ok"},
    }


@pytest.mark.parametrize(
    ("component", "answer", "status", "code", "ready"),
    [
        ("vault", DEGRADED, "degraded", 200, True),
        ("vault", ERROR, "error", 503, False),
        ("database", ERROR, "error", 503, False),
        ("redis", ERROR, "degraded", 200, True),
    ],
)
async def test_one_component_is_not_well(
    client: httpx.AsyncClient, world: World, component: str, answer: ComponentHealth, status: str, code: int, ready: bool
) -> None:
    """A circuit that is open and a Redis that is away still serve; Vault or the database in error do not."""
    getattr(world, component).answer = answer

    full = await client.get("/api/v1/health")
    readiness = await client.get("/api/v1/health/ready")

    assert (full.status_code, full.json()["status"]) == (code, status)
    assert (readiness.status_code, readiness.json()["ready"]) == (code, ready)


async def test_readiness_tells_how_long_each_took(client: httpx.AsyncClient, world: World) -> None:
    """The answer has the time, the latency, and each component with its own words."""
    world.vault.answer = DEGRADED

    document = (await client.get("/api/v1/health/ready")).json()

    assert document["components"]["vault"] == {"status": "degraded", "latency_ms": 0.5, "circuit_state": "open"}
    assert document["latency_ms"] >= 0
    assert document["timestamp"].endswith("Z")


async def test_alive_asks_nothing(client: httpx.AsyncClient, world: World) -> None:
    """With everything away the process is still alive."""
    world.database.answer = world.vault.answer = ERROR

    answer = await client.get("/api/v1/health/live")

    assert answer.status_code == 200
    assert answer.json()["status"] == "alive"


async def test_health_needs_no_key_and_is_not_limited(client: httpx.AsyncClient, world: World) -> None:
    """Probes have no key, and are never turned away."""
    world.limiter.left = 0
    del client.headers["X-Api-Key"]

    codes = {(await client.get(f"/api/v1/health{path}")).status_code for path in ("", "/live", "/ready")}

    assert codes == {200}
    assert world.limiter.keys == []


async def test_a_component_that_hangs_hides_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not answer in time is in error; the others are as they say."""
    monkeypatch.setattr(component_health, "HEALTH_CHECK_SECONDS", 0.05)
    world.custody = replace(world.custody, components=[Hanging(), world.redis])

    answer = await world.custody.health()

    assert {name: each.status for name, each in answer.items()} == {"vault": HealthStatus.ERROR, "redis": HealthStatus.OK}


async def test_a_component_that_raises_is_in_error(world: World) -> None:
    """An exception of one component is an answer about it alone."""
    world.custody = replace(world.custody, components=[Raising(), world.redis])

    answer = await world.custody.health()

    assert {name: each.status for name, each in answer.items()} == {"database": HealthStatus.ERROR, "redis": HealthStatus.OK}


async def test_a_service_that_hangs_is_in_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even when asking itself never ends, the answer comes."""
    monkeypatch.setattr(health, "_CHECK_SECONDS", 0.05)
    asked = Asked()
    asked.may_answer.clear()

    report = await HealthMonitor(asked.check).report()

    assert report.status is HealthStatus.ERROR
    assert not report.is_ready


async def test_probes_at_the_same_time_share_one_question() -> None:
    """A hundred probes ask the components once, also when the one that asked first gives up."""
    asked = Asked()
    asked.may_answer.clear()
    monitor = HealthMonitor(asked.check)
    probes = [asyncio.create_task(monitor.report()) for _ in range(100)]
    await asyncio.sleep(0)
    probes[0].cancel()
    asked.may_answer.set()

    reports = await asyncio.gather(*probes[1:])

    assert asked.times == 1
    assert all(report.is_ready for report in reports)


async def test_an_answer_is_kept_for_a_second() -> None:
    """Within a second the answer is remembered, then it is asked for anew."""
    asked = Asked()
    time = 100.0
    monitor = HealthMonitor(asked.check, clock=lambda: time)

    await monitor.report()
    time += 0.9
    await monitor.report()
    within = asked.times
    time += 0.2
    await monitor.report()

    assert (within, asked.times) == (1, 2)
