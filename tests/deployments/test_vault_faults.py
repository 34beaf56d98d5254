"""The service while something is wrong between it and a real OpenBao, or with OpenBao itself.

Every request ends with the right status within its deadline, nothing wrong is stored or signed, the circuit and readiness follow, and all
recovers by itself.
"""

import asyncio
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from adapters.resilience import CircuitBreaker, CircuitState
from adapters.vault import TransitKey, VaultTransit
from adapters.vault_client import VaultClient
from adapters.vault_health import VaultHealth
from adapters.vault_login import TokenFileLogin
from adapters.vault_server import VaultServer
from api.auth import ApiKeys
from api.edge import Edge
from api.limits import Unlimited
from api.observability import Metrics
from deployments.measured import MeasuredKeyEncryption
from tests.clock import Clock
from tests.deployments.replicas import API_KEY, client_of
from tests.fake_journal import Journal
from tests.fakes import FakeWalletStore
from tests.fault_proxy import Fault, FaultProxy
from tests.open_vault import OpenVault
from tests.records_in_memory import Records
from tests.servers import RunningServer, eventually
from wallets.keyring import Keyring
from wallets.model import AuditStatus

DEADLINE_SECONDS = 0.5
UNSIGNED = "ec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080018080"

Trouble = Callable[["House"], AbstractContextManager[None]]
"""What is wrong for a block."""


class NotYetError(Exception):
    """It has not recovered yet."""


@dataclass(repr=False)
class House:
    """A whole service in this process, over TLS and a proxy on OpenBao; it unlocks anew for every signature."""

    vault: OpenVault
    log: Path
    key: str
    token_file: Path
    proxy: FaultProxy
    http: httpx.AsyncClient
    breaker: CircuitBreaker
    clock: Clock
    store: FakeWalletStore
    journal: Journal
    metrics: Metrics
    wallet: str = ""
    backup: str = ""
    signed: list[str] = field(default_factory=list)

    async def sign(self) -> httpx.Response:
        """Ask for the signature that is always the same, and see that the answer comes in time."""
        return await self._answer(f"/api/v1/wallets/{self.wallet}/sign", {"network": "eth", "index": 0, "unsigned_tx": UNSIGNED})

    async def create(self) -> httpx.Response:
        """Ask for a wallet, and see that the answer comes in time."""
        return await self._answer("/api/v1/wallets", {"label": "another"})

    async def _answer(self, path: str, body: dict[str, object]) -> httpx.Response:
        start = time.monotonic()
        answer = await self.http.post(path, json=body)
        assert time.monotonic() - start < DEADLINE_SECONDS + 2
        return answer

    async def vault_health(self) -> tuple[int, str]:
        """Return the status of readiness, and how it says that Vault is."""
        answer = await self.http.get("/api/v1/health/ready")
        return answer.status_code, str(answer.json()["components"]["vault"]["status"])

    async def recovered(self) -> None:
        """See that it signs the same as before, with the circuit closed and readiness good."""

        async def attempt() -> None:
            self.clock.now += 30
            answers = [await self.sign() for _ in range(3)]
            health = await self.vault_health()
            if [answer.status_code for answer in answers] != [200] * 3 or health != (200, "ok"):
                raise NotYetError([answer.text for answer in answers], health)
            assert {answer.json()["signed_tx"] for answer in answers} == set(self.signed)

        await eventually(attempt, NotYetError)
        assert self.breaker.state is CircuitState.CLOSED
        assert (await self.create()).status_code == 200


@asynccontextmanager
async def _house(open_vault: RunningServer[OpenVault], folder: Path, *, tls: bool) -> AsyncIterator[House]:
    vault, clock, journal, metrics = open_vault.server, Clock(), Journal(), Metrics()
    key, root = vault.make_key(), vault.root()
    root.secrets.transit.update_key_configuration(key, deletion_allowed=True, exportable=True, allow_plaintext_backup=True)
    token_file = folder / "token"
    token_file.write_text(vault.token("service", key))
    breaker = CircuitBreaker(clock=clock)
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(FaultProxy(vault.tls_address if tls else vault.address).listening())
        server = VaultServer(proxy.address, vault.ca_file)
        client = await stack.enter_async_context(
            VaultClient(server, TokenFileLogin(token_file), deadline_seconds=DEADLINE_SECONDS, breaker=breaker)
        )
        transit_key = TransitKey(key)
        health = await stack.enter_async_context(VaultHealth(client, transit_key))
        records = Records(journal)
        encryption = MeasuredKeyEncryption(VaultTransit(client, transit_key), metrics)
        keyring = Keyring(records.store, encryption, max_seeds=0, watcher=metrics)
        custody = records.custody(encryption, keyring, [health])
        http = await stack.enter_async_context(client_of(Edge(custody, ApiKeys([API_KEY]), Unlimited(), metrics)))
        house = House(vault, open_vault.log, key, token_file, proxy, http, breaker, clock, records.store, journal, metrics)
        house.wallet = (await house.create()).raise_for_status().json()["id"]
        house.signed.append((await house.sign()).raise_for_status().json()["signed_tx"])
        house.backup = root.secrets.transit.backup_key(key)["data"]["backup"]
        yield house


