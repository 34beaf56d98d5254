"""Replicas on a real PostgreSQL and OpenBao: a lock reaches all of them, and a corrupt ciphertext none gets past."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest

from deployments.wiring import open_custody, open_edge
from serve_app.embedded import EmbeddedVault
from tests.deployments.replicas import client_of, settings_of
from tests.postgres_probes import query
from tests.servers import RunningServer
from wallets.custody import LocalCustody

UNSIGNED = "ec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080018080"


class Replicas:
    """Two replicas on one database: a client and the custody of each."""

    def __init__(self, clients: list[httpx.AsyncClient], custodies: list[LocalCustody]) -> None:
        self.clients = clients
        self.custodies = custodies

    @property
    def unlocked(self) -> list[int]:
        """How many seeds each holds."""
        return [len(custody.keyring) for custody in self.custodies]

    async def forgotten(self, seconds: float) -> None:
        """Wait until none holds a seed."""
        async with asyncio.timeout(seconds):
            while any(self.unlocked):
                await asyncio.sleep(0.01)


@pytest.fixture
async def replicas(database_url: str, vault_server: RunningServer[EmbeddedVault]) -> AsyncIterator[Replicas]:
    """Two replicas, each with its own pool, keyring and listening connection."""
    settings = settings_of(database_url, vault_server.server)
    async with AsyncExitStack() as stack:
        edges = [await stack.enter_async_context(open_edge(settings, open_custody)) for _ in range(2)]
        clients = [await stack.enter_async_context(client_of(edge)) for edge in edges]
        custodies = [edge.custody for edge in edges if isinstance(edge.custody, LocalCustody)]
        yield Replicas(clients, custodies)


async def new_wallet(client: httpx.AsyncClient) -> str:
    """Create a wallet."""
    return str((await client.post("/api/v1/wallets", json={"label": "x"})).raise_for_status().json()["id"])


async def sign(client: httpx.AsyncClient, wallet_id: str) -> httpx.Response:
    """Sign with a wallet's first account."""
    return await client.post(f"/api/v1/wallets/{wallet_id}/sign", json={"network": "eth", "index": 0, "unsigned_tx": UNSIGNED})


async def test_a_lock_reaches_every_replica_within_a_second(replicas: Replicas, database_url: str) -> None:
    """Both forget; the answer counts those of the replica that was asked; one audit row is there; and both sign again."""
    wallet_id = await new_wallet(replicas.clients[0])
    for client in replicas.clients:
        (await sign(client, wallet_id)).raise_for_status()
    assert replicas.unlocked == [1, 1]

    began = time.monotonic()
    answer = await replicas.clients[0].post("/api/v1/admin/lock")
    await replicas.forgotten(1)

    assert time.monotonic() - began < 1
    assert (answer.status_code, answer.json()["forgotten_seeds"]) == (200, 1)
    for client in replicas.clients:
        assert "keyring_unlocked_seeds 0.0" in (await client.get("/metrics")).text
    rows = await query(database_url, "SELECT status, details FROM audit_logs WHERE action = 'keyring:lock'")
    assert [(row["status"], json.loads(row["details"])) for row in rows] == [("ok", {"forgotten_seeds": 1})]
    async with asyncio.timeout(2):
        # The one that was asked forgets at once, and once more when it hears itself.
        while replicas.unlocked != [1, 1]:
            for client in replicas.clients:
                (await sign(client, wallet_id)).raise_for_status()


async def test_a_replica_whose_listener_was_ended_forgets_as_well(replicas: Replicas, database_url: str) -> None:
    """Killed connections are made anew, and what was missed is made up for."""
    wallet_id = await new_wallet(replicas.clients[0])
    for client in replicas.clients:
        (await sign(client, wallet_id)).raise_for_status()

    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND datname = current_database()"
    ended = await query(database_url, end, "crypto-wallets lock")
    answer = await replicas.clients[0].post("/api/v1/admin/lock")
    await replicas.forgotten(2)

    assert len(ended) == 2
    assert answer.status_code == 200


@pytest.mark.parametrize("kind", ["changed", "another wallet's", "unknown version", "no ciphertext"])
async def test_a_corrupt_ciphertext_is_refused_audited_and_counted(replicas: Replicas, database_url: str, kind: str) -> None:
    """Sign and address answer 500 with its own type, each leaves a row that says failed, the alarm counts both, and others still sign."""
    client = replicas.clients[0]
    victim, other = await new_wallet(client), await new_wallet(client)
    ciphertexts = {str(row["id"]): row["encrypted_phrase"] for row in await query(database_url, "SELECT * FROM master_wallets")}
    ours = ciphertexts[victim]
    prefix, version, data = ours.split(":")
    corrupt = {
        "changed": ours[:-20] + ("A" if ours[-20] != "A" else "B") + ours[-19:],
        "another wallet's": ciphertexts[other],
        "unknown version": f"{prefix}:v{int(version[1:]) + 1}:{data}",
        "no ciphertext": f"{prefix}:{version}:",
    }[kind]
    await query(database_url, "UPDATE master_wallets SET encrypted_phrase = $1 WHERE id = $2", corrupt, victim)

    answers = [await sign(client, victim), await client.get(f"/api/v1/wallets/{victim}/address/eth")]

    for answer in answers:
        assert (answer.status_code, answer.json()["type"]) == (500, "urn:crypto-wallets:problem:corrupt-ciphertext")
        assert answer.json()["detail"] == "the stored ciphertext does not decrypt"
    assert replicas.unlocked == [0, 0]
    assert "keyring_corrupt_ciphertexts_total 2.0" in (await client.get("/metrics")).text
    rows = await query(database_url, "SELECT action, status FROM audit_logs WHERE wallet_id = $1 AND status <> 'ok' ORDER BY id", victim)
    assert [tuple(row) for row in rows] == [("transaction:sign", "failed"), ("address:derive", "failed")]
    assert await query(database_url, "SELECT * FROM derived_addresses") == []
    assert (await sign(client, other)).status_code == 200


async def test_a_ciphertext_that_is_mended_signs_again(replicas: Replicas, database_url: str) -> None:
    """A refusal is not remembered: put right, the row serves the next request."""
    client = replicas.clients[0]
    wallet_id = await new_wallet(client)
    (row,) = await query(database_url, "SELECT encrypted_phrase FROM master_wallets")
    change = "UPDATE master_wallets SET encrypted_phrase = $1"
    await query(database_url, change, row["encrypted_phrase"][:-1])
    assert (await sign(client, wallet_id)).status_code == 500

    await query(database_url, change, row["encrypted_phrase"])

    assert (await sign(client, wallet_id)).status_code == 200
