"""Read what an EVM account signs that is no transaction: texts (EIP-191, `personal_sign`) and typed data (EIP-712).

The digest of either begins with 0x19, which begins no transaction: a signature of a message can never be one of a transaction. A message
that reads as a transaction is refused all the same: whoever sends it means the call that signs transactions.
"""

import re
from collections.abc import Mapping

from wallets.chains.base import reads_as_transaction
from wallets.chains.evm.address import checksummed, parse_address
from wallets.chains.evm.digest import (
    SHOWN_VALUE_CHARACTERS,
    DigestMessage,
    hash_warnings,
    prefixed_digest,
    replay_warnings,
    shown_value,
    typed_details,
    unhexed,
)
from wallets.chains.evm.payload import decode_payload
from wallets.chains.evm.requests import read_request
from wallets.chains.evm.typed_data import TypedData, read_typed_data
from wallets.chains.evm.typed_intent import Effect, effect_of
from wallets.chains.evm.typed_types import refuse
from wallets.chains.message_text import SHOWN_BYTES, shown_text
from wallets.errors import MalformedMessageError
from wallets.hashes import keccak256
from wallets.model import Intent

_PREFIX = b"\x19Ethereum Signed Message:\n"
_SIGN_IN = re.compile(rb"([\x21-\x7e]{1,255}) wants you to sign in with your Ethereum account:\n(0x[0-9a-fA-F]{40})\n")  # ERC-4361


def personal_message(network: str, message: bytes) -> DigestMessage:
    """Read a message that is signed with EIP-191's prefix.

    Raises:
        MalformedMessageError: It reads as a transaction, by itself or as the hex of one.
    """
    if any(reads_as_transaction(reading, decode_payload) for reading in (message, unhexed(message))):
        msg = "the message is a transaction of an EVM network; transactions are signed by /sign alone"
        raise MalformedMessageError(msg)
    details: dict[str, str | int] = {"standard": "eip-191", "bytes": len(message), **_shown_message(message)}
    sign_in = _SIGN_IN.match(message)
    if sign_in is None:
        return DigestMessage(_personal_digest(message), Intent(network, "message", details=details, warnings=hash_warnings(message)))
    details["domain"] = shown_text(sign_in[1].decode(), SHOWN_VALUE_CHARACTERS)
    return DigestMessage(_personal_digest(message), Intent(network, "sign_in", details=details), _address_text(sign_in[2]))


def typed_message(network: str, chain_id: int, value: Mapping[str, object]) -> DigestMessage:
    """Read typed data: of EIP-712, or of another standard that it names.

    Raises:
        MalformedMessageError: See `wallets.chains.evm.typed_data` and `requests`; or it is for another chain.
    """
    if "standard" in value:
        request = read_request(network, chain_id, value)
        digest = keccak256(request.preimage)
        return (
            DigestMessage(_personal_digest(digest), request.intent) if request.is_prefixed else DigestMessage(digest, request.intent, v=0)
        )
    data = read_typed_data(value)
    theirs = data.domain.get("chainId", chain_id)
    if theirs != chain_id:
        refuse("domain.chainId", f"the typed data is for chain id {shown_value(theirs)}, but {network} has {chain_id}")
    effect = effect_of(data)
    return DigestMessage(data.digest, _typed_intent(network, data, effect), None if effect is None else effect.owner)


def _personal_digest(message: bytes) -> bytes:
    return prefixed_digest(_PREFIX, message)


def _address_text(digits: bytes) -> str:
    """Write an address of a text as we write addresses; as it stands there, if it is none."""
    address = parse_address(digits.decode())
    return digits.decode() if address is None else checksummed(address)


def _shown_message(message: bytes) -> dict[str, str | int]:
    """Return a message as its text if it is one, else as hex; what is long is cut."""
    try:
        text = message.decode()
    except UnicodeDecodeError:
        return {"message_hex": message.hex() if len(message) <= SHOWN_BYTES else f"{message[:SHOWN_BYTES].hex()}..."}
    return {"message": shown_text(text)}


def _typed_intent(network: str, data: TypedData, effect: Effect | None) -> Intent:
    effect = effect or Effect("typed_data", {}, ("typed data of no kind that is read here: it does what its contract makes of it",))
    return Intent(
        network,
        effect.kind,
        transfers=effect.transfers,
        contract=str(data.domain.get("verifyingContract", "")) or None,
        method=effect.method or data.primary_type,
        expires_at=effect.expires_at,
        details={**typed_details("eip-712", data), **effect.details},
        warnings=effect.warnings + replay_warnings(data),
    )
