"""Tron: messages and typed data are signed as TronWeb signs them, and nothing that reads as a transaction is."""

import base64
import hashlib
import json
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tronpy.keys import Signature

from tests.wallets.second_opinions import TRON as VECTORS
from wallets.chains import CHAINS
from wallets.chains.protobuf import encode_bytes
from wallets.curves import Curve, private_key
from wallets.errors import MalformedMessageError
from wallets.hashes import keccak256

TRON = CHAINS["tron"]
OURS, THEIRS = VECTORS["accounts"][0], VECTORS["accounts"][1]
KEY = private_key(Curve.SECP256K1, bytes.fromhex(OURS["private_key"]))
TYPED = {each["name"]: each["typed_data"] for each in VECTORS["typed_data"]}
EVM = json.loads((Path(__file__).parents[1] / "vectors" / "evm_messages.json").read_text())
RAW_DATA = bytes.fromhex(VECTORS["transactions"][0]["raw_data"])


@pytest.mark.parametrize("vector", [each for each in VECTORS["messages"] if each.get("message") != ""], ids=lambda each: each["digest"][:8])
def test_messages_are_signed_as_tronweb_does(vector: dict[str, str]) -> None:
    """Texts and bytes give TronWeb's digest and signature."""
    message = vector["message"].encode() if "message" in vector else bytes.fromhex(vector["message_hex"])

    signed = TRON.read_message(message).sign(KEY)

    assert signed.digest is not None
    assert vector["digest"] == signed.digest.hex()
    assert vector["signature"] == signed.signature.hex()


@given(st.binary(min_size=1, max_size=300))
def test_any_message_is_signed_for_its_signer(message: bytes) -> None:
    """Tronpy finds us as the signer of the prefixed message, whatever the bytes."""
    read = TRON.read_message(message)

    signed = read.sign(KEY)

    digest = keccak256(b"\x19TRON Signed Message:\n" + str(len(message)).encode() + message)
    assert Signature(signed.signature).recover_public_key_from_msg_hash(digest).to_base58check_address() == OURS["address"]
    assert read.intent_for(OURS["address"]).sender == OURS["address"]
    assert read.signers == frozenset()
    json.dumps(read.intent.as_details(), ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "message",
    [
        RAW_DATA,
        encode_bytes(1, RAW_DATA),
        RAW_DATA.hex().encode(),
        b" 0x" + RAW_DATA.hex().upper().encode() + b"\n",
        base64.b64encode(RAW_DATA),
    ],
    ids=["raw_data", "transaction", "hex", "hex in upper case", "base64"],
)
def test_what_reads_as_a_transaction_is_no_message(message: bytes) -> None:
    """By itself, or as hex or base64."""
    with pytest.raises(MalformedMessageError, match="a transaction of Tron"):
        TRON.read_message(message)


def test_a_hash_is_warned_of() -> None:
    """Thirty-two bytes may be the hash of anything, a transaction too."""
    assert "hash" in TRON.read_message(hashlib.sha256(RAW_DATA).digest()).intent.warnings[0]
    assert TRON.read_message(b"hello").intent.details == {"standard": "tip-191", "bytes": 5, "message": "hello"}


@pytest.mark.parametrize("vector", VECTORS["typed_data"], ids=lambda each: each["name"])
def test_typed_data_is_signed_as_tronweb_does(vector: dict[str, Any]) -> None:
    """Addresses in each form, `trcToken`, structs and arrays give TronWeb's digest and signature."""
    signed = TRON.read_typed_data(vector["typed_data"]).sign(KEY)

    assert signed.digest is not None
    assert vector["digest"] == signed.digest.hex()
    assert vector["signature"] == "0x" * vector["signature"].startswith("0x") + signed.signature.hex()


def test_typed_data_is_shown_with_every_value() -> None:
    """Addresses as Tron writes them, numbers as text, long bytes by their hash."""
    mail, order = (TRON.read_typed_data(TYPED[name]).intent for name in ("mail", "order"))

    assert (mail.kind, mail.method, mail.contract) == ("typed_data", "Mail", THEIRS["address"])
    assert mail.details["message.to[0].wallet"] == THEIRS["address"]
    assert (order.details["message.token"], order.details["message.amount"], order.details["message.open"]) == ("1002000", "-5", "true")
    assert order.details["message.tag"] == "0x01020304"
    assert mail.warnings == ("typed data of no kind that is read here: it does what its contract makes of it",)


