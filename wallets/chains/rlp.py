"""Read and write RLP (Ethereum Yellow Paper, appendix B), accepting the one canonical encoding of each item only."""

from wallets.errors import MalformedTransactionError

Item = bytes | list["Item"]

MAX_DEPTH = 4
"""No transaction nests deeper: the transaction, its access list, an entry of it, the entry's storage keys."""


def encode(item: Item) -> bytes:
    """Write one item."""
    if isinstance(item, list):
        return _with_length(b"".join(map(encode, item)), 0xC0)
    if len(item) == 1 and item[0] < 0x80:
        return item
    return _with_length(item, 0x80)


def integer(value: int) -> bytes:
    """Return the shortest big-endian bytes of a number; none for zero."""
    return value.to_bytes((value.bit_length() + 7) // 8)


def decode(data: bytes, offset: int = 0) -> Item:
    """Read one item that starts at `offset` and fills the rest of `data`.

    Raises:
        MalformedTransactionError: Truncated, trailing bytes, not canonical, or nested deeper than `MAX_DEPTH`.
    """
    item, end = _decode(data, offset, len(data), MAX_DEPTH)
    if end != len(data):
        msg = f"{len(data) - end} bytes are left behind the transaction, from byte {end}"
        raise MalformedTransactionError(msg)
    return item


def _with_length(payload: bytes, base: int) -> bytes:
    if len(payload) < 56:
        return bytes([base + len(payload)]) + payload
    length = integer(len(payload))
    return bytes([base + 55 + len(length)]) + length + payload


def _decode(data: bytes, offset: int, end: int, depth: int) -> tuple[Item, int]:
    if offset >= end:
        raise _refuse("RLP is truncated", offset)
    prefix = data[offset]
    if prefix < 0x80:
        return data[offset : offset + 1], offset + 1
    start, stop = _payload(data, offset, end)
    if prefix < 0xC0:
        if stop - start == 1 and data[start] < 0x80:
            raise _refuse("RLP is not canonical: a byte below 0x80 stands for itself", offset)
        return data[start:stop], stop
    if depth == 0:
        raise _refuse("RLP is nested too deep", offset)
    items: list[Item] = []
    while start < stop:
        item, start = _decode(data, start, stop, depth - 1)
        items.append(item)
    return items, stop


def _payload(data: bytes, offset: int, end: int) -> tuple[int, int]:
    """Return where the payload of the item at `offset` starts and stops."""
    short = (data[offset] - 0x80) % 0x40
    start, length = offset + 1, short
    if short > 55:
        start = offset + 1 + short - 55
        digits = data[offset + 1 : start]
        length = int.from_bytes(digits)
        if start > end:
            raise _refuse("RLP is truncated", offset)
        if digits[0] == 0 or length < 56:
            raise _refuse("RLP is not canonical: the length is not the shortest", offset)
    if start + length > end:
        raise _refuse("RLP is truncated", offset)
    return start, start + length


def _refuse(what: str, offset: int) -> MalformedTransactionError:
    return MalformedTransactionError(f"{what} (byte {offset})")
