"""What 1.0.8 encrypted decrypts, on the fake and on a key of OpenBao's that is not derived."""

import base64
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest

from adapters.vault import TransitKey, UnboundTransit
from adapters.vault_client import VaultClient
from adapters.vault_login import TokenLogin
from adapters.vault_server import VaultServer
from tests.adapters.conftest import client_of
from tests.adapters.takeover_house import FakeV1Phrases
from tests.open_vault import OpenVault
from tests.servers import RunningServer
from wallets.errors import CorruptCiphertextError, KeyEncryptionUnavailableError
from wallets.secret import Mnemonic
from wallets.takeover import V1Phrases


@dataclass
class Old:
    """The phrases, and how 1.0.8 encrypted one."""

    phrases: V1Phrases
    encrypt: Callable[[str], str]


@pytest.fixture(params=["fake", "vault"])
async def old(request: pytest.FixtureRequest) -> AsyncIterator[Old]:
    """A backend that is there."""
    if request.param == "fake":
        fake = FakeV1Phrases()
        yield Old(fake, fake.encrypt)
        return
    vault: RunningServer[OpenVault] = request.getfixturevalue("open_vault")
    key, transit = vault.server.make_key(derived=False), vault.server.root().secrets.transit

    def encrypt(phrase: str) -> str:
        return str(transit.encrypt_data(key, plaintext=base64.b64encode(phrase.encode()).decode())["data"]["ciphertext"])

    async with VaultClient(VaultServer(vault.server.address), TokenLogin(vault.server.root_token)) as client:
        yield Old(UnboundTransit(client, TransitKey(key)), encrypt)


@pytest.fixture(params=["fake", "vault"])
async def old_away(request: pytest.FixtureRequest) -> AsyncIterator[V1Phrases]:
    """A backend that is away."""
    if request.param == "fake":
        fake = FakeV1Phrases()
        fake.away = True
        yield fake
        return
    async with client_of("http://127.0.0.1:1") as client:
        yield UnboundTransit(client, TransitKey())


async def test_what_decrypts_comes_in_its_place(old: Old) -> None:
    """Phrases come in the order of their ciphertexts, and an error where one does not decrypt: of no kind, or changed by a bit."""
    good = [old.encrypt(text) for text in ("first", "second \N{LATIN SMALL LETTER A WITH DIAERESIS}")]
    changed = good[0][:-10] + ("A" if good[0][-10] != "A" else "B") + good[0][-9:]

    first, none, broken, second = await old.phrases.decrypt_many([good[0], "", changed, good[1]])

    assert (Mnemonic(b"first"), Mnemonic("second \N{LATIN SMALL LETTER A WITH DIAERESIS}".encode())) == (first, second)
    assert [isinstance(each, CorruptCiphertextError) for each in (none, broken)] == [True, True]


async def test_nothing_is_asked_for_nothing(old: Old) -> None:
    """No ciphertexts, no phrases."""
    assert list(await old.phrases.decrypt_many([])) == []


async def test_away_is_an_error_of_ours(old_away: V1Phrases) -> None:
    """A backend that is away is not a ciphertext that does not decrypt."""
    with pytest.raises(KeyEncryptionUnavailableError):
        await old_away.decrypt_many(["vault:v1:AAAA"])
