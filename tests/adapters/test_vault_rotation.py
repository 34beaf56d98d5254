"""What an operator does with the Transit key: rotate, rewrap, retire old versions."""

from collections.abc import AsyncIterator

import pytest

from adapters.vault import TransitKey, VaultTransit
from adapters.vault_rotation import VaultKeyRotation
from serve_app.embedded import EmbeddedVault
from tests.adapters.bad_vault import BadVault, serving
from tests.adapters.conftest import ELSEWHERE, client_of, elsewhere, vault_client
from tests.adapters.test_key_encryption_contract import PHRASE
from tests.servers import RunningServer
from wallets.errors import CorruptCiphertextError, InvalidRequestError, KeyEncryptionUnavailableError
from wallets.model import EncryptedMnemonic
from wallets.secret import Mnemonic


@pytest.fixture(params=["embedded", *ELSEWHERE])
async def service_and_operator(request: pytest.FixtureRequest) -> AsyncIterator[tuple[VaultTransit, VaultKeyRotation]]:
    """The two sides of one key; where VAULT_ADDR names a Vault, one token is both."""
    if request.param == "VAULT_ADDR":
        async with elsewhere() as (client, key):
            yield VaultTransit(client, key), VaultKeyRotation(client, key)
        return
    vault: EmbeddedVault = request.getfixturevalue("vault_server").server
    async with vault_client(vault) as service, vault_client(vault, vault.operator_token) as operator:
        yield VaultTransit(service, TransitKey()), VaultKeyRotation(operator, TransitKey())


async def test_what_the_service_encrypted_is_rewrapped_by_the_operator(
    service_and_operator: tuple[VaultTransit, VaultKeyRotation],
) -> None:
    """The service decrypts the result, and only for the same wallet."""
    transit, rotation = service_and_operator
    before = await transit.encrypt(Mnemonic(PHRASE), associated_data=b"a")
    version = await rotation.rotate()
    after, foreign = await rotation.rewrap_many([EncryptedMnemonic(before, b"a"), EncryptedMnemonic(before, b"b")])

    assert isinstance(after, str)
    assert isinstance(foreign, CorruptCiphertextError)
    assert after.startswith(f"vault:v{version}:")
    assert (await rotation.versions()).latest == version
    assert await transit.decrypt(after, associated_data=b"a") == await transit.decrypt(before, associated_data=b"a") == Mnemonic(PHRASE)
    with pytest.raises(CorruptCiphertextError):
        await transit.decrypt(after, associated_data=b"b")


async def test_the_operator_cannot_decrypt(vault_server: RunningServer[EmbeddedVault]) -> None:
    """Whoever rotates sees no phrase."""
    vault = vault_server.server
    async with vault_client(vault) as service, vault_client(vault, vault.operator_token) as operator:
        ciphertext = await VaultTransit(service, TransitKey()).encrypt(Mnemonic(PHRASE), associated_data=b"a")

        with pytest.raises(KeyEncryptionUnavailableError):
            await VaultTransit(operator, TransitKey()).decrypt(ciphertext, associated_data=b"a")


@pytest.mark.parametrize("number", [0, -1, 10_000])
async def test_a_version_that_is_not_there_cannot_become_the_oldest(vault_server: RunningServer[EmbeddedVault], number: int) -> None:
    """It is refused before Vault is asked to."""
    async with vault_client(vault_server.server, vault_server.server.operator_token) as operator:
        rotation = VaultKeyRotation(operator, TransitKey())

        with pytest.raises(InvalidRequestError):
            await rotation.set_oldest_usable(number)


async def test_the_service_cannot_rotate_or_rewrap(vault_server: RunningServer[EmbeddedVault]) -> None:
    """Its token is not the operator's."""
    async with vault_client(vault_server.server) as service:
        rotation = VaultKeyRotation(service, TransitKey())

        for attempt in (rotation.versions(), rotation.rotate(), rotation.rewrap_many([EncryptedMnemonic("vault:v1:AAAA", b"a")])):
            with pytest.raises(KeyEncryptionUnavailableError):
                await attempt


async def test_a_key_that_binds_nothing_is_not_rotated_further() -> None:
    """The operator is told what kind of key is needed."""
    with serving(BadVault((200, {"data": {"ttl": 0, "renewable": False, "derived": False, "latest_version": 1}}))) as vault:
        async with client_of(vault.address) as client:
            with pytest.raises(KeyEncryptionUnavailableError, match="derived"):
                await VaultKeyRotation(client, TransitKey()).versions()


async def test_a_rotation_whose_answer_is_lost_is_not_made_twice() -> None:
    """Vault may have heard it."""
    with serving(BadVault((200, {"data": {"ttl": 0, "renewable": False}}), (503, {}))) as vault:
        async with client_of(vault.address) as client:
            with pytest.raises(KeyEncryptionUnavailableError):
                await VaultKeyRotation(client, TransitKey()).rotate()

    assert vault.paths == ["/v1/auth/token/lookup-self", "/v1/transit/keys/wallet-master-key/rotate"]
