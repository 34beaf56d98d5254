"""A replica is composed of what the settings name, starts while it is away, and refuses a schema of another version."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from adapters.migrations import SchemaMismatchError
from deployments import wiring
from deployments.wiring import open_custody, open_edge
from serve_app.embedded import EmbeddedPostgres, EmbeddedRedis, EmbeddedVault
from tests.deployments.replicas import client_of, settings_of
from tests.postgres_probes import query
from tests.servers import RunningServer
from wallets.custody import LocalCustody


async def test_a_replica_serves_with_everything(
    database_url: str, vault_server: RunningServer[EmbeddedVault], redis_server: RunningServer[EmbeddedRedis], tmp_path: Path
) -> None:
    """With database, Vault and Redis a wallet is created, its address is cached, and the metrics tell of all of them."""
    redis = {"APP__REDIS__ENABLED": "true", "APP__REDIS__URL": redis_server.server.url}
    settings = settings_of(database_url, vault_server.server, **redis)

    async with open_edge(settings, open_custody) as edge, client_of(edge) as client:
        wallet = (await client.post("/api/v1/wallets", json={"label": "x"})).raise_for_status().json()
        path = f"/api/v1/wallets/{wallet['id']}/address/sol"
        addresses = [(await client.get(path)).raise_for_status().json() for _ in range(2)]
        health = (await client.get("/api/v1/health")).json()
        metrics = (await client.get("/metrics")).text

    assert addresses[0] == addresses[1]
    assert (health["status"], health["components"]["redis"]) == ("ok", "ok")
    for operation in ("encrypt", "decrypt"):  # of the wallet's mnemonic, and of the address key's
        assert f'vault_operations_duration_seconds_count{{operation="{operation}",status="ok"}} 2.0' in metrics
    for cache, result in (("memory", "hit"), ("memory", "miss"), ("redis", "miss")):
        assert f'address_cache_requests_total{{cache="{cache}",result="{result}"}} 1.0' in metrics
    for store in ("redis", "database", "account_keys"):
        assert f'address_forgeries_total{{store="{store}"}} 0.0' in metrics
    assert "address_cache_size 1.0" in metrics
    assert "address_cache_capacity 1000.0" in metrics


async def test_a_replica_needs_no_redis_and_can_do_without_limits(database_url: str, vault_server: RunningServer[EmbeddedVault]) -> None:
    """Without Redis and with limits switched off it serves all the same."""
    settings = settings_of(database_url, vault_server.server, APP__SERVER__RATE_LIMIT__ENABLED="false")

    async with open_edge(settings, open_custody) as edge, client_of(edge) as client:
        answers = await asyncio.gather(*(client.get("/api/v1/wallets") for _ in range(30)))

    assert {answer.status_code for answer in answers} == {200}


async def test_the_limit_of_one_replica_holds_without_redis(database_url: str, vault_server: RunningServer[EmbeddedVault]) -> None:
    """The burst is allowed, and what is beyond it is refused."""
    rate = {"APP__SERVER__RATE_LIMIT__REQUESTS_PER_SECOND": "1", "APP__SERVER__RATE_LIMIT__BURST_SIZE": "5"}
    settings = settings_of(database_url, vault_server.server, **rate)

    async with open_edge(settings, open_custody) as edge, client_of(edge) as client:
        statuses = [(await client.get("/api/v1/wallets")).status_code for _ in range(8)]

    assert statuses[:5] == [200] * 5
    assert 429 in statuses[5:]


async def test_a_replica_without_keys_serves_everybody(database_url: str, vault_server: RunningServer[EmbeddedVault]) -> None:
    """Asked to, it takes requests without a key."""
    environ = {"APP__SERVER__API_KEY": "", "APP__SERVER__ALLOW_UNAUTHENTICATED": "true", "APP__SERVER__TRUSTED_PROXIES": "10.0.0.0/8"}
    settings = settings_of(database_url, vault_server.server, **environ)

    async with open_edge(settings, open_custody) as edge, client_of(edge) as client:
        answer = await client.get("/api/v1/wallets", headers={"X-Api-Key": ""})

    assert answer.status_code == 200


async def test_another_schema_is_refused(empty_database_url: str, vault_server: RunningServer[EmbeddedVault]) -> None:
    """A database that was not migrated stops the start."""
    with pytest.raises(SchemaMismatchError, match="migrate"):
        async with open_edge(settings_of(empty_database_url, vault_server.server), open_custody):
            pass


async def test_a_newer_schema_is_refused(database_url: str, vault_server: RunningServer[EmbeddedVault]) -> None:
    """A database that a newer version has migrated stops the start."""
    await _make_newer(database_url)

    with pytest.raises(SchemaMismatchError, match="too new"):
        async with open_edge(settings_of(database_url, vault_server.server), open_custody):
            pass


async def test_a_wrong_schema_that_shows_late_lets_no_request_through(
    postgres_server: RunningServer[EmbeddedPostgres], database_url: str, vault_server: RunningServer[EmbeddedVault]
) -> None:
    """A replica that was started while the database was away answers 503 as long as the schema is another."""
    await _make_newer(database_url)
    async with AsyncExitStack() as stack:
        with postgres_server.stopped():
            edge = await stack.enter_async_context(open_edge(settings_of(database_url, vault_server.server), open_custody))
        client = await stack.enter_async_context(client_of(edge))
        answer = await client.get("/api/v1/wallets")
        async with asyncio.timeout(20):
            while "too new" not in answer.json()["detail"]:
                await asyncio.sleep(0.1)
                answer = await client.get("/api/v1/wallets")

    assert answer.status_code == 503


async def _make_newer(database_url: str) -> None:
    await query(database_url, "INSERT INTO schema_migrations (version, name, checksum) VALUES (9999, 'future', 'x')")


async def test_a_replica_starts_while_the_database_is_away(
    postgres_server: RunningServer[EmbeddedPostgres], database_url: str, vault_server: RunningServer[EmbeddedVault]
) -> None:
    """It is alive and not ready, answers 503 in bounded time, and serves once the database is there."""
    async with AsyncExitStack() as stack:
        with postgres_server.stopped():
            edge = await stack.enter_async_context(open_edge(settings_of(database_url, vault_server.server), open_custody))
            client = await stack.enter_async_context(client_of(edge))
            alive = await client.get("/api/v1/health/live")
            ready = await client.get("/api/v1/health/ready")
            refused = await client.get("/api/v1/wallets")
        async with asyncio.timeout(20):
            while (await client.get("/api/v1/wallets")).status_code != 200:
                await asyncio.sleep(0.1)

    assert (alive.status_code, ready.status_code, refused.status_code) == (200, 503, 503)


async def test_seeds_are_forgotten_on_time_though_nobody_asks(
    database_url: str, vault_server: RunningServer[EmbeddedVault], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unlocked seed goes when its time is over, and every one at the end."""
    monkeypatch.setattr(wiring, "EXPIRY_PERIOD_SECONDS", 0.05)
    settings = settings_of(database_url, vault_server.server, APP__KEYRING__TTL_SECS="0.5")

    async with open_edge(settings, open_custody) as edge, client_of(edge) as client:
        assert isinstance(edge.custody, LocalCustody)
        wallet = (await client.post("/api/v1/wallets", json={"label": "x"})).raise_for_status().json()
        (await client.get(f"/api/v1/wallets/{wallet['id']}/address/eth")).raise_for_status()
        assert len(edge.custody.keyring) == 1
        async with asyncio.timeout(5):
            while len(edge.custody.keyring):
                await asyncio.sleep(0.02)
        (await client.get(f"/api/v1/wallets/{wallet['id']}/address/sol")).raise_for_status()
        assert len(edge.custody.keyring) == 1

    assert len(edge.custody.keyring) == 0


@pytest.mark.parametrize(("allowed", "status"), [("false", 403), ("true", 200)])
async def test_a_transaction_of_every_chain_is_signed_if_the_setting_says_so(
    database_url: str, vault_server: RunningServer[EmbeddedVault], allowed: str, status: int
) -> None:
    """Without a chain id (before EIP-155) a transaction is refused by the policy, unless the operator allows it."""
    settings = settings_of(database_url, vault_server.server, APP__SIGNING__ALLOW_LEGACY_WITHOUT_CHAIN_ID=allowed)
    unsigned_tx = "e9098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080"

    async with open_edge(settings, open_custody) as edge, client_of(edge) as client:
        wallet = (await client.post("/api/v1/wallets", json={"label": "x"})).raise_for_status().json()
        body = {"network": "eth", "index": 0, "unsigned_tx": unsigned_tx}
        answer = await client.post(f"/api/v1/wallets/{wallet['id']}/sign", json=body)

    assert answer.status_code == status
