"""What is Vault's own: the token's rights, retries, the circuit, renewal, health, faults."""

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import hvac
import pytest
import requests
from hvac import exceptions

from adapters.resilience import CircuitBreaker, CircuitState
from adapters.vault import TRANSIENT, VaultHealth, VaultTransit
from serve_app.embedded import EmbeddedPostgres, EmbeddedVault
from tests.adapters.bad_vault import BadVault, serving
from tests.adapters.conftest import no_sleep
from tests.adapters.test_key_encryption_contract import PHRASE
from tests.servers import RunningServer, eventually
from wallets.errors import KeyEncryptionUnavailableError
from wallets.model import HealthStatus
from wallets.secret import Mnemonic

ENCRYPTED = (200, {"data": {"ciphertext": "vault:v1:x"}})
KEY = "wallet-master-key"
NOWHERE = "http://127.0.0.1:1"

FORBIDDEN: dict[str, Callable[[hvac.Client], object]] = {
    "read the key": lambda client: client.secrets.transit.read_key(KEY),
    "export the key": lambda client: client.secrets.transit.export_key(KEY, "encryption-key"),
    "back the key up": lambda client: client.secrets.transit.backup_key(KEY),
    "rotate the key": lambda client: client.secrets.transit.rotate_key(KEY),
    "change the key": lambda client: client.secrets.transit.update_key_configuration(KEY, deletion_allowed=True),
    "delete the key": lambda client: client.secrets.transit.delete_key(KEY),
    "make a key": lambda client: client.secrets.transit.create_key("another"),
    "make a key by using it": lambda client: client.secrets.transit.encrypt_data("another", plaintext="eA=="),
    "list keys": lambda client: client.secrets.transit.list_keys(),
    "list mounts": lambda client: client.sys.list_mounted_secrets_engines(),
    "read its policy": lambda client: client.sys.read_policy("wallet-service"),
    "change its policy": lambda client: client.sys.create_or_update_policy("wallet-service", 'path "*" { capabilities = ["sudo"] }'),
    "make tokens": lambda client: client.auth.token.create(policies=["root"]),
    "seal": lambda client: client.sys.seal(),
}


@pytest.mark.parametrize("action", FORBIDDEN)
def test_the_service_may_only_encrypt_and_decrypt(vault_server: RunningServer[EmbeddedVault], action: str) -> None:
    """Whoever steals its token cannot take the key along, replace it or destroy it."""
    client = hvac.Client(vault_server.server.address, token=vault_server.server.token)

    with pytest.raises(exceptions.Forbidden):
        FORBIDDEN[action](client)


@pytest.mark.parametrize("action", set(FORBIDDEN) - {"read the key", "rotate the key", "read its policy", "change its policy"})
def test_the_operator_may_not_take_or_use_the_key(vault_server: RunningServer[EmbeddedVault], action: str) -> None:
    """Its token rotates the key and repairs the service's policy; nothing else."""
    client = hvac.Client(vault_server.server.address, token=vault_server.server.operator_token)

    with pytest.raises(exceptions.Forbidden):
        FORBIDDEN[action](client)


async def test_what_was_encrypted_before_a_rotation_decrypts_after_it(vault_server: RunningServer[EmbeddedVault]) -> None:
    """The operator rotates; the service goes on."""
    operator = hvac.Client(vault_server.server.address, token=vault_server.server.operator_token)
    async with VaultTransit(vault_server.server.address, vault_server.server.token) as transit:
        before = await transit.encrypt(Mnemonic(PHRASE), associated_data=b"a")
        operator.secrets.transit.rotate_key(KEY)
        after = await transit.encrypt(Mnemonic(PHRASE), associated_data=b"a")

        assert before.split(":")[1] != after.split(":")[1]
        assert await transit.decrypt(before, associated_data=b"a") == await transit.decrypt(after, associated_data=b"a") == Mnemonic(PHRASE)


VENDOR_ERRORS = [
    error
    for module in (exceptions, requests.exceptions)
    for _, error in inspect.getmembers(module, inspect.isclass)
    if not issubclass(error, Warning) and error.__module__.startswith(("hvac", "requests"))
]


@pytest.mark.parametrize("error", VENDOR_ERRORS)
async def test_every_vendor_error_is_mapped(error: type[Exception]) -> None:
    """No class of hvac or requests gets out, and none takes the phrase along as cause or context."""

    def call() -> None:
        raise error.__new__(error)

    async with unrenewed(NOWHERE) as transit:
        with pytest.raises(KeyEncryptionUnavailableError, match=r"^the key backend is away$") as raised:
            await transit._called(call)

    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None


