"""Name the scripts that wallets pay and spend, and write the addresses that stand for them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType

from wallets.chains.bitcoin.bech32 import decode_address, encode_address
from wallets.curves import is_x_of_a_point, tweaked
from wallets.encoding import base58check, unbase58check
from wallets.errors import InvalidRequestError
from wallets.hashes import hash160, tagged_hash

OP_RETURN = 0x6A
_OP_1 = 0x51
_OP_16 = 0x60


class Kind(StrEnum):
    """How one key is paid and spends."""

    SEGWIT = "p2wpkh"
    """BIP-84, BIP-141."""
    TAPROOT = "p2tr"
    """BIP-86, BIP-341, by the key path."""
    NESTED = "p2sh-p2wpkh"
    """BIP-49, BIP-16."""
    LEGACY = "p2pkh"
    """BIP-44."""


@dataclass(frozen=True, slots=True)
class Forms:
    """How a network writes its addresses: the version bytes of base58check, and the human-readable part of bech32 ("" without segwit)."""

    p2pkh: int
    p2sh: int
    hrp: str = ""
    old_p2sh: int | None = None
    """A version byte that is read, and not written any more."""


def p2pkh(key_hash: bytes) -> bytes:
    """Pay a key by its 20-byte hash."""
    return b"\x76\xa9\x14" + key_hash + b"\x88\xac"


def p2sh(script_hash: bytes) -> bytes:
    """Pay a script by its 20-byte hash (BIP-16)."""
    return b"\xa9\x14" + script_hash + b"\x87"


def witness(version: int, program: bytes) -> bytes:
    """Pay a witness program (BIP-141): `version` 0 to 16, `program` 2 to 40 bytes."""
    return bytes([_OP_1 + version - 1 if version else 0, len(program)]) + program


def witness_program(script: bytes) -> tuple[int, bytes] | None:
    """Return version and program of a script that pays one; else None."""
    if not 4 <= len(script) <= 42 or script[1] != len(script) - 2:
        return None
    if script[0] and not _OP_1 <= script[0] <= _OP_16:
        return None
    return script[0] and script[0] - _OP_1 + 1, script[2:]


def key_hash_of(script: bytes) -> bytes | None:
    """Return the hash of the key that a p2pkh script pays; else None."""
    return script[3:23] if len(script) == 25 and script == p2pkh(script[3:23]) else None


def script_hash_of(script: bytes) -> bytes | None:
    """Return the hash of the script that a p2sh script pays; else None."""
    return script[2:22] if len(script) == 23 and script == p2sh(script[2:22]) else None


def is_unspendable_taproot(script: bytes) -> bool:
    """Tell whether a script pays to a taproot key that is no point of the curve."""
    program = witness_program(script)
    return program is not None and program[0] == 1 and len(program[1]) == 32 and not is_x_of_a_point(program[1])


def taproot_tweak(public_key: bytes) -> bytes:
    """Return what a key is tweaked by when it commits to no script (BIP-341; BIP-86). `public_key` has 33 bytes."""
    return tagged_hash("TapTweak", public_key[1:])


_SCRIPTS: Mapping[Kind, Callable[[bytes], bytes]] = MappingProxyType(
    {
        Kind.SEGWIT: lambda key: witness(0, hash160(key)),
        Kind.TAPROOT: lambda key: witness(1, tweaked(key, taproot_tweak(key))),
        Kind.NESTED: lambda key: p2sh(hash160(witness(0, hash160(key)))),
        Kind.LEGACY: lambda key: p2pkh(hash160(key)),
    }
)


@lru_cache(maxsize=4096)
def script_of(kind: Kind, public_key: bytes) -> bytes:
    """Return the script that pays a 33-byte public key."""
    return _SCRIPTS[kind](public_key)


@lru_cache(maxsize=4096)
def address_of(forms: Forms, script: bytes) -> str | None:
    """Return the address that stands for a script, if there is one."""
    program = witness_program(script) if forms.hrp else None
    if program is not None:
        version, content = program
        return encode_address(forms.hrp, version, content) if version or len(content) in {20, 32} else None
    for version, hashed in ((forms.p2pkh, key_hash_of(script)), (forms.p2sh, script_hash_of(script))):
        if hashed is not None:
            return base58check(bytes([version]) + hashed)
    return None


def script_for(forms: Forms, address: str) -> bytes:
    """Return the script that an address stands for.

    Raises:
        InvalidRequestError: It is no address of the network.
    """
    if forms.hrp and address.lower().startswith(forms.hrp + "1"):
        return witness(*decode_address(forms.hrp, address))
    payload = unbase58check(address)
    if len(payload) == 21:
        if payload[0] == forms.p2pkh:
            return p2pkh(payload[1:])
        if payload[0] in {forms.p2sh, forms.old_p2sh}:
            return p2sh(payload[1:])
    msg = "the text is no address of this network"
    raise InvalidRequestError(msg)
