"""EVM messages: signed as viem and eth-sig-util do, told for what they do, and refused where they are something else."""

import base64
import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from eth_account.messages import encode_defunct
from hypothesis import given
from hypothesis import strategies as st

from tests.samples import EIP_155_EXAMPLE
from wallets.chains import CHAINS
from wallets.curves import Curve, private_key
from wallets.errors import MalformedMessageError
from wallets.hashes import keccak256
from wallets.model import Intent, SignedMessage, Transfer

_VECTORS = Path(__file__).parents[1] / "vectors"
MADE: dict[str, Any] = json.loads((_VECTORS / "evm_messages.json").read_text())
US: dict[str, str] = json.loads((_VECTORS / "evm.json").read_text())["accounts"][0]
KEY = private_key(Curve.SECP256K1, bytes.fromhex(US["private_key"]))
TYPED = {each["name"]: each for each in MADE["typed_data"]}
ETH = CHAINS["eth"]
A, B, C = ("0x" + digits * 20 for digits in ("11", "22", "33"))


def _signed(value: dict[str, Any]) -> SignedMessage:
    return ETH.read_typed_data(value).sign(KEY)


def _intent(value: dict[str, Any], address: str = MADE["address"]) -> Intent:
    return ETH.read_typed_data(value).intent_for(address)


def _hex(data: bytes | None) -> str:
    assert data is not None
    return "0x" + data.hex()


# Messages


@pytest.mark.parametrize("vector", MADE["messages"], ids=lambda each: each["message_hex"][:20])
def test_messages_are_signed_as_viem_does(vector: dict[str, str]) -> None:
    """Digest and signature are those of viem, which takes bytes of any kind."""
    signed = ETH.read_message(bytes.fromhex(vector["message_hex"][2:])).sign(KEY)

    assert (vector["digest"], vector["signature"]) == (_hex(signed.digest), _hex(signed.signature))


@given(st.binary(min_size=1, max_size=300))
def test_any_message_is_hashed_as_eth_account_does(message: bytes) -> None:
    """Any bytes that are no transaction have the digest that eth-account gives them."""
    found = encode_defunct(message)

    assert ETH.read_message(message).sign(KEY).digest == keccak256(b"\x19" + found.version + found.header + found.body)


@pytest.mark.parametrize(
    ("message", "details"),
    [
        (b"hello\n", {"bytes": 6, "message": "hello\n"}),
        (b"\xff\x00", {"bytes": 2, "message_hex": "ff00"}),
        (b"\xff" * 65, {"bytes": 65, "message_hex": "ff" * 64 + "..."}),
        ("\u202e\u20ac".encode(), {"bytes": 6, "message": "\ufffd\u20ac"}),
        (b"a" * 1_001, {"bytes": 1_001, "message": "a" * 1_000 + "... (1001 characters)"}),
    ],
)
def test_a_message_is_shown(message: bytes, details: dict[str, object]) -> None:
    """A text is shown as such, without what would show people another, anything else as hex; what is long is cut."""
    intent = ETH.read_message(message).intent_for(US["address"])

    assert {"standard": "eip-191", **details} == intent.details
    assert (intent.kind, intent.sender, intent.warnings) == ("message", US["address"], ())


def test_a_hash_is_warned_of() -> None:
    """32 bytes may be the hash of anything, which is not shown."""
    assert "hash of something" in ETH.read_message(bytes(range(32))).intent.warnings[0]


@pytest.mark.parametrize("network", ["eth", "bsc"])
@pytest.mark.parametrize(
    "message",
    [
        bytes.fromhex(EIP_155_EXAMPLE),
        EIP_155_EXAMPLE.encode(),
        f"0x{EIP_155_EXAMPLE}\n".encode(),
        EIP_155_EXAMPLE.upper().encode(),
        base64.b64encode(bytes.fromhex(EIP_155_EXAMPLE)),
        bytes.fromhex("02c90180808080808080c0"),
    ],
    ids=["bytes", "hex", "0x", "upper", "base64", "typed"],
)
def test_what_reads_as_a_transaction_is_refused(network: str, message: bytes) -> None:
    """A transaction of whichever EVM network, also as hex or base64, is no message: who sends it means another call."""
    with pytest.raises(MalformedMessageError, match="is a transaction"):
        CHAINS[network].read_message(message)


SIGN_IN = f"example.org wants you to sign in with your Ethereum account:\n{US['address']}\n\nURI: https://example.org\nVersion: 1"


