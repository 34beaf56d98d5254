"""Read what an EVM account signs that is no transaction: texts (EIP-191, `personal_sign`) and typed data (EIP-712).

The digest of either begins with 0x19, which begins no transaction: a signature of a message can never be one of a transaction. A message
that reads as a transaction is refused all the same: whoever sends it means the call that signs transactions.
"""

import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from wallets.chains.base import Own
from wallets.chains.evm.address import checksummed, parse_address
from wallets.chains.evm.payload import decode_payload
from wallets.chains.evm.requests import read_request
from wallets.chains.evm.typed_data import TypedData, read_typed_data
from wallets.chains.evm.typed_intent import Effect, effect_of
from wallets.chains.evm.typed_types import Value, refuse
from wallets.curves import sign_secp256k1
from wallets.encoding import legible
from wallets.errors import MalformedMessageError, MalformedTransactionError
from wallets.hashes import keccak256
from wallets.model import Intent, SignedMessage
from wallets.secret import PrivateKey

_PREFIX = b"\x19Ethereum Signed Message:\n"
_SIGN_IN = re.compile(rb"([\x21-\x7e]{1,255}) wants you to sign in with your Ethereum account:\n(0x[0-9a-fA-F]{40})\n")  # ERC-4361
_SHOWN_CHARACTERS = 1_000
_SHOWN_BYTES = 64
_SHOWN_VALUES = 100
_SHOWN_VALUE_CHARACTERS = 256


@dataclass(frozen=True, slots=True)
class EvmMessage:
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

    def intent_for(self, address: str, own: Own | None = None) -> Intent:  # noqa: ARG002  # a message pays nobody
        """See `Signable.intent_for`: it warns where the message wants another's signature."""
        intent = replace(self.intent, sender=address)
        if self.owner in {None, address}:
            return intent
        return replace(intent, warnings=(f"wants the signature of {self.owner}, not of this account", *intent.warnings))

    def sign(self, key: PrivateKey) -> SignedMessage:
        """Sign; 65 bytes r||s||27 or 28, as `ecrecover` wants it, or the y parity where the standard does (EIP-7702).

        Raises:
            SignatureFaultError: The signature does not verify.
        """
        signature = sign_secp256k1(key, self.digest)
        return SignedMessage(signature[:64] + bytes([self.v + signature[64]]), self.digest)


def personal_message(network: str, message: bytes) -> EvmMessage:
    """Read a message that is signed with EIP-191's prefix.

    Raises:
        MalformedMessageError: It reads as a transaction, by itself or as the hex of one.
    """
    if _is_transaction(message) or _is_transaction(_unhexed(message)):
        msg = "the message is a transaction of an EVM network; transactions are signed by /sign alone"
        raise MalformedMessageError(msg)
    details: dict[str, str | int] = {"standard": "eip-191", "bytes": len(message), **_shown_message(message)}
    warnings = ("the message has 32 bytes and may be the hash of something that is not shown",) if len(message) == 32 else ()
    sign_in = _SIGN_IN.match(message)
    if sign_in is None:
        return EvmMessage(_personal_digest(message), Intent(network, "message", details=details, warnings=warnings))
    details["domain"] = _cut(sign_in[1].decode(), _SHOWN_VALUE_CHARACTERS)
    return EvmMessage(_personal_digest(message), Intent(network, "sign_in", details=details), _address_text(sign_in[2]))


def typed_message(network: str, chain_id: int, value: Mapping[str, object]) -> EvmMessage:
    """Read typed data: of EIP-712, or of another standard that it names.

    Raises:
        MalformedMessageError: See `wallets.chains.evm.typed_data` and `requests`; or it is for another chain.
    """
    if "standard" in value:
        request = read_request(network, chain_id, value)
        digest = keccak256(request.preimage)
        return EvmMessage(_personal_digest(digest), request.intent) if request.is_prefixed else EvmMessage(digest, request.intent, v=0)
    data = read_typed_data(value)
    theirs = data.domain.get("chainId", chain_id)
    if theirs != chain_id:
        refuse("domain.chainId", f"the typed data is for chain id {_shown(theirs)}, but {network} has {chain_id}")
    effect = effect_of(data)
    return EvmMessage(data.digest, _typed_intent(network, data, effect), None if effect is None else effect.owner)


def _personal_digest(message: bytes) -> bytes:
    return keccak256(_PREFIX + str(len(message)).encode() + message)


def _address_text(digits: bytes) -> str:
    """Write an address of a text as we write addresses; as it stands there, if it is none."""
    address = parse_address(digits.decode())
    return digits.decode() if address is None else checksummed(address)


def _is_transaction(data: bytes) -> bool:
    try:
        decode_payload(data)
    except MalformedTransactionError:
        return False
    return True


def _unhexed(message: bytes) -> bytes:
    try:
        return binascii.unhexlify(message.strip().removeprefix(b"0x"))
    except ValueError:
        return b""


def _shown_message(message: bytes) -> dict[str, str | int]:
    """Return a message as its text if it is one, else as hex; what is long is cut."""
    try:
        text = message.decode()
    except UnicodeDecodeError:
        return {"message_hex": message.hex() if len(message) <= _SHOWN_BYTES else f"{message[:_SHOWN_BYTES].hex()}..."}
    return {"message": _cut(text, _SHOWN_CHARACTERS)}


def _cut(text: str, most: int) -> str:
    return legible(text) if len(text) <= most else f"{legible(text[:most])}... ({len(text)} characters)"


def _typed_intent(network: str, data: TypedData, effect: Effect | None) -> Intent:
    leaves = _leaves("", data.message)
    details: dict[str, str | int] = {
        "standard": "eip-712",
        "primary_type": data.primary_type,
        **{f"domain.{name}": _shown(value) for name, value in data.domain.items()},
        **{f"message.{path}": _shown(value) for path, value in leaves[:_SHOWN_VALUES]},
    }
    if len(leaves) > _SHOWN_VALUES:
        details["more_values"] = len(leaves) - _SHOWN_VALUES
    effect = effect or Effect("typed_data", {}, ("typed data of no kind that is read here: it does what its contract makes of it",))
    replayable = () if "chainId" in data.domain else ("names no chain: the signature can be used on every chain",)
    return Intent(
        network,
        effect.kind,
        transfers=effect.transfers,
        contract=str(data.domain.get("verifyingContract", "")) or None,
        method=effect.method or data.primary_type,
        expires_at=effect.expires_at,
        details={**details, **effect.details},
        warnings=effect.warnings + replayable,
    )


def _leaves(path: str, value: Value) -> list[tuple[str, Value]]:
    """Return the values without structs and lists around them, by their paths."""
    if isinstance(value, dict):
        return [leaf for name, item in value.items() for leaf in _leaves(f"{path}.{name}" if path else name, item)]
    if isinstance(value, list):
        return [leaf for position, item in enumerate(value) for leaf in _leaves(f"{path}[{position}]", item)]
    return [(path, value)]


def _shown(value: Value) -> str | int:
    """Return a value as people read it; numbers as decimal text, whose width no reader of JSON narrows."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return "0x" + value.hex() if len(value) <= _SHOWN_BYTES else f"{len(value)} bytes, Keccak-256 {keccak256(value).hex()}"
    return _cut(str(value), _SHOWN_VALUE_CHARACTERS)
