"""Tron: what TronWeb and tronpy sign is signed bit for bit, and nothing else is."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tronpy.keys import PrivateKey as TronpyKey
from tronpy.keys import Signature
from tronpy.proto import tron_pb2
from tronpy.proto.transaction import _raw_data_to_protobuf, calculate_txid_from_raw_data

from tests.strategies import differential_examples, secp256k1_secrets, tron_calls, tron_raw_data, tron_transfers
from wallets.chains import CHAINS
from wallets.chains.protobuf import encode_bytes
from wallets.chains.tron import MAX_BYTES
from wallets.chains.tron_contracts import CONTRACTS
from wallets.curves import Curve, private_key
from wallets.derivation import DerivationScheme
from wallets.errors import MalformedTransactionError
from wallets.model import Intent, Transfer

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "tron.json").read_text())
TRANSACTIONS: dict[str, dict[str, Any]] = {vector["name"]: vector for vector in VECTORS["transactions"]}
TRON = CHAINS["tron"]
OURS, THEIRS = VECTORS["accounts"][0], VECTORS["accounts"][1]
KEY = private_key(Curve.SECP256K1, bytes.fromhex(OURS["private_key"]))
USDT = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
SIGNATURE_FIELD_BYTES = 67
every_vector = pytest.mark.parametrize("vector", TRANSACTIONS.values(), ids=TRANSACTIONS.keys())


def _raw_data(name: str) -> bytes:
    return bytes.fromhex(TRANSACTIONS[name]["raw_data"])


def _intent(name: str) -> Intent:
    return TRON.decode(_raw_data(name)).intent


def _changed(change: Callable[[Any], object], name: str = "transfer") -> bytes:
    """Change a vector in tronpy's classes and write it again."""
    raw = tron_pb2.Transaction.raw.FromString(_raw_data(name))
    change(raw)
    return bytes(raw.SerializeToString())


def _with_contract(kind: str, change: Callable[[Any], object], name: str = "transfer") -> bytes:
    """Change the contract's own message in tronpy's classes and write the whole again."""
    raw = tron_pb2.Transaction.raw.FromString(_raw_data(name))
    fields = getattr(tron_pb2, kind).FromString(raw.contract[0].parameter.value)
    change(fields)
    raw.contract[0].parameter.value = fields.SerializeToString()
    return bytes(raw.SerializeToString())


@every_vector
def test_transactions_are_signed_as_tronweb_does(vector: dict[str, Any]) -> None:
    """Every kind of transaction, as raw_data and as Transaction, gives the signed transaction and the id that TronWeb gives."""
    signed_tx = bytes.fromhex(vector["signed_tx"])

    for unsigned_tx in (bytes.fromhex(vector["raw_data"]), signed_tx[:-SIGNATURE_FIELD_BYTES]):
        signed = TRON.decode(unsigned_tx).sign(KEY)

        assert signed_tx == signed.raw
        assert vector["tx_id"] == signed.tx_id
        assert bytes.fromhex(vector["signature"]) == signed.signature


@given(tron_raw_data(st.one_of(tron_transfers(), tron_calls())), secp256k1_secrets(), st.booleans())
@settings(max_examples=differential_examples(80))
def test_transactions_are_signed_as_tronpy_does(fields: dict[str, Any], secret: bytes, wrapped: bool) -> None:
    """Any transfer and any call, with any key, gives tronpy's id and signature; tronpy reads it back and finds the signer."""
    raw_data = bytes(_raw_data_to_protobuf(fields).SerializeToString())
    digest = hashlib.sha256(raw_data).digest()
    key, tronpy_key = private_key(Curve.SECP256K1, secret), TronpyKey(secret)

    signed = TRON.decode(encode_bytes(1, raw_data) if wrapped else raw_data).sign(key)

    assert calculate_txid_from_raw_data(fields) == signed.tx_id
    assert tronpy_key.sign_msg_hash(digest).tronweb_hex() == signed.signature.hex()
    transaction = tron_pb2.Transaction.FromString(signed.raw)
    assert transaction.raw_data.SerializeToString() == raw_data
    assert list(transaction.signature) == [signed.signature]
    signer = Signature(signed.signature).recover_public_key_from_msg_hash(digest).to_base58check_address()
    assert signer == TRON.address(key.public_key, DerivationScheme.STANDARD)


