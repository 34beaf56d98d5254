"""Decoders: any bytes are refused by our own error, or are the one encoding of what a second library reads, writes and verifies."""

from functools import partial

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from tests.wallets.second_opinions import ORIGINALS, WITH_AN_END, is_taken

every_family = pytest.mark.parametrize("network", ORIGINALS)

HEADS = {
    "eth": [b"", b"\1", b"\2\xf8", b"\3\xf9", b"\4\xea", b"\xe0"],
    "tron": [b"", b"\x0a\2\1\2\x22\x08abcdefgh\x40\1\x5a", b"\x0a\x40"],
    "sol": [b"", b"\1\0\1\2" + bytes(32) + b"\1" * 32, b"\x80\1\0\1\2" + bytes(32) + b"\1" * 32, b"\1" + bytes(64)],
    "btc": [b"", b"psbt\xff", b"psbt\xff\1\0\x33", b"psbt\xff\1\2\4\2\0\0\0\1\4\1\1\1\5\1\1\1\xfb\4\2\0\0\0\0"],
    "ton": [b"", bytes.fromhex("b5ee9c72"), bytes.fromhex("b5ee9c72 01010101000f00")],
}
"""How inputs of a family begin, so that random bytes get further than their first check."""


def with_flipped_bit(data: bytes, bit: int) -> bytes:
    """Flip a bit of the first byte, if there is one."""
    return bytes([data[0] ^ 1 << bit]) + data[1:] if data else b""


@st.composite
def mutated(draw: st.DrawFn, originals: list[bytes]) -> bytes:
    """Draw bytes that were right once: bits flipped, bytes replaced, removed, repeated, or taken over from another transaction."""
    data = draw(st.sampled_from(originals))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + draw(st.sampled_from([0, 1, 1, 4, 40])))))
        other = draw(st.sampled_from(originals))
        there = draw(st.integers(0, len(other)))
        inserted = draw(
            st.one_of(
                st.integers(0, 7).map(partial(with_flipped_bit, data[start:end])),
                st.binary(max_size=3),
                st.binary(min_size=end - start, max_size=end - start),
                st.just(data[start:end] * 2),
                st.just(other[there : there + end - start]),
                st.just(other[there:]),
            )
        )
        data = data[:start] + inserted + data[end:]
    return data


@every_family
@given(data=st.data())
@settings(max_examples=40)
def test_any_bytes_are_refused_or_canonical(network: str, data: st.DataObject) -> None:
    """Random bytes, with or without a head that fits, raise our error and no other, or are what the second library writes."""
    raw = data.draw(st.sampled_from(HEADS[network.split(maxsplit=1)[0]])) + data.draw(st.binary(max_size=200))

    event(f"taken: {is_taken(network, raw)}")


@every_family
@given(data=st.data())
@settings(max_examples=100)
def test_mutated_transactions_are_refused_or_signed_for_what_they_are(network: str, data: st.DataObject) -> None:
    """What is taken of mutated transactions is read, written and verified alike by the second library."""
    event(f"taken: {is_taken(network, data.draw(mutated(ORIGINALS[network])))}")


@every_family
def test_the_originals_are_taken(network: str) -> None:
    """What is mutated is taken as it is; the second library agrees."""
    assert all(is_taken(network, raw) for raw in ORIGINALS[network])


@every_family
@given(data=st.data())
@settings(max_examples=30)
def test_truncated_and_lengthened_transactions_are_refused(network: str, data: st.DataObject) -> None:
    """Every proper prefix, and anything behind the end, is refused."""
    raw = data.draw(st.sampled_from(WITH_AN_END[network]))
    cut = data.draw(st.integers(0, len(raw) - 1))

    assert not is_taken(network, raw[:cut])
    assert not is_taken(network, raw + data.draw(st.binary(min_size=1, max_size=4)))


@every_family
@pytest.mark.parametrize("other", ORIGINALS)
def test_a_transaction_of_another_family_is_refused(network: str, other: str) -> None:
    """No transaction of one family of networks means anything to another."""
    if network.split(maxsplit=1)[0] != other.split(maxsplit=1)[0]:
        assert not any(is_taken(network, raw) for raw in ORIGINALS[other])
