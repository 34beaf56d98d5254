"""TON: what @ton/ton and tonweb build is read, explained and signed as they would."""

from base64 import b64decode, urlsafe_b64encode
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytoniq_core.crypto.crc import crc16
from pytoniq_core.tlb.account import StateInit

from tests.wallets.ton_messages import (
    FIRST,
    SECOND,
    THIRD,
    TON,
    TRANSACTIONS,
    VECTORS,
    MessageAny,
    ReferenceAddress,
    ReferenceCell,
    WalletV4Data,
    normalized,
    our_key,
    variant_of,
    vector,
)
from wallets.chains.ton.address import Address
from wallets.chains.ton.boc import decode, encode
from wallets.chains.ton.code import V4R2_CODE_HASH
from wallets.chains.ton.wallet import WALLETS
from wallets.curves import Curve, private_key
from wallets.derivation import DerivationPath, DerivationScheme, derive
from wallets.errors import InvalidRequestError
from wallets.mnemonic import parse, to_seed
from wallets.model import Transfer

# Addresses


@pytest.mark.parametrize("account", VECTORS["accounts"], ids=lambda each: f"{each['scheme']}-{each['index']}")
def test_addresses_are_those_that_wallets_find(account: dict[str, Any]) -> None:
    """The phrase gives the keys and addresses that ed25519-hd-key, @scure/bip32 and @ton/ton make of it: stored money depends on it."""
    scheme = DerivationScheme(account["scheme"])
    path = DerivationPath.parse(TON.path(scheme).format(index=account["index"]))

    key = derive(to_seed(parse(VECTORS["mnemonic"])), path, TON.curve, scheme)

    assert account["private_key"] == key.reveal().hex()
    assert account["address"] == TON.address(key.public_key, scheme)
    assert account["forms"] == TON.forms(account["address"])


@pytest.mark.parametrize("account", VECTORS["accounts"], ids=lambda each: f"{each['scheme']}-{each['index']}")
def test_an_address_is_found_in_any_form(account: dict[str, Any]) -> None:
    """Every form of an address, in either base64 alphabet and either case of hex, names what we write down for it."""
    forms = account["forms"]
    texts = {*forms.values(), *(text.replace("-", "+").replace("_", "/") for text in forms.values() if ":" not in text)}
    texts.add(forms["raw"].upper())

    assert {frozenset({forms["bounceable"], forms["non_bounceable"]})} == {TON.normalize(text) for text in texts}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0:12",
        "1:" + "0" * 64,
        "0:" + "g" * 64,
        "-0:" + "0" * 64,
        FIRST["bounceable"][:-1],
        FIRST["bounceable"] + "=",
        FIRST["bounceable"][:-1] + "A",
        "A" * 48,
        "+_" * 24,
        "0x9858EfFD232B4033E47d90003D41EC34EcaEda94",
    ],
)
def test_what_is_no_address_names_nobody(text: str) -> None:
    """Text that is no address, or whose checksum does not fit, has no normal form."""
    assert frozenset() == TON.normalize(text)
    with pytest.raises(InvalidRequestError, match="no TON address"):
        Address.parse(text)


@pytest.mark.parametrize("data", [bytes([0x12, 0]), bytes([0x11, 7])])
def test_an_unknown_tag_or_workchain_is_no_address(data: bytes) -> None:
    """A right checksum does not make an address of an unknown tag or workchain."""
    body = data + bytes(32)

    text = urlsafe_b64encode(body + crc16(body)).decode()

    assert frozenset() == TON.normalize(text)


@given(st.sampled_from([0, -1]), st.binary(min_size=32, max_size=32))
def test_addresses_are_written_as_by_pytoniq(workchain: int, account: bytes) -> None:
    """Every form of every address is the one of pytoniq-core, and is read back."""
    ours, reference = Address(workchain, account), ReferenceAddress((workchain, account))

    assert reference.to_str() == ours.bounceable
    assert reference.to_str(is_bounceable=False) == ours.non_bounceable
    assert reference.to_str(is_test_only=True) == ours.testnet_bounceable
    assert reference.to_str(is_bounceable=False, is_test_only=True) == ours.testnet_non_bounceable
    assert reference.to_str(is_user_friendly=False) == ours.raw
    assert ours == Address.parse(ours.raw) == Address.parse(ours.testnet_non_bounceable)


# The wallet contract


def test_the_code_is_the_official_one() -> None:
    """The code's hash is that of wallet v4r2 as `ton-blockchain/wallet-contract` publishes it."""
    state = WALLETS[""].state_init(bytes(32))

    assert state.refs[0].hash == V4R2_CODE_HASH


