"""Sign messages by their digest on secp256k1, and tell typed data: what EVM networks and Tron do alike."""

import binascii
from collections.abc import Mapping
from dataclasses import dataclass, replace

from wallets.chains.base import Own
from wallets.chains.evm.typed_data import TypedData
from wallets.chains.evm.typed_types import Value
from wallets.chains.message_text import SHOWN_BYTES, shown_text
from wallets.curves import sign_secp256k1
from wallets.hashes import keccak256
from wallets.model import Intent, SignedMessage
from wallets.secret import PrivateKey

SHOWN_VALUE_CHARACTERS = 256
_SHOWN_VALUES = 100


@dataclass(frozen=True, slots=True)
class DigestMessage:
    """A message to sign by its 32-byte digest.

    `owner` is whose signature it wants, where it names one; `v` is what the y parity is added to in the signature.
    """

    digest: bytes
    intent: Intent
    owner: str | None = None
    v: int = 27

    @property
    def signers(self) -> frozenset[str]:
        """Return nothing: what a contract takes may also be signed for an account that is a contract itself."""
        return frozenset()

    def intent_for(self, address: str, _own: Own | None = None, /) -> Intent:
        """See `Signable.intent_for`: it warns where the message wants another's signature."""
        intent = replace(self.intent, sender=address)
        if self.owner in {None, address}:
            return intent
        return replace(intent, warnings=(f"wants the signature of {self.owner}, not of this account", *intent.warnings))

    def sign(self, key: PrivateKey) -> SignedMessage:
        """Sign; 65 bytes r||s||27 or 28, as `ecrecover` and TronWeb want it, or the y parity where the standard does (EIP-7702).

        Raises:
            SignatureFaultError: The signature does not verify.
        """
        signature = sign_secp256k1(key, self.digest)
        return SignedMessage(signature[:64] + bytes([self.v + signature[64]]), self.digest)


def prefixed_digest(prefix: bytes, message: bytes) -> bytes:
    """Return the digest of a message behind a prefix and its length in decimal (EIP-191, TIP-191)."""
    return keccak256(prefix + str(len(message)).encode() + message)


def hash_warnings(message: bytes) -> tuple[str, ...]:
    """Warn of a message that may stand for another."""
    return ("the message has 32 bytes and may be the hash of something that is not shown",) if len(message) == 32 else ()


def unhexed(message: bytes) -> bytes:
    """Return what a message is the hex of; nothing if it is none."""
    try:
        return binascii.unhexlify(message.strip().removeprefix(b"0x"))
    except ValueError:
        return b""


def typed_details(standard: str, data: TypedData) -> Mapping[str, str | int]:
    """Tell typed data by its values, each with its path, as many as are shown."""
    leaves = _leaves("", data.message)
    details: dict[str, str | int] = {
        "standard": standard,
        "primary_type": data.primary_type,
        **{f"domain.{name}": shown_value(value) for name, value in data.domain.items()},
        **{f"message.{path}": shown_value(value) for path, value in leaves[:_SHOWN_VALUES]},
    }
    return details | {"more_values": len(leaves) - _SHOWN_VALUES} if len(leaves) > _SHOWN_VALUES else details


def replay_warnings(data: TypedData) -> tuple[str, ...]:
    """Warn of typed data that holds on every chain."""
    return () if "chainId" in data.domain else ("names no chain: the signature can be used on every chain",)


def shown_value(value: Value) -> str:
    """Return a value as people read it; numbers as decimal text, whose width no reader of JSON narrows."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return "0x" + value.hex() if len(value) <= SHOWN_BYTES else f"{len(value)} bytes, Keccak-256 {keccak256(value).hex()}"
    return shown_text(str(value), SHOWN_VALUE_CHARACTERS)


def _leaves(path: str, value: Value) -> list[tuple[str, Value]]:
    """Return the values without structs and lists around them, by their paths."""
    if isinstance(value, dict):
        return [leaf for name, item in value.items() for leaf in _leaves(f"{path}.{name}" if path else name, item)]
    if isinstance(value, list):
        return [leaf for position, item in enumerate(value) for leaf in _leaves(f"{path}[{position}]", item)]
    return [(path, value)]