@pytest.fixture
async def house(open_vault: RunningServer[OpenVault], tmp_path: Path) -> AsyncIterator[House]:
    """A service that has signed once, over TLS."""
    async with _house(open_vault, tmp_path, tls=True) as opened:
        yield opened


@pytest.fixture
async def plain_house(open_vault: RunningServer[OpenVault], tmp_path: Path) -> AsyncIterator[House]:
    """A service that has signed once, over plain HTTP."""
    async with _house(open_vault, tmp_path, tls=False) as opened:
        yield opened


def _faulty(fault: Fault) -> Trouble:
    @contextmanager
    def trouble(house: House) -> Iterator[None]:
        house.proxy.fault = fault
        try:
            yield
        finally:
            house.proxy.fault = Fault.NONE

    return trouble


@contextmanager
def _sealed(house: House) -> Iterator[None]:
    house.vault.root().sys.seal()
    try:
        yield
    finally:
        (key,) = re.findall(r"Unseal Key: (\S+)", house.log.read_text())
        house.vault.root().sys.submit_unseal_key(key)


AWAY: dict[str, Trouble] = {
    **{fault.value: _faulty(fault) for fault in (Fault.CUT, Fault.CUT_ANSWERS, Fault.HANG, Fault.NONSENSE)},
    **{fault.value: _faulty(fault) for fault in (Fault.GARBLE_REQUESTS, Fault.GARBLE_ANSWERS)},
    "sealed": _sealed,
}
"""Over TLS all of these are an outage: what is garbled does not even arrive."""


@pytest.mark.parametrize("name", AWAY)
async def test_an_outage(house: House, name: str) -> None:
    """503 until five calls have failed, then 503 at once with the time to wait; degraded; and back after it by itself."""
    stored = len(house.store)

    with AWAY[name](house):
        failures = [await house.sign() for _ in range(4)] + [await house.create()]
        state = house.breaker.state
        start = time.monotonic()
        house.clock.now += 12.5
        refusal = await house.sign()
        elapsed = time.monotonic() - start
        health = await house.vault_health()

    assert [answer.status_code for answer in failures] == [503] * 5
    assert {answer.json()["type"] for answer in failures} == {"urn:crypto-wallets:problem:key-encryption-unavailable"}
    assert state is CircuitState.OPEN
    assert (refusal.status_code, refusal.headers["Retry-After"]) == (503, "18")
    assert elapsed < DEADLINE_SECONDS
    assert health == (200, "degraded")
    assert len(house.store) == stored
    assert [event.status for event in house.journal.events[-6:]] == [AuditStatus.FAILED] * 6
    await house.recovered()


async def test_half_open_one_probe_at_a_time_reaches_vault(house: House) -> None:
    """While it hangs still; the others are refused at once and told to come back in a second."""
    house.proxy.fault = Fault.HANG
    for _ in range(5):
        await house.sign()
    house.clock.now += 30

    answers = await asyncio.gather(house.sign(), *(house.create() for _ in range(10)))

    assert {answer.status_code for answer in answers} == {503}
    assert sorted(answer.headers["Retry-After"] for answer in answers) == [*["1"] * 10, "5"]
    assert house.breaker.state is CircuitState.OPEN
    house.proxy.fault = Fault.NONE
    await house.recovered()


async def test_answers_that_are_late_are_waited_for(house: House) -> None:
    """As long as they come before the deadline."""
    house.proxy.fault = Fault.DELAY

    answer = await house.sign()

    assert answer.json()["signed_tx"] == house.signed[0]
    assert house.breaker.state is CircuitState.CLOSED


@pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.NONSENSE, Fault.CUT, Fault.CUT_ANSWERS])
async def test_an_outage_in_clear(plain_house: House, fault: Fault) -> None:
    """Over plain HTTP too, where a load balancer or somebody else may answer."""
    plain_house.proxy.fault = fault
    failures = [await plain_house.sign() for _ in range(5)]
    refused = await plain_house.create()
    plain_house.proxy.fault = Fault.NONE

    assert [answer.status_code for answer in [*failures, refused]] == [503] * 6
    assert plain_house.breaker.state is CircuitState.OPEN
    await plain_house.recovered()


