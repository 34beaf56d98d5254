"""Ask a second library of each network whether it reads a transaction as we do, writes it as the same bytes and accepts our signature."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import rlp
from eth_account import Account
from nacl.signing import VerifyKey
from solders.message import Message, MessageV0
from solders.transaction import VersionedTransaction
from tronpy.keys import Signature
from tronpy.proto import tron_pb2

from tests.wallets import bitcoin_node, psbts, solana_messages, ton_messages
from tests.wallets.google_messages import google_class
from tests.wallets.solana_messages import compact, listed
from wallets.chains import CHAINS
from wallets.chains.bitcoin import BitcoinTransaction
from wallets.chains.evm import EvmTransaction
from wallets.chains.evm.payload import EIP_2930, EIP_4844, EIP_7702, LEGACY, EvmPayload
from wallets.chains.protobuf import Kind, Record, decode, encode_bytes
from wallets.chains.protobuf import Message as MessageType
from wallets.chains.solana import SolanaTransaction
from wallets.chains.solana.message import Message as SolanaMessage
from wallets.chains.ton import TonTransaction
from wallets.chains.ton.boc import decode as decode_bag
from wallets.chains.ton.boc import encode_bag
from wallets.chains.tron import TronTransaction
from wallets.chains.tron_contracts import CONTRACTS
from wallets.curves import Curve, private_key
from wallets.derivation import DerivationScheme
from wallets.encoding import unbase58check
from wallets.errors import MalformedTransactionError
from wallets.model import Intent

_VECTORS = Path(__file__).parents[1] / "vectors"
EVM: dict[str, Any] = json.loads((_VECTORS / "evm.json").read_text())
TRON: dict[str, Any] = json.loads((_VECTORS / "tron.json").read_text())

_RAW_DATA = [bytes.fromhex(each["raw_data"]) for each in TRON["transactions"]]

ORIGINALS: dict[str, list[bytes]] = {
    "eth": [bytes.fromhex(each["unsigned_tx"]) for each in EVM["transactions"] if each["network"] == "eth"],
    "tron": [*_RAW_DATA, *(encode_bytes(1, raw) for raw in _RAW_DATA)],
    "sol": [bytes.fromhex(each[form]) for each in solana_messages.VECTORS["transactions"] for form in ("unsigned_tx", "message")],
    "btc": [bytes.fromhex(each["unsigned_tx"]) for each in psbts.VECTORS["transactions"] if each["network"] == "btc"],
    **{
        f"ton {version}".rstrip(): [
            bytes.fromhex(each[form])
            for each in ton_messages.VECTORS["transactions"]
            for form in ("unsigned_tx", "unsigned_tx_without_crc")
            if ton_messages.variant_of(each["name"]) == version
        ]
        for version in ("", "v5r1", "v3r2")
    },
}
"""Transactions that each family's own tools wrote, from the vectors. A family is a network, and a variant of its accounts."""

WITH_AN_END = {**ORIGINALS, "tron": [encode_bytes(1, raw) for raw in _RAW_DATA]}
"""Those whose length the format tells: a bare raw_data without its last field is another raw_data, as protocol buffers are."""


def is_taken(family: str, raw: bytes) -> bool:
    """Tell whether it decodes. Any other error than ours goes on to fail the test, and so does a second library that disagrees."""
    network, _, variant = family.partition(" ")
    try:
        transaction = CHAINS[network].decode(raw, variant)
    except MalformedTransactionError:
        return False
    _OPINIONS[network](raw, transaction)
    _can_be_shown(transaction.intent_for(_ADDRESSES[network]))
    return True


_ADDRESSES = {
    "eth": EVM["accounts"][0]["address"],
    "tron": TRON["accounts"][0]["address"],
    "sol": solana_messages.US["address"],
    "ton": ton_messages.FIRST["non_bounceable"],
    "btc": psbts.US.address,
}


def _can_be_shown(intent: Intent) -> None:
    """An intent names its sender and is text that PostgreSQL's JSON, which takes no zero character, can keep."""
    assert intent.sender
    text = json.dumps(intent.as_details(), ensure_ascii=False)
    assert "\\u0000" not in text
    assert text.encode()


# EVM