@every_vector
def test_a_signed_transaction_is_refused_as_such(vector: dict[str, Any]) -> None:
    """What is signed already is not signed again, and the message says so."""
    with pytest.raises(MalformedTransactionError, match="signed already"):
        TRON.decode(bytes.fromhex(vector["signed_tx"]))


def test_an_executed_transaction_is_refused() -> None:
    """A transaction with a result (field 5) has been on the chain."""
    with pytest.raises(MalformedTransactionError, match="executed"):
        TRON.decode(encode_bytes(1, _raw_data("transfer")) + encode_bytes(5, b"\x18\x01"))


@every_vector
def test_truncated_and_trailing_bytes_are_refused(vector: dict[str, Any]) -> None:
    """A byte less at either end, or one more, is refused, for raw_data and for Transaction."""
    raw_data = bytes.fromhex(vector["raw_data"])

    for data in (raw_data, encode_bytes(1, raw_data)):
        for damage in (data[:-1], data[1:], data + b"\0", data[:1]):
            with pytest.raises(MalformedTransactionError):
                TRON.decode(damage)


_TWO_CONTRACTS = _changed(lambda raw: raw.contract.add().CopyFrom(raw.contract[0]))
MALFORMED: list[tuple[bytes, str]] = [
    (b"", "starts neither"),
    (b"\x12\x00", "starts neither"),
    (b"\x0a", "ends too early"),
    (b"\x0a\x00", "empty must be left out"),
    (b"\x0a\x02\x01\x02", "ref_block_hash is missing"),
    (_TWO_CONTRACTS, "contract at byte 126: fields must stand in the order of their numbers, each once"),
    (_changed(lambda raw: raw.ClearField("contract")), "contract is missing"),
    (_changed(lambda raw: raw.ClearField("expiration")), "expiration is missing"),
    (_changed(lambda raw: setattr(raw, "expiration", -1)), "expiration at byte .*: it must not be negative"),
    (_changed(lambda raw: raw.ClearField("ref_block_hash")), "ref_block_hash is missing"),
    (_changed(lambda raw: setattr(raw, "ref_block_hash", b"1234567")), "8 bytes are expected"),
    (_changed(lambda raw: setattr(raw, "ref_block_bytes", b"123")), "data ends too early|Transaction"),
    (_changed(lambda raw: setattr(raw, "scripts", b"1")), "no field 12"),
    (_changed(lambda raw: raw.auths.add()), "no field 9"),
    (_changed(lambda raw: setattr(raw.contract[0], "provider", b"1")), "no field 3"),
    (_changed(lambda raw: setattr(raw.contract[0], "ContractName", b"1")), "no field 4"),
    (_changed(lambda raw: setattr(raw.contract[0], "Permission_id", -1)), "permission_id at byte .*: it must not be negative"),
    (_changed(lambda raw: raw.contract[0].ClearField("parameter")), "parameter is missing"),
    (_changed(lambda raw: setattr(raw.contract[0], "type", 20)), "type 20 is not signed here"),
    (_changed(lambda raw: setattr(raw.contract[0], "type", 2)), "must be type.googleapis.com/protocol.TransferAssetContract"),
    (
        _changed(lambda raw: setattr(raw.contract[0].parameter, "type_url", "protocol.TransferContract")),
        "parameter at byte .*: its type_url must be",
    ),
    (_changed(lambda raw: raw.contract[0].parameter.ClearField("value")), "value is missing"),
    (_with_contract("TransferContract", lambda fields: fields.ClearField("amount")), "amount is missing"),
    (_with_contract("TransferContract", lambda fields: setattr(fields, "amount", -1)), "amount at byte .*: it must not be negative"),
    (_with_contract("TransferContract", lambda fields: fields.ClearField("owner_address")), "owner_address is missing"),
    (_with_contract("TransferContract", lambda fields: setattr(fields, "to_address", b"\x41" * 20)), "21 bytes, 0x41 first"),
    (_with_contract("TransferContract", lambda fields: setattr(fields, "to_address", b"\xa0" * 21)), "21 bytes, 0x41 first"),
    (
        _with_contract("TransferAssetContract", lambda fields: setattr(fields, "asset_name", b"9" * 33), "trc10_transfer"),
        "asset_name at byte .*: the name of a token has at most 32 bytes",
    ),
    (
        _with_contract("AccountCreateContract", lambda fields: setattr(fields, "type", 3), "create_account"),
        "account_type at byte .*: it must be one of Normal, AssetIssue, Contract",
    ),
    (bytes.fromhex(TRANSACTIONS["transfer"]["raw_data"]) + b"\xa0\x01" + b"\xff" * 11, "has no field 20|no end"),
    (_changed(lambda raw: setattr(raw, "data", bytes(MAX_BYTES))), f"nodes take at most {MAX_BYTES}"),
]