@pytest.mark.parametrize("status", [429, 473, 500, 502, 503, 504])
async def test_what_passes_is_tried_again(status: int) -> None:
    """Statuses that say: not now."""
    with serving(BadVault((status, {}), (status, {}), (status, {}), ENCRYPTED)) as vault:
        async with unrenewed(vault.address) as transit:
            ciphertext = await transit.encrypt(Mnemonic(PHRASE), associated_data=b"a")

    assert ciphertext == "vault:v1:x"
    assert vault.paths == ["/v1/transit/encrypt/wallet-master-key"] * 4


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 412, 413])
async def test_what_does_not_pass_is_not_tried_again(status: int) -> None:
    """Statuses that say: not so."""
    with serving(BadVault((status, {"errors": ["no"]}))) as vault:
        async with unrenewed(vault.address) as transit:
            with pytest.raises(KeyEncryptionUnavailableError):
                await transit.encrypt(Mnemonic(PHRASE), associated_data=b"a")

    assert len(vault.paths) == 1


async def test_after_three_retries_it_gives_up() -> None:
    """A request costs Vault at most four."""
    with serving(BadVault((503, {"errors": ["Vault is sealed"]}))) as vault:
        async with unrenewed(vault.address) as transit:
            with pytest.raises(KeyEncryptionUnavailableError):
                await transit.encrypt(Mnemonic(PHRASE), associated_data=b"a")

    assert len(vault.paths) == 4


async def test_the_circuit_opens_and_closes() -> None:
    """Five calls that fail open it, then none is made; after 30 s three that succeed close it."""
    now = 0.0
    breaker = CircuitBreaker(clock=lambda: now)
    with serving(BadVault((500, {}))) as vault:
        async with unrenewed(vault.address, breaker) as transit, VaultHealth(vault.address, "x", transit) as health:
            for _ in range(6):
                with pytest.raises(KeyEncryptionUnavailableError):
                    await transit.encrypt(Mnemonic(PHRASE), associated_data=b"a")
            asked = len(vault.paths)
            opened = await health.check()
            now += 30
            vault.answer_from_now_on(*ENCRYPTED)
            for _ in range(3):
                await transit.encrypt(Mnemonic(PHRASE), associated_data=b"a")

    assert asked == 5 * 4
    assert (opened.status, opened.details["circuit_state"]) == (HealthStatus.DEGRADED, "open")
    assert transit.circuit_state is CircuitState.CLOSED


async def test_refusals_do_not_open_the_circuit() -> None:
    """A Vault that refuses is there."""
    with serving(BadVault((403, {"errors": ["permission denied"]}))) as vault:
        async with unrenewed(vault.address) as transit:
            for _ in range(6):
                with pytest.raises(KeyEncryptionUnavailableError):
                    await transit.encrypt(Mnemonic(PHRASE), associated_data=b"a")

    assert transit.circuit_state is CircuitState.CLOSED


async def test_a_vault_that_hangs_costs_a_bounded_time(vault_server: RunningServer[EmbeddedVault]) -> None:
    """The whole call has one deadline; when Vault goes on, so does the service."""
    vault = vault_server.server
    async with VaultTransit(vault.address, vault.token, deadline_seconds=0.3, breaker=CircuitBreaker(failures_to_open=1000)) as transit:
        vault_server.hold()
        try:
            start = time.monotonic()
            answers = await asyncio.gather(
                *(transit.encrypt(Mnemonic(PHRASE), associated_data=b"a") for _ in range(40)), return_exceptions=True
            )
            elapsed = time.monotonic() - start
        finally:
            vault_server.release()

        ciphertext = await eventually(lambda: transit.encrypt(Mnemonic(PHRASE), associated_data=b"a"), KeyEncryptionUnavailableError)

    assert {type(answer) for answer in answers} == {KeyEncryptionUnavailableError}
    assert elapsed < 2
    assert ciphertext.startswith("vault:v")


async def test_a_vault_that_crashes_comes_back(vault_server: RunningServer[EmbeddedVault]) -> None:
    """It unseals itself, on the same address, and decrypts what it encrypted."""
    vault = vault_server.server
    async with VaultTransit(vault.address, vault.token, breaker=CircuitBreaker(failures_to_open=1000)) as transit:
        ciphertext = await transit.encrypt(Mnemonic(PHRASE), associated_data=b"a")
        vault_server.kill()
        try:
            with pytest.raises(KeyEncryptionUnavailableError):
                await transit.decrypt(ciphertext, associated_data=b"a")
        finally:
            vault_server.start()

        mnemonic = await transit.decrypt(ciphertext, associated_data=b"a")

    assert mnemonic == Mnemonic(PHRASE)


async def test_a_vault_whose_storage_crashes_comes_back(
    postgres_server: RunningServer[EmbeddedPostgres], vault_server: RunningServer[EmbeddedVault]
) -> None:
    """Without being restarted itself."""
    vault = vault_server.server
    async with VaultTransit(vault.address, vault.token, breaker=CircuitBreaker(failures_to_open=1000)) as transit:
        ciphertext = await transit.encrypt(Mnemonic(PHRASE), associated_data=b"a")
        postgres_server.kill()
        postgres_server.start()

        mnemonic = await eventually(lambda: transit.decrypt(ciphertext, associated_data=b"a"), KeyEncryptionUnavailableError)

    assert mnemonic == Mnemonic(PHRASE)


