"""The policies that docs/vault publishes let the service and the operator do their work, and nothing else."""

import re
from collections.abc import Callable

import hvac
import pytest
from hvac.exceptions import Forbidden

from adapters.vault import TransitKey, VaultTransit
from adapters.vault_login import TokenLogin
from adapters.vault_rotation import VaultKeyRotation
from tests.adapters.conftest import client_of
from tests.adapters.test_key_encryption_contract import PHRASE
from tests.open_vault import ROOT, OpenVault
from wallets.errors import KeyEncryptionUnavailableError
from wallets.model import EncryptedMnemonic
from wallets.secret import Mnemonic

DOCS = ROOT / "docs" / "vault"

Action = Callable[[hvac.Client, str], object]

FORBIDDEN: dict[str, Action] = {
    "export the key": lambda client, key: client.secrets.transit.export_key(key, "encryption-key"),
    "back the key up": lambda client, key: client.secrets.transit.backup_key(key),
    "delete the key": lambda client, key: client.secrets.transit.delete_key(key),
    "have the key deleted": lambda client, key: client.secrets.transit.update_key_configuration(key, deletion_allowed=True),
    "have the key exported": lambda client, key: client.secrets.transit.update_key_configuration(key, exportable=True),
    "destroy old versions": lambda client, key: client.secrets.transit.trim_key(key, 1),
    "make a key": lambda client, _: client.secrets.transit.create_key("another"),
    "make a key by using it": lambda client, _: client.secrets.transit.encrypt_data("another", plaintext="eA=="),
    "make a data key": lambda client, key: client.secrets.transit.generate_data_key(key, "plaintext", context="YQ=="),
    "list keys": lambda client, _: client.secrets.transit.list_keys(),
    "list mounts": lambda client, _: client.sys.list_mounted_secrets_engines(),
    "read policies": lambda client, key: client.sys.read_policy(f"service-{key}"),
    "write policies": lambda client, _: client.sys.create_or_update_policy("mine", 'path "*" { capabilities = ["sudo"] }'),
    "make tokens": lambda client, _: client.auth.token.create(policies=["root"]),
    "seal": lambda client, _: client.sys.seal(),
}
ROTATES: dict[str, Action] = {
    "read the key's description": lambda client, key: client.secrets.transit.read_key(key),
    "rotate the key": lambda client, key: client.secrets.transit.rotate_key(key),
    "rewrap": lambda client, key: client.secrets.transit.rewrap_data(key, ciphertext="vault:v1:AAAA", context="YQ=="),
    "retire versions": lambda client, key: client.secrets.transit.update_key_configuration(key, min_decryption_version=1),
}
USES: dict[str, Action] = {
    "encrypt": lambda client, key: client.secrets.transit.encrypt_data(key, plaintext="eA==", context="YQ=="),
    "decrypt": lambda client, key: client.secrets.transit.decrypt_data(key, ciphertext="vault:v1:AAAA", context="YQ=="),
}


@pytest.mark.parametrize("action", [*FORBIDDEN, *ROTATES])
def test_the_service_may_only_encrypt_and_decrypt(vault: OpenVault, action: str) -> None:
    """Whoever steals its token cannot take the key along, replace it or destroy it."""
    key = vault.make_key()
    client = hvac.Client(vault.address, token=vault.token("service", key))

    with pytest.raises(Forbidden):
        {**FORBIDDEN, **ROTATES}[action](client, key)


@pytest.mark.parametrize("action", [*FORBIDDEN, *USES])
def test_the_operator_may_not_take_or_use_the_key(vault: OpenVault, action: str) -> None:
    """Who rotates sees no phrase."""
    key = vault.make_key()
    client = hvac.Client(vault.address, token=vault.token("operator", key))

    with pytest.raises(Forbidden):
        {**FORBIDDEN, **USES}[action](client, key)


async def test_with_their_policies_the_service_works_and_the_operator_rotates(vault: OpenVault) -> None:
    """Neither needs more: encrypt, rotate, rewrap, retire, decrypt."""
    name = vault.make_key()
    async with (
        client_of(vault.address, TokenLogin(vault.token("service", name))) as service,
        client_of(vault.address, TokenLogin(vault.token("operator", name))) as operator,
    ):
        transit, rotation = VaultTransit(service, TransitKey(name)), VaultKeyRotation(operator, TransitKey(name))
        before = await transit.encrypt(Mnemonic(PHRASE), associated_data=b"a")
        version = await rotation.rotate()
        (after,) = await rotation.rewrap_many([EncryptedMnemonic(before, b"a")])
        await rotation.set_oldest_usable(version)

        assert isinstance(after, str)
        assert await transit.decrypt(after, associated_data=b"a") == Mnemonic(PHRASE)


async def test_neither_works_with_another_key(vault: OpenVault) -> None:
    """A policy is for one key."""
    name, other = vault.make_key(), vault.make_key()
    async with client_of(vault.address, TokenLogin(vault.token("service", name))) as service:
        with pytest.raises(KeyEncryptionUnavailableError):
            await VaultTransit(service, TransitKey(other)).encrypt(Mnemonic(PHRASE), associated_data=b"a")
    async with client_of(vault.address, TokenLogin(vault.token("operator", name))) as operator:
        with pytest.raises(KeyEncryptionUnavailableError):
            await VaultKeyRotation(operator, TransitKey(other)).rotate()


def test_the_instructions_name_the_files_there_are() -> None:
    """What docs/vault/README.md says to load is there, and all that is there is named."""
    named = set(re.findall(r"[a-z-]+\.hcl", (DOCS / "README.md").read_text()))

    assert named == {file.name for file in DOCS.glob("*.hcl")}