@pytest.mark.parametrize("address", [US["address"], US["address"].lower()], ids=["checksum", "lower"])
def test_a_sign_in_is_told(address: str) -> None:
    """Signing in with Ethereum (ERC-4361) says where, and for whom."""
    intent = ETH.read_message(SIGN_IN.replace(US["address"], address).encode()).intent_for(US["address"])

    assert (intent.kind, intent.details["domain"], intent.warnings) == ("sign_in", "example.org", ())


@pytest.mark.parametrize("other", [A, "0xCd2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"], ids=["address", "wrong checksum"])
def test_a_sign_in_of_another_is_warned_of(other: str) -> None:
    """Somebody else's account in it, or none, is odd."""
    intent = ETH.read_message(SIGN_IN.replace(US["address"], other).encode()).intent_for(US["address"])

    assert intent.warnings == (f"wants the signature of {other}, not of this account",)


# Typed data


@pytest.mark.parametrize("vector", MADE["typed_data"], ids=lambda each: each["name"])
def test_typed_data_is_signed_as_viem_and_eth_sig_util_do(vector: dict[str, Any]) -> None:
    """Digest and signature are those that both libraries make."""
    signed = _signed(vector["typed_data"])

    assert (vector["digest"], vector["signature"]) == (_hex(signed.digest), _hex(signed.signature))


_UNTIL = 2_000_000_000
_ORDER = "an order"
_KNOWN: dict[str, tuple[str, dict[str, str | int], list[str], int | None]] = {
    "permit": ("token_approval", {"token": C, "spender": B, "amount": str(2**256 - 1)}, ["unlimited"], _UNTIL),
    "permit_of_another": (
        "token_approval",
        {"token": C, "spender": B, "amount": "5"},
        [f"wants the signature of {A}", "practically never"],
        None,
    ),
    "dai_permit": ("token_approval", {"token": C, "spender": B, "allowed": "true"}, ["unlimited", "practically never"], None),
    "nft_permit": ("token_approval", {"token": C + "/7", "spender": B}, ["move this token"], _UNTIL),
    "permit2_single": ("token_approval", {"token_1": A, "amount_1": "5", "expiration_1": _UNTIL, "spender": B}, [], _UNTIL),
    "permit2_batch": ("token_approval", {"token_2": C, "amount_2": str(2**160 - 1), "spender": B}, ["unlimited"], _UNTIL),
    "permit2_transfer": ("token_approval", {"token_1": A, "amount_1": "5", "spender": B}, ["take the tokens once"], _UNTIL),
    "permit2_transfers": ("token_approval", {"token_1": A, "amount_1": "5", "spender": B}, ["take the tokens once"], _UNTIL),
    "permit2_witness": ("token_approval", {"token_1": A, "amount_1": "5", "spender": B}, ["take the tokens once"], _UNTIL),
    "transfer_with_authorization": ("token_transfer", {"from": US["address"], "valid_after": "0"}, [], _UNTIL),
    "seaport": (
        "order",
        {"gives_1": f"1 of {A}/7", "wants_1": "1000 of native", "wants_2": f"20 to 25 of {A}", "starts_at": "1", "fees": 1},
        [_ORDER],
        _UNTIL,
    ),
    "cow": ("order", {"gives_1": f"100 of {A}", "wants_1": f"50 of {B}", "receiver": C}, [_ORDER], _UNTIL),
    "one_inch_for_nothing": ("order", {"gives_1": f"5 of {A}", "receiver": B}, [_ORDER, "nothing in return"], _UNTIL),
    "safe": ("safe_transaction", {"safe": C, "safe_nonce": "12", "to": A}, [], None),
    "user_operation_v08": ("user_operation", {"account": A, "entry_point": C, "account_nonce": "1"}, [], None),
    "unknown_with_salt": (
        "typed_data",
        {"message.support": "-1", "message.flags[0]": "true", "message.voter.delegates[0].account": B, "message.selector": "0xdeadbeef"},
        ["of no kind that is read here", "names no chain"],
        None,
    ),
}
"""Of each vector: its kind, some of its details, a word of each of its warnings, and when it expires."""


def test_every_vector_of_typed_data_is_told() -> None:
    """None is forgotten below."""
    assert _KNOWN.keys() == TYPED.keys()


@pytest.mark.parametrize(("name", "kind", "details", "warnings", "until"), [(name, *rest) for name, rest in _KNOWN.items()], ids=_KNOWN)
def test_typed_data_is_told_for_what_it_does(
    name: str, kind: str, details: dict[str, str | int], warnings: list[str], until: int | None
) -> None:
    """Known types are told for what they let others do; every field is shown, and what is odd is warned of."""
    intent = _intent(TYPED[name]["typed_data"])

    assert (kind, MADE["address"], until) == (intent.kind, intent.sender, intent.expires_at)
    assert details.items() <= intent.details.items()
    assert [text for text, word in zip(intent.warnings, warnings, strict=True) if word not in text] == []
    assert intent.details["primary_type"] == TYPED[name]["typed_data"]["primaryType"]


