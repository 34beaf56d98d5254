"""Seal a phrase so that it passes through Ray between a gateway and a signer as bytes that only a signer can read (HPKE, RFC 9180).

Each signer has a key pair of its own, made when it starts and never written down. Which signer a call reaches is Serve's choice, so a
phrase is sealed to every signer that the gateway has heard of; one that it has not heard of answers with its public key.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from wallets.secret import Phrase

_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_PURPOSE = b"crypto-wallets-service: phrase to import: "


@dataclass(frozen=True, slots=True)
class SealedPhrase:
    """A phrase under the public key (32 bytes) of each of several signers, bound to one request."""

    boxes: Mapping[bytes, bytes]


class SealBrokenError(Exception):
    """What is sealed is not of this request, or was changed on the way."""


def seal(phrase: Phrase, public_keys: Iterable[bytes], request_id: str) -> SealedPhrase:
    """Seal a phrase to each public key, for one request."""
    info = _PURPOSE + request_id.encode()
    with phrase.revealed() as view:
        return SealedPhrase({key: _SUITE.encrypt(view, X25519PublicKey.from_public_bytes(key), info) for key in public_keys})


class SealKey:
    """A signer's key pair. It cannot be pickled: the private key is made here, and ends here."""

    def __init__(self) -> None:
        self._private = X25519PrivateKey.generate()
        self.public = self._private.public_key().public_bytes_raw()

    def open(self, sealed: SealedPhrase, request_id: str) -> Phrase | None:
        """Return the phrase, or None if it is not sealed to this key.

        Raises:
            SealBrokenError: It is, but is of another request, or was changed.
        """
        box = sealed.boxes.get(self.public)
        if box is None:
            return None
        try:
            return Phrase(_SUITE.decrypt(box, self._private, _PURPOSE + request_id.encode()))
        except InvalidTag as error:
            raise SealBrokenError from error
