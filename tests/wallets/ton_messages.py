"""Vectors, keys and crafted payloads that the TON tests share, and the second library by its parts."""

import json
from pathlib import Path
from typing import Any

from pytoniq_core.boc import address, builder, cell
from pytoniq_core.tlb import transaction as tlb
from pytoniq_core.tlb.custom import wallet

from wallets.chains.ton import Ton
from wallets.chains.ton.boc import Builder, Cell
from wallets.chains.ton.wallet import WALLET_ID
from wallets.curves import Curve, private_key
from wallets.secret import PrivateKey

# pytoniq-core says that it is typed, and is so only in part.
ReferenceAddress: Any = address.Address
ReferenceBuilder: Any = builder.Builder
ReferenceCell: Any = cell.Cell
InternalMsgInfo: Any = tlb.InternalMsgInfo
MessageAny: Any = tlb.MessageAny
WalletMessage: Any = wallet.WalletMessage
WalletV4Data: Any = wallet.WalletV4Data

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "ton.json").read_text())
TRANSACTIONS = {each["name"]: each for each in VECTORS["transactions"]}
TON = Ton()
FIRST, SECOND, THIRD = (each["forms"] for each in VECTORS["accounts"][:3])


def our_key() -> PrivateKey:
    """Make the key of the first account."""
    return private_key(Curve.ED25519, bytes.fromhex(VECTORS["accounts"][0]["private_key"]))


def vector(name: str) -> bytes:
    """Return a payload of the vectors."""
    return bytes.fromhex(TRANSACTIONS[name]["unsigned_tx"])


def variant_of(name: str) -> str:
    """Return the variant of the account that a payload of the vectors is for."""
    return str(TRANSACTIONS[name].get("version", "")).replace("v4r2", "")


def payload(message: Cell, mode: int = 3) -> Cell:
    """Make a payload of one message."""
    return Builder().uint(WALLET_ID, 32).uint(1, 32).uint(1, 32).uint(0, 8).uint(mode, 8).ref(message).cell()


def message_with(body: Cell | None, *, state: Cell | None = None, destination: bytes = b"\x35" * 32) -> Cell:
    """Make a message of one nanoton, with a body and an initial state as references, or none of them."""
    builder = Builder().uint(0b011000, 6).uint(0b100, 3).uint(0, 8).octets(destination).uint(1, 4).uint(1, 8).uint(0, 1 + 4 + 4 + 64 + 32)
    builder = builder.uint(0b11, 2).ref(state) if state else builder.uint(0, 1)
    return builder.uint(1, 1).ref(body).cell() if body else builder.uint(0, 1).cell()


def library() -> Cell:
    """Make a library reference."""
    return Cell(b"\2" + bytes(32), 264, (), exotic=True)


def normalized(message: Any) -> Any:
    """Make TEP-467's form of an external message with pytoniq-core: no state, and the body as a reference."""
    return ReferenceBuilder().store_cell(message.info.serialize()).store_bit(0).store_bit(1).store_ref(message.body).end_cell()


def split_body(body: Any, variant: str) -> tuple[bytes, Any]:
    """Take the signature off a wallet's body, which is begun to be read: it stands before the payload, but in v5r1 behind it."""
    if variant != "v5r1":
        return body.load_bytes(64), body.to_cell()
    payload = ReferenceBuilder().store_bits(body.load_bits(len(body.bits) - 512))
    signature: bytes = body.load_bytes(64)
    while body.remaining_refs:
        payload.store_ref(body.load_ref())
    return signature, payload.end_cell()
