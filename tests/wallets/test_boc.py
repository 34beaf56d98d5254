"""Cells and bags of cells: hashes and bytes are those of the TON libraries, and there is one encoding of the cells in their order."""

import json
from base64 import b64decode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytoniq_core.boc.builder import Builder as ReferenceBuilder
from pytoniq_core.boc.cell import Cell as ReferenceCell

from wallets.chains.ton.boc import MAX_DEPTH, Builder, Cell, CellOverflowError, Slice, crc32c, decode, encode, encode_bag
from wallets.errors import MalformedTransactionError

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "ton_boc.json").read_text())
MAGIC = bytes.fromhex("b5ee9c72")


def leaf(number: int = 0, bits: int = 8) -> Cell:
    """Make a cell without references."""
    return Builder().uint(number, bits).cell()


def bag(cells: bytes, *, count: int = 1, flags: int = 1, root: int = 0, roots: int = 1, absent: int = 0) -> bytes:
    """Write a bag without checksum whose cells are these bytes."""
    return MAGIC + bytes([flags, 1, count, roots, absent, len(cells), root]) + cells


def same_as(reference: Any) -> Cell:
    """Take a tree of pytoniq-core's cells over by its bag."""
    return decode(reference.to_boc()).root


@pytest.mark.parametrize("vector", VECTORS["accepted"], ids=lambda each: each["name"])
def test_bags_of_ton_core_are_read_and_written_as_they_were(vector: dict[str, str]) -> None:
    """A bag of ton-core, with or without checksum, is read, has the hash ton-core says, and is written back as the same bytes."""
    raw = b64decode(vector["boc"])

    read = decode(raw)

    assert raw == encode_bag(read)
    if "hash" in vector:
        assert b64decode(vector["hash"]) == read.root.hash


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda each: each["name"])
def test_bags_with_an_index_are_refused(vector: dict[str, str]) -> None:
    """What an index holds, libraries disagree on: it is refused, whatever it holds."""
    with pytest.raises(MalformedTransactionError, match="serialise it without"):
        decode(b64decode(vector["boc"]))


def test_a_library_reference_is_a_cell_that_cannot_be_read() -> None:
    """A reference to a library has its own hash and no fields."""
    root = decode(b64decode(VECTORS["accepted"][-1]["boc"])).root

    (library,) = root.refs
    assert library.exotic
    with pytest.raises(MalformedTransactionError, match="only a reference to a library"):
        Slice(library, "code")


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "4 more bytes expected"),
        (bytes.fromhex("68ff65f3") + bag(b"\0\0")[4:], "does not begin with b5ee9c72"),
        (bag(b"\0\0", flags=0), "index, cache bits or oversized"),
        (bag(b"\0\0", flags=3), "index, cache bits or oversized"),
        (bag(b"\0\0", flags=0x21), "index, cache bits or oversized"),
        (bag(b"\0\0", flags=0x09), "index, cache bits or oversized"),
        (bag(b"\0\0", roots=2), "exactly one root"),
        (bag(b"\0\0", roots=0), "exactly one root"),
        (bag(b"\0\0", absent=1), "absent cells"),
        (bag(b"\0\0", count=0), "exactly one root"),
        (bag(b"\0\0", root=1), "not its first cell"),
        (bag(b"\0\0") + b"\0", "lengths do not add up"),
        (bag(b"\0\0")[:-1], "lengths do not add up"),
        (bag(b"\0\0", count=2), "lengths do not add up"),
        (bag(b"\0\0\0"), "lengths do not add up"),
        (bag(b"\0\4\1"), "2 more bytes expected"),
        (bag(b"\1\0"), "1 more bytes expected"),
        (bag(b"\1\0\0"), "does not come after it"),
        (bag(b"\1\0\1"), "does not come after it"),
        (bag(b"\5\0\1\1\1\1\1\0\0", count=2), "more than four references"),
        (bag(b"\x10\0" + bytes(34)), "stored hashes or a level"),
        (bag(b"\x20\0"), "stored hashes or a level"),
        (bag(b"\0\0\0\2\1", count=2), "not part of the tree"),
        (bag(b"\0\0\0\0", count=2), "there twice"),
        (bag(b"\2\0\1\2\0\0\0\0", count=3), "there twice"),
        (bag(b"\0\1\0"), "does not end as it must"),
        (bag(b"\0\1\x80"), "does not end as it must"),
        (bag(b"\x08\0"), "not a library reference"),
        (bag(b"\x08\x42\1" + bytes(32)), "not a library reference"),
        (bag(b"\x08\x40\2" + bytes(31)), "not a library reference"),
        (bag(b"\x09\x42\2" + bytes(32) + b"\1\0\0", count=2), "not a library reference"),
        (MAGIC + bytes.fromhex("01 02 01 01 00 0002 00 0000"), "not written as short"),
        (MAGIC + bytes.fromhex("02 01 0001 0001 0000 02 0000 0000"), "not written as short"),
        (MAGIC + bytes.fromhex("41 01 01 01 00 02 00 0000 00000000"), "the checksum does not fit"),
        (MAGIC + bytes.fromhex("01 00 01 01 00 00 0000"), "lengths do not add up"),
        (MAGIC + bytes.fromhex("02 02 1001 0001 0000 2002 0000") + bytes(0x2002), "it has 4097 cells; at most 4096"),
        (bytes(65_536), "a node takes 65535"),
    ],
)
def test_what_is_no_canonical_bag_is_refused(raw: bytes, reason: str) -> None:
    """Other magics and flags, several roots, wrong lengths, unreachable, repeated or non-canonical cells are refused, with the reason."""
    with pytest.raises(MalformedTransactionError, match=reason):
        decode(raw)


