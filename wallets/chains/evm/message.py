"""Read what an EVM account signs that is no transaction: texts (EIP-191, `personal_sign`) and typed data (EIP-712).

A message that reads as a transaction is refused: whoever sends it means the call that signs transactions.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

from wallets.chains.evm.address import EVM_ADDRESSES, checksummed, parse_address
from wallets.chains.evm.digest import EIP_191_PREFIX, DigestMessage, prefixed_message, refuse_transactions, typed_data_message
from wallets.chains.evm.payload import decode_payload
from wallets.chains.evm.requests import read_request
from wallets.chains.evm.typed_data import read_typed_data
from wallets.chains.evm.typed_intent import effect_of
from wallets.chains.message_text import SHOWN_BYTES, shown_text

_SIGN_IN = re.compile(rb"([\x21-\x7e]{1,255}) wants you to sign in with your Ethereum account:\n(0x[0-9a-fA-F]{40})\n")  # ERC-4361


def personal_message(network: str, message: bytes) -> DigestMessage:
    """Read a message that is signed with EIP-191's prefix.

    Raises:
        MalformedMessageError: It reads as a transaction, by itself or as the hex of one.
    """
    refuse_transactions(message, decode_payload, "an EVM network")
    read = prefixed_message(network, "eip-191", EIP_191_PREFIX, message, _shown_message(message))
    sign_in = _SIGN_IN.match(message)
    if sign_in is None:
        return read
    details = {**read.intent.details, "domain": sign_in[1].decode()}
    return replace(read, intent=replace(read.intent, kind="sign_in", details=details), owner=_address_text(sign_in[2]))


def typed_message(network: str, chain_id: int, value: Mapping[str, object]) -> DigestMessage:
    """Read typed data: of EIP-712, or of another standard that it names.

    Raises:
        MalformedMessageError: See `wallets.chains.evm.typed_data` and `requests`; or it is for another chain.
    """
    if "standard" in value:
        return read_request(network, chain_id, value)
    data = read_typed_data(value)
    return typed_data_message(network, chain_id, "eip-712", data, effect_of(data, EVM_ADDRESSES))


def _address_text(digits: bytes) -> str:
    """Write an address of a text as we write addresses; as it stands there, if it is none."""
    address = parse_address(digits.decode())
    return digits.decode() if address is None else checksummed(address)


def _shown_message(message: bytes) -> dict[str, str]:
    """Return a message as its text if it is one, else as hex; what is long is cut."""
    try:
        return {"message": shown_text(message.decode())}
    except UnicodeDecodeError:
        return {"message_hex": message.hex() if len(message) <= SHOWN_BYTES else f"{message[:SHOWN_BYTES].hex()}..."}
