"""Read what a Tron account signs that is no transaction: texts and bytes (TIP-191), and typed data (TIP-712).

The digest of either is of bytes that begin with 0x19, which begin no transaction, and by Keccak-256, where transactions are signed by
SHA-256: a signature of a message can never be one of a transaction. A message that reads as a transaction is refused all the same:
whoever sends it means the call that signs transactions.
"""

import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from wallets.chains.evm.typed_data import TypedData, read_typed_data
from wallets.chains.evm.typed_types import ATOMIC, Value, refuse
from wallets.chains.message_text import shown_message, shown_text
from wallets.chains.tron_contracts import ADDRESS_PREFIX, address_text
from wallets.curves import sign_secp256k1
from wallets.encoding import unbase58check
from wallets.errors import InvalidRequestError, MalformedMessageError
from wallets.hashes import keccak256
from wallets.model import Intent, SignedMessage
from wallets.secret import PrivateKey

CHAIN_ID = 728126428
"""What contracts of the main network know as theirs: the last four bytes of the first block's id (TIP-474)."""

_PREFIX = b"\x19TRON Signed Message:\n"
_SHOWN_VALUES = 100
_SHOWN_VALUE_CHARACTERS = 256


@dataclass(frozen=True, slots=True)
class TronMessage:
    """A message to sign by its 32-byte digest. It names no signer."""

    digest: bytes
    intent: Intent

    @property
    def signers(self) -> frozenset[str]:
        """See `Signable.signers`."""
        return frozenset()

    def intent_for(self, address: str) -> Intent:
        """See `Signable.intent_for`."""
        return replace(self.intent, sender=address)

    def sign(self, key: PrivateKey) -> SignedMessage:
        """Sign; 65 bytes r||s||27 or 28, as TronWeb writes it.

        Raises:
            SignatureFaultError: The signature does not verify.
        """
        signature = sign_secp256k1(key, self.digest)
        return SignedMessage(signature[:64] + bytes([27 + signature[64]]), self.digest)


def personal_message(network: str, message: bytes, is_transaction: Callable[[bytes], bool]) -> TronMessage:
    """Read a message that is signed with TIP-191's prefix.

    Raises:
        MalformedMessageError: It reads as a transaction, by itself or as the hex of one.
    """
    if is_transaction(message) or is_transaction(_unhexed(message)):
        msg = "the message is a transaction of Tron; transactions are signed by /sign alone"
        raise MalformedMessageError(msg)
    details: dict[str, str | int] = {"standard": "tip-191", "bytes": len(message), **shown_message(message)}
    warnings = ("the message has 32 bytes and may be the hash of something that is not shown",) if len(message) == 32 else ()
    digest = keccak256(_PREFIX + str(len(message)).encode() + message)
    return TronMessage(digest, Intent(network, "message", details=details, warnings=warnings))


def typed_message(network: str, value: Mapping[str, object]) -> TronMessage:
    """Read typed data: EIP-712 with addresses in Tron's forms too, and with `trcToken`, the number of a TRC-10 token.

    Raises:
        MalformedMessageError: See `wallets.chains.evm.typed_data`; or it is for another chain.
    """
    data = read_typed_data(value, _ATOMIC)
    theirs = data.domain.get("chainId", CHAIN_ID)
    if theirs != CHAIN_ID:
        refuse("domain.chainId", f"the typed data is for chain id {shown_text(str(theirs))}, but {network} has {CHAIN_ID}")
    return TronMessage(data.digest, _typed_intent(network, data))


def _unhexed(message: bytes) -> bytes:
    try:
        return binascii.unhexlify(message.strip().removeprefix(b"0x"))
    except ValueError:
        return b""


def _address(path: str, value: object) -> tuple[bytes, Value]:
    """Read an address in base58check, or in hex with 0x41 or, as contracts know it, without."""
    text = value if isinstance(value, str) else ""
    try:
        raw = bytes.fromhex(text.removeprefix("0x")) if text.startswith(("0x", f"{ADDRESS_PREFIX:x}")) else unbase58check(text)
        if len(raw) == 20:
            raw = bytes([ADDRESS_PREFIX]) + raw
        shown = address_text(raw)
    except (InvalidRequestError, ValueError):
        refuse(path, "an address is expected, in base58check or in hex")
    return raw[1:].rjust(32, b"\0"), shown


_ATOMIC = {**ATOMIC, "address": _address, "trcToken": ATOMIC["uint256"]}


def _typed_intent(network: str, data: TypedData) -> Intent:
    leaves = _leaves("", data.message)
    details: dict[str, str | int] = {
        "standard": "tip-712",
        "primary_type": data.primary_type,
        **{f"domain.{name}": _shown(value) for name, value in data.domain.items()},
        **{f"message.{path}": _shown(value) for path, value in leaves[:_SHOWN_VALUES]},
    }
    if len(leaves) > _SHOWN_VALUES:
        details["more_values"] = len(leaves) - _SHOWN_VALUES
    warnings = () if "chainId" in data.domain else ("names no chain: the signature can be used on every chain",)
    contract = data.domain.get("verifyingContract")
    shown_contract = contract if isinstance(contract, str) else None
    return Intent(network, "typed_data", contract=shown_contract, method=data.primary_type, details=details, warnings=warnings)


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
        return "0x" + value.hex() if len(value) <= 64 else f"{len(value)} bytes, Keccak-256 {keccak256(value).hex()}"
    return shown_text(str(value), _SHOWN_VALUE_CHARACTERS)
