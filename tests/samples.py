"""Unsigned transactions and messages, written apart from the code that reads them."""

import json
from pathlib import Path
from typing import Any

from pytoniq_core import Address as TonAddress
from pytoniq_core import Builder, begin_cell

_VECTORS = json.loads((Path(__file__).parent / "vectors" / "evm_transactions.json").read_text())["transactions"]
EIP_155_EXAMPLE: str = next(each["unsigned_tx"] for each in _VECTORS if each["name"] == "eip-155")
"""The transaction that EIP-155 gives as its example, in hex."""


def _varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def tron_field(number: int, value: bytes | int) -> bytes:
    """Write one protobuf field, a varint or bytes."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def tron_transfer(owner: bytes, to: bytes, amount: int, made_at: int = 1_799_999_000) -> bytes:
    """Write the raw_data of a TransferContract; addresses have 21 bytes, `amount` is in sun, `made_at` in seconds since 1970."""
    transfer_contract = tron_field(1, owner) + tron_field(2, to) + tron_field(3, amount)
    parameter = tron_field(1, b"type.googleapis.com/protocol.TransferContract") + tron_field(2, transfer_contract)
    contract = tron_field(11, tron_field(1, 1) + tron_field(2, parameter))
    return (
        tron_field(1, b"\x12\x34")
        + tron_field(4, b"12345678")
        + tron_field(8, (made_at + 1_000) * 1_000)
        + contract
        + tron_field(14, made_at * 1_000)
    )


def ton_transfer(seqno: int, amount: int, wallet_id: int = 698983191) -> bytes:
    """Write the BOC that a v4r2 wallet signs for a plain transfer of `amount` nanoton."""
    address = TonAddress((0, b"\x22" * 32))
    message: Builder = (
        begin_cell().store_uint(0x10, 6).store_address(address).store_coins(amount).store_uint(0, 1 + 4 + 4 + 64 + 32 + 1 + 1)
    )
    body = begin_cell().store_uint(wallet_id, 32).store_uint(1_900_000_000, 32).store_uint(seqno, 32).store_uint(0, 8).store_uint(3, 8)
    return bytes(body.store_ref(message.end_cell()).end_cell().to_boc())


def typed_mail(**changes: Any) -> dict[str, Any]:
    """Return the typed data of EIP-712's own example, with some of its members changed."""
    person = [{"name": "name", "type": "string"}, {"name": "wallet", "type": "address"}]
    domain = [
        {"name": "name", "type": "string"},
        {"name": "version", "type": "string"},
        {"name": "chainId", "type": "uint256"},
        {"name": "verifyingContract", "type": "address"},
    ]
    mail = [{"name": "from", "type": "Person"}, {"name": "to", "type": "Person"}, {"name": "contents", "type": "string"}]
    return {
        "types": {"EIP712Domain": domain, "Person": person, "Mail": mail},
        "primaryType": "Mail",
        "domain": {"name": "Ether Mail", "version": "1", "chainId": 1, "verifyingContract": "0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC"},
        "message": {
            "from": {"name": "Cow", "wallet": "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"},
            "to": {"name": "Bob", "wallet": "0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB"},
            "contents": "Hello, Bob!",
        },
        **changes,
    }
