"""EVM transactions and typed data by the thousand, against eth-account: the long form of what other tests do with a few.

`DIFFERENTIAL_EXAMPLES=1000 pytest tests/wallets/test_evm_differential.py` (`make differential`) takes a minute or two.
"""

import os
from dataclasses import replace
from typing import Any

import rlp
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.strategies import evm_transactions, secp256k1_secrets
from tests.typed_strategies import typed_data
from wallets.chains import CHAINS
from wallets.chains.evm.payload import decode_payload
from wallets.curves import Curve, private_key
from wallets.errors import MalformedTransactionError
from wallets.hashes import keccak256

EXAMPLES = int(os.environ.get("DIFFERENTIAL_EXAMPLES", "25"))
ETH = CHAINS["eth"]


def _unsigned(signed_tx: bytes) -> bytes:
    """Take the signature off a signed transaction, with the rlp package."""
    if signed_tx[0] >= 0xC0:
        return bytes(rlp.encode([*rlp.decode(signed_tx)[:6], 1, b"", b""]))
    return signed_tx[:1] + bytes(rlp.encode(rlp.decode(signed_tx[1:])[:-3]))


@given(evm_transactions(1), secp256k1_secrets())
@settings(max_examples=EXAMPLES)
def test_transactions_are_signed_as_eth_account_does(fields: dict[str, Any], secret: bytes) -> None:
    """Any transaction of any type is signed bit for bit as eth-account does."""
    expected = bytes(Account.sign_transaction(fields, secret).raw_transaction)

    assert expected == ETH.decode(_unsigned(expected)).sign(private_key(Curve.SECP256K1, secret)).raw


@given(evm_transactions(1), st.data())
@settings(max_examples=EXAMPLES)
def test_every_changed_byte_is_refused_or_is_another_transaction(fields: dict[str, Any], data: st.DataObject) -> None:
    """What is accepted with one byte changed says something else, to whoever reads its fields."""
    raw = _unsigned(bytes(Account.sign_transaction(fields, b"\1" * 32).raw_transaction))
    position = data.draw(st.integers(0, len(raw) - 1))
    changed = raw[:position] + bytes([raw[position] ^ data.draw(st.integers(1, 255))]) + raw[position + 1 :]

    try:
        found = decode_payload(changed)
    except MalformedTransactionError:
        return
    before, after = (replace(each, preimage=b"", items=b"") for each in (decode_payload(raw), found))
    # Keys of an access list and signatures of authorizations are checked and handed on, not kept.
    assert before != after or before.access_list_entries or before.authorizations


@given(typed_data(), secp256k1_secrets())
@settings(max_examples=EXAMPLES)
def test_typed_data_is_signed_as_eth_account_does(value: dict[str, Any], secret: bytes) -> None:
    """Any typed data has the digest and the signature that eth-account gives it."""
    found = encode_typed_data(full_message=value)
    expected = Account.sign_message(found, secret)

    signed = ETH.read_typed_data(value).sign(private_key(Curve.SECP256K1, secret))

    assert signed.digest == keccak256(b"\x19" + found.version + found.header + found.body) == bytes(expected.message_hash)
    assert bytes(expected.signature) == signed.signature