@given(st.binary(min_size=32, max_size=32))
@settings(max_examples=60)
def test_the_initial_state_is_that_of_pytoniq(public_key: bytes) -> None:
    """For any key, the initial state is the one pytoniq-core makes of the same code."""
    state = WALLETS[""].state_init(public_key)
    code = ReferenceCell.one_from_boc(encode(state.refs[0]))

    expected = StateInit(code=code, data=WalletV4Data(public_key=public_key).serialize()).serialize()

    assert expected.hash == state.hash


# Signing


@pytest.mark.parametrize("field", ["unsigned_tx", "unsigned_tx_without_crc"])
@pytest.mark.parametrize("name", TRANSACTIONS)
def test_payloads_are_signed_as_by_ton_ton(name: str, field: str) -> None:
    """Signature, external message and normalised hash are those of @ton/ton and @ton/core."""
    transaction = TON.decode(bytes.fromhex(TRANSACTIONS[name][field]), variant_of(name))

    signed = transaction.sign(our_key())

    assert TRANSACTIONS[name]["signature"] == signed.signature.hex()
    assert TRANSACTIONS[name]["message_hash"] == decode(signed.raw).root.hash.hex()
    assert TRANSACTIONS[name]["tx_id"] == signed.tx_id
    assert frozenset() == transaction.signers


@pytest.mark.parametrize("query", VECTORS["tonweb"]["queries"], ids=lambda each: each["name"])
def test_payloads_of_tonweb_are_signed_as_by_tonweb(query: dict[str, str]) -> None:
    """What tonweb's own tests sign gets the same signature from us, and the hash of tonweb's message, normalised, is our id."""
    key = private_key(Curve.ED25519, bytes.fromhex(VECTORS["tonweb"]["private_key"]))
    theirs = MessageAny.deserialize(ReferenceCell.one_from_boc(b64decode(query["boc"])).begin_parse())
    body = theirs.body.begin_parse()
    signature, payload = body.load_bytes(64), body.to_cell()

    transaction = TON.decode(payload.to_boc())
    signed = transaction.sign(key)

    assert VECTORS["tonweb"]["address"] == TON.address(key.public_key, DerivationScheme.STANDARD)
    assert signature == signed.signature
    assert normalized(theirs).hash.hex() == signed.tx_id
    assert query["kind"] == transaction.intent.kind
    assert query.get("comment") == transaction.intent.details.get("comment")


@pytest.mark.parametrize("name", ["transfer_first", "transfer"])
def test_the_state_goes_along_while_the_wallet_is_new(name: str) -> None:
    """With seqno 0 the message carries the initial state that its destination is the hash of; later it does not."""
    signed = TON.decode(vector(name)).sign(our_key())

    message = MessageAny.deserialize(ReferenceCell.one_from_boc(signed.raw).begin_parse())

    assert FIRST["raw"] == message.info.dest.to_str(is_user_friendly=False)
    if name == "transfer":
        assert message.init is None
    else:
        assert message.init.serialize().hash == message.info.dest.hash_part


# Intent


@pytest.mark.parametrize(
    ("name", "kind", "transfers"),
    [
        ("transfer_first", "transfer", [Transfer(SECOND["non_bounceable"], 50_000_000)]),
        ("transfer", "transfer", [Transfer(SECOND["bounceable"], 1_500_000_000)]),
        ("comment", "transfer", [Transfer(SECOND["non_bounceable"], 1)]),
        (
            "four_messages",
            "transfer",
            [Transfer(THIRD["non_bounceable" if number % 2 else "bounceable"], number * 10**9) for number in range(4)],
        ),
        (
            "jetton_transfer",
            "token_transfer",
            [Transfer(SECOND["non_bounceable"], 1_234_567, THIRD["bounceable"]), Transfer(THIRD["bounceable"], 50_000_000)],
        ),
        (
            "jetton_transfer_inline_payload",
            "token_transfer",
            [Transfer(SECOND["non_bounceable"], 5, THIRD["bounceable"]), Transfer(THIRD["bounceable"], 50_000_000)],
        ),
        ("whole_balance", "transfer", [Transfer(SECOND["non_bounceable"], 0)]),
        ("call", "contract_call", [Transfer(THIRD["bounceable"], 100_000_000)]),
        ("masterchain", "transfer", [Transfer(Address(-1, b"\x55" * 32).bounceable, 100_000_000)]),
    ],
)
def test_the_intent_says_what_a_transaction_does(name: str, kind: str, transfers: list[Transfer]) -> None:
    """The kind and every transfer, in base units, are what @ton/ton was told to build; recipients bounce as the message does."""
    intent = TON.decode(vector(name)).intent

    assert kind == intent.kind
    assert tuple(transfers) == intent.transfers
    assert intent.expires_at == 1_800_000_000
    assert intent.sender is None


