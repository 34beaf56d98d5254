"""Read the types that EIP-712 typed data declares, and the values of its atomic types."""

import binascii
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

from wallets.chains.evm.address import checksummed, parse_address
from wallets.errors import MalformedMessageError
from wallets.hashes import keccak256

DOMAIN_TYPE = "EIP712Domain"
MAX_TYPES = 100
MAX_MEMBERS = 500
"""Of all types together."""
MAX_NAME_LENGTH = 64

_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]{0,63}")
_TYPE = re.compile(r"([A-Za-z_$][A-Za-z0-9_$]{0,63})((?:\[(?:[1-9][0-9]{0,3})?\]){0,8})")
_LENGTH = re.compile(r"\[(\d*)\]")
_ALIASES = frozenset({"uint", "int", "byte", "fixed", "ufixed", "function"})
_DECIMAL = re.compile(r"0|-?[1-9][0-9]{0,77}")
_HEX_NUMBER = re.compile(r"0x[0-9a-fA-F]{1,64}")


def refuse(path: str, reason: str) -> NoReturn:
    """Raise `MalformedMessageError` for the value at `path`."""
    msg = f"{path}: {reason}"
    raise MalformedMessageError(msg)


@dataclass(frozen=True, slots=True)
class TypeName:
    """The type of a member: `base` with the lengths of its arrays from the inside out, None where an array may have any."""

    base: str
    lengths: tuple[int | None, ...] = ()

    @property
    def text(self) -> str:
        """How the standard writes it: `uint8[2][]`."""
        return self.base + "".join(f"[{'' if length is None else length}]" for length in self.lengths)


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a struct."""

    name: str
    type: TypeName


Structs = Mapping[str, tuple[Member, ...]]
"""The members of each struct, in their order."""

Value = bool | int | str | bytes | list["Value"] | dict[str, "Value"]
"""A value as we keep it: addresses with their checksum as text, bytes as bytes."""


def read_structs(value: object, atomic: "Mapping[str, Reader]") -> Structs:
    """Read the `types` of typed data: every type that is named is declared, and none is declared twice or has an atomic type's name.

    Raises:
        MalformedMessageError: It is not that.
    """
    types = as_object("types", value)
    if len(types) > MAX_TYPES:
        refuse("types", f"there are more than {MAX_TYPES}")
    if DOMAIN_TYPE not in types:
        refuse("types", f"{DOMAIN_TYPE} is missing: the domain's members are declared like those of any other type")
    structs: dict[str, tuple[Member, ...]] = {}
    left = MAX_MEMBERS
    for name, members in types.items():
        if _NAME.fullmatch(name) is None or name in atomic or name in _ALIASES:
            refuse("types", "the name of a type is an identifier of at most 64 characters that no built-in type has")
        structs[name] = _members(f"types.{name}", members, left)
        left -= len(structs[name])
    for name, found in structs.items():
        for member in found:
            if member.type.base not in atomic and member.type.base not in structs:
                refuse(f"types.{name}.{member.name}", f"there is no type {member.type.base}")
    return structs


def as_object(path: str, value: object) -> Mapping[str, object]:
    """Return a JSON object.

    Raises:
        MalformedMessageError: It is none.
    """
    if not isinstance(value, Mapping):
        refuse(path, "an object is expected")
    return value


def check_names(path: str, value: Mapping[str, object], names: list[str]) -> None:
    """Return if an object has exactly these members.

    Raises:
        MalformedMessageError: One is missing, or there are more.
    """
    for name in names:
        if name not in value:
            refuse(path, f"{name} is missing")
    if len(value) != len(names):
        unknown = next(name for name in value if name not in names)
        shown = unknown if _NAME.fullmatch(unknown) else "a member"
        refuse(path, f"{shown} is not among its members, which are {', '.join(names)}")


def _members(path: str, value: object, left: int) -> tuple[Member, ...]:
    if not isinstance(value, list):
        refuse(path, "a list of members is expected")
    if len(value) > left:
        refuse(path, f"all types together have more than {MAX_MEMBERS} members")
    members = tuple(_member(f"{path}[{position}]", each) for position, each in enumerate(value))
    if len({member.name for member in members}) != len(members):
        refuse(path, "two members have the same name")
    return members


def _member(path: str, value: object) -> Member:
    found = as_object(path, value)
    check_names(path, found, ["name", "type"])
    name, kind = found["name"], found["type"]
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        refuse(f"{path}.name", "an identifier of at most 64 characters is expected")
    match = _TYPE.fullmatch(kind) if isinstance(kind, str) else None
    if match is None:
        refuse(f"{path}.type", "a type is expected, with [] or [n] behind it for each array around it")
    if match[1] in _ALIASES:
        refuse(f"{path}.type", f"{match[1]} is no type of EIP-712: write uint256, int256 or bytes1 in full")
    return Member(name, TypeName(match[1], tuple(int(length) if length else None for length in _LENGTH.findall(match[2]))))


# Atomic types: each reader returns the 32 bytes that are hashed, and the value as we keep it.

Reader = Callable[[str, object], tuple[bytes, Value]]


def _integer(bits: int, *, signed: bool) -> Reader:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)

    def read(path: str, value: object) -> tuple[bytes, Value]:
        number = _number(path, value)
        if not low <= number <= high:
            refuse(path, f"it does not fit in {'int' if signed else 'uint'}{bits}")
        return number.to_bytes(32, signed=signed), number

    return read


def _number(path: str, value: object) -> int:
    """Read a whole number: a JSON number, or a text of it in decimal or in hex with `0x`."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        if _DECIMAL.fullmatch(value):
            return int(value)
        if _HEX_NUMBER.fullmatch(value):
            return int(value, 16)
    return refuse(path, "a whole number is expected, or a text of one in decimal or in hex with 0x")


