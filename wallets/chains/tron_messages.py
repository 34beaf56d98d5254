"""Read what a Tron account signs that is no transaction: texts and bytes (TIP-191), and typed data (TIP-712).

The digest of either is of bytes that begin with 0x19, which begin no transaction, and by Keccak-256, where transactions are signed by
SHA-256: a signature of a message can never be one of a transaction. A message that reads as a transaction is refused all the same:
whoever sends it means the call that signs transactions.
"""

from collections.abc import Callable, Mapping

from wallets.chains.evm.digest import DigestMessage, prefixed_message, refuse_transactions, typed_data_message
from wallets.chains.evm.typed_data import read_typed_data
from wallets.chains.evm.typed_intent import effect_of
from wallets.chains.evm.typed_types import ATOMIC, Value, refuse
from wallets.chains.message_text import shown_message
from wallets.chains.tron_contracts import ADDRESS_PREFIX, TRON_ADDRESSES, address_text
from wallets.encoding import unbase58check
from wallets.errors import InvalidRequestError

CHAIN_ID = 728126428
"""What contracts of the main network know as theirs: the last four bytes of the first block's id (TIP-474)."""

_PREFIX = b"\x19TRON Signed Message:\n"


def personal_message(network: str, message: bytes, decode: Callable[[bytes], object]) -> DigestMessage:
    """Read a message that is signed with TIP-191's prefix.

    Raises:
        MalformedMessageError: `decode` takes it for a transaction, by itself or as the hex of one.
    """
    refuse_transactions(message, decode, "Tron")
    return prefixed_message(network, "tip-191", _PREFIX, message, shown_message(message))


def typed_message(network: str, value: Mapping[str, object]) -> DigestMessage:
    """Read typed data: EIP-712 with addresses in Tron's forms too, and with `trcToken`, the number of a TRC-10 token.

    It does what it would do on an EVM network: contracts and their permits are the same.

    Raises:
        MalformedMessageError: See `wallets.chains.evm.typed_data`; or it is for another chain.
    """
    data = read_typed_data(value, _ATOMIC)
    return typed_data_message(network, CHAIN_ID, "tip-712", data, effect_of(data, TRON_ADDRESSES))


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
