"""Arguments of contract calls: what eth-abi writes is read, and nothing that eth-abi would write otherwise."""

from typing import Any

import pytest
from eth_abi.abi import encode
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.strategies import damaged
from wallets.chains.contract_calls.abi import AbiError, AbiReader, AbiType, parse_method
from wallets.chains.contract_calls.batches import BATCH_METHODS
from wallets.chains.contract_calls.tokens import TOKEN_METHODS

METHODS = [*TOKEN_METHODS, *BATCH_METHODS]
HEADS = (bytes(12),)


def name_of(kind: AbiType) -> str:
    """Write a type as eth-abi wants it."""
    if kind.kind == "tuple":
        return f"({','.join(map(name_of, kind.parts))})"
    if kind.kind == "list":
        return name_of(kind.parts[0]) + "[]"
    return {"uint": f"uint{kind.size}", "fixed": f"bytes{kind.size}"}.get(kind.kind, kind.kind)


def values_of(kind: AbiType) -> st.SearchStrategy[Any]:
    """Make values of a type: addresses as 20 bytes."""
    if kind.kind == "tuple":
        return st.tuples(*map(values_of, kind.parts))
    if kind.kind == "list":
        return st.lists(values_of(kind.parts[0]), max_size=3)
    if kind.kind == "uint":
        return st.integers(0, 2**kind.size - 1)
    lengths = {"address": (20, 20), "fixed": (kind.size, kind.size), "bytes": (0, 70)}
    return st.booleans() if kind.kind == "bool" else st.binary(min_size=lengths[kind.kind][0], max_size=lengths[kind.kind][1])


def written(kind: AbiType, values: Any) -> bytes:
    """Write arguments with eth-abi."""
    return bytes(encode([name_of(part) for part in kind.parts], values))


@pytest.mark.parametrize("method", METHODS)
@given(data=st.data())
@settings(max_examples=10)
def test_what_eth_abi_writes_is_read(method: str, data: st.DataObject) -> None:
    """The arguments of every method that is known come back as they were."""
    kind = parse_method(method)
    values = data.draw(values_of(kind))

    # A string is written as the bytes of its text, and read as these: nothing here looks into one.
    assert method[method.index("(") :].replace("string", "bytes") == name_of(kind)
    assert AbiReader(written(kind, values), HEADS).arguments(kind) == values


@pytest.mark.parametrize("method", METHODS)
@given(data=st.data())
@settings(max_examples=20)
def test_what_is_read_is_what_eth_abi_writes(method: str, data: st.DataObject) -> None:
    """Damaged arguments are refused, or are the one encoding of what they are read as."""
    kind = parse_method(method)
    raw = data.draw(damaged(values_of(kind).map(lambda values: written(kind, values))))

    try:
        values = AbiReader(raw, HEADS).arguments(kind)
    except AbiError:
        return
    assert written(kind, values) == raw


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        bytes(31),
        (64).to_bytes(32) + bytes(64),
        (32).to_bytes(32) + (2**255).to_bytes(32),
        (32).to_bytes(32) + (3).to_bytes(32) + bytes(32),
        (32).to_bytes(32) + (1).to_bytes(32) + (32).to_bytes(32) + (2**200).to_bytes(32),
        (32).to_bytes(32) + (1).to_bytes(32) + (32).to_bytes(32) + (40).to_bytes(32) + bytes(32),
    ],
    ids=["nothing", "half a word", "a gap", "many items", "missing items", "many bytes", "missing bytes"],
)
def test_counts_that_promise_more_are_refused(raw: bytes) -> None:
    """A length that does not fit is refused before anything is made of it."""
    with pytest.raises(AbiError):
        AbiReader(raw, HEADS).arguments(parse_method("multicall(bytes[])"))


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("address", b"\1" + bytes(31)),
        ("bool", b"\2".rjust(32, b"\0")),
        ("uint8", b"\1\0".rjust(32, b"\0")),
        ("bytes4", b"\1".rjust(32, b"\0")),
    ],
)
def test_dirty_words_are_refused(kind: str, word: bytes) -> None:
    """Bits that a type does not have are zero, or a contract may read them and people not see them."""
    with pytest.raises(AbiError):
        AbiReader(word, HEADS).arguments(parse_method(f"f({kind})"))
