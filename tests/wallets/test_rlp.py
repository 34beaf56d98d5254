"""RLP: what the rlp package writes is read, and nothing else is."""

from collections.abc import Callable
from typing import Any

import pytest
import rlp
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.strategies import damaged, rlp_items
from wallets.chains.rlp import RlpReader, encode_bytes, encode_list, encode_uint
from wallets.errors import MalformedTransactionError


def _read(reader: RlpReader) -> Any:
    """Read the next item, whatever it is: a list is tried first."""
    ahead = RlpReader(reader._data, reader.offset, reader._end)
    try:
        items = ahead.list("item")
    except MalformedTransactionError as error:
        if "a list is expected" not in str(error):
            raise
        return reader.string("item")
    reader.list("item")
    found = []
    while items.more():
        found.append(_read(items))
    return found


def _decode(data: bytes) -> Any:
    reader = RlpReader(data)
    item = _read(reader)
    reader.finish("input")
    return item


def _encode(item: Any) -> bytes:
    return encode_bytes(item) if isinstance(item, bytes) else encode_list(b"".join(map(_encode, item)))


@given(rlp_items())
def test_items_are_written_and_read_as_the_rlp_package_does(item: Any) -> None:
    """Nested lists of byte strings of all lengths are written alike, and read back."""
    data = _encode(item)

    assert rlp.encode(item) == data
    assert item == _decode(data)


@given(st.integers(0, 2**256 - 1))
def test_integers_are_written_and_read_as_the_rlp_package_does(value: int) -> None:
    """Unsigned integers are big-endian without leading zeros; zero is the empty string."""
    data = encode_uint(value)

    assert rlp.encode(value) == data
    assert value == RlpReader(data).uint("value", 256)


@given(st.one_of(st.binary(max_size=40), damaged(rlp_items().map(rlp.encode))))
@settings(max_examples=200)
def test_any_bytes_are_refused_or_canonical(data: bytes) -> None:
    """Whatever is read is written again as it was; everything else raises ours and no other error."""
    try:
        item = _decode(data)
    except MalformedTransactionError:
        return

    assert data == _encode(item)


@pytest.mark.parametrize(
    ("data", "offset", "reason"),
    [
        ("", 0, "ends too early"),
        ("81", 0, "ends too early"),
        ("8100", 0, "its own encoding"),
        ("817f", 0, "its own encoding"),
        ("83aabb", 0, "ends too early"),
        ("b800", 0, "shortest way"),
        ("b837" + "aa" * 55, 0, "shortest way"),
        ("b90038" + "aa" * 56, 0, "shortest way"),
        ("b838" + "aa" * 55, 0, "ends too early"),
        ("b8", 0, "ends too early"),
        ("bfffffffffffffffff", 0, "ends too early"),
        ("f800", 0, "shortest way"),
        ("f837" + "80" * 55, 0, "shortest way"),
        ("ffffffffffffffffff", 0, "ends too early"),
        ("c1", 0, "ends too early"),
        ("c281", 0, "ends too early"),
        ("c18180", 1, "ends too early"),
        ("c28101", 1, "its own encoding"),
        ("8080", 1, "1 bytes too many"),
        ("c000", 1, "1 bytes too many"),
    ],
)
def test_what_is_not_canonical_is_refused_with_its_offset(data: str, offset: int, reason: str) -> None:
    """Lengths that are not minimal, ends too early and trailing bytes are refused, and the message says at which byte."""
    with pytest.raises(MalformedTransactionError, match=rf"at byte {offset}: .*{reason}"):
        _decode(bytes.fromhex(data))


@pytest.mark.parametrize(
    ("data", "read", "reason"),
    [
        ("00", lambda reader: reader.uint("fee", 256), "fee at byte 0: an integer has no leading zeros"),
        ("820001", lambda reader: reader.uint("fee", 256), "no leading zeros"),
        ("820100", lambda reader: reader.uint("fee", 8), "does not fit in 8 bits"),
        ("c0", lambda reader: reader.uint("fee", 8), "not a list"),
        ("c0", lambda reader: reader.string("to"), "not a list"),
        ("80", lambda reader: reader.list("items"), "a list is expected"),
        ("820102", lambda reader: reader.fixed("key", 3), "3 bytes are expected, not 2"),
    ],
)
def test_a_field_of_another_kind_is_refused(data: str, read: Callable[[RlpReader], object], reason: str) -> None:
    """A number, a string or a list where another is expected is refused by the field's name."""
    with pytest.raises(MalformedTransactionError, match=reason):
        read(RlpReader(bytes.fromhex(data)))


def test_items_are_counted_without_being_read() -> None:
    """Counting leaves the reader where it was, and refuses items that are not canonical or too many."""
    reader = RlpReader(bytes.fromhex("c482aabbc0")).list("items")

    assert reader.count("items", 2) == 2
    with pytest.raises(MalformedTransactionError, match="items at byte 4: it has more than 1 items"):
        reader.count("items", 1)
    assert reader.string("first") == b"\xaa\xbb"
    with pytest.raises(MalformedTransactionError, match="at byte 2: a single byte"):
        RlpReader(bytes.fromhex("c3808101")).list("items").count("items", 2)
