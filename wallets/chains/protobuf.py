"""Read protocol buffers in their one canonical form: what every official serializer writes for the same values (proto3).

Fields in the order of their numbers, each singular one at most once, varints in the shortest form, no field that holds its default, no
unknown field, nothing behind the end. Libraries accept all of that; whoever signs must not, or two texts would mean one transaction.

A repeated field can have a message of a few bytes a hundred thousand times, each of which costs an object: hence `MAX_FIELDS`.

A map is a repeated message of a `key` and a value, both always written, also where they are zero (`in_map`). Official serializers differ
in the order of its entries (Java keeps the caller's, others sort by number or by text), so any order is taken, and each key once.

Not read, because no message that is signed here has them: floating point and fixed-width numbers, packed and negative integers, groups
and oneofs.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeAlias

from wallets.chains.refusal import refuse

Value: TypeAlias = "int | str | bytes | Record | list[Value]"
"""What a field holds. Integers are 0..2^63-1."""

MAX_FIELDS = 5_000
"""The fields of one input, those of inner messages included: far more than a transaction has, a new contract with a large ABI included."""

_VARINT = 0
_LENGTH_DELIMITED = 2
_MAX_VARINT_BYTES = 10


class Kind(Enum):
    """What stands on the wire, and as what it is read."""

    INT64 = "int64"
    INT32 = "int32"
    BOOL = "bool"
    BYTES = "bytes"
    STRING = "string"
    MESSAGE = "message"


_MAXIMA = {Kind.INT64: 2**63 - 1, Kind.INT32: 2**31 - 1, Kind.BOOL: 1}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message.

    `required` refuses its absence, which is how proto3 writes zero and nothing. `read` turns what is on the wire into what it means, and
    raises `ValueError` with the reason where it means nothing. `default` is what its absence means, where that is worth showing. `is_map`
    marks a repeated message as the entries of a map, `in_map` the key and the value in it, which are there even if they are zero.
    """

    number: int
    name: str
    kind: Kind
    required: bool = False
    repeated: bool = False
    message: "Message | None" = None
    read: Callable[[Any], int | str] | None = None
    default: int | str | None = None
    is_map: bool = False
    in_map: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """A message type: its fields by number."""

    name: str
    fields: Mapping[int, Field]


def message(name: str, *fields: Field) -> Message:
    """Make a message type of its fields."""
    return Message(name, {item.number: item for item in sorted(fields, key=lambda item: item.number)})


@dataclass(frozen=True, slots=True)
class Record:
    """A decoded message: the values that are there, by field name, in order; and where its encoding starts and ends."""

    offset: int
    end: int
    values: dict[str, Value] = field(default_factory=dict)

    def number(self, name: str) -> int:
        """Return an integer, 0 where it is absent."""
        value = self.values.get(name, 0)
        assert isinstance(value, int)
        return value

    def text(self, name: str) -> str:
        """Return a text, empty where it is absent."""
        value = self.values.get(name, "")
        assert isinstance(value, str)
        return value

    def data(self, name: str) -> bytes:
        """Return bytes, empty where they are absent."""
        value = self.values.get(name, b"")
        assert isinstance(value, bytes)
        return value

    def record(self, name: str) -> "Record":
        """Return a message that is required and therefore there."""
        value = self.values[name]
        assert isinstance(value, Record)
        return value

    def records(self, name: str) -> "list[Record]":
        """Return the messages of a repeated field, none where it is absent."""
        values = self.values.get(name, [])
        assert isinstance(values, list)
        return [value for value in values if isinstance(value, Record)]

    def leaves(self, prefix: str = "") -> Iterator[tuple[str, int | str | bytes]]:
        """Yield every value in it by its path: `votes[0].vote_address`."""
        for name, value in self.values.items():
            yield from _leaves(prefix + name, value)


def _leaves(path: str, value: Value) -> Iterator[tuple[str, int | str | bytes]]:
    if isinstance(value, Record):
        yield from value.leaves(path + ".")
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _leaves(f"{path}[{position}]", item)
    else:
        yield path, value


def decode(kind: Message, data: bytes, start: int = 0, end: int | None = None) -> Record:
    """Decode `data[start:end]` as one whole message. It nests as deep as its type does, and has at most `MAX_FIELDS` fields.

    Raises:
        MalformedTransactionError: It is not canonical, or not of this type, or has too many fields.
    """
    return _Decoder(data).message(kind, start, len(data) if end is None else end)


