"""Hash as the networks do."""

import hashlib
from functools import cache

from Crypto.Hash import RIPEMD160, keccak


def keccak256(data: bytes) -> bytes:
    """Return the 32-byte Keccak-256 of `data`: the padding before FIPS 202, as Ethereum uses it."""
    return keccak.new(digest_bits=256, data=data).digest()


def sha256(data: bytes) -> bytes:
    """Return the 32-byte SHA-256 of `data`."""
    return hashlib.sha256(data).digest()


def double_sha256(data: bytes) -> bytes:
    """Return SHA-256 of SHA-256, as Bitcoin and base58check use it."""
    return sha256(sha256(data))


def hash160(data: bytes) -> bytes:
    """Return the 20-byte RIPEMD-160 of SHA-256, as Bitcoin hashes keys and scripts."""
    # OpenSSL's RIPEMD-160 is not there on every system.
    return RIPEMD160.new(sha256(data)).digest()


def tagged_hash(tag: str, data: bytes) -> bytes:
    """Return SHA-256 of the tag's hash twice and the data (BIP-340)."""
    head = _tag_head(tag).copy()
    head.update(data)
    return head.digest()


@cache
def _tag_head(tag: str) -> "hashlib._Hash":
    return hashlib.sha256(sha256(tag.encode()) * 2)
