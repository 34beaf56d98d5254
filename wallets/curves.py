"""Compute on secp256k1 and ed25519. The only file that imports a curve library.

Signatures are deterministic (RFC 6979, RFC 8032; BIP-340 without auxiliary randomness), ECDSA ones low-s, and each is verified with the
public key before it is returned: a fault in the computation must not leak a key.
"""

from enum import StrEnum

import coincurve

# libsecp256k1 itself: coincurve's PrivateKey computes its public key anew each time, which costs more than the signature does.
from coincurve._libsecp256k1 import ffi, lib
from nacl import bindings as sodium
from nacl.exceptions import BadSignatureError

from wallets.secret import PrivateKey

SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

_CONTEXT = coincurve.context.GLOBAL_CONTEXT.ctx

# Looking a type up by its name costs each signature as much as making what has it.
_RECOVERABLE, _ECDSA = ffi.typeof("secp256k1_ecdsa_recoverable_signature *"), ffi.typeof("secp256k1_ecdsa_signature *")
_POINT, _X_ONLY, _KEYPAIR = (ffi.typeof(f"secp256k1_{name} *") for name in ("pubkey", "xonly_pubkey", "keypair"))
_64_BYTES, _33_BYTES, _32_BYTES = (ffi.typeof(f"unsigned char[{size}]") for size in (64, 33, 32))
_INT, _SIZE = ffi.typeof("int *"), ffi.typeof("size_t *")


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
    return PrivateKey(secret, sodium.crypto_sign_seed_keypair(secret)[0])


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


def add_to_public_key(tweak: bytes, public_key: bytes) -> bytes:
    """Return tweak * G + the point of a 33-byte compressed secp256k1 public key, as 33 bytes (BIP-32, CKDpub).

    Raises:
        ValueError: `tweak` is not 32 bytes of a scalar below n, the public key is no point, or the sum is the point at infinity.
    """
    point = ffi.new(_POINT)
    is_point = lib.secp256k1_ec_pubkey_parse(_CONTEXT, point, public_key, len(public_key))
    if not is_point or not lib.secp256k1_ec_pubkey_tweak_add(_CONTEXT, point, _digest(tweak)):
        msg = "the child public key does not exist"
        raise ValueError(msg)
    return _compressed(point)


def sign_secp256k1(key: PrivateKey, digest: bytes) -> bytes:
    """Sign a 32-byte digest: 65 bytes r||s||recovery id (0 or 1), low-s, RFC 6979.

    Raises:
        SignatureFaultError: The signature does not recover to the key's own public key.
        ValueError: The digest does not have 32 bytes.
    """
    signature = ffi.new(_RECOVERABLE)
    # Without a nonce function of ours, libsecp256k1 takes RFC 6979's.
    with key.revealed() as view, ffi.from_buffer(_32_BYTES, view) as secret:
        is_signed = lib.secp256k1_ecdsa_sign_recoverable(_CONTEXT, signature, _digest(digest), secret, ffi.NULL, ffi.NULL)
    if not is_signed or _recovered(signature, digest) != key.public_key:
        msg = "a fresh secp256k1 signature did not verify"
        raise SignatureFaultError(msg)
    compact, recovery_id = ffi.new(_64_BYTES), ffi.new(_INT)
    lib.secp256k1_ecdsa_recoverable_signature_serialize_compact(_CONTEXT, compact, recovery_id, signature)
    return bytes(ffi.buffer(compact)) + bytes((recovery_id[0],))


def recover_secp256k1(signature: bytes, digest: bytes) -> bytes:
    """Return the 33-byte public key that made a 65-byte r||s||recovery id signature.

    Raises:
        ValueError: There is none.
    """
    parsed = ffi.new(_RECOVERABLE)
    is_signature = (
        len(signature) == 65
        and signature[64] < 4
        and lib.secp256k1_ecdsa_recoverable_signature_parse_compact(_CONTEXT, parsed, signature[:64], signature[64])
    )
    public_key = _recovered(parsed, _digest(digest)) if is_signature else None
    if public_key is None:
        msg = "the signature does not recover to a public key"
        raise ValueError(msg)
    return public_key


def verify_secp256k1(public_key: bytes, signature: bytes, digest: bytes) -> bool:
    """Tell whether a 64-byte r||s, low-s, is the ECDSA signature of a public key (33 or 65 bytes, SEC 1) on a 32-byte digest."""
    parsed, point = ffi.new(_ECDSA), ffi.new(_POINT)
    return bool(
        len(signature) == 64
        and lib.secp256k1_ec_pubkey_parse(_CONTEXT, point, public_key, len(public_key))
        and lib.secp256k1_ecdsa_signature_parse_compact(_CONTEXT, parsed, signature)
        and lib.secp256k1_ecdsa_verify(_CONTEXT, parsed, _digest(digest), point)
    )