def chain_of(length: int) -> Cell:
    """Make cells that refer each to the next, `length` deep."""
    cell = leaf()
    for number in range(length):
        cell = Builder().uint(number, 16).ref(cell).cell()
    return cell


def test_a_bag_may_be_as_deep_as_a_node_takes() -> None:
    """The deepest tree is read, one that is a cell deeper is refused, and neither recurses."""
    assert decode(encode(chain_of(MAX_DEPTH))).root.depth == MAX_DEPTH
    with pytest.raises(MalformedTransactionError, match="deeper than 512"):
        decode(encode(chain_of(MAX_DEPTH + 1)))


def test_shared_cells_do_not_multiply() -> None:
    """A tree whose cells each refer four times to the next one has 4^500 paths, and is written and read as 501 cells."""
    cell = leaf()
    for _ in range(500):
        cell = Builder().ref(cell).ref(cell).ref(cell).ref(cell).cell()

    raw = encode(cell)

    assert len(decode(raw).cells) == 501
    assert cell == decode(raw).root


def test_many_cells_take_longer_references() -> None:
    """From 256 cells on, references have two bytes, as pytoniq-core writes and reads them."""
    row = leaf(0, 16)
    for number in range(1, 400):
        row = Builder().uint(number, 16).ref(row).cell() if number % 2 else Builder().uint(number, 16).ref(row).ref(leaf(number, 20)).cell()

    assert row.hash == ReferenceCell.one_from_boc(encode(row)).hash
    assert row == decode(encode(row)).root


def test_the_checksum_is_castagnolis() -> None:
    """CRC-32C of the digits 1 to 9 is the check value of RFC 3720 and its catalogues."""
    assert crc32c(b"123456789") == 0xE3069283


@st.composite
def references(draw: st.DrawFn, depth: int = 4) -> Any:
    """Build a tree of cells with pytoniq-core, some of them shared."""
    builder = ReferenceBuilder()
    builder.store_bits(draw(st.lists(st.integers(0, 1), max_size=draw(st.sampled_from([0, 7, 8, 9, 64, 200])))))
    children = draw(st.lists(references(depth - 1), max_size=3)) if depth else []
    for child in children:
        builder.store_ref(child)
    is_shared: bool = draw(st.booleans())
    if children and is_shared:
        builder.store_ref(children[0])
    return builder.end_cell()


