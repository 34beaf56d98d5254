"""What is Transit's own: the key must be derived, batches, what Vault's answers mean, and faults of the server."""

import asyncio
import base64
import inspect
import time

import pytest
import requests
from hvac import exceptions

from adapters.resilience import CircuitBreaker, CircuitState
from adapters.vault import TransitKey, UnboundTransit, VaultTransit
from adapters.vault_client import VaultClient, VaultRefusedError
from adapters.vault_login import TokenLogin
from adapters.vault_server import TRANSIENT, GarbledAnswerError, TransientStatusError
from serve_app.embedded import EmbeddedPostgres, EmbeddedVault
from tests.adapters.bad_vault import ENCRYPTED, NO_CONTEXT, TOKEN, BadVault, serving
from tests.adapters.conftest import client_of, vault_client
from tests.adapters.test_key_encryption_contract import PHRASE
from tests.local_http import Answer
from tests.open_vault import OpenVault
from tests.servers import RunningServer, eventually
from wallets.errors import CorruptCiphertextError, KeyEncryptionUnavailableError
from wallets.model import EncryptedMnemonic
from wallets.secret import Mnemonic

NOWHERE = "http://127.0.0.1:1"
ENCRYPT_PATH = "/v1/transit/encrypt/wallet-master-key"


async def encrypt(client: VaultClient) -> str:
    """Encrypt something."""
    return await VaultTransit(client, TransitKey()).encrypt(Mnemonic(PHRASE), associated_data=b"a")


VENDOR_ERRORS = [
    error
    for module in (exceptions, requests.exceptions)
    for _, error in inspect.getmembers(module, inspect.isclass)
    if not issubclass(error, Warning) and error.__module__.startswith(("hvac", "requests"))
]


@pytest.mark.parametrize("error", [*VENDOR_ERRORS, TransientStatusError, GarbledAnswerError])
async def test_every_vendor_error_is_mapped(error: type[Exception]) -> None:
    """No class of hvac or requests gets out, and none takes the phrase along as cause or context."""

    def request(_client: object) -> None:
        raise error.__new__(error)

    with serving(BadVault(ENCRYPTED, greets=True)) as vault:
        async with client_of(vault.address) as client:
            with pytest.raises((KeyEncryptionUnavailableError, VaultRefusedError)) as raised:
                await client.call(request, lambda answer: answer)

    assert raised.type is (KeyEncryptionUnavailableError if issubclass(error, TRANSIENT) else VaultRefusedError)
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None


@pytest.mark.parametrize("status", [429, 473, 500, 502, 503, 504])
async def test_what_passes_is_tried_again(status: int) -> None:
    """Statuses that say: not now."""
    with serving(BadVault((status, {}), (status, {}), (status, {}), ENCRYPTED, greets=True)) as vault:
        async with client_of(vault.address) as client:
            ciphertext = await encrypt(client)

    assert ciphertext == "vault:v1:AAAA"
    assert vault.paths == [ENCRYPT_PATH] * 4


@pytest.mark.parametrize("status", [400, 401, 404, 405, 412, 413])
async def test_what_does_not_pass_is_not_tried_again(status: int) -> None:
    """Statuses that say: not so."""
    with serving(BadVault((status, {"errors": ["no"]}), greets=True)) as vault:
        async with client_of(vault.address) as client:
            with pytest.raises(KeyEncryptionUnavailableError, match="refuses"):
                await encrypt(client)

    assert len(vault.paths) == 1


async def test_after_three_retries_it_gives_up() -> None:
    """A request costs Vault at most four."""
    with serving(BadVault((503, {"errors": ["Vault is sealed"]}), greets=True)) as vault:
        async with client_of(vault.address) as client:
            with pytest.raises(KeyEncryptionUnavailableError):
                await encrypt(client)

    assert len(vault.paths) == 4


GARBLED: dict[str, Answer] = {
    "a page": (200, "<html>welcome</html>"),
    "nothing": (200, ""),
    "half of it": (200, '{"data": {"batch_results": [{"ciph'),
    "no object": (200, "[]"),
    "another object": (200, {"data": {}}),
    "no results": (200, {"data": {"batch_results": []}}),
    "more results than items": (200, {"data": {"batch_results": [{"ciphertext": "vault:v1:AAAA"}] * 2}}),
    "no ciphertext": (200, {"data": {"batch_results": [{}]}}),
    "something else as ciphertext": (200, {"data": {"batch_results": [{"ciphertext": "the phrase itself"}]}}),
    "a refused item": (400, {"data": {"batch_results": [{"error": "internal"}]}}),
    "no body": (204, ""),
}


