"""Read and write partially signed transactions, version 0 (BIP-174) and 2 (BIP-370), each field kept in its place.

What is not known is kept and not looked at, as the standard asks. Nothing of that reaches the signed transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

from wallets.chains.bitcoin.fields import (
    FALLBACK_LOCKTIME,
    GLOBAL,
    INPUT,
    INPUT_COUNT,
    OUTPUT,
    OUTPUT_AMOUNT,
    OUTPUT_COUNT,
    OUTPUT_INDEX,
    OUTPUT_SCRIPT,
    PREVIOUS_TXID,
    REQUIRED_HEIGHT_LOCKTIME,
    REQUIRED_TIME_LOCKTIME,
    SEQUENCE,
    TX_MODIFIABLE,
    TX_VERSION,
    UNSIGNED_TX,
    VERSION,
    Field,
)
from wallets.chains.bitcoin.reader import Reader, write_counted
from wallets.chains.bitcoin.transaction import FINAL_SEQUENCE, MAX_INPUTS, MAX_OUTPUTS, Input, Output, Transaction, read_unsigned
from wallets.chains.refusal import refuse

MAGIC = b"psbt\xff"
MAX_BYTES = 1 << 20
MAX_FIELDS = 12_000
"""Of all maps together: as many inputs and outputs as are taken, with more than ten each."""
LOCK_TIME_THRESHOLD = 500_000_000
"""Lock times from here on are seconds since 1970, and those below are heights of blocks."""

_MAP_END = b"\x00"
_MODIFIABLE = 0b11
"""Whether inputs and outputs may be added or removed (BIP-370)."""


@dataclass(frozen=True, slots=True)
class Value:
    """A field's value, and at which byte it begins."""

    raw: bytes
    offset: int

    @property
    def number(self) -> int:
        """It as a number."""
        return int.from_bytes(self.raw, "little")


@dataclass(frozen=True, slots=True)
class Map:
    """The fields of one map by their whole keys, type and what stands behind it, in their order; and at which byte it begins."""

    name: str
    offset: int
    values: Mapping[bytes, Value]

    def get(self, field: Field) -> Value | None:
        """Return the value of a field whose type is its whole key."""
        return self.values.get(field.type)

    def need(self, field: Field) -> Value:
        """Return the value of a field whose type is its whole key.

        Raises:
            MalformedTransactionError: There is none.
        """
        value = self.values.get(field.type)
        if value is None:
            refuse(self.name, self.offset, f"it has no {field.name}")
        return value

    def all(self, field: Field) -> list[tuple[bytes, Value]]:
        """Return what stands behind the type, and the value, of each field of a kind."""
        return [(key[1:], value) for key, value in self.values.items() if key[0] == field.type[0]]

    def reader(self, field: Field, value: Value) -> Reader:
        """Return a reader of a field's value."""
        return Reader(value.raw, f"{self.name} {field.name}", value.offset)

    def refuse(self, field: Field, value: Value, reason: str) -> NoReturn:
        """Raise `MalformedTransactionError` for a field's value."""
        refuse(f"{self.name} {field.name}", value.offset, reason)

    @property
    def raw(self) -> bytes:
        """It as bytes."""
        return b"".join([write_counted(key) + write_counted(value.raw) for key, value in self.values.items()]) + _MAP_END


@dataclass(frozen=True, slots=True)
class Psbt:
    """A partially signed transaction: its maps, and the transaction that they describe."""

    version: int
    transaction: Transaction
    head: Map
    inputs: tuple[Map, ...]
    outputs: tuple[Map, ...]

    @property
    def raw(self) -> bytes:
        """It as bytes: what was read, where nothing was changed."""
        return MAGIC + b"".join([each.raw for each in (self.head, *self.inputs, *self.outputs)])

    def with_inputs(self, inputs: Sequence[Map]) -> "Psbt":
        """Return it with these inputs, to which signatures have been added that hold for what is there alone."""
        modifiable = self.head.get(TX_MODIFIABLE)
        if modifiable is None:
            return replace(self, inputs=tuple(inputs))
        fixed = Value(bytes([modifiable.raw[0] & ~_MODIFIABLE]), modifiable.offset)
        head = replace(self.head, values={**self.head.values, TX_MODIFIABLE.type: fixed})
        return replace(self, head=head, inputs=tuple(inputs))


def read_psbt(raw: bytes) -> Psbt:
    """Read exactly one PSBT.

    Raises:
        MalformedTransactionError: It is none, or breaks a rule of its version; nothing else escapes.
    """
    if len(raw) > MAX_BYTES:
        refuse("psbt", MAX_BYTES, f"it has {len(raw)} bytes; {MAX_BYTES} are taken")
    if not raw.startswith(MAGIC):
        refuse("psbt", 0, "it does not begin as a PSBT does, with 70736274ff")
    reader = _MapReader(raw)
    head = reader.read("global")
    version = _version(head)
    _check(head, GLOBAL, version)
    transaction = read_unsigned(head.reader(UNSIGNED_TX, head.need(UNSIGNED_TX))) if version == 0 else None
    counts = _counts(head) if transaction is None else (len(transaction.inputs), len(transaction.outputs))
    inputs = tuple([_check(reader.read(f"input {number}"), INPUT, version) for number in range(counts[0])])
    outputs = tuple([_check(reader.read(f"output {number}"), OUTPUT, version) for number in range(counts[1])])
    reader.end_here()
    return Psbt(version, transaction or _described(head, inputs, outputs), head, inputs, outputs)


