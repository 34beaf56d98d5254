"""Phrases are made, checked and stretched as BIP-39 says; secrets stay where they are."""

import copy
import pickle

import pytest

from wallets import mnemonic
from wallets.errors import InvalidMnemonicError
from wallets.secret import Mnemonic, PrivateKey, Secret, Seed

_ABANDON = "abandon " * 11 + "about"
_VALUE = b"correct horse battery staple"
_SECRETS = [Mnemonic(_VALUE), Seed(_VALUE), PrivateKey(_VALUE, b"public")]


@pytest.mark.parametrize(
    ("phrase", "seed"),
    [
        (
            _ABANDON,
            "c55257c360c07c72029aebc1b53c05ed0362ada38ead3e3e9efa3708e53495531f09a6987599d18264c1e1c92f2cf141630c7a3c4ab7c81b2f001698e7463b04",
        ),
        (
            "legal winner thank year wave sausage worth useful legal winner thank yellow",
            "2e8905819b8723fe2c1d161860e5ee1830318dbf49a83bd451cfb8440c28bd6fa457fe1296106559a3c80937a1c1069be3a3a5bd381ee6260e8d9739fce1f607",
        ),
    ],
)
def test_bip39_seeds(phrase: str, seed: str) -> None:
    """The seeds of BIP-39's vectors come out, passphrase TREZOR."""
    assert seed == mnemonic.to_seed(mnemonic.parse(phrase, "TREZOR")).reveal().hex()


@pytest.mark.parametrize("words", [12, 24])
def test_generated_phrases_are_valid_and_differ(words: int) -> None:
    """A generated phrase has the wanted length, passes the check, and is not the one before."""
    first, second = mnemonic.generate(words), mnemonic.generate(words)

    assert words == len(first.reveal().split())
    assert first == mnemonic.parse(first.reveal().decode())
    assert first != second


@pytest.mark.parametrize(
    ("phrase", "reason"),
    [
        ("abandon " * 12, "checksum"),
        ("abandon " * 11, "words, not 11"),
        ("abandon " * 11 + "zzzz", "words at 12"),
    ],
)
def test_wrong_phrases_are_refused_without_repeating_them(phrase: str, reason: str) -> None:
    """A phrase that is not BIP-39 is refused with the reason, and the message has no word of it."""
    with pytest.raises(InvalidMnemonicError, match=reason) as refusal:
        mnemonic.parse(phrase)

    assert "abandon" not in str(refusal.value)
    assert "zzzz" not in str(refusal.value)


@pytest.mark.parametrize("secret", _SECRETS, ids=lambda secret: type(secret).__name__)
def test_no_text_of_a_secret_shows_its_value(secret: Secret) -> None:
    """`repr`, `str` and formatted strings are redacted."""
    texts = [repr(secret), str(secret), f"{secret}", f"{secret!r:>40}"]

    assert all("horse" not in text and "redacted" in text for text in texts)


@pytest.mark.parametrize("secret", _SECRETS, ids=lambda secret: type(secret).__name__)
@pytest.mark.parametrize("leave", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_secret_is_neither_pickled_nor_copied(secret: Secret, leave: object) -> None:
    """Pickling and copying raise."""
    assert callable(leave)

    with pytest.raises(TypeError, match="must not be"):
        leave(secret)


def test_a_closed_secret_is_gone() -> None:
    """After closing, the value cannot be revealed."""
    with Seed(_VALUE) as secret:
        assert secret.reveal() == _VALUE

    with pytest.raises(ValueError, match="closed"):
        secret.reveal()
