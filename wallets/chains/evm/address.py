"""Write and read EVM addresses: 20 bytes of a public key's Keccak-256, with a checksum in the case of their letters (EIP-55)."""

import re
from functools import lru_cache

from wallets.curves import uncompressed
from wallets.hashes import keccak256

ZERO_ADDRESS = bytes(20)

_ADDRESS = re.compile(r"(?:0[xX])?([0-9a-fA-F]{40})")


@lru_cache(maxsize=4096)
def address_of(public_key: bytes) -> str:
    """Return the EIP-55 address of a 33-byte compressed public key."""
    return checksummed(keccak256(uncompressed(public_key))[-20:])


@lru_cache(maxsize=4096)
def checksummed(address: bytes) -> str:
    """Write 20 bytes as an address with its checksum in the case of its letters (EIP-55)."""
    digits = address.hex()
    marks = keccak256(digits.encode()).hex()
    return "0x" + "".join(digit.upper() if mark >= "8" else digit for digit, mark in zip(digits, marks, strict=False))


def parse_address(text: str) -> bytes | None:
    """Return the 20 bytes of 40 hex digits, `0x` optional; None where it is none, or mixed case does not fit its checksum (EIP-55)."""
    match = _ADDRESS.fullmatch(text)
    if match is None:
        return None
    digits = match[1]
    address = bytes.fromhex(digits)
    is_mixed = digits not in {digits.lower(), digits.upper()}
    return None if is_mixed and digits != checksummed(address)[2:] else address
