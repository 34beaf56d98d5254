"""Walk from a seed to an account's key: BIP-32 on secp256k1, SLIP-0010 on ed25519, and what 1.0.8 did.

Where the last steps of a path are not hardened, public keys are derived without the seed, from the extended public key before them.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Self

from wallets.curves import Curve, add_scalars, add_to_public_key, private_key
from wallets.errors import InvalidRequestError
from wallets.secret import ExtendedPublicKey, PrivateKey, Seed, SymmetricKey

HARDENED = 0x80000000
MAX_INDEX = HARDENED - 1

_INDEX = "/{index}"
_STEP = re.compile(r"(0|[1-9][0-9]{0,9})('?)")
_NO_KEY = "there is no key at this derivation path"


class DerivationScheme(StrEnum):
    """How accounts come from the seed; named on the wallet and never changed."""

    STANDARD = "standard"
    """BIP-32 and SLIP-0010, as wallets in use derive."""
    V1_0_8 = "v1_0_8"
    """As crypto-wallets-service 1.0.8 did: ed25519 seeds are BIP-32 secp256k1 child keys."""


@dataclass(frozen=True, slots=True)
class DerivationPath:
    """A BIP-32 path: a tuple of uint32, hardened ones from 2^31 on.

    >>> str(DerivationPath.parse("m/44'/60'/0'/0/7"))
    "m/44'/60'/0'/0/7"
    """

    steps: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `m/44'/60'/0'/0/0`.

        Raises:
            InvalidRequestError: The text is no path, or a step is outside 0..2^31-1.
        """
        head, *tail = text.split("/")
        if head != "m":
            msg = "a derivation path starts with m"
            raise InvalidRequestError(msg)
        return cls(tuple(_parse_step(step) for step in tail))

    def __str__(self) -> str:
        return "/".join(["m", *(f"{step - HARDENED}'" if step >= HARDENED else str(step) for step in self.steps)])


@dataclass(frozen=True, slots=True)
class PublicPath:
    """A path of accounts whose public keys need no seed: `account` ends with its last hardened step, `steps` lead on to their parent."""

    account: DerivationPath
    steps: tuple[int, ...]


@lru_cache(maxsize=1024)
def public_path(template: str, curve: Curve) -> PublicPath | None:
    """Return how accounts on a path such as `m/44'/60'/0'/0/{index}` are derived without the seed; None where they cannot be.

    That takes secp256k1, and an index behind the last hardened step.
    """
    before, _, rest = template.rpartition("'/")
    is_public = curve is Curve.SECP256K1 and f"/{rest}".endswith(_INDEX)
    if not is_public or not before or _INDEX in before:
        return None
    return PublicPath(DerivationPath.parse(f"{before}'"), DerivationPath.parse(f"m/{rest}".removesuffix(_INDEX)).steps)


def _parse_step(text: str) -> int:
    match = _STEP.fullmatch(text)
    if match is None or int(match[1]) > MAX_INDEX:
        msg = "a step of a derivation path is a number of 0..2^31-1, with ' when hardened"
        raise InvalidRequestError(msg)
    return int(match[1]) + (HARDENED if match[2] else 0)


def derive(seed: Seed, path: DerivationPath, curve: Curve, scheme: DerivationScheme) -> PrivateKey:
    """Derive the private key at `path`.

    Raises:
        InvalidRequestError: ed25519 has only hardened children (SLIP-0010) and the path has another; or, with a probability of 2^-127,
            the child does not exist.
    """
    if curve is Curve.SECP256K1:
        return private_key(curve, _bip32(seed, path))
    if scheme is DerivationScheme.V1_0_8:
        return private_key(curve, _bip32(seed, path))
    return private_key(curve, _slip10_ed25519(seed, path))


def extended_public_key(seed: Seed, path: DerivationPath) -> ExtendedPublicKey:
    """Derive the extended public key at `path` on secp256k1 (BIP-32, N).

    Raises:
        InvalidRequestError: With a probability of 2^-127, there is none.
    """
    key, chain_code = _bip32_node(seed, path)
    with private_key(Curve.SECP256K1, key) as private:
        return ExtendedPublicKey(private.public_key + chain_code)


def child(parent: ExtendedPublicKey, step: int) -> ExtendedPublicKey:
    """Derive the extended public key of a child (BIP-32, CKDpub). `step` is 0..2^31-1.

    Raises:
        InvalidRequestError: The child is hardened, or, with a probability of 2^-127, does not exist.
    """
    return ExtendedPublicKey(b"".join(_ckd_pub(parent, step)))


def child_public_key(parent: ExtendedPublicKey, step: int) -> bytes:
    """Derive the public key of a child, 33 bytes; raises as `child`."""
    return _ckd_pub(parent, step)[0]


def _ckd_pub(parent: ExtendedPublicKey, step: int) -> tuple[bytes, bytes]:
    if not 0 <= step <= MAX_INDEX:
        msg = "a hardened child cannot be derived from a public key"
        raise InvalidRequestError(msg)
    with parent.revealed() as view:
        public_key = bytes(view[:33])
        node = _hmac_sha512(view[33:], public_key + step.to_bytes(4))
    try:
        return add_to_public_key(node[:32], public_key), node[32:]
    except ValueError as error:
        raise InvalidRequestError(_NO_KEY) from error


def symmetric_key(seed: Seed, *labels: str) -> SymmetricKey:
    """Derive the symmetric key of these labels (SLIP-0021), which tells nothing of the keys on any curve, nor they of it."""
    with seed.revealed() as view:
        node = _hmac_sha512(b"Symmetric key seed", view)
    for label in labels:
        node = _hmac_sha512(node[:32], b"\0" + label.encode())
    return SymmetricKey(node[32:])


def _bip32(seed: Seed, path: DerivationPath) -> bytes:
    return _bip32_node(seed, path)[0]


def _bip32_node(seed: Seed, path: DerivationPath) -> tuple[bytes, bytes]:
    """Return private key and chain code (BIP-32, master key generation and CKDpriv)."""
    try:
        with seed.revealed() as view:
            node = _hmac_sha512(b"Bitcoin seed", view)
        key, chain_code = add_scalars(node[:32], bytes(32)), node[32:]
        for step in path.steps:
            parent = b"\0" + key if step >= HARDENED else private_key(Curve.SECP256K1, key).public_key
            node = _hmac_sha512(chain_code, parent + step.to_bytes(4))
            key, chain_code = add_scalars(node[:32], key), node[32:]
    except ValueError as error:
        raise InvalidRequestError(_NO_KEY) from error
    return key, chain_code


def _slip10_ed25519(seed: Seed, path: DerivationPath) -> bytes:
    """SLIP-0010, ed25519."""
    with seed.revealed() as view:
        node = _hmac_sha512(b"ed25519 seed", view)
    for step in path.steps:
        if step < HARDENED:
            msg = "ed25519 has hardened children only"
            raise InvalidRequestError(msg)
        node = _hmac_sha512(node[32:], b"\0" + node[:32] + step.to_bytes(4))
    return node[:32]


def _hmac_sha512(key: bytes | memoryview, data: bytes | memoryview) -> bytes:
    return hmac.digest(key, data, hashlib.sha512)
