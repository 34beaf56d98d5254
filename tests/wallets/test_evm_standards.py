"""EVM transactions of the standards and of Ethereum's own tests: sender, hash and signature are theirs."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import rlp

from wallets.chains import CHAINS
from wallets.chains.evm import EvmTransaction
from wallets.chains.evm.address import address_of
from wallets.curves import Curve, private_key, recover_secp256k1
from wallets.hashes import keccak256

_FILE = Path(__file__).parents[1] / "vectors" / "evm_transactions.json"
VECTORS: list[dict[str, Any]] = json.loads(_FILE.read_text())["transactions"]
KEYS = [vector for vector in VECTORS if "private_key" in vector]
SIGNED = [vector for vector in VECTORS if "signed_tx" in vector]
QUANTITIES = ("chainId", "nonce", "maxPriorityFeePerGas", "maxFeePerGas", "gas")


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def _numbers(found: Mapping[str, str], *names: str) -> list[int]:
    return [int(found[name], 16) for name in names]


def unsigned(vector: Mapping[str, Any]) -> bytes:
    """Return the transaction without its signature: of its fields, or of the signed one, by the rlp package."""
    if "unsigned_tx" in vector:
        return bytes.fromhex(vector["unsigned_tx"])
    if "fields" in vector:
        fields = vector["fields"]
        orders = [
            [*_numbers(each, "chainId"), _bytes(each["address"]), *_numbers(each, "nonce", "yParity", "r", "s")]
            for each in fields["authorizationList"]
        ]
        to, value, data = _bytes(fields["to"]), *_numbers(fields, "value"), _bytes(fields["input"])
        return b"\4" + bytes(rlp.encode([*_numbers(fields, *QUANTITIES), to, value, data, [], orders]))
    raw = bytes.fromhex(vector["signed_tx"])
    items = rlp.decode(raw if raw[0] >= 0xC0 else raw[1:])
    return bytes(rlp.encode([*items[:6], 1, 0, 0])) if raw[0] >= 0xC0 else raw[:1] + bytes(rlp.encode(items[:-3]))


def decoded(vector: Mapping[str, Any]) -> EvmTransaction:
    """Decode a vector without its signature."""
    transaction = CHAINS["eth"].decode(unsigned(vector))
    assert isinstance(transaction, EvmTransaction)
    return transaction


def signature(vector: Mapping[str, Any]) -> bytes:
    """Return r||s||y parity of a signed transaction."""
    raw = bytes.fromhex(vector["signed_tx"])
    v, r, s = rlp.decode(raw if raw[0] >= 0xC0 else raw[1:])[-3:]
    parity = int.from_bytes(v) - 37 if raw[0] >= 0xC0 else int.from_bytes(v)
    return bytes(r.rjust(32, b"\0") + s.rjust(32, b"\0") + bytes([parity]))


@pytest.mark.parametrize("vector", SIGNED, ids=lambda vector: vector["name"])
def test_what_is_signed_is_what_their_signature_is_of(vector: dict[str, Any]) -> None:
    """The sender is recovered from it by our digest, and the hash is that of the whole."""
    transaction = decoded(vector)

    sender = address_of(recover_secp256k1(signature(vector), transaction.digest))

    assert sender[2:].lower() == vector.get("sender", sender[2:].lower())
    assert transaction.digest.hex() == vector.get("digest", transaction.digest.hex())
    assert vector.get("hash") in {None, keccak256(bytes.fromhex(vector["signed_tx"])).hex()}


@pytest.mark.parametrize("vector", KEYS, ids=lambda vector: vector["name"])
def test_their_keys_make_their_signatures(vector: dict[str, Any]) -> None:
    """Bit for bit: nonces are those of RFC 6979; where only the hash of the transaction is published, that is the same."""
    key = private_key(Curve.SECP256K1, bytes.fromhex(vector["private_key"]))

    signed = decoded(vector).sign(key)

    assert signed.tx_id == f"0x{keccak256(signed.raw).hex()}"
    assert address_of(key.public_key)[2:].lower() == vector.get("sender", address_of(key.public_key)[2:].lower())
    if "signed_tx" in vector:
        assert (signed.raw.hex(), signed.signature) == (vector["signed_tx"], signature(vector))
    else:
        assert signed.tx_id == f"0x{vector['hash']}"
