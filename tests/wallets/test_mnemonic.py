"""Mnemonics: BIP-39's vectors, and refusals that never repeat a word."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.known_phrase import PHRASE
from wallets.errors import InvalidMnemonicError
from wallets.mnemonic import MAX_PASSPHRASE_LENGTH, generate, parse, to_seed

BIP39: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "bip39.json").read_text())
TON_PHRASE = (
    "shock noodle wish sock situate canoe swarm illness rigid stable outdoor unusual "
    "excuse group spend pelican know naive pig jazz innocent tenant garbage churn"
)
"""Made by @ton/crypto 3.3.0 (`mnemonicNew`)."""


@pytest.mark.parametrize("vector", BIP39["vectors"])
def test_bip39_test_vectors(vector: dict[str, str]) -> None:
    """Trezor's English vectors, with the passphrase TREZOR, stretch to the listed seeds."""
    with parse(vector["mnemonic"], BIP39["passphrase"]) as mnemonic:
        seed = to_seed(mnemonic)

    assert bytes.fromhex(vector["seed"]) == seed.reveal()


@pytest.mark.parametrize("words", [12, 24])
def test_generated_phrases_are_bip39(words: int) -> None:
    """A new phrase has the words asked for, parses, and is another one each time."""
    first, second = generate(words), generate(words)

    assert words == len(first.reveal().split())
    assert first == parse(first.reveal().decode())
    assert first != second


@pytest.mark.parametrize("words", [0, 11, 15, 18, 21, 25, -12])
def test_only_12_or_24_words_are_generated(words: int) -> None:
    """Another number of words is refused."""
    with pytest.raises(InvalidMnemonicError, match="12 or 24"):
        generate(words)


@pytest.mark.parametrize("text", [PHRASE.upper(), f"  {PHRASE}\n", PHRASE.replace(" ", "\t \n"), PHRASE.replace(" ", "\u3000")])
def test_case_and_spaces_do_not_matter(text: str) -> None:
    """A phrase copied with other case or white space is the same phrase."""
    assert PHRASE.encode() == parse(text).reveal()


def test_a_passphrase_makes_another_seed() -> None:
    """The passphrase is part of the wallet: without it, and with another, other seeds come out."""
    seeds = {bytes(to_seed(parse(PHRASE, passphrase)).reveal()) for passphrase in ("", "a", "A", " a")}

    assert len(seeds) == 4


def test_a_passphrase_is_taken_in_nfkd() -> None:
    """A passphrase typed composed and decomposed is the same (BIP-39)."""
    assert to_seed(parse(PHRASE, "caf\u00e9")) == to_seed(parse(PHRASE, "cafe\u0301"))


@pytest.mark.parametrize("passphrase", ["a" * (MAX_PASSPHRASE_LENGTH + 1), "a\nb", "a\x00"])
def test_passphrases_that_could_not_be_kept_are_refused(passphrase: str) -> None:
    """A passphrase that is too long or has control characters is refused, without being repeated."""
    with pytest.raises(InvalidMnemonicError, match="printable") as refusal:
        parse(PHRASE, passphrase)

    assert passphrase not in str(refusal.value)


@pytest.mark.parametrize(
    ("phrase", "reason"),
    [
        ("", "not 0"),
        ("abandon", "not 1"),
        (" ".join(["abandon"] * 13), "not 13"),
        ("abandon " * 2000, "not 2000"),
        (PHRASE.replace("about", "abandon"), "checksum"),
        (" ".join(["abandon"] * 24), "checksum"),
        (PHRASE.replace("abandon", "abandonx", 2), "words at 1, 2"),
        ("abandonabandonabandonx " * 12, "words at 1, 2, 3"),
        (TON_PHRASE, "TON"),
    ],
)
def test_what_is_no_mnemonic_is_refused_with_a_reason(phrase: str, reason: str) -> None:
    """The refusal says what is wrong and where, and never repeats a word of the phrase."""
    with pytest.raises(InvalidMnemonicError, match=reason) as refusal:
        parse(phrase)

    assert not {"abandon", "abandonx", "shock"} & set(str(refusal.value).split())