@pytest.mark.parametrize("name", GARBLED)
async def test_an_answer_that_is_none_is_tried_again(name: str) -> None:
    """Nothing is taken for a ciphertext that is not one."""
    with serving(BadVault(GARBLED[name], ENCRYPTED, greets=True)) as vault:
        async with client_of(vault.address) as client:
            ciphertext = await encrypt(client)

    assert ciphertext == "vault:v1:AAAA"
    assert len(vault.paths) == 2


@pytest.mark.parametrize("plaintext", ["not base64!", None, 7, "é"])
async def test_a_plaintext_that_is_none_is_not_taken_for_a_phrase(plaintext: object) -> None:
    """Vault answers base64."""
    with serving(BadVault((200, {"data": {"batch_results": [{"plaintext": plaintext}]}}), greets=True)) as vault:
        async with client_of(vault.address) as client:
            with pytest.raises(KeyEncryptionUnavailableError):
                await VaultTransit(client, TransitKey()).decrypt("vault:v1:AAAA", associated_data=b"a")


async def test_the_plaintexts_of_a_batch_of_which_some_fail_stay_out_of_exceptions() -> None:
    """Vault answers 400 with the others' plaintexts in it, of which hvac would make the text of an exception."""
    plaintext = base64.b64encode(PHRASE).decode()
    answer: Answer = (400, {"data": {"batch_results": [{"plaintext": plaintext}, {"plaintext": "", "error": "cipher: ..."}]}})
    items = [EncryptedMnemonic("vault:v1:AAAA", b"a"), EncryptedMnemonic("vault:v1:BBBB", b"a")]
    with serving(BadVault(answer, greets=True)) as vault:
        async with client_of(vault.address) as client:
            first, second = await VaultTransit(client, TransitKey()).decrypt_many(items)

    assert first == Mnemonic(PHRASE)
    assert isinstance(second, CorruptCiphertextError)


async def test_the_circuit_opens_and_closes() -> None:
    """Five calls that fail open it, then none is made; after 30 s three that succeed close it."""
    now = 0.0
    breaker = CircuitBreaker(clock=lambda: now)
    with serving(BadVault((500, {}), greets=True)) as vault:
        async with client_of(vault.address, breaker=breaker) as client:
            transit = VaultTransit(client, TransitKey())
            for _ in range(6):
                with pytest.raises(KeyEncryptionUnavailableError):
                    await transit.encrypt(Mnemonic(PHRASE), associated_data=b"a")
            asked = len(vault.paths)
            now += 30
            vault.answer_from_now_on(ENCRYPTED)
            for _ in range(3):
                await transit.encrypt(Mnemonic(PHRASE), associated_data=b"a")

    assert asked == 5 * 4
    assert breaker.state is CircuitState.CLOSED


async def test_refusals_do_not_open_the_circuit() -> None:
    """A Vault that refuses is there."""
    with serving(BadVault((400, {"errors": ["encryption key not found"]}), greets=True)) as vault:
        async with client_of(vault.address) as client:
            for _ in range(6):
                with pytest.raises(KeyEncryptionUnavailableError):
                    await encrypt(client)

            assert client.breaker.state is CircuitState.CLOSED


async def test_a_key_that_is_not_derived_is_refused() -> None:
    """It would encrypt, and bind nothing: so it is not used at all, and the message says what helps."""
    with serving(BadVault(TOKEN, ENCRYPTED)) as vault:
        async with client_of(vault.address) as client:
            transit = VaultTransit(client, TransitKey())
            with pytest.raises(KeyEncryptionUnavailableError, match="derived one"):
                await transit.encrypt(Mnemonic(PHRASE), associated_data=b"a")
            with pytest.raises(KeyEncryptionUnavailableError, match="derived one"):
                await transit.decrypt("vault:v1:AAAA", associated_data=b"a")

    assert vault.paths == ["/v1/auth/token/lookup-self", ENCRYPT_PATH, ENCRYPT_PATH]


async def test_a_key_is_examined_before_everything_that_is_encrypted() -> None:
    """What is encrypted must be bound, and another key may have come in the place of the one that was examined."""
    with serving(BadVault(TOKEN, NO_CONTEXT, ENCRYPTED, ENCRYPTED)) as vault:
        async with client_of(vault.address) as client:
            transit = VaultTransit(client, TransitKey())
            await transit.encrypt(Mnemonic(PHRASE), associated_data=b"a")
            with pytest.raises(KeyEncryptionUnavailableError, match="derived one"):
                await transit.encrypt(Mnemonic(PHRASE), associated_data=b"a")

    assert vault.paths[1:] == [ENCRYPT_PATH] * 3