@pytest.mark.parametrize(("data", "reason"), MALFORMED, ids=[reason for _, reason in MALFORMED])
def test_malformed_transactions_are_refused_with_a_reason(data: bytes, reason: str) -> None:
    """What does not fit the format is refused; the message names the field and the byte."""
    with pytest.raises(MalformedTransactionError, match=reason):
        TRON.decode(data)


def test_offsets_count_from_the_start_of_the_input() -> None:
    """An error deep inside names the byte of the whole input, whether raw_data comes alone or in a Transaction."""
    data = _with_contract("TransferContract", lambda fields: setattr(fields, "to_address", b"\x42" * 21))
    offset = data.index(b"\x42" * 21) - 1

    for whole, start in ((data, 0), (encode_bytes(1, data), 3)):
        with pytest.raises(MalformedTransactionError, match=f"to_address at byte {offset + start}:"):
            TRON.decode(whole)


@every_vector
def test_the_owner_is_the_signer(vector: dict[str, Any]) -> None:
    """Every kind of contract names its owner, who is the sender and the only signer."""
    transaction = TRON.decode(bytes.fromhex(vector["raw_data"]))

    assert transaction.signers == {OURS["address"]}
    assert transaction.intent.sender == OURS["address"]
    assert vector["type"] == transaction.intent.details["type"]
    assert transaction.intent.expires_at == 1900000060


@every_vector
def test_every_field_of_a_contract_is_shown(vector: dict[str, Any]) -> None:
    """Each value that TronWeb put into the contract is found in the intent: none goes by unseen."""
    intent = TRON.decode(bytes.fromhex(vector["raw_data"])).intent
    shown = {
        *(str(value) for value in intent.details.values()),
        *(str(value) for transfer in intent.transfers for value in (transfer.recipient, transfer.amount, transfer.asset)),
        *(str(value) for value in (intent.sender, intent.contract)),
    }

    for name, value in vector["parameter"].items():
        if name not in {"data", "new_contract"}:
            for leaf in _leaves(value):
                assert leaf & shown, (name, leaf)


def _leaves(value: Any) -> list[set[str]]:
    """Return the texts under which each value inside may be shown."""
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in _leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in _leaves(item)]
    if isinstance(value, bool):
        return [{str(int(value))}]
    texts = {str(value), f"trc10:{value}"}
    if isinstance(value, str) and len(value) % 2 == 0 and set(value) <= set("0123456789abcdef"):
        raw = bytes.fromhex(value)
        texts |= {raw.decode(errors="replace"), f"trc10:{raw.decode(errors='replace')}", *TRON.normalize(value)}
    return [texts]


def test_intent_of_a_transfer() -> None:
    """A transfer says who gets how much; a fee limit is shown where there is one, and no field bounds the whole fee."""
    expected = Intent(
        "tron",
        "transfer",
        sender=OURS["address"],
        transfers=(Transfer(THEIRS["address"], 1_000_000),),
        expires_at=1900000060,
        valid_from=1899999940,
        details={
            "type": "TransferContract",
            "payload_hash": TRANSACTIONS["transfer_with_memo"]["tx_id"],
            "memo": "order 4711",
            "timestamp": 1900000000000,
        },
    )

    assert expected == _intent("transfer_with_memo")


