"""The contract of `wallets.ports.KeyRotation`, on every backend."""

import time

import pytest

from tests.adapters.conftest import RotatingKeys
from tests.adapters.test_key_encryption_contract import PHRASE
from wallets.errors import CorruptCiphertextError, InvalidRequestError, KeyEncryptionUnavailableError
from wallets.model import EncryptedMnemonic, KeyVersion
from wallets.ports import KeyRotation
from wallets.secret import Mnemonic


async def _encrypted(keys: RotatingKeys, associated_data: bytes = b"a") -> EncryptedMnemonic:
    return EncryptedMnemonic(await keys.encryption.encrypt(Mnemonic(PHRASE), associated_data=associated_data), associated_data)


async def _decrypted(keys: RotatingKeys, item: EncryptedMnemonic) -> Mnemonic:
    return await keys.encryption.decrypt(item.ciphertext, associated_data=item.associated_data)


async def test_a_new_version_encrypts_and_the_old_one_decrypts(rotating: RotatingKeys) -> None:
    """Rotation makes exactly one version, which its users take up at once."""
    before, versions = await _encrypted(rotating), await rotating.rotation.versions()

    number = await rotating.rotation.rotate()

    after = await _encrypted(rotating)
    assert number == versions.latest + 1 == (await rotating.rotation.versions()).latest
    assert KeyVersion.of(before.ciphertext) == KeyVersion(rotating.rotation.backend, number - 1)
    assert KeyVersion.of(after.ciphertext) == KeyVersion(rotating.rotation.backend, number)
    assert await _decrypted(rotating, before) == await _decrypted(rotating, after) == Mnemonic(PHRASE)


async def test_rewrapping_brings_to_the_latest_version_and_keeps_the_binding(rotating: RotatingKeys) -> None:
    """Every item in its place, bound to what it was bound to."""
    items = [await _encrypted(rotating, bound) for bound in (b"one", b"two", b"three")]
    number = await rotating.rotation.rotate()

    renewed = await rotating.rotation.rewrap_many(items)

    ciphertexts = [each for each in renewed if isinstance(each, str)]
    assert {KeyVersion.of(each) for each in ciphertexts} == {KeyVersion(rotating.rotation.backend, number)}
    for ciphertext, item in zip(ciphertexts, items, strict=True):
        assert await rotating.encryption.decrypt(ciphertext, associated_data=item.associated_data) == Mnemonic(PHRASE)
        with pytest.raises(CorruptCiphertextError):
            await rotating.encryption.decrypt(ciphertext, associated_data=b"four")


async def test_what_cannot_be_rewrapped_does_not_hinder_the_others(rotating: RotatingKeys) -> None:
    """A damaged ciphertext, one of another wallet and one of an unknown version each get an error in their place."""
    good = await _encrypted(rotating)
    number = (await rotating.rotation.versions()).latest
    damaged = EncryptedMnemonic(good.ciphertext[:-9] + "AAAA" + good.ciphertext[-5:], b"a")
    foreign = EncryptedMnemonic((await _encrypted(rotating, b"b")).ciphertext, b"a")
    unknown = EncryptedMnemonic(good.ciphertext.replace(f":v{number}:", f":v{number + 7}:"), b"a")

    renewed = await rotating.rotation.rewrap_many([damaged, good, foreign, unknown])

    assert [isinstance(each, CorruptCiphertextError) for each in renewed] == [True, False, True, True]


async def test_nothing_rewraps_to_nothing(rotating: RotatingKeys) -> None:
    """An empty batch is no error."""
    assert list(await rotating.rotation.rewrap_many([])) == []


async def test_versions_below_the_oldest_usable_are_refused_until_it_is_set_back(rotating: RotatingKeys) -> None:
    """Nothing is destroyed by it."""
    item, before = await _encrypted(rotating), await rotating.rotation.versions()
    number = await rotating.rotation.rotate()

    await rotating.rotation.set_oldest_usable(number)

    assert (await rotating.rotation.versions()).oldest_usable == number
    with pytest.raises(CorruptCiphertextError):
        await _decrypted(rotating, item)
    assert [isinstance(each, CorruptCiphertextError) for each in await rotating.rotation.rewrap_many([item])] == [True]
    assert await _decrypted(rotating, await _encrypted(rotating)) == Mnemonic(PHRASE)

    await rotating.rotation.set_oldest_usable(before.oldest_usable)

    assert await _decrypted(rotating, item) == Mnemonic(PHRASE)


@pytest.mark.parametrize("beyond", [None, 1])
async def test_a_version_that_is_not_there_cannot_be_the_oldest(rotating: RotatingKeys, beyond: int | None) -> None:
    """Neither 0 nor one that is yet to come; nothing changes."""
    before = await rotating.rotation.versions()

    with pytest.raises(InvalidRequestError):
        await rotating.rotation.set_oldest_usable(0 if beyond is None else before.latest + beyond)

    assert before == await rotating.rotation.versions()


async def test_a_backend_that_is_away_says_so_in_time(rotation_away: KeyRotation) -> None:
    """Every call, with the port's error."""
    start = time.monotonic()

    for call in (
        rotation_away.versions(),
        rotation_away.rotate(),
        rotation_away.rewrap_many([EncryptedMnemonic("vault:v1:AAAA", b"a")]),
        rotation_away.set_oldest_usable(1),
    ):
        with pytest.raises(KeyEncryptionUnavailableError):
            await call

    assert time.monotonic() - start < 10