def _octets(path: str, value: object) -> bytes:
    if isinstance(value, str) and value.startswith("0x"):
        with suppress(ValueError):
            # A regular expression would take 70 bytes of memory for each byte.
            return binascii.unhexlify(value[2:])
    return refuse(path, "bytes are expected as hex with 0x")


def _fixed_bytes(length: int) -> Reader:
    def read(path: str, value: object) -> tuple[bytes, Value]:
        data = _octets(path, value)
        if len(data) != length:
            refuse(path, f"{length} bytes are expected, not {len(data)}")
        return data.ljust(32, b"\0"), data

    return read


def _bytes(path: str, value: object) -> tuple[bytes, Value]:
    data = _octets(path, value)
    return keccak256(data), data


def _string(path: str, value: object) -> tuple[bytes, Value]:
    try:
        data = value.encode() if isinstance(value, str) else None
    except UnicodeEncodeError:
        data = None
    if data is None or not isinstance(value, str):
        refuse(path, "a text is expected")
    return keccak256(data), value


def _bool(path: str, value: object) -> tuple[bytes, Value]:
    if not isinstance(value, bool):
        refuse(path, "true or false is expected")
    return value.to_bytes(32), value


def _address(path: str, value: object) -> tuple[bytes, Value]:
    address = parse_address(value) if isinstance(value, str) and value.startswith("0x") else None
    if address is None:
        refuse(path, "an address is expected: 0x and 40 hex digits, in one case or with the checksum of EIP-55")
    return bytes(12) + address, checksummed(address)


ATOMIC: Mapping[str, Reader] = {
    "address": _address,
    "bool": _bool,
    "bytes": _bytes,
    "string": _string,
    **{f"bytes{length}": _fixed_bytes(length) for length in range(1, 33)},
    **{f"uint{bits}": _integer(bits, signed=False) for bits in range(8, 257, 8)},
    **{f"int{bits}": _integer(bits, signed=True) for bits in range(8, 257, 8)},
}
"""Every type that is no struct and no array, `bytes` and `string` included."""
