"""Protocol buffers: what Google's library writes is read, and nothing else is."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.strategies import damaged
from tests.wallets.google_messages import google_class
from wallets.chains.protobuf import Field, Kind, Record, decode, encode_bytes, message
from wallets.errors import MalformedTransactionError

INNER = message("Inner", Field(1, "number", Kind.INT64, default=0), Field(2, "text", Kind.STRING))
SAMPLE = message(
    "Sample",
    Field(20, "last", Kind.INT32),
    Field(1, "number", Kind.INT64),
    Field(2, "flag", Kind.BOOL),
    Field(3, "data", Kind.BYTES),
    Field(4, "text", Kind.STRING),
    Field(5, "inner", Kind.MESSAGE, message=INNER),
    Field(6, "inners", Kind.MESSAGE, repeated=True, message=INNER),
    Field(7, "blobs", Kind.BYTES, repeated=True),
)

GOOGLE = google_class(SAMPLE)
NUMBERS = st.integers(0, 63).flatmap(lambda bits: st.integers(0, 2**bits - 1))
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
INNERS = st.fixed_dictionaries({"number": NUMBERS, "text": TEXTS})
VALUES = st.fixed_dictionaries(
    {},
    optional={
        "number": NUMBERS,
        "flag": st.booleans(),
        "data": st.binary(max_size=200),
        "text": TEXTS,
        "inner": INNERS,
        "inners": st.lists(INNERS, max_size=3),
        "blobs": st.lists(st.binary(max_size=3), max_size=3),
        "last": st.integers(0, 2**31 - 1),
    },
)


def _plain(record: Record) -> dict[str, Any]:
    return {name: _plain_value(value) for name, value in record.values.items()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain_value(item) for item in value]
    return _plain(value) if isinstance(value, Record) else value


@given(VALUES)
@settings(max_examples=200)
def test_what_googles_library_writes_is_read(values: dict[str, Any]) -> None:
    """Every value that is not its type's default is read as it was; what is left out is absent."""
    data = GOOGLE(**values).SerializeToString(deterministic=True)

    record = decode(SAMPLE, data)

    for name, value in values.items():
        if name == "inner":
            assert _inner(value) == _plain(record.record("inner"))
        elif name == "inners":
            assert [_inner(item) for item in value] == _plain(record).get("inners", [])
        else:
            assert (value or None) == _plain(record).get(name)


def _inner(value: dict[str, Any]) -> dict[str, Any]:
    return {"number": value["number"], **({"text": value["text"]} if value["text"] else {})}


@given(st.one_of(st.binary(max_size=30), damaged(VALUES.map(lambda values: GOOGLE(**values).SerializeToString()))))
@settings(max_examples=200)
def test_any_bytes_are_refused_or_canonical(data: bytes) -> None:
    """Whatever is read is what Google's library would write for the same values; everything else raises ours and no other error."""
    try:
        decode(SAMPLE, data)
    except MalformedTransactionError:
        return

    parsed = GOOGLE.FromString(data)
    assert parsed.SerializeToString(deterministic=True) == data


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("0800", "number at byte 1: zero must be left out"),
        ("088100", "shortest way"),
        ("88000a", "shortest way"),
        ("08ffffffffffffffffff01", "negative or more than"),
        ("08ffffffffffffffffffffff01", "has no end"),
        ("08", "ends too early"),
        ("0880", "ends too early"),
        ("a001ffffffff0f", "negative or more than 2147483647"),
        ("1002", "negative or more than 1"),
        ("1a00", "what is empty must be left out"),
        ("1a02aa", "ends too early"),
        ("2201ff", "not UTF-8"),
        ("0a0101", "it is not written as int64"),
        ("1801", "it is not written as bytes"),
        ("0901", "it is not written as int64"),
        ("4801", "Sample at byte 0: it has no field 9"),
        ("00", "no field 0"),
        ("08010801", "number at byte 2: fields must stand in the order"),
        ("10010801", "in the order"),
        ("2a020800", "number at byte 3: zero"),
        ("2a0308", "inner at byte 1: the data ends too early"),
        ("2a0108", "ends too early"),
    ],
)
def test_what_is_not_canonical_is_refused_with_its_offset(data: str, reason: str) -> None:
    """Non-minimal numbers, written defaults, wrong types, unknown, repeated and misplaced fields are refused."""
    with pytest.raises(MalformedTransactionError, match=reason):
        decode(SAMPLE, bytes.fromhex(data))


def test_a_required_field_must_be_there() -> None:
    """A message without a field that must not be zero or empty is refused by both names."""
    kind = message("Order", Field(1, "amount", Kind.INT64, required=True))

    with pytest.raises(MalformedTransactionError, match="Order at byte 0: amount is missing"):
        decode(kind, b"")


def test_absent_values_read_as_nothing() -> None:
    """Number, text and bytes of absent fields are zero and empty; a default that is worth showing is filled in."""
    record = decode(SAMPLE, bytes.fromhex("2a00"))

    assert (record.number("number"), record.text("text"), record.data("data")) == (0, "", b"")
    assert dict(record.leaves()) == {"inner.number": 0}


def test_a_part_of_the_input_is_read_with_its_own_offsets() -> None:
    """A message inside other bytes is read between its bounds, and errors count from the start of the input."""
    data = b"\xff" + encode_bytes(3, b"x" * 200) + b"\xff"

    assert decode(SAMPLE, data, 1, len(data) - 1).data("data") == b"x" * 200
    with pytest.raises(MalformedTransactionError, match="at byte 204"):
        decode(SAMPLE, data, 1)
