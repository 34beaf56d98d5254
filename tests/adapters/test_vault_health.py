"""How Vault is said to be."""

import asyncio
import secrets
import time

import pytest

from adapters.resilience import CircuitBreaker
from adapters.vault import TransitKey, VaultTransit
from adapters.vault_health import VaultHealth
from adapters.vault_login import TokenLogin
from serve_app.embedded import EmbeddedVault
from tests.adapters.bad_vault import BadVault, serving
from tests.adapters.conftest import client_of, vault_client
from tests.adapters.test_key_encryption_contract import PHRASE
from tests.open_vault import OpenVault
from tests.servers import RunningServer, eventually
from wallets.errors import KeyEncryptionUnavailableError
from wallets.model import ComponentHealth, HealthStatus
from wallets.secret import Mnemonic

NOWHERE = "http://127.0.0.1:1"


class NotYetError(Exception):
    """Health says something else still."""


async def becomes(health: VaultHealth, status: HealthStatus) -> ComponentHealth:
    """Ask until it is so, and return the answer."""

    async def ask() -> ComponentHealth:
        answer = await health.check()
        if answer.status is not status:
            raise NotYetError(answer)
        return answer

    return await eventually(ask, NotYetError)


async def test_a_vault_that_is_well(vault_server: RunningServer[EmbeddedVault]) -> None:
    """Unsealed, it knows our token, and the key is as it should be."""
    async with vault_client(vault_server.server) as client, VaultHealth(client, TransitKey()) as health:
        answer = await becomes(health, HealthStatus.OK)

    assert answer.details["circuit_state"] == "closed"
    assert int(answer.details["token_ttl_seconds"]) > 86_400 * 365


@pytest.mark.parametrize("token", ["wrong", "hvs.wrong"])
async def test_a_token_that_is_refused(vault_server: RunningServer[EmbeddedVault], token: str) -> None:
    """A Vault that is there, but not for us."""
    async with vault_client(vault_server.server, token) as client, VaultHealth(client, TransitKey()) as health:
        answer = await health.check()

    assert (answer.status, answer.details["reason"]) == (HealthStatus.ERROR, "Vault refuses the token")


async def test_a_vault_that_is_away() -> None:
    """An error, not degraded: nobody knows yet for how long."""
    async with client_of(NOWHERE) as client, VaultHealth(client, TransitKey()) as health:
        answer = await health.check()

    assert (answer.status, answer.details["reason"]) == (HealthStatus.ERROR, "Vault is away")


async def test_an_open_circuit_is_degraded_and_asks_nothing() -> None:
    """What is unlocked signs on, and the service recovers by itself."""
    with serving(BadVault((500, {}), greets=True)) as vault:
        async with (
            client_of(vault.address, breaker=CircuitBreaker(failures_to_open=1)) as client,
            VaultHealth(client, TransitKey()) as health,
        ):
            with pytest.raises(KeyEncryptionUnavailableError):
                await VaultTransit(client, TransitKey()).encrypt(Mnemonic(PHRASE), associated_data=b"a")
            asked = len(vault.paths)

            answer = await health.check()

            assert (answer.status, answer.details["circuit_state"]) == (HealthStatus.DEGRADED, "open")
            assert len(vault.paths) == asked


async def test_a_key_that_is_not_derived_is_an_error_that_says_what_helps(open_vault: RunningServer[OpenVault]) -> None:
    """Before the first request comes."""
    vault = open_vault.server
    name = vault.make_key(derived=False)
    token = vault.token("service", name)
    async with client_of(vault.address, TokenLogin(token)) as client, VaultHealth(client, TransitKey(name)) as health:
        await client.session.login()
        answer = await health.check()

    assert answer.status is HealthStatus.ERROR
    assert "must make a derived one" in str(answer.details["reason"])


async def test_a_key_that_is_not_there_is_an_error_until_it_is(open_vault: RunningServer[OpenVault]) -> None:
    """It recovers without a request."""
    vault = open_vault.server
    vault.make_key()
    name, root = f"key-{secrets.token_hex(4)}", vault.root()
    token = vault.token("service", name)
    async with client_of(vault.address, TokenLogin(token)) as client, VaultHealth(client, TransitKey(name)) as health:
        await client.session.login()
        before = await health.check()
        root.secrets.transit.create_key(name, derived=True)
        after = await health.check()

    assert (before.status, before.details["reason"]) == (HealthStatus.ERROR, "Vault refuses to use the key")
    assert after.status is HealthStatus.OK


async def test_a_vault_that_hangs_answers_in_time(vault_server: RunningServer[EmbeddedVault]) -> None:
    """In two seconds, without raising; also asked twice."""
    async with vault_client(vault_server.server) as client, VaultHealth(client, TransitKey()) as health:
        await client.session.login()
        vault_server.hold()
        try:
            start = time.monotonic()
            answers = await asyncio.gather(health.check(), health.check())
            elapsed = time.monotonic() - start
        finally:
            vault_server.release()

    assert {answer.status for answer in answers} == {HealthStatus.ERROR}
    assert elapsed < 2.5
