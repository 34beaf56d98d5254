"""Read the little-endian numbers and counted bytes that Bitcoin's formats are made of, and write them."""

from typing import NoReturn

from wallets.chains.refusal import refuse

_WIDTHS = {0xFD: 2, 0xFE: 4, 0xFF: 8}


class Reader:
    """Read a part of the input, which begins there at byte `offset`, from its start on. Refusals tell where in the whole input they are."""

    __slots__ = ("_name", "_offset", "end", "position", "raw")

    def __init__(self, raw: bytes, name: str, offset: int = 0) -> None:
        self.raw = raw
        self.position = 0
        self.end = len(raw)
        self._name = name
        self._offset = offset

    def take(self, count: int) -> bytes:
        """Return the next bytes.

        Raises:
            MalformedTransactionError: There are fewer.
        """
        start = self.position
        if count > self.end - start:
            self.fail(f"{count} more bytes are expected, {self.end - start} are there")
        self.position = start + count
        return self.raw[start : self.position]

    def uint(self, count: int) -> int:
        """Return a number of so many bytes.

        Raises:
            MalformedTransactionError: There are fewer.
        """
        return int.from_bytes(self.take(count), "little")

    def size(self) -> int:
        """Return a compact size, written as short as it can be.

        Raises:
            MalformedTransactionError: It is cut off, or longer than need be.
        """
        start = self.position
        if start < self.end and self.raw[start] < 0xFD:
            self.position = start + 1
            return self.raw[start]
        width = _WIDTHS[self.take(1)[0]]
        number = self.uint(width)
        if number < 0xFD or (width > 2 and number >> 4 * width == 0):
            self.fail_at(start, "a length is written in more bytes than it needs")
        return number

    def counted(self) -> bytes:
        """Return the bytes whose number stands before them.

        Raises:
            MalformedTransactionError: There are fewer, or the number is not canonical.
        """
        return self.take(self.size())

    def end_here(self) -> None:
        """Return if everything has been read.

        Raises:
            MalformedTransactionError: Something is left.
        """
        if self.position != self.end:
            self.fail(f"{self.end - self.position} bytes are left")

    def fail(self, reason: str) -> NoReturn:
        """Raise `MalformedTransactionError` for where the reader is."""
        self.fail_at(self.position, reason)

    def fail_at(self, position: int, reason: str) -> NoReturn:
        """Raise `MalformedTransactionError` for a place in what is read."""
        refuse(self._name, self._offset + position, reason)


def write_size(number: int) -> bytes:
    """Write a compact size."""
    if number < 0xFD:
        return bytes([number])
    head = next(head for head, width in _WIDTHS.items() if number < 1 << 8 * width)
    return bytes([head]) + number.to_bytes(_WIDTHS[head], "little")


def write_counted(data: bytes) -> bytes:
    """Write bytes with their number before them."""
    return write_size(len(data)) + data
