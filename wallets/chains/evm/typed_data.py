"""Hash typed data as contracts do (EIP-712, in the form that wallets call v4: structs in structs, arrays, arrays of structs).

Stricter than the libraries in use, since what is signed must be what is shown: each declared type is used, each member is there and no
other, null stands for nothing, and the domain names the network's own chain id or none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from wallets.chains.evm.typed_types import (
    ATOMIC,
    DOMAIN_TYPE,
    Reader,
    Structs,
    TypeName,
    Value,
    as_object,
    check_names,
    read_structs,
    refuse,
)
from wallets.hashes import keccak256

MAX_VALUES = 5_000
"""Members and items of arrays in one message: more than any contract takes, and hashed in some 20 milliseconds."""
MAX_ADDRESSES = 1_000
"""Of these values: the text of each has a checksum, which takes as long as six other values, and on Tron as twelve."""
MAX_DEPTH = 32
"""Structs and arrays in each other."""

_DOMAIN_MEMBERS = {"name": "string", "version": "string", "chainId": "uint256", "verifyingContract": "address", "salt": "bytes32"}


@dataclass(frozen=True, slots=True)
class TypedData:
    """Typed data that was read whole. `digest` is the 32 bytes that are signed."""

    primary_type: str
    structs: Structs
    domain: dict[str, Value]
    message: dict[str, Value]
    digest: bytes


def read_typed_data(value: Mapping[str, object], atomic: Mapping[str, Reader] = ATOMIC) -> TypedData:
    """Read an object of `types`, `primaryType`, `domain` and `message`. Other networks know `atomic` types of their own.

    Raises:
        MalformedMessageError: It is not exactly that.
    """
    check_names("typed_data", value, ["types", "primaryType", "domain", "message"])
    structs = read_structs(value["types"], atomic)
    primary = value["primaryType"]
    if not isinstance(primary, str) or primary not in structs or primary == DOMAIN_TYPE:
        refuse("primaryType", f"it must be one of the declared types, and not {DOMAIN_TYPE}")
    _check_domain_type(structs)
    unused = structs.keys() - _reached(structs, primary) - {DOMAIN_TYPE}
    if unused:
        refuse("types", f"{min(unused)} is declared, but {primary} does not need it")
    hasher = _Hasher(structs, atomic)
    domain_hash, domain = hasher.struct(DOMAIN_TYPE, value["domain"], "domain", MAX_DEPTH)
    message_hash, message = hasher.struct(primary, value["message"], "message", MAX_DEPTH)
    return TypedData(primary, structs, domain, message, keccak256(b"\x19\x01" + domain_hash + message_hash))


def encode_type(structs: Structs, name: str) -> str:
    """Write a struct's type as it is hashed: itself, then what it needs in alphabetical order."""
    others = sorted(_reached(structs, name) - {name})
    return "".join(_signature(structs, each) for each in (name, *others))


def _signature(structs: Structs, name: str) -> str:
    return f"{name}({','.join(f'{member.type.text} {member.name}' for member in structs[name])})"


def _check_domain_type(structs: Structs) -> None:
    """Return if the domain has the members that the standard knows, of the types that it gives them, in whatever order a contract has."""
    members = structs[DOMAIN_TYPE]
    if not members:
        refuse(f"types.{DOMAIN_TYPE}", "it has no members")
    for member in members:
        if _DOMAIN_MEMBERS.get(member.name) != member.type.text:
            known = ", ".join(f"{kind} {name}" for name, kind in _DOMAIN_MEMBERS.items())
            refuse(f"types.{DOMAIN_TYPE}.{member.name}", f"a domain has no such member; it may have {known}")


def _reached(structs: Structs, name: str) -> set[str]:
    """Return the structs that a struct is made of, itself included."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            waiting += [member.type.base for member in structs[each] if member.type.base in structs]
    return found


@dataclass(slots=True)
class _Hasher:
    """Hash values of the declared types, and keep them as they are shown. `left` and `addresses_left` bound their number."""

    structs: Structs
    atomic: Mapping[str, Reader]
    left: int = MAX_VALUES
    addresses_left: int = MAX_ADDRESSES
    type_hashes: dict[str, bytes] = field(default_factory=dict)

    def struct(self, name: str, value: object, path: str, depth: int) -> tuple[bytes, dict[str, Value]]:
        """Return `hashStruct` of an object, and its members."""
        found = as_object(path, value)
        members = self.structs[name]
        check_names(path, found, [member.name for member in members])
        words, kept = [self._type_hash(name)], dict[str, Value]()
        for member in members:
            word, kept[member.name] = self._value(member.type, found[member.name], f"{path}.{member.name}", depth - 1)
            words.append(word)
        return keccak256(b"".join(words)), kept

    def _value(self, kind: TypeName, value: object, path: str, depth: int) -> tuple[bytes, Value]:
        """Return the 32 bytes that stand for a value, and the value as it is kept."""
        self.left -= 1
        if self.left < 0:
            refuse(path, f"there are more than {MAX_VALUES} values")
        if depth < 0:
            refuse(path, f"it is nested more than {MAX_DEPTH} deep")
        if kind.lengths:
            return self._array(kind, value, path, depth)
        if kind.base in self.atomic:
            self.addresses_left -= kind.base == "address"
            if self.addresses_left < 0:
                refuse(path, f"there are more than {MAX_ADDRESSES} addresses, whose checksums take too long")
            return self.atomic[kind.base](path, value)
        return self.struct(kind.base, value, path, depth)

    def _array(self, kind: TypeName, value: object, path: str, depth: int) -> tuple[bytes, Value]:
        length = kind.lengths[-1]
        if not isinstance(value, list):
            refuse(path, "a list is expected")
        if length is not None and len(value) != length:
            refuse(path, f"{length} items are expected, not {len(value)}")
        inner = TypeName(kind.base, kind.lengths[:-1])
        items = [self._value(inner, item, f"{path}[{position}]", depth - 1) for position, item in enumerate(value)]
        return keccak256(b"".join(word for word, _ in items)), [item for _, item in items]

    def _type_hash(self, name: str) -> bytes:
        if name not in self.type_hashes:
            self.type_hashes[name] = keccak256(encode_type(self.structs, name).encode())
        return self.type_hashes[name]
