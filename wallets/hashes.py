"""Hash as the networks do."""

import hashlib
import threading
from collections.abc import Iterable
from functools import cache

from Crypto.Hash import RIPEMD160

# The C functions of pycryptodome's keccak themselves: its objects are made anew for each hash, which costs more than the hash does.
from Crypto.Hash.keccak import _raw_keccak_lib as lib  # type: ignore[attr-defined]  # private, and not in its stubs
from Crypto.Util._raw_api import VoidPointer, c_size_t, c_ubyte, create_string_buffer  # type: ignore[attr-defined]  # c_ubyte is not in its stubs

_DIGEST_BYTES = 32
_CAPACITY_BYTES = 64
_ROUNDS = 24
_PADDING = 0x01
"""That of Keccak as it was before FIPS 202, which has 0x06."""


class _Keccak(threading.local):
    """A state and a buffer for each thread: while C computes, Python lets other threads run."""

    def __init__(self) -> None:
        pointer = VoidPointer()
        _check(lib.keccak_init(pointer.address_of(), c_size_t(_CAPACITY_BYTES), c_ubyte(_ROUNDS)))
        self.state = pointer.get()
        self.buffer = create_string_buffer(_DIGEST_BYTES)  # type: ignore[call-arg]  # its stubs want a second argument, which it refuses


def _check(error: int) -> None:
    if error:
        msg = f"keccak failed with error {error}"
        raise RuntimeError(msg)


_KECCAK = _Keccak()
_LENGTH, _PAD = c_size_t(_DIGEST_BYTES), c_ubyte(_PADDING)


def keccak256(data: bytes) -> bytes:
    """Return the 32-byte Keccak-256 of `data`: the padding before FIPS 202, as Ethereum uses it."""
    state, buffer = _KECCAK.state, _KECCAK.buffer
    _check(lib.keccak_reset(state) or lib.keccak_absorb(state, data, len(data)) or lib.keccak_digest(state, buffer, _LENGTH, _PAD))
    return bytes(buffer)


def sha256(data: bytes) -> bytes:
    """Return the 32-byte SHA-256 of `data`."""
    return hashlib.sha256(data).digest()


def double_sha256(data: bytes) -> bytes:
    """Return SHA-256 of SHA-256, as Bitcoin and base58check use it."""
    return sha256(sha256(data))


def sha256_before(parts: Iterable[bytes]) -> "list[hashlib._Hash]":
    """Return for each of the parts the SHA-256, to be gone on with, of those before it."""
    state, states = hashlib.sha256(), []
    for part in parts:
        states.append(state.copy())
        state.update(part)
    return states


def double_sha256_from(state: "hashlib._Hash", data: bytes) -> bytes:
    """Return SHA-256 of SHA-256 of what `state` has taken, which is left as it is, and `data`."""
    whole = state.copy()
    whole.update(data)
    return sha256(whole.digest())


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