async def test_a_proxy_of_the_environment_is_not_used(vault_server: RunningServer[EmbeddedVault], monkeypatch: pytest.MonkeyPatch) -> None:
    """Phrases do not travel through it."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    vault = vault_server.server
    async with VaultTransit(vault.address, vault.token) as transit:
        ciphertext = await transit.encrypt(Mnemonic(PHRASE), associated_data=b"a")

    assert ciphertext.startswith("vault:v")


async def test_the_token_is_renewed_when_two_thirds_are_over() -> None:
    """Again and again, and after a failure half a minute later."""
    waits: list[float] = []
    done = asyncio.Event()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 4:
            done.set()
            await asyncio.Event().wait()

    alive = (200, {"data": {"ttl": 9, "renewable": True}})
    with serving(BadVault(alive, (200, {}), alive, (403, {}), alive, (200, {}), alive)) as vault:
        async with VaultTransit(vault.address, "x", sleep=sleep):
            await done.wait()

    assert waits == [6.0, 6.0, 30.0, 6.0]
    assert vault.paths[:2] == ["/v1/auth/token/lookup-self", "/v1/auth/token/renew-self"]


@pytest.mark.parametrize("token", [{"ttl": 0, "renewable": False}, {"ttl": 100, "renewable": False}])
async def test_a_token_that_cannot_be_renewed_is_left_alone(token: dict[str, object]) -> None:
    """A root token, or one whose time others look after."""
    with serving(BadVault((200, {"data": token}))) as vault:
        async with VaultTransit(vault.address, "x") as transit:
            assert transit._renewal is not None
            await transit._renewal

    assert vault.paths == ["/v1/auth/token/lookup-self"]


async def test_a_token_of_ten_years_is_renewed_daily(vault_server: RunningServer[EmbeddedVault]) -> None:
    """The embedded Vault's token outlives any pause of the service, and is renewed all the same."""
    waits: list[float] = []
    slept = asyncio.Event()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        slept.set()
        await asyncio.Event().wait()

    async with VaultTransit(vault_server.server.address, vault_server.server.token, sleep=sleep):
        await slept.wait()

    assert waits == [86_400]


async def test_health_of_a_vault_that_is_well(vault_server: RunningServer[EmbeddedVault]) -> None:
    """Unsealed, and it knows our token."""
    vault = vault_server.server
    async with unrenewed(NOWHERE) as transit, VaultHealth(vault.address, vault.token, transit) as health:
        answer = await health.check()

    assert answer.status is HealthStatus.OK
    assert answer.details["circuit_state"] == "closed"
    assert int(answer.details["token_ttl_seconds"]) > 86_400 * 365


@pytest.mark.parametrize("token", ["wrong", ""])
async def test_health_tells_that_the_token_is_refused(vault_server: RunningServer[EmbeddedVault], token: str) -> None:
    """A Vault that is there, but not for us."""
    async with unrenewed(NOWHERE) as transit, VaultHealth(vault_server.server.address, token, transit) as health:
        answer = await health.check()

    assert (answer.status, answer.details["reason"]) == (HealthStatus.ERROR, "Vault refuses the token")


async def test_health_of_a_vault_that_is_away() -> None:
    """An error, not degraded: nobody knows yet for how long."""
    async with unrenewed(NOWHERE) as transit, VaultHealth(NOWHERE, "x", transit) as health:
        answer = await health.check()

    assert (answer.status, answer.details["reason"]) == (HealthStatus.ERROR, "Vault is away")


async def test_health_of_a_vault_that_hangs_answers_in_time(vault_server: RunningServer[EmbeddedVault]) -> None:
    """In two seconds, without raising; also asked twice."""
    vault = vault_server.server
    async with unrenewed(NOWHERE) as transit, VaultHealth(vault.address, vault.token, transit) as health:
        vault_server.hold()
        try:
            start = time.monotonic()
            answers = await asyncio.gather(health.check(), health.check())
            elapsed = time.monotonic() - start
        finally:
            vault_server.release()

    assert {answer.status for answer in answers} == {HealthStatus.ERROR}
    assert elapsed < 2.5


@asynccontextmanager
async def unrenewed(address: str, breaker: CircuitBreaker | None = None) -> AsyncIterator[VaultTransit]:
    """Lend a transit that looks after no token, so that each request is one of the test's own."""
    transit = VaultTransit(address, "x", breaker=breaker, sleep=no_sleep)
    try:
        yield transit
    finally:
        await transit.__aexit__()


def test_what_is_transient_is_what_the_network_does() -> None:
    """Answers of Vault, by contrast, are final."""
    assert issubclass(requests.ConnectionError, TRANSIENT)
    assert issubclass(requests.Timeout, TRANSIENT)
    assert not issubclass(exceptions.VaultError, TRANSIENT)
