"""The contract of `wallets.ports.KeyEncryption`, on the fake, on the key file and on OpenBao's Transit."""

import re
import time

import pytest

from wallets.errors import CorruptCiphertextError, KeyEncryptionUnavailableError
from wallets.model import EncryptedMnemonic
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


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "vault:v1:",
        "vault:v1:AAAA",
        "vault:v99:" + "A" * 100,
        "vault:v-1:AAAA",
        f"vault:v{2**64}:AAAA",
        "vault:v1:" + "A" * 100,
        "é:✓:\n",
    ],
)
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


@pytest.mark.parametrize("version", ["v0", "next", "v999", "v-1", "v", "1", "v1:v1"])
async def test_a_ciphertext_under_another_key_version_does_not_decrypt(encryption: KeyEncryption, version: str) -> None:
    """Whatever version it is made to name; it never becomes another phrase."""
    backend, own, payload = (await encryption.encrypt(Mnemonic(PHRASE), associated_data=b"a")).split(":")
    if version == "next":
        version = f"v{int(own[1:]) + 1}"

    with pytest.raises(CorruptCiphertextError):
        await encryption.decrypt(f"{backend}:{version}:{payload}", associated_data=b"a")


async def test_a_ciphertext_names_backend_and_key_version(encryption: KeyEncryption) -> None:
    """As `backend:vN:payload`."""
    ciphertext = await encryption.encrypt(Mnemonic(PHRASE), associated_data=b"a")

    assert re.fullmatch(r"[a-z]+:v[1-9][0-9]*:[A-Za-z0-9+/]+=*", ciphertext)


@pytest.mark.parametrize("count", [0, 1, 3, 450])
async def test_many_are_encrypted_and_decrypted_in_their_order(encryption: KeyEncryption, count: int) -> None:
    """Each with what is bound to it, however many there are."""
    phrases = [(Mnemonic(PHRASE + str(place).encode()), f"wallet-{place}".encode()) for place in range(count)]

    ciphertexts = await encryption.encrypt_many(phrases)
    items = [EncryptedMnemonic(ciphertext, bound) for ciphertext, (_, bound) in zip(ciphertexts, phrases, strict=True)]
    answers = await encryption.decrypt_many(items)

    assert list(answers) == [mnemonic for mnemonic, _ in phrases]


async def test_one_that_does_not_decrypt_leaves_the_others_alone(encryption: KeyEncryption) -> None:
    """Its place has the error; the others are answered."""
    first = await encryption.encrypt(Mnemonic(PHRASE), associated_data=b"first")
    last = await encryption.encrypt(Mnemonic(PHRASE + b"!"), associated_data=b"last")
    items = [
        EncryptedMnemonic(first, b"first"),
        EncryptedMnemonic(first, b"last"),
        EncryptedMnemonic("vault:v99:AAAA", b"first"),
        EncryptedMnemonic("", b"first"),
        EncryptedMnemonic(last, b"last"),
    ]

    answers = await encryption.decrypt_many(items)

    assert [type(answer) for answer in answers] == [Mnemonic, *[CorruptCiphertextError] * 3, Mnemonic]
    assert (answers[0], answers[4]) == (Mnemonic(PHRASE), Mnemonic(PHRASE + b"!"))