def _in_trons_form(value: object) -> object:
    """Write the EVM addresses in texts as Tron does."""
    if isinstance(value, str):
        return re.sub(r"0x([0-9a-fA-F]{40})(?![0-9a-fA-F])", lambda match: next(iter(TRON.normalize("41" + match[1]))), value)
    if isinstance(value, dict):
        return {name: _in_trons_form(item) for name, item in value.items()}
    return [_in_trons_form(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("vector", EVM["typed_data"], ids=lambda each: each["name"])
def test_typed_data_is_told_for_what_it_does_as_on_evm_networks(vector: dict[str, Any]) -> None:
    """Permits, transfers by others, orders and Safes are the same contracts: so are details, expiry and warnings."""
    expected: dict[str, Any] = CHAINS["eth"].read_typed_data(vector["typed_data"]).intent_for(EVM["address"]).as_details()
    domain = vector["typed_data"]["domain"]
    here = {**domain, "chainId": 728126428} if "chainId" in domain else domain

    found = TRON.read_typed_data({**vector["typed_data"], "domain": here}).intent_for(str(_in_trons_form(EVM["address"]))).as_details()

    changed = {"standard": "tip-712", **({"domain.chainId": "728126428"} if "chainId" in domain else {})}
    assert _in_trons_form(expected | {"network": "tron", "details": expected["details"] | changed}) == found


def test_value_for_the_zero_address_is_warned_of() -> None:
    """As Tron writes it."""
    data: dict[str, Any] = deepcopy(next(each for each in EVM["typed_data"] if each["name"] == "transfer_with_authorization")["typed_data"])
    data["domain"]["chainId"] = 728126428
    data["message"]["to"] = next(iter(TRON.normalize("41" + "00" * 20)))

    assert "zero address" in TRON.read_typed_data(data).intent.warnings[0]


def changed(name: str, *path: str, value: object) -> dict[str, Any]:
    """Change a value of typed data; None takes it away with its declaration."""
    data: dict[str, Any] = deepcopy(TYPED[name])
    place = data
    for key in path[:-1]:
        place = place[key]
    if value is None:
        del place[path[-1]]
        data["types"]["EIP712Domain"] = [member for member in data["types"]["EIP712Domain"] if member["name"] != path[-1]]
    else:
        place[path[-1]] = value
    return data


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (changed("order", "domain", "chainId", value=1), "for chain id 1, but tron has 728126428"),
        (changed("order", "message", "token", value="-1"), "message.token: it does not fit in uint256"),
        (changed("mail", "message", "from", value={"name": "a", "wallet": "T"}), "message.from.wallet: an address is expected"),
        (changed("mail", "message", "from", value={"name": "a", "wallet": 5}), "an address is expected"),
        (changed("mail", "message", "from", value={"name": "a", "wallet": "0x12"}), "an address is expected"),
        (changed("mail", "message", "from", value={"name": "a", "wallet": "0xzz"}), "an address is expected"),
        (changed("mail", "message", "from", value={"name": "a", "wallet": "42" + OURS["hex"][2:]}), "an address is expected"),
        (changed("order", "message", "more", value=1), "more is not among its members"),
    ],
    ids=lambda each: each if isinstance(each, str) else None,
)
def test_typed_data_that_does_not_fit_is_refused(data: dict[str, Any], reason: str) -> None:
    """The refusal names the value."""
    with pytest.raises(MalformedMessageError, match=reason):
        TRON.read_typed_data(data)


def test_typed_data_without_a_chain_is_warned_of() -> None:
    """It can be used on every chain that knows the contract."""
    assert "names no chain" in TRON.read_typed_data(changed("order", "domain", "chainId", value=None)).intent.warnings[-1]


def test_what_is_long_is_cut_and_says_so() -> None:
    """Long bytes are shown by their hash, long texts and many values by their number."""
    long_bytes = TRON.read_typed_data(changed("order", "message", "note", value="0x" + "ab" * 65)).intent
    people = [{"name": "n" * 300, "wallet": OURS["address"]}] * 60
    many = TRON.read_typed_data(changed("mail", "message", "to", value=people)).intent

    assert str(long_bytes.details["message.note"]).startswith("65 bytes, Keccak-256 ")
    assert many.details["more_values"] == 23
    assert str(many.details["message.to[0].name"]).endswith("... (300 characters)")
