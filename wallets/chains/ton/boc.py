"""Hold cells, and read and write them as bags of cells (BOC).

A cell is up to 1023 bits and up to four references to other cells. Its hash covers its bits and the hashes and depths of what it refers
to, so a hash names a whole tree. Sources: the TON whitepaper (TVM, section 3.1: cells; "Bags of cells" in the blockchain paper, 5.3) and
`crypto/tl/boc.tlb` of the node.

**What is accepted.** Of `serialized_boc#b5ee9c72`: one root that comes first, without index, cache bits, stored hashes or absent cells,
numbers in as few bytes as they need, every cell once, reachable and before what it refers to, with or without CRC-32C (two variants, as
libraries differ in their default). The index is refused because libraries disagree on what it holds: end offsets in the node, start
offsets in tonweb, lengths in pytoniq-core. Only the order of the cells is free within these rules, because every library has its own;
it is no part of what is signed, which is the root's hash. Written back in the order it came, an accepted bag is the same bytes.

**Kinds of cells.** Ordinary ones, and library references (a 256-bit hash that stands for code kept elsewhere, common in token contracts).
Pruned branches and Merkle proofs are not supported: messages of a plain wallet have no use for them.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple, NoReturn, Self

from wallets.errors import MalformedTransactionError
from wallets.hashes import sha256

MAX_BITS = 1023
MAX_REFS = 4
MAX_BOC_BYTES = 65_535
"""The largest external message a node takes (configuration parameter 43, `max_ext_msg_size`)."""
MAX_DEPTH = 512
"""The deepest external message a node takes (configuration parameter 43, `max_ext_msg_depth`)."""

MAX_CELLS = 4_096
"""Half of what a node takes of a message (configuration parameter 43, `max_msg_cells`), and more than any wallet sends: each is work."""

_MAGIC = bytes.fromhex("b5ee9c72")
_HAS_CRC = 0x40
_LIBRARY = 2
_LIBRARY_BITS = 8 + 256


class CellOverflowError(ValueError):
    """More was stored in a cell than it can hold: a fault of the caller, never of a client."""


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """One cell. `data` holds `bit_length` bits, first bit highest; the rest of its last byte is 1, then zeros (the completion tag)."""

    data: bytes
    bit_length: int
    refs: tuple["Cell", ...]
    exotic: bool = False
    hash: bytes = field(init=False)
    depth: int = field(init=False)

    def __post_init__(self) -> None:
        # Children are complete when their parent is made, so nothing here recurses.
        depths = [ref.depth for ref in self.refs]
        hashed = [self.descriptors, self.data, *[depth.to_bytes(2) for depth in depths], *[ref.hash for ref in self.refs]]
        object.__setattr__(self, "depth", max(depths, default=-1) + 1)
        object.__setattr__(self, "hash", sha256(b"".join(hashed)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cell) and self.hash == other.hash

    def __hash__(self) -> int:
        return hash(self.hash)

    @property
    def descriptors(self) -> bytes:
        """The two bytes before the data: references and kind; length in half bytes, rounded (whitepaper: d1, d2)."""
        return bytes([len(self.refs) + 8 * self.exotic, self.bit_length // 8 + len(self.data)])


class Builder:
    """Make a cell, field by field."""

    def __init__(self) -> None:
        self._value = 0
        self._bit_length = 0
        self._refs: list[Cell] = []

    def uint(self, value: int, bits: int) -> Self:
        """Store an unsigned integer, big-endian, in `bits` bits.

        Raises:
            CellOverflowError: The value or the cell is too small for it.
        """
        if not 0 <= value < 1 << bits or self._bit_length + bits > MAX_BITS:
            msg = f"{bits} bits do not hold it, or the cell does not hold them"
            raise CellOverflowError(msg)
        self._value = self._value << bits | value
        self._bit_length += bits
        return self

    def octets(self, value: bytes) -> Self:
        """Store bytes."""
        return self.uint(int.from_bytes(value), 8 * len(value))

    def ref(self, cell: Cell) -> Self:
        """Store a reference.

        Raises:
            CellOverflowError: It would be the fifth.
        """
        if len(self._refs) == MAX_REFS:
            msg = "a cell holds four references"
            raise CellOverflowError(msg)
        self._refs.append(cell)
        return self

    def coins(self, value: int) -> Self:
        """Store an amount of at most 15 bytes: four bits for their number, then it (`VarUInteger 16`)."""
        length = _bytes_for(value)
        return self.uint(length, 4).uint(value, 8 * length)

    def fits(self, cell: Cell, *, spare_bits: int, spare_refs: int) -> bool:
        """Tell whether there is room for what a cell holds, and for so many bits and references more."""
        bits, refs = self._bit_length + cell.bit_length + spare_bits, len(self._refs) + len(cell.refs) + spare_refs
        return bits <= MAX_BITS and refs <= MAX_REFS

    def rest(self, rest: "Slice") -> Self:
        """Store all that is left in a slice: bits, then references."""
        bits = rest.remaining_bits
        self.uint(rest.uint(bits), bits)
        while rest.remaining_refs:
            self.ref(rest.ref())
        return self

    def cell(self) -> Cell:
        """Return the cell."""
        padding = -self._bit_length % 8
        # The completion tag: a one and zeros up to the byte's end, and nothing where the byte is full.
        value = self._value << padding | (1 << padding) >> 1
        return Cell(value.to_bytes((self._bit_length + padding) // 8), self._bit_length, tuple(self._refs))


class Slice:
    """Take fields from a cell's front, within bounds. `what` names it in errors. It can be taken without being kept."""

    def __init__(self, cell: Cell, what: str) -> None:
        self._value = int.from_bytes(cell.data) >> 8 * len(cell.data) - cell.bit_length
        self._bit_length = cell.bit_length
        self._refs = cell.refs
        self._what = what
        self._bit = 0
        self._ref = 0
        if cell.exotic:
            self.fail("this cell is only a reference to a library")

    @property
    def remaining_bits(self) -> int:
        """Return how many bits are left."""
        return self._bit_length - self._bit

    @property
    def remaining_refs(self) -> int:
        """Return how many references are left."""
        return len(self._refs) - self._ref

    def fail(self, reason: str) -> NoReturn:
        """Refuse the cell at the present bit."""
        msg = f"{self._what}, bit {self._bit}: {reason}"
        raise MalformedTransactionError(msg)

    def uint(self, bits: int) -> int:
        """Return an unsigned integer of `bits` bits, big-endian."""
        if bits > self.remaining_bits:
            self.fail(f"{bits} more bits expected, {self.remaining_bits} are there")
        self._bit += bits
        return self._value >> self.remaining_bits & (1 << bits) - 1

    def bit(self) -> bool:
        """Return a bit."""
        return bool(self.uint(1))

    def sint(self, bits: int) -> int:
        """Return a signed integer of `bits` bits, two's complement."""
        value = self.uint(bits)
        return value - (value >> bits - 1 << bits)

    def octets(self, count: int) -> bytes:
        """Return `count` bytes."""
        return self.uint(8 * count).to_bytes(count)

    def coins(self) -> int:
        """Return an amount: four bits for its number of bytes, then it, without leading zero bytes (`VarUInteger 16`)."""
        length = self.uint(4)
        value = self.uint(8 * length)
        if length and value >> 8 * (length - 1) == 0:
            self.fail("an amount is written in more bytes than it needs")
        return value

    def ref(self) -> Cell:
        """Return the next reference."""
        if not self.remaining_refs:
            self.fail("one more reference expected")
        self._ref += 1
        return self._refs[self._ref - 1]

    def copy(self) -> "Slice":
        """Return another slice at the same place."""
        return copy(self)

    def end(self) -> None:
        """Refuse what is left over."""
        if self.remaining_bits or self.remaining_refs:
            self.fail(f"{self.remaining_bits} bits and {self.remaining_refs} references too many")