def test_transfers_by_others_and_of_safes() -> None:
    """Whoever holds the signature may send what it says: recipients and amounts are those of any transfer."""
    transfers = {name: _intent(TYPED[name]["typed_data"]).transfers for name in ("transfer_with_authorization", "safe")}

    assert transfers == {"transfer_with_authorization": (Transfer(B, 5, C),), "safe": (Transfer(A, 3), Transfer(B, 5, A))}
    assert _intent(TYPED["safe"]["typed_data"]).method == "transfer(address,uint256)"


def _changed(name: str, **changes: Any) -> dict[str, Any]:
    value: dict[str, Any] = deepcopy(TYPED[name]["typed_data"])
    value["message"] |= changes
    return value


@pytest.mark.parametrize(
    ("name", "changes", "word"),
    [
        ("safe", {"operation": 1}, "delegatecall"),
        ("transfer_with_authorization", {"to": "0x" + "00" * 20}, "zero address"),
        ("safe", {"data": "0xdeadbeef"}, "blind call"),
        ("seaport", {"consideration": []}, "nothing in return"),
        ("cow", {"buyAmount": 0}, "nothing in return"),
        ("one_inch_for_nothing", {"makerTraits": 0}, "practically never"),
    ],
)
def test_what_is_odd_is_warned_of(name: str, changes: dict[str, Any], word: str) -> None:
    """The same oddities as of transactions, wherever they hide."""
    assert any(word in text for text in _intent(_changed(name, **changes)).warnings)


def test_a_permit_taken_back_is_not_warned_of() -> None:
    """Dai's permit that allows nothing lets nobody take anything."""
    assert _intent(_changed("dai_permit", allowed=False)).warnings == ()


@pytest.mark.parametrize(
    "change",
    [
        lambda types: types.update(TokenPermissions=[{"name": "token", "type": "address"}]),
        lambda types: types["PermitWitnessTransferFrom"].append({"name": "more", "type": "bool"}),
        lambda types: types["PermitWitnessTransferFrom"][1].update(type="address[]"),
        lambda types: types["PermitWitnessTransferFrom"][1].update(name="taker"),
    ],
    ids=["other permissions", "one more member", "many spenders", "another name"],
)
def test_a_type_that_only_has_the_name_is_not_taken_for_the_known_one(change: Any) -> None:
    """Anybody may declare a type of that name: with other members it is of no known kind."""
    value: dict[str, Any] = deepcopy(TYPED["permit2_witness"]["typed_data"])
    change(value["types"])
    message = value["message"]
    names = [member["name"] for member in value["types"]["PermitWitnessTransferFrom"]]
    spender = [message["spender"]] if value["types"]["PermitWitnessTransferFrom"][1]["type"] == "address[]" else message["spender"]
    value["message"] = {name: {**message, "spender": spender, "taker": B, "more": True}[name] for name in names}
    if len(value["types"]["TokenPermissions"]) == 1:
        value["message"]["permitted"] = {"token": A}

    assert _intent(value).kind == "typed_data"


def test_much_typed_data_is_cut_where_it_is_shown() -> None:
    """The intent stays readable: long values are cut, and the rest of many is counted."""
    types = {
        "EIP712Domain": [{"name": "chainId", "type": "uint256"}],
        "T": [{"name": "a", "type": "bytes[]"}, {"name": "b", "type": "string"}],
    }
    message = {"a": ["0x" + "ab" * 65] * 150, "b": "x" * 300}
    intent = _intent({"types": types, "primaryType": "T", "domain": {"chainId": 1}, "message": message})

    assert intent.details["more_values"] == 51
    assert str(intent.details["message.a[0]"]).startswith("65 bytes, Keccak-256 ")
    assert intent.contract is None
    assert len(json.dumps(intent.as_details())) < 64 * 1024


def test_no_signer_is_named() -> None:
    """A message names no signer: contracts may take one for an account that is a contract itself."""
    assert ETH.read_message(b"hello").signers == frozenset()


# Authorizations and user operations


@pytest.mark.parametrize("vector", MADE["authorizations"], ids=["here", "everywhere", "taken back"])
def test_authorizations_are_signed_as_viem_does(vector: dict[str, Any]) -> None:
    """Digest and signature, with the y parity behind it, are those of viem (EIP-7702)."""
    signed = _signed(vector["typed_data"])

    assert (vector["digest"], vector["signature"]) == (_hex(signed.digest), _hex(signed.signature))