def tweaked(public_key: bytes, tweak: bytes) -> bytes:
    """Return the 32-byte x of lift_x(x of `public_key`) + tweak * G (BIP-341, taproot_tweak_pubkey).

    Args:
        public_key: 33 bytes, compressed.
        tweak: 32 bytes.

    Raises:
        ValueError: `tweak` is not below the curve's order, or the sum is no point.
    """
    point, x_only = ffi.new(_POINT), ffi.new(_X_ONLY)
    is_known = lib.secp256k1_xonly_pubkey_parse(_CONTEXT, x_only, _digest(public_key[1:]))
    if not is_known or not lib.secp256k1_xonly_pubkey_tweak_add(_CONTEXT, point, x_only, _digest(tweak)):
        msg = "the tweaked public key does not exist"
        raise ValueError(msg)
    lib.secp256k1_xonly_pubkey_from_pubkey(_CONTEXT, x_only, ffi.NULL, point)
    serialized = ffi.new(_32_BYTES)
    lib.secp256k1_xonly_pubkey_serialize(_CONTEXT, serialized, x_only)
    return bytes(ffi.buffer(serialized))


def is_x_of_a_point(x: bytes) -> bool:
    """Tell whether 32 bytes are the x of a point on secp256k1 (BIP-340, lift_x)."""
    return bool(lib.secp256k1_xonly_pubkey_parse(_CONTEXT, ffi.new(_X_ONLY), _digest(x)))


def sign_schnorr(key: PrivateKey, digest: bytes, tweak: bytes) -> bytes:
    """Sign a 32-byte digest with the secp256k1 key that `tweak` makes of `key` (BIP-340, BIP-341): 64 bytes.

    Raises:
        SignatureFaultError: The signature does not verify with the tweaked public key.
        ValueError: Digest or tweak do not have 32 bytes, or there is no such key.
    """
    public_key = tweaked(key.public_key, tweak)
    keypair, signature = ffi.new(_KEYPAIR), ffi.new(_64_BYTES)
    try:
        with key.revealed() as view, ffi.from_buffer(_32_BYTES, view) as secret:
            is_key = lib.secp256k1_keypair_create(_CONTEXT, keypair, secret)
        is_signed = (
            is_key
            and lib.secp256k1_keypair_xonly_tweak_add(_CONTEXT, keypair, tweak)
            and lib.secp256k1_schnorrsig_sign32(_CONTEXT, signature, _digest(digest), keypair, ffi.NULL)
        )
    finally:
        ffi.memmove(keypair, bytes(ffi.sizeof(keypair[0])), ffi.sizeof(keypair[0]))
    raw = bytes(ffi.buffer(signature))
    if not is_signed or not verify_schnorr(public_key, raw, digest):
        msg = "a fresh Schnorr signature did not verify"
        raise SignatureFaultError(msg)
    return raw


def verify_schnorr(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Tell whether 64 bytes are the Schnorr signature of a 32-byte public key on a message of any length (BIP-340)."""
    x_only = ffi.new(_X_ONLY)
    return bool(
        len(signature) == 64
        and lib.secp256k1_xonly_pubkey_parse(_CONTEXT, x_only, _digest(public_key))
        and lib.secp256k1_schnorrsig_verify(_CONTEXT, signature, message, len(message), x_only)
    )


def sign_ed25519(key: PrivateKey, message: bytes) -> bytes:
    """Sign a message: 64 bytes R||S (RFC 8032, pure ed25519).

    Raises:
        SignatureFaultError: The signature does not verify with the key's own public key.
    """
    # libsodium's secret key is the seed and the public key. With another's, the signature would tell the scalar: it is verified first.
    signature = sodium.crypto_sign(message, key.reveal() + key.public_key)[:64]
    if not verify_ed25519(key.public_key, signature, message):
        msg = "a fresh ed25519 signature did not verify"
        raise SignatureFaultError(msg)
    return signature


def verify_ed25519(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Tell whether a 64-byte signature is the key's on the message."""
    if len(signature) != 64:
        return False
    try:
        sodium.crypto_sign_open(signature + message, public_key)
    except BadSignatureError:
        return False
    return True


def _digest(digest: bytes) -> bytes:
    """Return the digest, or another number, if libsecp256k1, which does not know its length, may read 32 bytes there."""
    if len(digest) != 32:
        msg = "32 bytes are expected"
        raise ValueError(msg)
    return digest


def _recovered(signature: "ffi.CData", digest: bytes) -> bytes | None:
    public_key = ffi.new(_POINT)
    if not lib.secp256k1_ecdsa_recover(_CONTEXT, public_key, signature, digest):
        return None
    return _compressed(public_key)


def _compressed(point: "ffi.CData") -> bytes:
    compressed, length = ffi.new(_33_BYTES), ffi.new(_SIZE, 33)
    lib.secp256k1_ec_pubkey_serialize(_CONTEXT, compressed, length, point, lib.SECP256K1_EC_COMPRESSED)
    return bytes(ffi.buffer(compressed))
