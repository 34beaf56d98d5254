"""Read the arguments of contract calls (Solidity ABI) in the one encoding that compilers write.

Contracts take more: arguments out of order, gaps, dirty bits. What is not written in the one way is not read here: it could show people
something else than it does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

WORD = 32


class AbiError(Exception):
    """The bytes are not these arguments, in their one encoding."""


@dataclass(frozen=True)
class AbiType:
    """A type of an argument. `kind` is `address`, `bool`, `uint` (`size` bits), `fixed` (`size` bytes), `bytes`, `list` or `tuple`.

    A string is read as its bytes.
    """

    kind: str
    size: int = 0
    parts: tuple["AbiType", ...] = ()

    @cached_property
    def is_dynamic(self) -> bool:
        """Tell whether its length is in the data, so that it stands behind the heads."""
        return self.kind in {"bytes", "list"} or any(part.is_dynamic for part in self.parts)

    @cached_property
    def head_bytes(self) -> int:
        """How much of the heads it takes."""
        return sum(part.head_bytes for part in self.parts) if self.kind == "tuple" and not self.is_dynamic else WORD


def parse_method(signature: str) -> AbiType:
    """Return the tuple of a method's arguments: of `transfer(address,uint256)` an address and a number."""
    return _parse(signature[signature.index("(") :])


def _parse(text: str) -> AbiType:
    if text.endswith("[]"):
        return AbiType("list", parts=(_parse(text[:-2]),))
    if text.startswith("("):
        return AbiType("tuple", parts=tuple(map(_parse, _split(text[1:-1]))))
    if text.startswith("uint"):
        return AbiType("uint", int(text[4:]))
    if text.startswith("bytes") and text != "bytes":
        return AbiType("fixed", int(text[5:]))
    return {"address": AbiType("address"), "bool": AbiType("bool"), "bytes": AbiType("bytes"), "string": AbiType("bytes")}[text]


def _split(text: str) -> list[str]:
    """Split at the commas that are in no inner bracket."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == "," and not depth:
            parts.append(text[start:position])
            start = position + 1
    return [*parts, text[start:]] if text else []


@dataclass(frozen=True, slots=True)
class AbiReader:
    """Read arguments from bytes. `address_heads` are the 12 bytes that may stand before an address in its word."""

    data: bytes
    address_heads: Sequence[bytes]

    def arguments(self, kind: AbiType) -> tuple[Any, ...]:
        """Return the arguments that the whole data is: addresses as 20 bytes, numbers, booleans, bytes, tuples, and lists of these.

        Raises:
            AbiError: It is something else.
        """
        values, end = self._tuple(kind.parts, 0)
        if end != len(self.data):
            raise AbiError
        return values

    def _tuple(self, parts: Sequence[AbiType], base: int) -> tuple[tuple[Any, ...], int]:
        """Read values whose heads start at `base`, and return them with the place behind them: no gap, nothing out of order."""
        at, end = base, base + sum(part.head_bytes for part in parts)
        if end > len(self.data):
            raise AbiError
        values = []
        for part in parts:
            if part.is_dynamic:
                if self._word(at) != end - base:
                    raise AbiError
                value, end = self._dynamic(part, end)
                at += WORD
            else:
                value, at = self._static(part, at)
            values.append(value)
        return tuple(values), end

    def _dynamic(self, kind: AbiType, at: int) -> tuple[Any, int]:
        if kind.kind == "tuple":
            return self._tuple(kind.parts, at)
        count = self._word(at)
        if kind.kind == "bytes":
            return self._bytes(count, at + WORD)
        # Checked before the list of types is made: a count may promise anything.
        if count * kind.parts[0].head_bytes > len(self.data):
            raise AbiError
        values, end = self._tuple(kind.parts * count, at + WORD)
        return list(values), end

    def _bytes(self, length: int, at: int) -> tuple[bytes, int]:
        if length > len(self.data):
            raise AbiError
        end = at + -(-length // WORD) * WORD
        padded = self.data[at:end]
        if len(padded) != end - at or any(padded[length:]):
            raise AbiError
        return padded[:length], end

    def _static(self, kind: AbiType, at: int) -> tuple[Any, int]:
        if kind.kind == "tuple":
            return self._tuple(kind.parts, at)
        word = self.data[at : at + WORD]
        if kind.kind == "address":
            if word[:12] not in self.address_heads:
                raise AbiError
            return word[12:], at + WORD
        if kind.kind == "fixed":
            if any(word[kind.size :]):
                raise AbiError
            return word[: kind.size], at + WORD
        number = int.from_bytes(word)
        if number >> (1 if kind.kind == "bool" else kind.size):
            raise AbiError
        return (bool(number) if kind.kind == "bool" else number), at + WORD

    def _word(self, at: int) -> int:
        word = self.data[at : at + WORD]
        if len(word) != WORD:
            raise AbiError
        return int.from_bytes(word)