@dataclass(frozen=True, slots=True)
class Bag:
    """A bag as it was read: its cells in their order, the root first, and whether a checksum stood behind them."""

    cells: tuple[Cell, ...]
    has_crc: bool

    @property
    def root(self) -> Cell:
        """The one root."""
        return self.cells[0]


def encode(root: Cell, *, has_crc: bool = True) -> bytes:
    """Write a bag, usually with CRC-32C, each cell before what it refers to."""
    return encode_bag(Bag(_ordered(root), has_crc))


def encode_bag(bag: Bag) -> bytes:
    """Write a bag in its own order."""
    indexes = {cell: index for index, cell in enumerate(bag.cells)}
    size = _bytes_for(len(bag.cells))
    parts = [cell.descriptors + cell.data + b"".join(indexes[ref].to_bytes(size) for ref in cell.refs) for cell in bag.cells]
    cells = b"".join(parts)
    offset_size = _bytes_for(len(cells))
    flags = (_HAS_CRC if bag.has_crc else 0) | size
    counts = len(bag.cells).to_bytes(size) + (1).to_bytes(size) + bytes(size)
    raw = _MAGIC + bytes([flags, offset_size]) + counts + len(cells).to_bytes(offset_size) + bytes(size) + cells
    return raw + (crc32c(raw).to_bytes(4, "little") if bag.has_crc else b"")