async def test_a_server_that_hangs(house: House, open_vault: RunningServer[OpenVault]) -> None:
    """Its process is held; it is an outage as any other."""
    with open_vault.held():
        failures = [await house.sign() for _ in range(5)]
        health = await house.vault_health()

    assert [answer.status_code for answer in failures] == [503] * 5
    assert health == (200, "degraded")
    await house.recovered()


@contextmanager
def _without_token(house: House) -> Iterator[None]:
    house.vault.root().auth.token.revoke(house.token_file.read_text())
    try:
        yield
    finally:
        house.token_file.write_text(house.vault.token("service", house.key))


@contextmanager
def _without_rights(house: House) -> Iterator[None]:
    house.vault.root().sys.create_or_update_policy(f"service-{house.key}", 'path "auth/token/lookup-self" { capabilities = ["read"] }')
    try:
        yield
    finally:
        house.vault.load_policy("service", house.key)


@contextmanager
def _without_key(house: House) -> Iterator[None]:
    house.vault.root().secrets.transit.delete_key(house.key)
    try:
        yield
    finally:
        house.vault.root().secrets.transit.restore_key(house.backup, name=house.key, force=True)


REFUSED: dict[str, Trouble] = {
    "the token is revoked": _without_token,
    "the rights are taken": _without_rights,
    "the key is deleted": _without_key,
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_refusal(house: House, name: str) -> None:
    """503 and an error in health, so that no traffic comes; the circuit stays closed, because Vault is there. It recovers by itself."""
    stored = len(house.store)

    with REFUSED[name](house):
        failures = [await house.sign() for _ in range(6)] + [await house.create()]
        health = await house.vault_health()
        state = house.breaker.state

    assert [answer.status_code for answer in failures] == [503] * 7
    assert {answer.json()["type"] for answer in failures} == {"urn:crypto-wallets:problem:key-encryption-unavailable"}
    assert health == (503, "error")
    assert state is CircuitState.CLOSED
    assert len(house.store) == stored
    assert [event.status for event in house.journal.events[-7:]] == [AuditStatus.FAILED] * 7
    await house.recovered()


@pytest.mark.parametrize("derived", [True, False])
async def test_another_key_in_its_place(house: House, derived: bool) -> None:
    """A stored phrase never becomes another: 500, audited, counted; and one that binds nothing encrypts nothing."""
    stored = len(house.store)

    with _without_key(house):
        house.vault.root().secrets.transit.create_key(house.key, derived=derived)
        house.vault.root().secrets.transit.update_key_configuration(house.key, deletion_allowed=True)
        created, signed = await house.create(), await house.sign()
        health = await house.vault_health()

    assert created.status_code == (200 if derived else 503)
    assert len(house.store) == stored + derived
    assert signed.status_code == (500 if derived else 503)
    assert house.journal.events[-1].status is AuditStatus.FAILED
    corrupt = f"keyring_corrupt_ciphertexts_total {1.0 if derived else 0.0}"
    assert corrupt in house.metrics.render().decode()
    if not derived:
        assert health == (503, "error")
    await house.recovered()


@pytest.mark.parametrize("change", ["tampered", "another wallet's", "unknown version", "no ciphertext"])
async def test_a_stored_ciphertext_that_is_not_the_wallets(house: House, change: str) -> None:
    """500 without detail, an audit row and an alert metric, never a signature; the circuit and readiness are untouched."""
    wallet = UUID(house.wallet)
    own = await house.store.encrypted_mnemonic(wallet)
    other = await house.store.encrypted_mnemonic(UUID((await house.create()).json()["id"]))
    place = len(own) // 2
    changed = {
        "tampered": own[:place] + ("A" if own[place] != "A" else "B") + own[place + 1 :],
        "another wallet's": other,
        "unknown version": own.replace(":v1:", ":v9:"),
        "no ciphertext": secrets.token_hex(8),
    }[change]
    house.store.replace_ciphertext(wallet, changed)

    answer = await house.sign()

    assert (answer.status_code, answer.json()["type"]) == (500, "urn:crypto-wallets:problem:corrupt-ciphertext")
    event = house.journal.events[-1]
    assert (event.status, event.details["reason"]) == (AuditStatus.FAILED, "the stored ciphertext does not decrypt")
    assert "keyring_corrupt_ciphertexts_total 1.0" in house.metrics.render().decode()
    assert house.breaker.state is CircuitState.CLOSED
    assert await house.vault_health() == (200, "ok")