@pytest.mark.parametrize(
    ("name", "details"),
    [
        ("comment", {"seqno": 2, "messages": 1, "mode": 3, "comment": "Hello, Привет"}),
        ("long_comment", {"seqno": 3, "messages": 1, "mode": 3, "comment": "x" * 400}),
        ("four_messages", {"seqno": 4, "messages": 4, "mode_1": 3, "mode_2": 3, "mode_3": 3, "mode_4": 3, "comment_4": "last"}),
        (
            "jetton_transfer",
            {
                "seqno": 5,
                "messages": 1,
                "mode": 3,
                "query_id": 77,
                "response_destination": FIRST["non_bounceable"],
                "forward_ton_amount": 1,
                "comment": "invoice 7",
            },
        ),
        (
            "jetton_transfer_inline_payload",
            {
                "seqno": 7,
                "messages": 1,
                "mode": 3,
                "query_id": 78,
                "custom_payload": "no operation code",
                "forward_ton_amount": 0,
                "comment": "inline",
            },
        ),
    ],
)
def test_the_details_tell_the_rest(name: str, details: dict[str, str | int]) -> None:
    """Sequence number, modes, comments and the fields of a jetton transfer are in the details."""
    intent = TON.decode(vector(name)).intent

    common = {"wallet": "v4r2", "payload_hash": decode(vector(name)).root.hash.hex()}
    assert {**common, **details} == intent.details


@pytest.mark.parametrize(
    ("name", "warnings"),
    [
        ("transfer", []),
        ("jetton_transfer_without_payload", []),
        ("jetton_transfer_inline_payload", [f"has a custom payload for {THIRD['bounceable']} without an operation code"]),
        ("whole_balance", ["carries the wallet's whole balance", "destroys the wallet's contract"]),
        ("deploy", ["deploys a contract at UQ"]),
        ("call", [f"calls {THIRD['bounceable']} with operation 0x12345678, which is not known here"]),
    ],
)
def test_the_intent_warns_of_what_is_easily_missed(name: str, warnings: list[str]) -> None:
    """What sends more than it states, deploys, or calls a contract in an unknown way is a warning."""
    intent = TON.decode(vector(name)).intent

    assert len(warnings) == len(intent.warnings)
    assert all(expected in warning for expected, warning in zip(warnings, intent.warnings, strict=True))


@pytest.mark.parametrize("form", ["bounceable", "non_bounceable", "raw"])
def test_the_wallet_that_signs_is_the_sender(form: str) -> None:
    """For the wallet that its rest returns to, a jetton transfer has nothing to warn of, in whatever form the address is written."""
    transaction = TON.decode(vector("jetton_transfer"))

    assert transaction.intent_for(FIRST[form]) == replace(transaction.intent, sender=FIRST[form])
    assert transaction.intent.warnings == ()


def test_value_that_returns_to_another_is_warned_of() -> None:
    """What is left of the attached value may go to anybody: whoever is not the wallet that signs is named."""
    intent = TON.decode(vector("jetton_transfer")).intent_for(SECOND["bounceable"])

    assert intent.warnings == (f"message 1 returns what is left of its value to {FIRST['non_bounceable']}, which is not this wallet",)


@pytest.mark.parametrize("name", ["transfer", "jetton_transfer_inline_payload", "four_messages"])
def test_what_returns_nothing_depends_on_no_wallet(name: str) -> None:
    """Where nothing is returned, or to nobody, the signing wallet adds no warning."""
    transaction = TON.decode(vector(name))

    assert transaction.intent.warnings == transaction.intent_for(SECOND["bounceable"]).warnings


def test_a_call_names_its_contract_and_operation() -> None:
    """An operation that is not known here is shown by its number."""
    intent = TON.decode(vector("call")).intent

    assert (intent.contract, intent.method) == (THIRD["bounceable"], "0x12345678")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ihr enabled", "transfer"),
        ("an inline state init", "contract_creation"),
        ("an empty body reference", "transfer"),
        ("a body of ten bits", "contract_call"),
        ("a comment that is no UTF-8", "contract_call"),
        ("a comment of 12 bits", "contract_call"),
        ("a comment with two references", "contract_call"),
    ],
)
def test_unusual_messages_are_taken_for_what_they_are(name: str, kind: str) -> None:
    """Rare but valid forms decode; what only looks like a comment is a call with a warning."""
    (case,) = [each for each in VECTORS["accepted"] if each["name"] == name]

    intent = TON.decode(bytes.fromhex(case["unsigned_tx"])).intent

    assert kind == intent.kind
    assert (kind == "transfer") == (not intent.warnings)
