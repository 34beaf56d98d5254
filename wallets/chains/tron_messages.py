"""Read what a Tron account signs that is no transaction: texts and bytes (TIP-191), and typed data (TIP-712).

The digest of either is of bytes that begin with 0x19, which begin no transaction, and by Keccak-256, where transactions are signed by
SHA-256: a signature of a message can never be one of a transaction. A message that reads as a transaction is refused all the same:
whoever sends it means the call that signs transactions.
"""

from collections.abc import Callable, Mapping

from wallets.chains.base import reads_as_transaction
from wallets.chains.evm.digest import DigestMessage, hash_warnings, prefixed_digest, replay_warnings, typed_details, unhexed
from wallets.chains.evm.typed_data import TypedData, read_typed_data
from wallets.chains.evm.typed_types import ATOMIC, Value, refuse
from wallets.chains.message_text import shown_message, shown_text
from wallets.chains.tron_contracts import ADDRESS_PREFIX, address_text
from wallets.encoding import unbase58check
from wallets.errors import InvalidRequestError, MalformedMessageError
from wallets.model import Intent

CHAIN_ID = 728126428
"""What contracts of the main network know as theirs: the last four bytes of the first block's id (TIP-474)."""

_PREFIX = b"\x19TRON Signed Message:\n"


def personal_message(network: str, message: bytes, decode: Callable[[bytes], object]) -> DigestMessage:
    """Read a message that is signed with TIP-191's prefix.

    Raises:
        MalformedMessageError: `decode` takes it for a transaction, by itself or as the hex of one.
    """
    if any(reads_as_transaction(reading, decode) for reading in (message, unhexed(message))):
        msg = "the message is a transaction of Tron; transactions are signed by /sign alone"
        raise MalformedMessageError(msg)
    details: dict[str, str | int] = {"standard": "tip-191", "bytes": len(message), **shown_message(message)}
    return DigestMessage(prefixed_digest(_PREFIX, message), Intent(network, "message", details=details, warnings=hash_warnings(message)))


def typed_message(network: str, value: Mapping[str, object]) -> DigestMessage:
    """Read typed data: EIP-712 with addresses in Tron's forms too, and with `trcToken`, the number of a TRC-10 token.

    Raises:
        MalformedMessageError: See `wallets.chains.evm.typed_data`; or it is for another chain.
    """
    data = read_typed_data(value, _ATOMIC)
    theirs = data.domain.get("chainId", CHAIN_ID)
    if theirs != CHAIN_ID:
        refuse("domain.chainId", f"the typed data is for chain id {shown_text(str(theirs))}, but {network} has {CHAIN_ID}")
    return DigestMessage(data.digest, _typed_intent(network, data))


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
    contract = data.domain.get("verifyingContract")
    shown_contract = contract if isinstance(contract, str) else None
    details, warnings = typed_details("tip-712", data), replay_warnings(data)
    return Intent(network, "typed_data", contract=shown_contract, method=data.primary_type, details=details, warnings=warnings)