@pytest.mark.parametrize(
    ("name", "kind", "transfers", "method"),
    [
        ("trc10_transfer", "token_transfer", [(THEIRS["address"], 55, "trc10:1002000")], None),
        ("trc20_transfer", "token_transfer", [(THEIRS["address"], 12345678, USDT)], "transfer(address,uint256)"),
        ("trc20_transfer_from", "token_transfer", [(OURS["address"], 1, USDT)], "transferFrom(address,address,uint256)"),
        ("trc20_approve_unlimited", "token_approval", [], "approve(address,uint256)"),
        ("contract_call_with_value", "contract_call", [(USDT, 10, "native"), (USDT, 3, "trc10:1002000")], "deposit()"),
        ("purchase_token", "participate_asset_issue", [(THEIRS["address"], 5, "native")], None),
        ("create_contract", "contract_creation", [], None),
        ("freeze_v2", "freeze_balance_v2", [], None),
        ("update_permissions", "account_permission_update", [], None),
        ("create_proposal", "proposal_create", [], None),
    ],
)
def test_intents_of_the_vectors(name: str, kind: str, transfers: list[tuple[str, int, str]], method: str | None) -> None:
    """Each kind of transaction is named for what it does, with everything that moves and to whom."""
    intent = _intent(name)

    assert (kind, method) == (intent.kind, intent.method)
    assert [Transfer(*transfer) for transfer in transfers] == list(intent.transfers)


def test_a_permission_is_named() -> None:
    """A transaction signed by another permission than the owner's says which."""
    assert _intent("transfer_by_active_permission").details["permission_id"] == 2


@pytest.mark.parametrize(("name", "kind"), [("transfer", "TransferContract"), ("trc10_transfer", "TransferAssetContract")])
def test_a_transfer_to_the_zero_address_is_warned_of(name: str, kind: str) -> None:
    """Value sent to the zero address is lost."""
    data = _with_contract(kind, lambda fields: setattr(fields, "to_address", b"\x41" + bytes(20)), name)

    assert "zero address" in TRON.decode(data).intent.warnings[0]


def test_changed_permissions_are_warned_of() -> None:
    """Who may sign for the account is the one thing that must not go by unseen."""
    assert _intent("update_permissions").warnings == ("changes which keys may sign for the account",)


def test_an_address_with_its_prefix_in_a_word_is_read() -> None:
    """Libraries that put all 21 bytes of an address into the word mean the same recipient."""
    recipient = bytes.fromhex(THEIRS["hex"])
    data = _with_contract(
        "TriggerSmartContract",
        lambda fields: setattr(fields, "data", fields.data.replace(bytes(12) + recipient[1:], bytes(11) + recipient)),
        "trc20_transfer",
    )

    assert _intent("trc20_transfer").transfers == TRON.decode(data).intent.transfers


def test_a_call_without_data_is_a_call() -> None:
    """A call without data runs the contract's fallback."""
    intent = TRON.decode(_with_contract("TriggerSmartContract", lambda fields: fields.ClearField("data"), "trc20_transfer")).intent

    assert (intent.kind, intent.transfers, intent.warnings) == ("contract_call", (), ())


@pytest.mark.parametrize(
    ("memo", "shown"),
    [(b"hi", "hi"), ("ж".encode(), "ж"), (b"\xff\x00", "0xff00"), (b"a\nb", "0x610a62"), (b"x" * 300, "x" * 256 + "... (300 characters)")],
)
def test_memos_are_shown_if_they_are_text(memo: bytes, shown: str) -> None:
    """Printable UTF-8 is shown as such, anything else as hex, and what is long is cut and says so."""
    assert shown == TRON.decode(_changed(lambda raw: setattr(raw, "data", memo))).intent.details["memo"]