@given(references(), st.booleans())
@settings(max_examples=60)
def test_any_tree_has_the_hash_and_bytes_of_pytoniq(reference: Any, has_crc: bool) -> None:
    """Trees that pytoniq-core builds have its hash, are written back as its bytes, and are read by it from ours."""
    raw = reference.to_boc(hash_crc32=has_crc)

    read = decode(raw)

    assert reference.hash == read.root.hash
    assert raw == encode_bag(read)
    assert reference == ReferenceCell.one_from_boc(encode(read.root))


@given(references(depth=3), st.booleans(), st.data())
def test_mutated_bags_are_refused_or_canonical(reference: Any, has_crc: bool, data: st.DataObject) -> None:
    """A byte changed, cut off or added leaves a bag that is written back as it is, or our refusal, and nothing else."""
    raw = bytearray(reference.to_boc(hash_crc32=has_crc))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(max(0, len(raw) - 8), len(raw)))
    mutated = bytes(raw[:cut]) + data.draw(st.binary(max_size=2))

    try:
        read = decode(mutated)
    except MalformedTransactionError:
        return
    assert mutated == encode_bag(read)


@given(st.binary(max_size=120).map(lambda tail: MAGIC + tail) | st.binary(max_size=60))
def test_arbitrary_bytes_are_refused_or_canonical(raw: bytes) -> None:
    """Nothing but our refusal escapes."""
    try:
        read = decode(raw)
    except MalformedTransactionError:
        return
    assert raw == encode_bag(read)


@given(st.lists(st.tuples(st.integers(1, 64), st.data()), max_size=10))
def test_fields_are_read_as_they_were_stored(fields: list[tuple[int, st.DataObject]]) -> None:
    """Integers of any width, signed or not, come back in their order."""
    values = [(bits, data.draw(st.integers(0, (1 << bits) - 1))) for bits, data in fields]
    builder = Builder()
    for bits, value in values:
        builder.uint(value, bits)
    reader, signed = Slice(builder.cell(), "cell"), Slice(builder.cell(), "cell")

    assert [value for _, value in values] == [reader.uint(bits) for bits, _ in values]
    assert [value - ((value >> bits - 1) << bits) for bits, value in values] == [signed.sint(bits) for bits, _ in values]
    reader.end()


@given(st.integers(0, 2**120 - 1))
def test_amounts_are_read_as_pytoniq_writes_them(amount: int) -> None:
    """Every amount comes back from its shortest form."""
    cell = same_as(ReferenceBuilder().store_coins(amount).end_cell())

    assert amount == Slice(cell, "cell").coins()


def test_a_slice_does_not_read_past_its_cell() -> None:
    """Bits, references and amounts beyond the end are refused, at the bit where that is, and so is what is left over."""
    cell = Builder().uint(5, 3).ref(leaf()).cell()

    with pytest.raises(MalformedTransactionError, match="cell, bit 0: 4 more bits expected, 3 are there"):
        Slice(cell, "cell").uint(4)
    with pytest.raises(MalformedTransactionError, match="one more reference"):
        Slice(leaf(), "cell").ref()
    with pytest.raises(MalformedTransactionError, match="3 bits and 1 references too many"):
        Slice(cell, "cell").end()


def test_a_cell_does_not_hold_more_than_it_can() -> None:
    """1023 bits and four references are the most, and a number must fit its bits."""
    full = Builder().uint(0, 1023)
    for _ in range(4):
        full.ref(leaf())

    assert (full.cell().bit_length, len(full.cell().refs)) == (1023, 4)
    with pytest.raises(CellOverflowError):
        full.uint(0, 1)
    with pytest.raises(CellOverflowError):
        full.ref(leaf())
    with pytest.raises(CellOverflowError):
        Builder().uint(8, 3)
    with pytest.raises(CellOverflowError):
        Builder().uint(-1, 3)


def test_cells_are_equal_by_their_hashes() -> None:
    """Cells with the same content are one, those with other content are not, and nothing else is a cell."""
    assert leaf(1) == leaf(1)
    assert len({leaf(1), leaf(1), leaf(2)}) == 2
    assert leaf(1) != leaf(2)
    assert leaf(1) != leaf(1).hash
    assert leaf().hash == sha256(bytes([0, 2, 0])).digest()
