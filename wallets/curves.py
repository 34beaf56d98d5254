"""Compute on secp256k1 and ed25519. The only file that imports a curve library.

Signatures are deterministic (RFC 6979, RFC 8032), secp256k1 ones low-s, and each is verified with the public key before it is returned:
a fault in the computation must not leak a key.
"""

from enum import StrEnum

import coincurve
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from wallets.secret import PrivateKey

SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


class Curve(StrEnum):
    """A curve that some network signs on."""

    SECP256K1 = "secp256k1"
    ED25519 = "ed25519"


class SignatureFaultError(RuntimeError):
    """A signature did not verify with its own public key: a hardware or memory fault. Never shown to a client."""


def private_key(curve: Curve, secret: bytes) -> PrivateKey:
    """Make a private key of 32 bytes (big-endian scalar, or RFC 8032 seed) and compute its public key.

    Raises:
        ValueError: `secret` is not 32 bytes, or no scalar in 1..n-1 on secp256k1.
    """
    if len(secret) != 32:
        msg = "a private key has 32 bytes"
        raise ValueError(msg)
    if curve is Curve.SECP256K1:
        return PrivateKey(secret, coincurve.PrivateKey(secret).public_key.format(compressed=True))
    return PrivateKey(secret, Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw())


def uncompressed(public_key: bytes) -> bytes:
    """Return the 64 bytes x||y of a 33-byte compressed secp256k1 point (SEC 1)."""
    return coincurve.PublicKey(public_key).format(compressed=False)[1:]


def add_scalars(tweak: bytes, key: bytes) -> bytes:
    """Return (tweak + key) mod n on secp256k1 as 32 bytes (BIP-32, CKDpriv).

    Raises:
        ValueError: `tweak` is not below n, or the sum is zero.
    """
    value = int.from_bytes(tweak)
    total = (value + int.from_bytes(key)) % SECP256K1_ORDER
    if value >= SECP256K1_ORDER or total == 0:
        msg = "the child key does not exist"
        raise ValueError(msg)
    return total.to_bytes(32)


def sign_secp256k1(key: PrivateKey, digest: bytes) -> bytes:
    """Sign a 32-byte digest: 65 bytes r||s||recovery id (0 or 1), low-s, RFC 6979.

    Raises:
        SignatureFaultError: The signature does not recover to the key's own public key.
    """
    signature = coincurve.PrivateKey(key.reveal()).sign_recoverable(digest, hasher=None)
    if recover_secp256k1(signature, digest) != key.public_key:
        msg = "a fresh secp256k1 signature did not verify"
        raise SignatureFaultError(msg)
    return signature


def recover_secp256k1(signature: bytes, digest: bytes) -> bytes:
    """Return the 33-byte public key that made a 65-byte r||s||recovery id signature.

    Raises:
        ValueError: There is none.
    """
    try:
        return coincurve.PublicKey.from_signature_and_message(signature, digest, hasher=None).format(compressed=True)
    except Exception as error:  # coincurve raises bare Exception for an unrecoverable signature
        msg = "the signature does not recover to a public key"
        raise ValueError(msg) from error


def sign_ed25519(key: PrivateKey, message: bytes) -> bytes:
    """Sign a message: 64 bytes R||S (RFC 8032, pure ed25519).

    Raises:
        SignatureFaultError: The signature does not verify with the key's own public key.
    """
    signature = Ed25519PrivateKey.from_private_bytes(key.reveal()).sign(message)
    if not verify_ed25519(key.public_key, signature, message):
        msg = "a fresh ed25519 signature did not verify"
        raise SignatureFaultError(msg)
    return signature


def verify_ed25519(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Tell whether a 64-byte signature is the key's on the message."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except InvalidSignature:
        return False
    return True
