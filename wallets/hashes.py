"""Hash as the networks do."""

import hashlib

from Crypto.Hash import keccak


def keccak256(data: bytes) -> bytes:
    """Return the 32-byte Keccak-256 of `data`: the padding before FIPS 202, as Ethereum uses it."""
    return keccak.new(digest_bits=256, data=data).digest()


def sha256(data: bytes) -> bytes:
    """Return the 32-byte SHA-256 of `data`."""
    return hashlib.sha256(data).digest()


def double_sha256(data: bytes) -> bytes:
    """Return SHA-256 of SHA-256, as Bitcoin and base58check use it."""
    return sha256(sha256(data))
