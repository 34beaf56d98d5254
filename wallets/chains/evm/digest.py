"""Sign by a Keccak-256 digest, on secp256k1, what is no transaction: bytes behind a prefix, and typed data.

It is EIP-191 and EIP-712 on EVM networks, TIP-191 and TIP-712 on Tron. These digests are of bytes that begin with 0x19, which begin no
transaction: a signature of a message can never be one of a transaction.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from wallets.chains.base import NamesNoSigner, Own, reads_as_transaction
from wallets.chains.evm.typed_data import TypedData
from wallets.chains.evm.typed_intent import Effect
from wallets.chains.evm.typed_types import Value, refuse
from wallets.chains.message_text import SHOWN_BYTES, message_intent, shown_text, written_bytes
from wallets.curves import sign_secp256k1
from wallets.errors import MalformedMessageError
from wallets.hashes import keccak256
from wallets.model import Intent, SignedMessage
from wallets.secret import PrivateKey

EIP_191_PREFIX = b"\x19Ethereum Signed Message:\n"

_SHOWN_VALUES = 100
_SHOWN_VALUE_CHARACTERS = 256


@dataclass(frozen=True, slots=True)
class DigestMessage(NamesNoSigner):
    """A message to sign by its 32-byte digest.

    `owner` is whose signature it wants, where it names one; `v` is what the y parity is added to in the signature.
    """

    digest: bytes
    intent: Intent
    owner: str | None = None
    v: int = 27

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


def refuse_transactions(message: bytes, decode: Callable[[bytes], object], whose: str) -> None:
    """Refuse a message that `decode` takes for a transaction, by itself or as hex or base64 of one: whoever sends it means another call.

    Raises:
        MalformedMessageError: It is one.
    """
    if any(reads_as_transaction(reading, decode) for reading in (message, *written_bytes(message))):
        msg = f"the message is a transaction of {whose}; transactions are signed by /sign alone"
        raise MalformedMessageError(msg)


def prefixed_digest(prefix: bytes, message: bytes) -> bytes:
    """Return the digest of a message behind a prefix and its length in decimal."""
    return keccak256(prefix + str(len(message)).encode() + message)


def prefixed_message(network: str, standard: str, prefix: bytes, message: bytes, shown: Mapping[str, str]) -> DigestMessage:
    """Return a message that is signed behind a prefix; `shown` is what people see of it."""
    return DigestMessage(prefixed_digest(prefix, message), message_intent(network, standard, message, shown))


def typed_data_message(network: str, chain_id: int, standard: str, data: TypedData, effect: Effect) -> DigestMessage:
    """Return typed data as a message of the network that has this chain id.

    Raises:
        MalformedMessageError: It is for another chain.
    """
    theirs = data.domain.get("chainId", chain_id)
    if theirs != chain_id:
        refuse("domain.chainId", f"the typed data is for chain id {_shown(theirs)}, but {network} has {chain_id}")
    replayable = () if "chainId" in data.domain else ("names no chain: the signature can be used on every chain",)
    intent = Intent(
        network,
        effect.kind,
        transfers=effect.transfers,
        contract=str(data.domain.get("verifyingContract", "")) or None,
        method=effect.method or data.primary_type,
        expires_at=effect.expires_at,
        details={"standard": standard, **_details(data), **effect.details},
        warnings=effect.warnings + replayable,
    )
    return DigestMessage(data.digest, intent, effect.owner)


def _details(data: TypedData) -> dict[str, str | int]:
    leaves = _leaves("", data.message)
    details: dict[str, str | int] = {
        "primary_type": data.primary_type,
        **{f"domain.{name}": _shown(value) for name, value in data.domain.items()},
        **{f"message.{path}": _shown(value) for path, value in leaves[:_SHOWN_VALUES]},
    }
    if len(leaves) > _SHOWN_VALUES:
        details["more_values"] = len(leaves) - _SHOWN_VALUES
    return details


def _leaves(path: str, value: Value) -> list[tuple[str, Value]]:
    """Return the values without structs and lists around them, by their paths."""
    if isinstance(value, dict):
        return [leaf for name, item in value.items() for leaf in _leaves(f"{path}.{name}" if path else name, item)]
    if isinstance(value, list):
        return [leaf for position, item in enumerate(value) for leaf in _leaves(f"{path}[{position}]", item)]
    return [(path, value)]


def _shown(value: Value) -> str:
    """Return a value as people read it; numbers as decimal text, whose width no reader of JSON narrows."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return "0x" + value.hex() if len(value) <= SHOWN_BYTES else f"{len(value)} bytes, Keccak-256 {keccak256(value).hex()}"
    return shown_text(str(value), _SHOWN_VALUE_CHARACTERS)
