"""Write and read EVM addresses: 20 bytes of a public key's Keccak-256, with a checksum in the case of their letters (EIP-55)."""

import re
from functools import lru_cache

from wallets.chains.contract_calls.meaning import AddressForm
from wallets.curves import uncompressed
from wallets.hashes import keccak256

_EACH = int.from_bytes(b"\1" * 40)
_ADDRESS = re.compile(r"(?:0[xX])?([0-9a-fA-F]{40})")


@lru_cache(maxsize=4096)
def address_of(public_key: bytes) -> str:
    """Return the EIP-55 address of a 33-byte compressed public key."""
    return checksummed(keccak256(uncompressed(public_key))[-20:])


@lru_cache(maxsize=4096)
def checksummed(address: bytes) -> str:
    """Write 20 bytes as an address with its checksum in the case of its letters (EIP-55)."""
    digits = address.hex().encode()
    # All 40 digits at once, as one number with a byte each: a loop over them takes as long as the hash does.
    text = int.from_bytes(digits)
    marks = int.from_bytes(keccak256(digits)[:20].hex().encode())
    is_letter = (text & _EACH * 0x40) >> 1
    is_8_or_more = (marks & _EACH * 0x40) >> 1 | (marks & _EACH * 0x08) << 2  # a to f, or 8 and 9
    return "0x" + (text ^ is_letter & is_8_or_more).to_bytes(40).decode()  # 0x20 is what upper case lacks


EVM_ADDRESSES = AddressForm(checksummed, (bytes(12),))


def parse_address(text: str) -> bytes | None:
    """Return the 20 bytes of 40 hex digits, `0x` optional; None where it is none, or mixed case does not fit its checksum (EIP-55)."""
    match = _ADDRESS.fullmatch(text)
    if match is None:
        return None
    digits = match[1]
    address = bytes.fromhex(digits)
    is_mixed = digits not in {digits.lower(), digits.upper()}
    return None if is_mixed and digits != checksummed(address)[2:] else address