def _evm(raw: bytes, transaction: EvmTransaction) -> None:
    """The items we decoded are written by the rlp package as the same bytes; eth-account recovers us from what we signed."""
    payload = transaction.payload
    head = b"" if payload.type == LEGACY else raw[:1]
    assert head + rlp.encode(_evm_items(payload, rlp.decode(raw[len(head) :]))) == raw

    key = private_key(Curve.SECP256K1, bytes.fromhex(EVM["accounts"][0]["private_key"]))
    signed = transaction.sign(key)

    assert Account.recover_transaction(signed.raw) == CHAINS["eth"].address(key.public_key, DerivationScheme.STANDARD)
    again = rlp.decode(signed.raw[len(head) :])
    assert rlp.encode(again[:-3]) == rlp.encode(rlp.decode(raw[len(head) :])[: len(again) - 3])


def _evm_items(payload: EvmPayload, theirs: Sequence[Any]) -> list[Any]:
    """Put the items together again of what we keep, and the access list and signatures inside, which we check and do not keep."""
    fees = [payload.max_fee_per_gas]
    if payload.max_priority_fee_per_gas is not None:
        fees.insert(0, payload.max_priority_fee_per_gas)
    middle = [*fees, payload.gas_limit, payload.to, payload.value, payload.data]
    if payload.type == LEGACY:
        return [payload.nonce, *middle, *(() if payload.chain_id is None else (payload.chain_id, b"", b""))]
    access_list = theirs[7 if payload.type == EIP_2930 else 8]
    assert payload.access_list_entries == len(access_list)
    items = [payload.chain_id, payload.nonce, *middle, access_list]
    if payload.type == EIP_4844:
        items += [payload.max_fee_per_blob_gas, list(payload.blob_hashes)]
    if payload.type == EIP_7702:
        authorizations = zip(payload.authorizations, theirs[9], strict=True)
        items.append([[each.chain_id, each.address, each.nonce, *their[3:]] for each, their in authorizations])
    return items


# Tron


def _tron(raw: bytes, transaction: TronTransaction) -> None:
    """Google's library writes transaction and contract as the same bytes and reads the same fields; tronpy recovers us from it."""
    message = tron_pb2.Transaction.raw.FromString(transaction.raw_data)
    assert message.SerializeToString(deterministic=True) == transaction.raw_data
    assert raw.endswith(transaction.raw_data)
    (contract,) = message.contract
    kind = CONTRACTS[contract.type]
    fields = _TRON_CLASSES[kind.name].FromString(contract.parameter.value)
    written = fields.SerializeToString(deterministic=True)
    # Serializers differ in the order of a map's entries; the same bytes in another order are the same entries.
    has_map = any(field.is_map for field in kind.fields.values())
    assert (sorted(written) == sorted(contract.parameter.value)) if has_map else (written == contract.parameter.value)
    _same_fields(kind, decode(kind, contract.parameter.value), fields)

    key = private_key(Curve.SECP256K1, bytes.fromhex(TRON["accounts"][0]["private_key"]))
    signed = transaction.sign(key)

    again = tron_pb2.Transaction.FromString(signed.raw)
    assert (again.raw_data.SerializeToString(), list(again.signature)) == (transaction.raw_data, [signed.signature])
    signer = Signature(signed.signature).recover_public_key_from_msg_hash(hashlib.sha256(transaction.raw_data).digest())
    assert signer.to_base58check_address() == CHAINS["tron"].address(key.public_key, DerivationScheme.STANDARD)


_TRON_CLASSES = {kind.name: getattr(tron_pb2, kind.name, None) or google_class(kind) for kind in CONTRACTS.values()}
"""tronpy's classes; where it has none, Google's by our own description."""


def _same_fields(kind: MessageType, ours: Record, theirs: Any) -> None:
    """Compare by number: names differ where we read them for people."""
    present = {descriptor.number: value for descriptor, value in theirs.ListFields()}
    for field in kind.fields.values():
        if field.number not in present:
            assert ours.values.get(field.name) == field.default
            continue
        if field.is_map:
            assert {entry.number("key"): entry.number("value") for entry in ours.records(field.name)} == dict(present[field.number])
            continue
        our_items, their_items = ours.values[field.name], present[field.number]
        if not field.repeated:
            our_items, their_items = [our_items], [their_items]
        assert isinstance(our_items, list)
        for our, their in zip(our_items, their_items, strict=True):
            if field.message is not None:
                assert isinstance(our, Record)
                _same_fields(field.message, our, their)
            elif field.read is None:
                assert our == their
            elif field.kind is Kind.BYTES and field.name.endswith("address"):
                assert unbase58check(str(our)) == their
            else:
                assert our == field.read(their)