@pytest.mark.parametrize(
    ("position", "words"),
    [(0, ["hands an account (its nonce 0, on chain 1) over"]), (1, ["on every chain) over", "names no chain"]), (2, ["takes its code"])],
)
def test_authorizations_are_told(position: int, words: list[str]) -> None:
    """To whose code the account goes, or that it gets its own back, and whether on one chain alone."""
    intent = _intent(MADE["authorizations"][position]["typed_data"])

    assert intent.kind == "authorization"
    assert [text for text, word in zip(intent.warnings, words, strict=True) if word not in text] == []


@pytest.mark.parametrize("position", range(5))
def test_user_operations_are_signed_as_viem_does(position: int) -> None:
    """The hash of either version, with or without factory and paymaster, is signed as account contracts verify it."""
    vector = MADE["user_operations"][position]

    assert _hex(_signed(vector["typed_data"]).signature) == vector["signature"]


def test_user_operations_are_told() -> None:
    """Who acts, what is called and moved, and what it costs at most."""
    plain, deployed, _, made, sponsored = (_intent(each["typed_data"]) for each in MADE["user_operations"])

    assert (plain.kind, plain.contract, plain.sender) == ("user_operation", A, US["address"])
    assert (plain.method, plain.transfers) == ("execute(address,uint256,bytes)", (Transfer(B, 5),))
    assert (plain.details["account"], plain.details["account_nonce"], plain.max_fee) == (A, "1", 600 * 20)
    assert (deployed.details["factory"], deployed.details["paymaster"], deployed.max_fee) == (B, C, 1_000 * 20)
    assert (made.details["factory"], "paymaster" in made.details) == (B, False)
    assert (sponsored.details["paymaster"], sponsored.max_fee) == (C, 690 * 20)
    assert plain.warnings == ()


def test_a_strange_entry_point_is_warned_of() -> None:
    """The contract that will check the signature is the one that most accounts trust, or that is said."""
    value = {**MADE["user_operations"][0]["typed_data"], "entryPoint": A}

    assert "entry point" in _intent(value).warnings[0]


def _operation(**changes: Any) -> dict[str, Any]:
    value: dict[str, Any] = deepcopy(MADE["user_operations"][2]["typed_data"])
    value["userOperation"] |= changes
    return value


def _old_operation(**changes: Any) -> dict[str, Any]:
    value: dict[str, Any] = deepcopy(MADE["user_operations"][0]["typed_data"])
    value["userOperation"] |= changes
    return value


_AUTHORIZATION = MADE["authorizations"][0]["typed_data"]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"standard": "eip-1"}, "standard: eip-7702 and erc-4337 are known"),
        ({"standard": ["eip-7702"]}, "standard: eip-7702 and erc-4337 are known"),
        ({**_AUTHORIZATION, "chainId": 56}, "chainId: the authorization is for chain id 56, but eth has 1"),
        ({**_AUTHORIZATION, "nonce": 2**64 - 1}, "nonce: it is larger"),
        ({**_AUTHORIZATION, "nonce": -1}, "nonce: it does not fit in uint64"),
        ({**_AUTHORIZATION, "address": "0x"}, "address: an address is expected"),
        ({**_AUTHORIZATION, "r": 1}, "typed_data: r is not among its members"),
        ({**_operation(), "version": "0.8"}, "version: 0.6 and 0.7 are known"),
        ({**_operation(), "version": 7}, "version: 0.6 and 0.7 are known"),
        ({**_operation(), "userOperation": []}, "userOperation: an object is expected"),
        ({**_operation(), "entryPoint": 1}, "entryPoint: an address is expected"),
        (_operation(signature="0x00"), "userOperation.signature: it is signed already"),
        (_operation(paymaster=A), "userOperation: paymasterVerificationGasLimit is missing"),
        (_operation(factoryData="0x"), "userOperation: factory is missing"),
        (_operation(initCode="0x"), "userOperation: initCode is not among its members"),
        (_operation(maxFeePerGas=2**128), "userOperation.maxFeePerGas: it does not fit in uint128"),
        (_old_operation(initCode="0x11"), "userOperation.initCode: an address and what belongs to it"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_requests_that_are_none_are_refused(value: dict[str, Any], reason: str) -> None:
    """Other standards, chains and fields, and what is signed already, are refused; the message says where."""
    with pytest.raises(MalformedMessageError, match=f"^{reason}"):
        ETH.read_typed_data(value)


def test_an_empty_signature_may_be_there() -> None:
    """Bundlers' libraries leave the field in: empty, it changes nothing."""
    assert _signed(_operation(signature="0x")) == _signed(_operation())
