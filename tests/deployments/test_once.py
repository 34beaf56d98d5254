"""Requests that are sent again, to two replicas on one database: the real edge, the real domain, PostgreSQL and Vault."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest

from deployments.wiring import open_custody, open_edge
from serve_app.embedded import EmbeddedVault
from tests.deployments.replicas import client_of, settings_of
from tests.deployments.retries import UNLIMITED, unsigned, wallet_path
from tests.postgres_probes import query
from tests.servers import RunningServer

SIGNED = "SELECT details->>'tx_id' FROM audit_logs WHERE action = 'transaction:sign' AND status = 'ok'"


@pytest.fixture
async def replicas(database_url: str, vault_server: RunningServer[EmbeddedVault]) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Clients of two replicas that guard nonces."""
    settings = settings_of(database_url, vault_server.server, **UNLIMITED)
    async with AsyncExitStack() as stack:
        edges = [await stack.enter_async_context(open_edge(settings, open_custody)) for _ in range(2)]
        yield [await stack.enter_async_context(client_of(edge)) for edge in edges]


async def test_two_hundred_retries_at_once_are_one_signature(replicas: list[httpx.AsyncClient], database_url: str) -> None:
    """Over both replicas: one row is written, and everybody is answered the same, or told to come back for it."""
    path, headers = f"{await wallet_path(replicas[0])}/sign", {"Idempotency-Key": "k"}

    answers = await asyncio.gather(*(replicas[n % 2].post(path, json=unsigned(0, 1), headers=headers) for n in range(200)))
    later = [await replica.post(path, json=unsigned(0, 1), headers=headers) for replica in replicas]

    assert {answer.status_code for answer in answers} <= {200, 409}
    assert len({answer.content for answer in [*answers, *later] if answer.status_code == 200}) == 1
    assert len(await query(database_url, SIGNED)) == 1


async def test_two_hundred_retries_at_once_are_one_wallet(replicas: list[httpx.AsyncClient], database_url: str) -> None:
    """Also where each would be another."""
    body, headers = {"label": "a"}, {"Idempotency-Key": "k"}

    answers = await asyncio.gather(*(replicas[n % 2].post("/api/v1/wallets", json=body, headers=headers) for n in range(200)))

    assert {answer.status_code for answer in answers} <= {200, 409}
    assert len(await query(database_url, "SELECT FROM master_wallets")) == 1
    assert len(await query(database_url, "SELECT FROM audit_logs")) == 1


async def test_an_answer_outlives_its_replica(database_url: str, vault_server: RunningServer[EmbeddedVault]) -> None:
    """Which was stopped meanwhile; another gives it."""
    settings = settings_of(database_url, vault_server.server, **UNLIMITED)
    contents = []
    for _ in range(2):
        async with open_edge(settings, open_custody) as edge, client_of(edge) as client:
            contents.append((await client.post("/api/v1/wallets", json={"label": "a"}, headers={"Idempotency-Key": "k"})).content)

    assert contents[0] == contents[1]
    assert len(await query(database_url, "SELECT FROM master_wallets")) == 1
