"""Make, check and stretch BIP-39 phrases (English word list)."""

import hashlib
import hmac
import secrets
import unicodedata
from functools import cache

from mnemonic import Mnemonic as Bip39

from wallets.errors import InvalidMnemonicError
from wallets.secret import Mnemonic, Seed

WORD_COUNTS = (12, 24)
"""What we make. What we take over may also have 15, 18 or 21 words (BIP-39)."""

MAX_PASSPHRASE_LENGTH = 256


def generate(word_count: int) -> Mnemonic:
    """Make a new phrase of 12 words (128 bits of entropy) or 24 (256), from the operating system's generator.

    Raises:
        InvalidMnemonicError: Another number of words.
    """
    if word_count not in WORD_COUNTS:
        msg = "mnemonic_length must be 12 or 24"
        raise InvalidMnemonicError(msg)
    return Mnemonic(_bip39().to_mnemonic(secrets.token_bytes(word_count // 3 * 4)).encode())


def parse(phrase: str, passphrase: str = "") -> Mnemonic:
    """Take over a phrase of 12, 15, 18, 21 or 24 words, and its BIP-39 passphrase if it has one.

    Case and spaces between the words do not matter; the passphrase is taken to the letter (NFKD, as BIP-39 says).

    Raises:
        InvalidMnemonicError: Not a BIP-39 phrase; the message never repeats a word of it.
    """
    words = unicodedata.normalize("NFKD", phrase).lower().split()
    text = " ".join(words)
    if len(text) > 24 * 9 or not _bip39().check(text):
        raise InvalidMnemonicError(_why_not(words))
    if len(passphrase) > MAX_PASSPHRASE_LENGTH or not passphrase.isprintable():
        msg = f"the passphrase must have at most {MAX_PASSPHRASE_LENGTH} characters, all printable"
        raise InvalidMnemonicError(msg)
    return Mnemonic((f"{text}\n{passphrase}" if passphrase else text).encode())


def to_seed(mnemonic: Mnemonic) -> Seed:
    """Stretch to 64 bytes: PBKDF2-HMAC-SHA-512, 2048 rounds (BIP-39). Takes about a millisecond and releases the GIL."""
    with mnemonic.revealed_parts() as (phrase, passphrase):
        salt = b"mnemonic" + unicodedata.normalize("NFKD", str(passphrase, "utf-8")).encode()
        return Seed(hashlib.pbkdf2_hmac("sha512", phrase, salt, 2048))


def _why_not(words: list[str]) -> str:
    if len(words) not in (12, 15, 18, 21, 24):
        return f"a BIP-39 mnemonic has 12, 15, 18, 21 or 24 words, not {len(words)}"
    known = set(_bip39().wordlist)
    unknown = [position for position, word in enumerate(words, start=1) if word not in known]
    if unknown:
        return f"not in the BIP-39 English word list: the words at {', '.join(map(str, unknown))}"
    if len(words) == 24 and _is_ton_phrase(words):
        return "this is a phrase of TON's own kind, not of BIP-39: it cannot be taken over"
    return "the checksum of the mnemonic does not fit: a word is wrong or out of place"


def _is_ton_phrase(words: list[str]) -> bool:
    """Tell a phrase of TON's own kind without a password by its seed version byte (ton-crypto: `mnemonicValidate`)."""
    entropy = hashlib.pbkdf2_hmac("sha512", _ton_entropy(words), b"TON seed version", 390)
    return entropy[0] == 0


def _ton_entropy(words: list[str]) -> bytes:
    return hmac.digest(" ".join(words).encode(), b"", hashlib.sha512)


@cache
def _bip39() -> Bip39:
    return Bip39("english")
