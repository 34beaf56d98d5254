"""The contract of `wallets.ports.KeyEncryption`, on the fake and on OpenBao's Transit."""

import time

import pytest

from wallets.errors import CorruptCiphertextError, KeyEncryptionUnavailableError
from wallets.ports import KeyEncryption
from wallets.secret import Mnemonic

PHRASE = b"legal winner thank year wave sausage worth useful legal winner thank yellow"


async def test_what_was_encrypted_decrypts(encryption: KeyEncryption) -> None:
    """With the same associated data."""
    ciphertext = await encryption.encrypt(Mnemonic(PHRASE), associated_data=b"wallet-1:standard")

    mnemonic = await encryption.decrypt(ciphertext, associated_data=b"wallet-1:standard")

    assert mnemonic == Mnemonic(PHRASE)


async def test_a_passphrase_travels_with_the_phrase(encryption: KeyEncryption) -> None:
    """Bytes are kept, whatever they are."""
    secret = PHRASE + b"\n" + "pässphrase \0 ✓".encode()
    ciphertext = await encryption.encrypt(Mnemonic(secret), associated_data=b"a")

    assert await encryption.decrypt(ciphertext, associated_data=b"a") == Mnemonic(secret)


async def test_the_same_phrase_never_encrypts_the_same(encryption: KeyEncryption) -> None:
    """Two rows do not tell that they hold one phrase."""
    first = await encryption.encrypt(Mnemonic(PHRASE), associated_data=b"a")
    second = await encryption.encrypt(Mnemonic(PHRASE), associated_data=b"a")

    assert first != second


async def test_the_ciphertext_of_another_wallet_does_not_decrypt(encryption: KeyEncryption) -> None:
    """Moved to another row, it is of no use."""
    ciphertext = await encryption.encrypt(Mnemonic(PHRASE), associated_data=b"wallet-1:standard")

    with pytest.raises(CorruptCiphertextError):
        await encryption.decrypt(ciphertext, associated_data=b"wallet-2:standard")


async def test_a_changed_ciphertext_does_not_decrypt(encryption: KeyEncryption) -> None:
    """Whichever character of it is changed."""
    ciphertext = await encryption.encrypt(Mnemonic(PHRASE), associated_data=b"a")

    for place in (len(ciphertext) - 5, len(ciphertext) // 2):
        changed = ciphertext[:place] + ("A" if ciphertext[place] != "A" else "B") + ciphertext[place + 1 :]
        with pytest.raises(CorruptCiphertextError):
            await encryption.decrypt(changed, associated_data=b"a")


@pytest.mark.parametrize("text", ["", "x", "vault:v1:", "vault:v1:AAAA", "vault:v99:AAAA", "vault:v1:" + "A" * 100])
async def test_what_is_no_ciphertext_is_corrupt(encryption: KeyEncryption, text: str) -> None:
    """Not a fault of the backend."""
    with pytest.raises(CorruptCiphertextError):
        await encryption.decrypt(text, associated_data=b"a")


async def test_a_backend_that_is_away_says_so_in_time(encryption_away: KeyEncryption) -> None:
    """Both ways, with the port's error."""
    start = time.monotonic()

    with pytest.raises(KeyEncryptionUnavailableError):
        await encryption_away.encrypt(Mnemonic(PHRASE), associated_data=b"a")
    with pytest.raises(KeyEncryptionUnavailableError):
        await encryption_away.decrypt("vault:v1:AAAA", associated_data=b"a")

    assert time.monotonic() - start < 5