async def test_a_key_is_examined_once_before_decrypting_and_again_after_a_refusal() -> None:
    """A signature costs Vault one call."""
    decrypted: Answer = (200, {"data": {"batch_results": [{"plaintext": "eA=="}]}})
    with serving(
        BadVault(TOKEN, NO_CONTEXT, decrypted, decrypted, (400, {"errors": ["encryption key not found"]}), NO_CONTEXT, decrypted)
    ) as vault:
        async with client_of(vault.address) as client:
            transit = VaultTransit(client, TransitKey())
            for _ in range(2):
                await transit.decrypt("vault:v1:AAAA", associated_data=b"a")
            with pytest.raises(KeyEncryptionUnavailableError, match="refuses"):
                await transit.decrypt("vault:v1:AAAA", associated_data=b"a")
            await transit.decrypt("vault:v1:AAAA", associated_data=b"a")

    decrypt_path = ENCRYPT_PATH.replace("encrypt", "decrypt")
    assert vault.paths[1:] == [ENCRYPT_PATH, *[decrypt_path] * 3, ENCRYPT_PATH, decrypt_path]


async def test_what_1_0_8_encrypted_is_read_without_a_binding(open_vault: RunningServer[OpenVault]) -> None:
    """Its key is not derived; what does not decrypt has its error in its place."""
    vault = open_vault.server
    name = vault.make_key(derived=False)
    made = vault.root().secrets.transit.encrypt_data(name, plaintext=base64.b64encode(PHRASE).decode())["data"]["ciphertext"]
    async with client_of(vault.address, TokenLogin(vault.token("service", name))) as client:
        answers = await UnboundTransit(client, TransitKey(name)).decrypt_many([made, "x", made[:-5] + "AAAA="])

    assert answers[0] == Mnemonic(PHRASE)
    assert [type(answer) for answer in answers[1:]] == [CorruptCiphertextError] * 2


async def test_a_key_of_vault_that_is_not_derived_is_refused(open_vault: RunningServer[OpenVault]) -> None:
    """Vault itself would take a context with it, and ignore it."""
    vault = open_vault.server
    name = vault.make_key(derived=False)
    async with client_of(vault.address, TokenLogin(vault.token("service", name))) as client:
        with pytest.raises(KeyEncryptionUnavailableError, match="derived one"):
            await VaultTransit(client, TransitKey(name)).encrypt(Mnemonic(PHRASE), associated_data=b"a")


async def test_a_vault_that_hangs_costs_a_bounded_time(vault_server: RunningServer[EmbeddedVault]) -> None:
    """The whole call has one deadline; when Vault goes on, so does the service."""
    async with vault_client(vault_server.server, deadline_seconds=0.3, breaker=CircuitBreaker(failures_to_open=1000)) as client:
        vault_server.hold()
        try:
            start = time.monotonic()
            answers = await asyncio.gather(*(encrypt(client) for _ in range(40)), return_exceptions=True)
            elapsed = time.monotonic() - start
        finally:
            vault_server.release()

        ciphertext = await eventually(lambda: encrypt(client), KeyEncryptionUnavailableError)

    assert {type(answer) for answer in answers} == {KeyEncryptionUnavailableError}
    assert elapsed < 2
    assert ciphertext.startswith("vault:v")


async def test_a_vault_that_crashes_comes_back(vault_server: RunningServer[EmbeddedVault]) -> None:
    """It unseals itself, on the same address, and decrypts what it encrypted."""
    async with vault_client(vault_server.server, breaker=CircuitBreaker(failures_to_open=1000)) as client:
        transit = VaultTransit(client, TransitKey())
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
    async with vault_client(vault_server.server, breaker=CircuitBreaker(failures_to_open=1000)) as client:
        transit = VaultTransit(client, TransitKey())
        ciphertext = await transit.encrypt(Mnemonic(PHRASE), associated_data=b"a")
        postgres_server.kill()
        postgres_server.start()

        mnemonic = await eventually(lambda: transit.decrypt(ciphertext, associated_data=b"a"), KeyEncryptionUnavailableError)

    assert mnemonic == Mnemonic(PHRASE)


async def test_a_proxy_of_the_environment_is_not_used(vault_server: RunningServer[EmbeddedVault], monkeypatch: pytest.MonkeyPatch) -> None:
    """Phrases do not travel through it."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with vault_client(vault_server.server) as client:
        ciphertext = await encrypt(client)

    assert ciphertext.startswith("vault:v")


def test_what_is_transient_is_what_the_network_does() -> None:
    """Answers of Vault, by contrast, are final."""
    assert issubclass(requests.ConnectionError, TRANSIENT)
    assert issubclass(requests.Timeout, TRANSIENT)
    assert not issubclass(exceptions.VaultError, TRANSIENT)
