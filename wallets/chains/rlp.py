"""Read and write RLP in its one canonical form (Ethereum Yellow Paper, appendix B).

The reader walks a known structure instead of building a tree of whatever comes: what is not asked for is not read, nesting is as deep as
the caller's own code, and each error names the field and its byte offset.
"""

from wallets.chains.refusal import refuse

_SHORT_STRING = 0x80
_LONG_STRING = 0xB8
_SHORT_LIST = 0xC0
_LONG_LIST = 0xF8
_SHORT_MAX = 55
"""A payload of up to 55 bytes has its length in the prefix; a longer one has it behind the prefix."""


class RlpReader:
    """Read the items of one RLP list, or the one item of a whole input, from left to right."""

    __slots__ = ("_ahead", "_data", "_end", "_offset")

    def __init__(self, data: bytes, start: int = 0, end: int | None = None) -> None:
        self._data = data
        self._offset = start
        self._end = len(data) if end is None else end
        self._ahead: list[tuple[bool, int, int]] = []
        """Items that have been counted and not read yet, the next one last: whether it is a list, and where its payload starts and ends."""

    @property
    def offset(self) -> int:
        """Where the next item starts, counted from the start of the whole input."""
        return self._offset

    @property
    def end(self) -> int:
        """Where the last item ends."""
        return self._end

    def list(self, name: str) -> "RlpReader":
        """Step over a list and return the reader of its items.

        Raises:
            MalformedTransactionError: The next item is no list, or is not canonical.
        """
        at = self._offset
        is_list, start = self._header(name)
        if not is_list:
            refuse(name, at, "a list is expected")
        return RlpReader(self._data, start, self._offset)

    def string(self, name: str) -> bytes:
        """Read a byte string.

        Raises:
            MalformedTransactionError: The next item is a list, or is not canonical.
        """
        at = self._offset
        is_list, start = self._header(name)
        if is_list:
            refuse(name, at, "bytes are expected, not a list")
        return self._data[start : self._offset]

    def fixed(self, name: str, length: int) -> bytes:
        """Read a byte string of exactly `length` bytes.

        Raises:
            MalformedTransactionError: It has another length.
        """
        at = self._offset
        value = self.string(name)
        if len(value) != length:
            refuse(name, at, f"{length} bytes are expected, not {len(value)}")
        return value

    def uint(self, name: str, bits: int) -> int:
        """Read a big-endian unsigned integer below 2^`bits`.

        Raises:
            MalformedTransactionError: It is larger, or has leading zeros.
        """
        at = self._offset
        is_list, start = self._header(name)
        if is_list:
            refuse(name, at, "bytes are expected, not a list")
        value = self._data[start : self._offset]
        if value[:1] == b"\0":
            refuse(name, at, "an integer has no leading zeros")
        if len(value) * 8 > bits:
            refuse(name, at, f"the integer does not fit in {bits} bits")
        return int.from_bytes(value)

    def skip(self, name: str, count: int) -> None:
        """Step over so many items.

        Raises:
            MalformedTransactionError: There are fewer, or one is not canonical.
        """
        for _ in range(count):
            self._header(name)

    def next_is_list(self) -> bool:
        """Tell whether there is another item, and it begins like a list."""
        return self._offset < self._end and self._data[self._offset] >= _SHORT_LIST

    def more(self) -> bool:
        """Tell whether there is another item."""
        return self._offset < self._end

    def count(self, name: str, most: int) -> int:
        """Return how many items are left, without stepping over them.

        Raises:
            MalformedTransactionError: They are not canonical, or more than `most`: the rest is not looked at.
        """
        ahead = RlpReader(self._data, self._offset, self._end)
        found: list[tuple[bool, int, int]] = []
        while ahead.more():
            if len(found) == most:
                refuse(name, ahead.offset, f"it has more than {most} items")
            is_list, payload = ahead._header(name)
            found.append((is_list, payload, ahead.offset))
        self._ahead = found[::-1]
        return len(found)

    def finish(self, name: str) -> None:
        """Check that nothing is left.

        Raises:
            MalformedTransactionError: Something is.
        """
        if self.more():
            refuse(name, self._offset, f"{self._end - self._offset} bytes too many")

    def _header(self, name: str) -> tuple[bool, int]:
        """Step over one item; return whether it is a list, and where its payload starts."""
        if self._ahead:
            is_list, start, self._offset = self._ahead.pop()
            return is_list, start
        at = self._offset
        if at >= self._end:
            refuse(name, at, "the data ends too early")
        prefix = self._data[at]
        is_list = prefix >= _SHORT_LIST
        if prefix < _SHORT_STRING:
            start, length = at, 1
        elif _LONG_STRING <= prefix < _SHORT_LIST or prefix >= _LONG_LIST:
            start, length = self._long_length(name, prefix - (_LONG_LIST if is_list else _LONG_STRING) + 1)
        else:
            start, length = at + 1, prefix - (_SHORT_LIST if is_list else _SHORT_STRING)
        if length > self._end - start:
            refuse(name, at, "the data ends too early")
        if prefix == _SHORT_STRING + 1 and self._data[start] < _SHORT_STRING:
            refuse(name, at, "a single byte below 0x80 is its own encoding")
        self._offset = start + length
        return is_list, start

    def _long_length(self, name: str, size: int) -> tuple[int, int]:
        """Read the length that stands in the `size` bytes behind a long item's prefix; return the payload's start and length."""
        at = self._offset
        digits = self._data[at + 1 : min(at + 1 + size, self._end)]
        if len(digits) < size:
            refuse(name, at, "the data ends too early")
        length = int.from_bytes(digits)
        if digits[0] == 0 or length <= _SHORT_MAX:
            refuse(name, at, "the length is not written in the shortest way")
        return at + 1 + size, length


def encode_bytes(value: bytes) -> bytes:
    """Write a byte string."""
    if len(value) == 1 and value[0] < _SHORT_STRING:
        return value
    return _prefix(_SHORT_STRING, len(value)) + value


def encode_uint(value: int) -> bytes:
    """Write an unsigned integer, big-endian without leading zeros."""
    return encode_bytes(value.to_bytes((value.bit_length() + 7) // 8))


def encode_list(items: bytes) -> bytes:
    """Write a list of items that are encoded already."""
    return _prefix(_SHORT_LIST, len(items)) + items


def _prefix(short: int, length: int) -> bytes:
    if length <= _SHORT_MAX:
        return bytes([short + length])
    digits = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes([short + _SHORT_MAX + len(digits)]) + digits
