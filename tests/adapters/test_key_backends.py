"""Several key backends are one: the chosen one encrypts, and whichever a ciphertext names decrypts."""

from collections.abc import Sequence

import pytest

from adapters.key_backends import KeyBackends
from tests.adapters.test_key_encryption_contract import PHRASE
from tests.fakes import FakeKeyEncryption
from wallets.errors import CorruptCiphertextError, KeyEncryptionUnavailableError
from wallets.model import EncryptedMnemonic
from wallets.secret import Mnemonic


@pytest.fixture
def vault() -> FakeKeyEncryption:
    """A backend called `vault`."""
    return FakeKeyEncryption("vault")


@pytest.fixture
def local() -> FakeKeyEncryption:
    """A backend called `local`."""
    return FakeKeyEncryption("local")


@pytest.mark.parametrize("chosen", ["vault", "local"])
async def test_the_chosen_one_encrypts(vault: FakeKeyEncryption, local: FakeKeyEncryption, chosen: str) -> None:
    """One or many."""
    backends = KeyBackends({"vault": vault, "local": local}, chosen)

    one = await backends.encrypt(Mnemonic(PHRASE), associated_data=b"a")
    many = await backends.encrypt_many([(Mnemonic(PHRASE), b"a"), (Mnemonic(PHRASE), b"b")])

    assert {each.split(":")[0] for each in (one, *many)} == {chosen}


async def test_each_ciphertext_is_decrypted_by_its_own(vault: FakeKeyEncryption, local: FakeKeyEncryption) -> None:
    """One by one, and in a batch each in its place."""
    backends = KeyBackends({"vault": vault, "local": local}, "vault")
    phrases = [Mnemonic(f"phrase {number}".encode()) for number in range(4)]
    keys = (vault, local, vault, local)
    items = [EncryptedMnemonic(await key.encrypt(phrase, associated_data=b"a"), b"a") for key, phrase in zip(keys, phrases, strict=True)]
    items.insert(2, EncryptedMnemonic("nonsense", b"a"))

    one_by_one = [await backends.decrypt(items[place].ciphertext, associated_data=b"a") for place in (0, 1, 3, 4)]
    batch = list(await backends.decrypt_many(items))

    assert isinstance(batch.pop(2), CorruptCiphertextError)
    assert phrases == one_by_one == batch


async def test_the_key_of_a_backend_that_is_not_configured_is_away(vault: FakeKeyEncryption, local: FakeKeyEncryption) -> None:
    """Not corrupt: with the backend configured it would decrypt."""
    ciphertext = await local.encrypt(Mnemonic(PHRASE), associated_data=b"a")
    backends = KeyBackends({"vault": vault}, "vault")

    with pytest.raises(KeyEncryptionUnavailableError, match="`local`, which is not configured here"):
        await backends.decrypt(ciphertext, associated_data=b"a")
    with pytest.raises(KeyEncryptionUnavailableError, match="`local`"):
        await backends.decrypt_many([EncryptedMnemonic(ciphertext, b"a")])


@pytest.mark.parametrize("ciphertext", ["", "x", "fake:v1:AAAA", "vault:v0:AAAA"])
async def test_what_no_backend_has_written_is_corrupt(vault: FakeKeyEncryption, ciphertext: str) -> None:
    """Whatever it is."""
    backends = KeyBackends({"vault": vault}, "vault")

    with pytest.raises(CorruptCiphertextError):
        await backends.decrypt(ciphertext, associated_data=b"a")
    assert [type(each) for each in await backends.decrypt_many([EncryptedMnemonic(ciphertext, b"a")])] == [CorruptCiphertextError]


class _Remembering(FakeKeyEncryption):
    """A backend that remembers what it has decrypted."""

    def __init__(self, backend: str) -> None:
        super().__init__(backend)
        self.opened: list[Mnemonic] = []

    async def decrypt_many(self, items: Sequence[EncryptedMnemonic]) -> Sequence[Mnemonic | CorruptCiphertextError]:
        answers = await super().decrypt_many(items)
        self.opened += [each for each in answers if isinstance(each, Mnemonic)]
        return answers


async def test_one_backend_away_leaves_no_secret_of_the_other_open(local: FakeKeyEncryption) -> None:
    """What was decrypted already is closed before the error goes on."""
    vault = _Remembering("vault")
    items = [EncryptedMnemonic(await each.encrypt(Mnemonic(PHRASE), associated_data=b"a"), b"a") for each in (vault, local)]
    local.away = True

    with pytest.raises(KeyEncryptionUnavailableError):
        await KeyBackends({"vault": vault, "local": local}, "vault").decrypt_many(items)

    (opened,) = vault.opened
    with pytest.raises(ValueError, match="closed"):
        opened.reveal()