def test_a_long_list_is_cut_and_says_so() -> None:
    """An intent stays small: of thousands of votes the first hundred are shown, and how many fields more there are."""
    vote = encode_bytes(1, bytes.fromhex(THEIRS["hex"])) + b"\x10\x01"
    votes = encode_bytes(1, bytes.fromhex(OURS["hex"])) + encode_bytes(2, vote) * 150
    raw = tron_pb2.Transaction.raw.FromString(_raw_data("vote"))
    raw.contract[0].parameter.value = votes

    details = TRON.decode(raw.SerializeToString()).intent.details

    assert details["more_fields"] == 100
    assert "votes[99].vote_count" in details
    assert "votes[100].vote_address" not in details


def test_a_new_contract_is_shown_without_its_abi() -> None:
    """No node acts on the ABI, so it is read but not shown."""
    details = _intent("create_contract").details

    assert details["new_contract.bytecode"] == "608060405234801561001057600080fd5b50"
    assert not any("abi" in path for path in details)


def test_long_bytes_are_shown_by_their_hash() -> None:
    """A new contract's code that is too long to be read is shown by its length and its SHA-256."""
    code = b"\x60" * 200
    new_contract = encode_bytes(1, bytes.fromhex(OURS["hex"])) + encode_bytes(4, code)
    raw = tron_pb2.Transaction.raw.FromString(_raw_data("create_contract"))
    raw.contract[0].parameter.value = encode_bytes(1, bytes.fromhex(OURS["hex"])) + encode_bytes(2, new_contract)

    details = TRON.decode(raw.SerializeToString()).intent.details

    assert details["new_contract.bytecode"] == f"200 bytes, SHA-256 {hashlib.sha256(code).hexdigest()}"


def test_control_characters_are_not_shown() -> None:
    """Names that a contract may choose freely cannot bring zero characters or writing directions into the intent."""
    new_contract = encode_bytes(1, bytes.fromhex(OURS["hex"])) + encode_bytes(4, b"\x60") + encode_bytes(7, "a\0\u202eb".encode())
    raw = tron_pb2.Transaction.raw.FromString(_raw_data("create_contract"))
    raw.contract[0].parameter.value = encode_bytes(1, bytes.fromhex(OURS["hex"])) + encode_bytes(2, new_contract)

    details = TRON.decode(raw.SerializeToString()).intent.details

    assert details["new_contract.name"] == "a\ufffd\ufffdb"


@pytest.mark.parametrize("account", VECTORS["accounts"], ids=lambda account: account["address"])
def test_addresses_are_read_in_both_forms(account: dict[str, str]) -> None:
    """The base58check text and the hex with 41 first, in either case, with and without 0x, name the address."""
    for text in (account["address"], account["hex"], account["hex"].upper(), "0x" + account["hex"]):
        assert TRON.normalize(text) == {account["address"]}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "T",
        OURS["address"][:-1] + "x",
        OURS["address"] + " ",
        OURS["hex"][2:],
        "42" + OURS["hex"][2:],
        OURS["hex"] + "00",
        "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
    ],
)
def test_what_is_no_address_names_nothing(text: str) -> None:
    """Wrong checksums, prefixes and lengths, and other networks' addresses, are no address."""
    assert TRON.normalize(text) == frozenset()


def test_the_network_describes_itself() -> None:
    """Tron signs on secp256k1, at one path in both schemes, and writes bare hex; an address has no other form."""
    assert (TRON.curve, TRON.hex_prefix, TRON.symbol, TRON.decimals) == (Curve.SECP256K1, "", "TRX", 6)
    assert {TRON.path(scheme) for scheme in DerivationScheme} == {"m/44'/195'/0'/0/{index}"}
    assert TRON.forms(OURS["address"]) == {}


def test_contract_types_are_numbered_as_tronpy_numbers_them() -> None:
    """The table's names and numbers are those of the protocol's enumeration, so far as tronpy has them."""
    known = dict(tron_pb2.Transaction.Contract.ContractType.items())

    assert {name: known[name] for name in (kind.name for kind in CONTRACTS.values()) if name in known} == {
        kind.name: number for number, kind in CONTRACTS.items() if kind.name in known
    }
    assert {kind.name for kind in CONTRACTS.values()} - known.keys() == {"CancelAllUnfreezeV2Contract"}
    assert known.keys() - {kind.name for kind in CONTRACTS.values()} == {"CustomContract", "GetContract"}