# Solana


def _solana(raw: bytes, transaction: SolanaTransaction) -> None:
    """What we decoded is written as the same bytes by us and by solders, which verifies our signature."""
    message = transaction.message
    body = message.raw
    assert _solana_message(message) == body
    again = MessageV0.from_bytes(body[1:]) if message.version == "0" else Message.from_bytes(body)
    assert (b"\x80" if message.version == "0" else b"") + bytes(again) == body
    assert raw in {body, bytes([message.signer_count]) + b"".join(transaction.slots) + body}

    key = solana_messages.our_key()
    if key.public_key not in message.signers or any(transaction.slots[message.signers.index(key.public_key)]):
        return
    signed = transaction.sign(key)

    position = message.signers.index(key.public_key)
    theirs = VersionedTransaction.from_bytes(signed.raw)
    assert bytes(theirs) == signed.raw
    assert theirs.verify_with_results()[position]
    assert bytes(theirs.signatures[position]) == signed.signature


def _solana_message(message: SolanaMessage) -> bytes:
    """Write a message of its decoded parts, and of the header's last two bytes, which are checked and not kept."""
    prefix = b"\x80" if message.version == "0" else b""
    header = bytes([message.signer_count]) + message.raw[len(prefix) + 1 : len(prefix) + 3]
    calls = [
        bytes([each.program]) + compact(len(each.accounts)) + each.accounts + compact(len(each.data)) + each.data
        for each in message.instructions
    ]
    lookups = [
        each.table + compact(len(each.writable)) + each.writable + compact(len(each.readonly)) + each.readonly for each in message.lookups
    ]
    tables = listed(lookups) if message.version == "0" else b""
    return prefix + header + listed(list(message.keys)) + message.blockhash + listed(calls) + tables


# TON


def _ton(raw: bytes, transaction: TonTransaction) -> None:
    """The bag is written back as it was; pytoniq-core finds the same hash and takes our message apart; PyNaCl verifies the signature."""
    reference = ton_messages.ReferenceCell.one_from_boc(raw)
    assert encode_bag(decode_bag(raw)) == raw
    assert transaction.payload.hash == reference.hash

    key = ton_messages.our_key()
    signed = transaction.sign(key)

    message = ton_messages.MessageAny.deserialize(ton_messages.ReferenceCell.one_from_boc(signed.raw).begin_parse())
    body = message.body.begin_parse()
    signature, rest = ton_messages.split_body(body, transaction.contract.name)
    VerifyKey(key.public_key).verify(reference.hash, signature)
    assert rest == reference
    assert ton_messages.normalized(message).hash.hex() == signed.tx_id
    assert (message.init is None) == bool(transaction.order.seqno)


# Bitcoin


def _bitcoin(raw: bytes, transaction: BitcoinTransaction) -> None:
    """The PSBT is written as it was; Bitcoin Core reads the transaction as we do, and accepts it when our signature was all it needed."""
    picture = transaction.picture
    assert picture.psbt.raw == raw
    assert bitcoin_node.read(picture.transaction.raw()) == picture.transaction

    coins = [coin.output for coin in picture.coins]
    ours = {number for number, coin in enumerate(coins) if coin.script == psbts.US.script and transaction.unlockings[number] is None}
    if not ours:
        return
    signed = transaction.sign(psbts.US.key)

    assert (signed.raw != b"") is all(each is not None for number, each in enumerate(transaction.unlockings) if number not in ours)
    if signed.raw and all(coin.kind for coin in picture.coins):
        assert bitcoin_node.accepts(signed.raw, coins)


_OPINIONS: dict[str, Callable[[bytes, Any], None]] = {"eth": _evm, "tron": _tron, "sol": _solana, "ton": _ton, "btc": _bitcoin}