class _Decoder:
    """Decode the messages of one input, and count their fields."""

    __slots__ = ("_count", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._count = 0

    def message(self, kind: Message, start: int, end: int) -> Record:
        """Decode the message that the bytes from `start` to `end` are."""
        offset, last = start, 0
        record = Record(start, end)
        while offset < end:
            self._count_field(kind, offset)
            item, wire_type, offset = self._tag(kind, offset, end, last)
            last = item.number
            value, offset = self._value(item, wire_type, offset, end)
            _keep(record, item, value)
        _fill_in(record, kind)
        return record

    def _count_field(self, kind: Message, offset: int) -> None:
        self._count += 1
        if self._count > MAX_FIELDS:
            refuse(kind.name, offset, f"the transaction has more than {MAX_FIELDS} fields")

    def _tag(self, kind: Message, offset: int, end: int, last: int) -> tuple[Field, int, int]:
        """Read which field comes, after the one of number `last`, and how it is written; return both and where its value starts."""
        tag, start = _varint(kind.name, self._data, offset, end)
        item = kind.fields.get(tag >> 3)
        if item is None:
            refuse(kind.name, offset, f"it has no field {tag >> 3} that is signed here")
        if item.number < last or (item.number == last and not item.repeated):
            refuse(item.name, offset, "fields must stand in the order of their numbers, each once")
        return item, tag & 7, start

    def _value(self, item: Field, wire_type: int, offset: int, end: int) -> tuple[Value, int]:
        """Read a field's value; return it and where the next field starts."""
        maximum = _MAXIMA.get(item.kind)
        if wire_type != (_LENGTH_DELIMITED if maximum is None else _VARINT):
            refuse(item.name, offset, f"it is not written as {item.kind.value}")
        number, start = _varint(item.name, self._data, offset, end)
        if maximum is not None:
            if number == 0 and not item.in_map:
                refuse(item.name, offset, "zero must be left out")
            if number > maximum:
                refuse(item.name, offset, f"it must not be negative or more than {maximum}")
            return _meaning(item, number, offset), start
        stop = start + number
        if stop > end:
            refuse(item.name, offset, "the data ends too early")
        if item.message is not None:
            return self.message(item.message, start, stop), stop
        if number == 0 and not item.repeated:
            refuse(item.name, offset, "what is empty must be left out")
        return _meaning(item, self._data[start:stop], offset), stop


def encode_uint(number: int, value: int) -> bytes:
    """Write a field of an unsigned integer, which is not zero: proto3 leaves zeros out."""
    return _encode_varint(number << 3 | _VARINT) + _encode_varint(value)


def encode_bytes(number: int, value: bytes) -> bytes:
    """Write a field of bytes (or of a message that is encoded already)."""
    return _encode_varint(number << 3 | _LENGTH_DELIMITED) + _encode_varint(len(value)) + value


def _keep(record: Record, item: Field, value: Value) -> None:
    if not item.repeated:
        record.values[item.name] = value
        return
    values = record.values.setdefault(item.name, [])
    assert isinstance(values, list)
    values.append(value)


def _fill_in(record: Record, kind: Message) -> None:
    """Refuse what lacks a required field or has a map's key twice, and add the defaults that are worth showing."""
    for item in kind.fields.values():
        if item.name in record.values:
            if item.is_map:
                _check_keys(record, item.name)
        else:
            if item.required or item.in_map:
                refuse(kind.name, record.offset, f"{item.name} is missing, empty or zero")
            if item.default is not None:
                record.values[item.name] = item.default


def _check_keys(record: Record, name: str) -> None:
    keys = set()
    for entry in record.records(name):
        key = entry.number("key")
        if key in keys:
            refuse(name, entry.offset, f"the key {key} is there twice")
        keys.add(key)


def _meaning(item: Field, raw: int | bytes, offset: int) -> Value:
    try:
        if item.read is not None:
            return item.read(raw)
        if isinstance(raw, bytes) and item.kind is Kind.STRING:
            return raw.decode()
    except UnicodeDecodeError:
        refuse(item.name, offset, "it is not UTF-8")
    except ValueError as error:
        refuse(item.name, offset, str(error))
    return raw


def _varint(name: str, data: bytes, offset: int, end: int) -> tuple[int, int]:
    """Read a base-128 varint of at most ten bytes; return it and where it ends."""
    value = 0
    for position in range(min(_MAX_VARINT_BYTES, end - offset)):
        byte = data[offset + position]
        value |= (byte & 0x7F) << 7 * position
        if byte < 0x80:
            if byte == 0 and position:
                refuse(name, offset, "the number is not written in the shortest way")
            return value, offset + position + 1
    return refuse(name, offset, "the number has no end" if end - offset >= _MAX_VARINT_BYTES else "the data ends too early")


def _encode_varint(value: int) -> bytes:
    digits = bytearray()
    while value >= 0x80:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    digits.append(value)
    return bytes(digits)
