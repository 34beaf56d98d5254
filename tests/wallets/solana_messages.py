"""Vectors, keys and crafted messages that the Solana tests share."""

import json
from pathlib import Path

from solders.pubkey import Pubkey

from wallets.chains.solana import Solana
from wallets.curves import Curve, private_key
from wallets.encoding import base58
from wallets.secret import PrivateKey

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "solana.json").read_text())
TRANSACTIONS = {each["name"]: each for each in VECTORS["transactions"]}
SOL = Solana()
US = VECTORS["accounts"][0]
OTHER = VECTORS["accounts"][1]
SYSTEM = "11111111111111111111111111111111"
BLOCKHASH = bytes([9]) * 32


def key_of(seed: bytes) -> PrivateKey:
    """Make a key of an ed25519 seed."""
    return private_key(Curve.ED25519, seed)


def our_key() -> PrivateKey:
    """Make the key of the first account."""
    return key_of(bytes.fromhex(US["private_key"]))


def numbered(number: int) -> str:
    """Write the address of 32 equal bytes, as the vectors use them."""
    return base58(bytes([number]) * 32)


def vector(name: str, field: str = "unsigned_tx") -> bytes:
    """Return a transaction of the vectors."""
    return bytes.fromhex(TRANSACTIONS[name][field])


def compact(number: int) -> bytes:
    """Write a compact-u16."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def listed(items: list[bytes]) -> bytes:
    """Write a list: its length, then its items."""
    return compact(len(items)) + b"".join(items)


def message(
    *,
    prefix: bytes = b"",
    header: tuple[int, int, int] = (1, 0, 1),
    keys: list[bytes] | None = None,
    instructions: list[bytes] | None = None,
    lookups: bytes = b"",
    end: bytes = b"",
) -> bytes:
    """Write a message: by default, one instruction without data to the System program."""
    accounts = [bytes.fromhex(US["private_key"]), bytes(32)] if keys is None else keys
    calls = [bytes([1, 0, 0])] if instructions is None else instructions
    return prefix + bytes(header) + listed(accounts) + BLOCKHASH + listed(calls) + lookups + end


def call(program: str, data: bytes, *, accounts: int = 4) -> bytes:
    """Write a message whose one instruction calls `program` with `accounts` accounts, of which the first is the fee payer."""
    others = [bytes([40 + number]) * 32 for number in range(1, accounts)]
    keys = [our_key().public_key, *others, bytes(Pubkey.from_string(program))]
    instruction = bytes([len(keys) - 1]) + compact(accounts) + bytes(range(accounts)) + compact(len(data)) + data
    return message(keys=keys, instructions=[instruction])


def lookup(table: int, writable: bytes, readonly: bytes) -> bytes:
    """Write an address table lookup."""
    return bytes([table]) * 32 + compact(len(writable)) + writable + compact(len(readonly)) + readonly


def v0(lookups: list[bytes], *, indexes: bytes = b"") -> bytes:
    """Write a version 0 message with these lookups, whose instruction names accounts by these indexes."""
    instruction = bytes([1]) + compact(len(indexes)) + indexes + b"\0"
    return message(prefix=b"\x80", instructions=[instruction], lookups=listed(lookups))
