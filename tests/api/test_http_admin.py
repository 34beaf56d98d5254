"""The calls of an operator."""

from datetime import UTC, datetime

import httpx
import pytest

from api.http import create_http_app
from tests.api.conftest import World, client_of
from wallets.model import AuditAction, AuditStatus


async def unlocked(client: httpx.AsyncClient, wallets: int) -> None:
    """Make wallets, and unlock each."""
    for _ in range(wallets):
        wallet_id = (await client.post("/api/v1/wallets", json={"label": "a"})).json()["id"]
        (await client.get(f"/api/v1/wallets/{wallet_id}/address/eth")).raise_for_status()


async def test_a_lock_forgets_every_seed_and_is_audited(client: httpx.AsyncClient, world: World) -> None:
    """The answer says how many and when; the audit row has the same, and who asked."""
    await unlocked(client, 2)
    assert "keyring_unlocked_seeds 2.0" in (await client.get("/metrics")).text

    answer = await client.post("/api/v1/admin/lock", headers={"X-Request-ID": "req-1"})
    again = await client.post("/api/v1/admin/lock")

    assert (answer.status_code, answer.json()["forgotten_seeds"], again.json()["forgotten_seeds"]) == (200, 2, 0)
    event = world.audit.events[-2]
    assert (event.action, event.status, event.wallet_id, event.details) == (
        AuditAction.KEYRING_LOCK,
        AuditStatus.OK,
        None,
        {"forgotten_seeds": 2},
    )
    assert (event.caller.request_id, event.at) == ("req-1", datetime.fromisoformat(answer.json()["locked_at"]).astimezone(UTC))
    assert "keyring_unlocked_seeds 0.0" in (await client.get("/metrics")).text


async def test_a_lock_that_others_may_not_have_heard_is_503(client: httpx.AsyncClient, world: World) -> None:
    """What is here is forgotten all the same, and the problem says what happened and what to do."""
    await unlocked(client, 1)
    world.lock_signal.away = True

    answer = await client.post("/api/v1/admin/lock")

    assert (answer.status_code, answer.json()["type"]) == (503, "urn:crypto-wallets:problem:lock-not-shared")
    assert "this replica has forgotten its unlocked seeds (1)" in answer.json()["detail"]
    assert "Retry-After" in answer.headers
    assert "keyring_unlocked_seeds 0.0" in (await client.get("/metrics")).text


@pytest.mark.parametrize("key", [None, "not-the-key-of-this-service"])
async def test_a_lock_needs_the_key(world: World, key: str | None) -> None:
    """Without it nothing is locked."""
    app = create_http_app(world.edge())
    async with client_of(app) as client, client_of(app, key=key) as stranger:
        await unlocked(client, 1)

        answer = await stranger.post("/api/v1/admin/lock")

        assert answer.status_code == 401
        assert "keyring_unlocked_seeds 1.0" in (await client.get("/metrics")).text


async def test_a_lock_is_limited_like_every_call(client: httpx.AsyncClient, world: World) -> None:
    """Beyond the limit it is 429."""
    world.limiter.left = 0

    answer = await client.post("/api/v1/admin/lock")

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3")