class _MapReader(Reader):
    """Read maps, one behind the other, with a bound on the fields of all."""

    __slots__ = ("_left",)

    def __init__(self, raw: bytes) -> None:
        super().__init__(raw, "psbt")
        self.position = len(MAGIC)
        self._left = MAX_FIELDS

    def read(self, name: str) -> Map:
        """Read a map up to its end, each key once."""
        values: dict[bytes, Value] = {}
        found = Map(name, self.position, values)
        while length := self.size():
            start = self.position
            key = self.take(length)
            if key in values:
                refuse(name, start, f"the field {key[:40].hex()} is there twice")
            if len(values) == self._left:
                refuse(name, start, f"there are more than {MAX_FIELDS} fields")
            size = self.size()
            values[key] = Value(self.take(size), self.position - size)
        self._left -= len(values)
        return found


def _check(found: Map, fields: Mapping[int, Field], version: int) -> Map:
    """Return a map whose known fields look as they must."""
    for key, value in found.values.items():
        field = fields.get(key[0])
        if field is None:
            continue
        length = len(value.raw)
        if field.version not in {None, version}:
            problem = f"version {version} of PSBT has no such field"
        elif field.key is not None and len(key) - 1 not in field.key:
            problem = f"its key has {len(key) - 1} bytes behind the type"
        elif field.value is not None and length not in field.value:
            problem = f"it has {length} bytes"
        elif field.words and (length % 4 or not length):
            problem = f"it has {length} bytes, which are not one or more numbers of four"
        else:
            continue
        found.refuse(field, value, problem)
    return found


def _version(head: Map) -> int:
    found = head.get(VERSION)
    if found is None:
        return 0
    if found.number not in {0, 2}:
        head.refuse(VERSION, found, f"PSBT has versions 0 and 2, and this is {found.number}")
    return found.number


def _counts(head: Map) -> tuple[int, int]:
    """Return how many inputs and outputs a PSBT of version 2 says it has."""
    head.need(TX_VERSION)
    return _count(head, INPUT_COUNT, MAX_INPUTS), _count(head, OUTPUT_COUNT, MAX_OUTPUTS)


def _count(head: Map, field: Field, most: int) -> int:
    value = head.need(field)
    reader = head.reader(field, value)
    count = reader.size()
    reader.end_here()
    if not 1 <= count <= most:
        head.refuse(field, value, f"it is {count}; 1 to {most} are taken")
    return count


def _described(head: Map, inputs: Sequence[Map], outputs: Sequence[Map]) -> Transaction:
    """Return the transaction that the maps of version 2 describe."""
    return Transaction(
        head.need(TX_VERSION).number,
        tuple([_input(each) for each in inputs]),
        tuple([Output(each.need(OUTPUT_AMOUNT).number, each.need(OUTPUT_SCRIPT).raw) for each in outputs]),
        _lock_time(head, inputs),
    )


def _input(found: Map) -> Input:
    previous, number = found.need(PREVIOUS_TXID), found.need(OUTPUT_INDEX)
    sequence = found.get(SEQUENCE)
    return Input(previous.raw + number.raw, FINAL_SEQUENCE if sequence is None else sequence.number)


def _lock_time(head: Map, inputs: Sequence[Map]) -> int:
    """Return the lock time that fits every input, a height before a time (BIP-370)."""
    for each in inputs:
        _check_lock_times(each)
    wanted = [(each.get(REQUIRED_HEIGHT_LOCKTIME), each.get(REQUIRED_TIME_LOCKTIME)) for each in inputs]
    needs = [each for each in wanted if any(each)]
    if not needs:
        fallback = head.get(FALLBACK_LOCKTIME)
        return 0 if fallback is None else fallback.number
    heights, times = zip(*needs, strict=True)
    chosen: list[int] = [each.number for each in (times if None in heights else heights) if each is not None]
    if len(chosen) < len(needs):
        refuse("global map", head.offset, "some inputs require a height as lock time, and others a time")
    return max(chosen)


def _check_lock_times(found: Map) -> None:
    time, height = found.get(REQUIRED_TIME_LOCKTIME), found.get(REQUIRED_HEIGHT_LOCKTIME)
    if time is not None and time.number < LOCK_TIME_THRESHOLD:
        found.refuse(REQUIRED_TIME_LOCKTIME, time, f"a time is {LOCK_TIME_THRESHOLD} or more")
    if height is not None and not 0 < height.number < LOCK_TIME_THRESHOLD:
        found.refuse(REQUIRED_HEIGHT_LOCKTIME, height, f"a height is 1 to {LOCK_TIME_THRESHOLD - 1}")
