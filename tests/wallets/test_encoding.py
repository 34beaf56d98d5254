"""Encodings: each text in exactly one way, as other libraries write it."""

import base58 as reference
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wallets.work import MIB, calls_of
from wallets.encoding import base58, base58check, legible, unbase58, unbase58check, unhex
from wallets.errors import InvalidRequestError, MalformedTransactionError


@given(st.binary(min_size=1, max_size=100), st.sampled_from(["", "0x"]), st.booleans())
def test_hex_is_read_in_either_case(data: bytes, prefix: str, upper: bool) -> None:
    """Digits of either case, `0x` optional, are the bytes."""
    digits = data.hex().upper() if upper else data.hex()

    assert data == unhex(prefix + digits)


@pytest.mark.parametrize("text", ["", "0x", "0", "0x123", "0xzz", "0X00", " 00", "00 ", "00\n", "00 11", "\u0661\u0661", "0x0x00", "-1"])
def test_what_is_no_hex_is_refused(text: str) -> None:
    """Empty text, an odd number of digits, white space and other characters are refused."""
    with pytest.raises(MalformedTransactionError, match="not hex"):
        unhex(text)


@given(st.binary(max_size=80))
def test_base58_is_that_of_another_library(data: bytes) -> None:
    """Bytes are written as the base58 package writes them, leading zeros included, and read back."""
    text = base58(data)

    assert reference.b58encode(data).decode() == text
    assert data == unbase58(text)


@given(st.binary(max_size=60))
def test_base58check_is_that_of_another_library(data: bytes) -> None:
    """Bytes are written with the checksum that the base58 package writes, and read back."""
    text = base58check(data)

    assert reference.b58encode_check(data).decode() == text
    assert data == unbase58check(text)


@pytest.mark.parametrize("text", ["0", "O", "I", "l", " 1", "1\n", "é", "1" * 129])
def test_what_is_no_base58_is_refused(text: str) -> None:
    """Characters outside the alphabet and texts that are too long are refused."""
    with pytest.raises(InvalidRequestError, match="not base58"):
        unbase58(text)


def test_base58_takes_as_many_characters_as_allowed() -> None:
    """A longer limit takes a longer text."""
    assert bytes(129) == unbase58("1" * 129, max_length=129)


@pytest.mark.parametrize("text", ["", "1", "111", "1111", base58(b"abcd"), "TUEZSdKsoDHQMeZwihtdoBiN46zxhGWYdG"])
def test_a_wrong_checksum_is_refused(text: str) -> None:
    """What is too short for a checksum, and what does not fit it, is refused."""
    with pytest.raises(InvalidRequestError, match="checksum"):
        unbase58check(text)


@pytest.mark.parametrize(
    ("text", "shown"), [("order 4711", "order 4711"), ("\u00e9\n", "\u00e9\n"), ("a\0b", "a\ufffdb"), ("\u202ea\x1b", "\ufffda\ufffd")]
)
def test_texts_are_made_legible(text: str, shown: str) -> None:
    """What is printable stays; control characters and writing directions are replaced."""
    assert shown == legible(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ab" * MIB, "accepted"),
        ("ab" * MIB + "a", "not hex"),
        ("ab" * MIB + "zz", "not hex"),
        (" " * MIB, "not hex"),
        ("\uff11" * MIB, "not hex"),
    ],
    ids=["hex", "half a byte more", "no hex at the end", "white space", "digits of another script"],
)
def test_hex_is_read_by_one_call(text: str, reason: str) -> None:
    """A megabyte of hex, or of what is none, is read by one builtin and not digit by digit by our code."""
    calls, outcome = calls_of(lambda: unhex(text))

    assert reason in outcome
    assert calls <= 5
