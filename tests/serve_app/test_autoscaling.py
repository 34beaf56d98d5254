"""Replicas come when requests wait."""

import asyncio

import httpx
import pytest

from tests.serve_app.whole_service import Service, eventually, whole_service

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

_UNSIGNED = "0xec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080018080"


def test_a_second_replica_comes_under_load() -> None:
    """One replica serves; when it has more requests in flight than the target, another is started, and none of them fails meanwhile."""
    # As many as this machine has cores for are started at most, so it needs two.
    with whole_service(APP__REPLICAS__MIN="1", APP__REPLICAS__MAX="2", APP__REPLICAS__TARGET_ONGOING_REQUESTS="2") as service:
        with service.client() as client:
            wallet_id = client.post("/api/v1/wallets", json={"label": "busy"}).raise_for_status().json()["id"]
        before = len(_replicas(service))

        statuses = asyncio.run(_load_until_two(service, wallet_id))

    assert before == 1
    assert set(statuses) == {200}


def _replicas(service: Service) -> list[object]:
    return list(service.named("ray::ServeReplica"))


async def _load_until_two(service: Service, wallet_id: str) -> list[int]:
    """Sign on sixteen connections until there are two replicas; return every status answered."""
    statuses: list[int] = []
    body = {"network": "eth", "index": 0, "unsigned_tx": _UNSIGNED}
    enough = asyncio.Event()

    async def load() -> None:
        async with httpx.AsyncClient(base_url=service.url, headers=service.headers(), timeout=30) as client:
            while not enough.is_set():
                statuses.append((await client.post(f"/api/v1/wallets/{wallet_id}/sign", json=body)).status_code)

    tasks = [asyncio.create_task(load()) for _ in range(16)]
    await asyncio.to_thread(eventually, lambda: len(_replicas(service)) == 2)
    enough.set()
    await asyncio.gather(*tasks)
    return statuses