def decode(raw: bytes) -> Bag:
    """Read a bag.

    Raises:
        MalformedTransactionError: It is not a bag as the module's description accepts it, or too large, or too deep.
    """
    if len(raw) > MAX_BOC_BYTES:
        msg = f"the bag of cells has {len(raw)} bytes; a node takes {MAX_BOC_BYTES}"
        raise MalformedTransactionError(msg)
    reader = _BagReader(raw)
    size, has_crc, cell_count = reader.header()
    parts = reader.cells(cell_count, size)
    reader.end(has_crc=has_crc)
    return Bag(_linked(reader, parts), has_crc)


class _Part(NamedTuple):
    """A cell as it stands in the bag, its references still numbers."""

    data: bytes
    bit_length: int
    exotic: bool
    refs: tuple[int, ...]


class _BagReader:
    """Take bytes from the front of a bag, within bounds."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0

    def fail(self, reason: str) -> NoReturn:
        """Refuse the bag at the present offset."""
        msg = f"bag of cells, byte {self._at}: {reason}"
        raise MalformedTransactionError(msg)

    def take(self, count: int) -> bytes:
        """Return the next `count` bytes."""
        taken = self._raw[self._at : self._at + count]
        if len(taken) < count:
            self.fail(f"{count} more bytes expected, {len(taken)} are there")
        self._at += count
        return taken

    def header(self) -> tuple[int, bool, int]:
        """Return how many bytes a reference has, whether there is a checksum, and how many cells there are."""
        if self.take(4) != _MAGIC:
            self.fail("it does not begin with b5ee9c72")
        flags = self.take(1)[0]
        has_crc, size = bool(flags & _HAS_CRC), flags & ~_HAS_CRC
        if size not in {1, 2}:
            self.fail("it has an index, cache bits or oversized references: serialise it without")
        offset_size = self.take(1)[0]
        count, roots, absent = (int.from_bytes(self.take(size)) for _ in range(3))
        if (roots, absent) != (1, 0) or count == 0:
            self.fail("it has not exactly one root, or absent cells")
        if count > MAX_CELLS:
            self.fail(f"it has {count} cells; at most {MAX_CELLS} are read here")
        length = int.from_bytes(self.take(offset_size))
        if (size, offset_size) != (_bytes_for(count), _bytes_for(length)):
            self.fail("its numbers are not written as short as they could be")
        if int.from_bytes(self.take(size)) != 0:
            self.fail("the root is not its first cell")
        if self._at + length + 4 * has_crc != len(self._raw) or count * 2 > length:
            self.fail("its lengths do not add up")
        return size, has_crc, count

    def cells(self, count: int, size: int) -> list[_Part]:
        """Read the cells. Two that are written alike are the same cell; where there are none, no two cells are the same."""
        parts, written = [], set()
        for index in range(count):
            start = self._at
            parts.append(self._cell(index, count, size))
            written.add(self._raw[start : self._at])
        if len(written) != count:
            self.fail("a cell is there twice")
        return parts

    def end(self, *, has_crc: bool) -> None:
        """Check that only the checksum is left, and that it fits."""
        if self._at != len(self._raw) - 4 * has_crc:
            self.fail("its lengths do not add up")
        if has_crc and crc32c(self._raw[: self._at]).to_bytes(4, "little") != self.take(4):
            self.fail("the checksum does not fit")

    def _cell(self, index: int, cell_count: int, size: int) -> _Part:
        """Read one cell, whose references must be to later ones."""
        kind, length = self.take(2)
        exotic, ref_count = bool(kind & 8), kind & ~8
        if ref_count > MAX_REFS:
            self.fail("a cell has more than four references, stored hashes or a level")
        data = self.take((length + 1) // 2)
        bit_length = 8 * len(data)
        if length % 2:
            if data[-1] & 0x7F == 0:
                self.fail("a cell's data does not end as it must")
            bit_length -= (data[-1] & -data[-1]).bit_length()
        if exotic and (ref_count or bit_length != _LIBRARY_BITS or data[0] != _LIBRARY):
            self.fail("an exotic cell is not a library reference")
        numbers = self.take(size * ref_count)
        refs = tuple([int.from_bytes(numbers[start : start + size]) for start in range(0, len(numbers), size)])
        if refs and not index < min(refs) <= max(refs) < cell_count:
            self.fail("a cell refers to one that does not come after it")
        return _Part(data, bit_length, exotic, refs)


def _linked(reader: _BagReader, parts: Sequence[_Part]) -> tuple[Cell, ...]:
    """Make the cells from the last to the first, so that what one refers to is there already."""
    reached = {0}.union(*(part.refs for part in parts))
    if len(reached) != len(parts):
        reader.fail("a cell is not part of the tree")
    cells: dict[int, Cell] = {}
    for index in range(len(parts) - 1, -1, -1):
        part = parts[index]
        cell = Cell(part.data, part.bit_length, tuple([cells[ref] for ref in part.refs]), part.exotic)
        if cell.depth > MAX_DEPTH:
            reader.fail(f"it is deeper than {MAX_DEPTH} cells")
        cells[index] = cell
    return tuple(cells[index] for index in range(len(parts)))


def _ordered(root: Cell) -> tuple[Cell, ...]:
    """Return every cell of the tree once, before those it refers to: depth first, last reference first, without recursion."""
    finished: dict[Cell, None] = {}
    stack = [(root, False)]
    while stack:
        cell, is_expanded = stack.pop()
        if is_expanded:
            finished[cell] = None
        elif cell not in finished:
            stack.append((cell, True))
            stack.extend((ref, False) for ref in cell.refs)
    return tuple(reversed(finished))


def _bytes_for(value: int) -> int:
    return (value.bit_length() + 7) // 8


def crc32c(data: bytes) -> int:
    """Return the CRC-32C (Castagnoli, RFC 3720 appendix B.4)."""
    table = _crc32c_table()
    value = 0xFFFFFFFF
    for byte in data:
        value = table[(value ^ byte) & 0xFF] ^ value >> 8
    return value ^ 0xFFFFFFFF


@cache
def _crc32c_table() -> tuple[int, ...]:
    table = []
    for entry in range(256):
        value = entry
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return tuple(table)
