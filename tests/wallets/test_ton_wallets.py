"""TON: each version of the wallet contract has its address and its payload, which a request in JSON may stand for."""

import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytoniq_core.tlb.custom.wallet import WalletV3Data

from tests.wallets.ton_messages import (
    FIRST,
    SECOND,
    THIRD,
    TON,
    TRANSACTIONS,
    VECTORS,
    message_with,
    our_key,
    payload,
    variant_of,
    vector,
)
from wallets.chains.ton.boc import Builder, Cell, decode, encode
from wallets.chains.ton.code import V3R2_CODE_HASH, V4R2_CODE_HASH, V5R1_CODE_HASH
from wallets.chains.ton.request import MAX_COINS, MAX_REQUEST_BYTES
from wallets.chains.ton.wallet import V5R1_TESTNET_WALLET_ID, V5R1_WALLET_ID, WALLET_ID, WALLETS
from wallets.curves import Curve, private_key
from wallets.derivation import DerivationScheme
from wallets.errors import MalformedTransactionError
from wallets.model import Transfer

REQUESTS = [name for name, each in TRANSACTIONS.items() if "request" in each]
V5R1 = [0x7369676E, V5R1_WALLET_ID, 1_800_000_000, 7]


# Addresses


@pytest.mark.parametrize("account", VECTORS["accounts"], ids=lambda each: f"{each['scheme']}-{each['index']}")
@pytest.mark.parametrize("version", TON.variants)
def test_each_version_has_the_address_that_ton_ton_gives_it(account: dict[str, Any], version: str) -> None:
    """The same key has a wallet of each version, and v5r1 one on each network: stored money depends on it."""
    key = private_key(Curve.ED25519, bytes.fromhex(account["private_key"]))

    address = TON.address(key.public_key, DerivationScheme.STANDARD, "" if version == "v4r2" else version)

    assert account["variants"][version] == address
    assert TON.variants[0] == "v4r2"
    assert len(set(account["variants"].values())) == len(TON.variants)


@pytest.mark.parametrize(
    ("variant", "code_hash"),
    [("v3r2", V3R2_CODE_HASH), ("", V4R2_CODE_HASH), ("v5r1", V5R1_CODE_HASH), ("v5r1_testnet", V5R1_CODE_HASH)],
)
def test_the_code_is_the_official_one(variant: str, code_hash: bytes) -> None:
    """The code's hash is the one that the contract's authors publish."""
    assert WALLETS[variant].state_init(bytes(32)).refs[0].hash == code_hash


@given(st.binary(min_size=32, max_size=32))
@settings(max_examples=30)
def test_the_state_of_v3r2_is_that_of_pytoniq(public_key: bytes) -> None:
    """For any key, a v3r2 wallet's data is the one pytoniq-core makes."""
    assert WalletV3Data(public_key=public_key).serialize().hash == WALLETS["v3r2"].state_init(public_key).refs[1].hash


# Payloads


@pytest.mark.parametrize("name", TRANSACTIONS)
@pytest.mark.parametrize("variant", WALLETS)
def test_a_payload_is_of_one_version(name: str, variant: str) -> None:
    """No version takes another's payload: the refusal says of which it is none."""
    if variant == variant_of(name):
        assert TON.decode(vector(name), variant).contract is WALLETS[variant]
        return
    with pytest.raises(MalformedTransactionError, match=r"this is no payload of a|bits expected|too many|only simple sends"):
        TON.decode(vector(name), variant)


def v5r1(actions: Cell | None, *, head: list[int] = V5R1, extended: int = 0, end: int = 0) -> bytes:
    """Write a v5r1 payload."""
    builder = Builder()
    for number in head:
        builder.uint(number, 32)
    builder = builder.uint(1, 1).ref(actions) if actions else builder.uint(0, 1)
    return encode(builder.uint(extended, 1).uint(0, end).cell())


def action(*, tag: int = 0x0EC3C86D, mode: int = 3, before: Cell | None = None, end: int = 0) -> Cell:
    """Write a list of one more action than `before`."""
    message = message_with(None)
    return Builder().uint(tag, 32).uint(mode, 8).ref(before or Builder().cell()).ref(message).uint(0, end).cell()


def actions(count: int) -> Cell:
    """Write a list of so many actions."""
    cell = Builder().cell()
    for _ in range(count):
        cell = action(before=cell)
    return cell


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (v5r1(action(), head=[0x73696E74, *V5R1[1:]]), "payload, bit 32: this is no payload of a v5r1 wallet for a message from outside"),
        (v5r1(action(), head=[V5R1[0], WALLET_ID, *V5R1[2:]]), "payload, bit 64: .* with the wallet id 2147483409"),
        (v5r1(action(), head=[V5R1[0], V5R1_TESTNET_WALLET_ID, *V5R1[2:]]), "wallet id 2147483409"),
        (v5r1(None), "payload, bit 129: there is no message to send"),
        (v5r1(Builder().cell()), "there is no message to send"),
        (v5r1(action(), extended=1), "payload, bit 130: only messages are signed"),
        (v5r1(action(), end=1), "1 bits and 0 references too many"),
        (v5r1(action(tag=0xAD4DE08E)), "action list, cell 1 from its end, bit 32: the action sends no message"),
        (v5r1(action(mode=1)), "send mode 1 lacks the flag 2"),
        (v5r1(action(mode=2 + 64)), "message 1, bit 0: send mode 66 has flags"),
        (v5r1(action(end=1)), "1 bits and 0 references too many"),
        (v5r1(actions(256)), "cell 256 from its end, bit 0: a wallet sends at most 255"),
        (v5r1(Builder().uint(0, 1).cell()), "one more reference expected"),
    ],
    ids=lambda each: each if isinstance(each, str) else None,
)
def test_what_v5r1_would_not_do_or_should_not_is_refused(raw: bytes, reason: str) -> None:
    """Other operations, wallets, actions and modes are refused, with the cell and the bit."""
    with pytest.raises(MalformedTransactionError, match=reason):
        TON.decode(raw, "v5r1")


def test_the_messages_of_v5r1_are_sent_in_their_order() -> None:
    """The list stands in the payload from its end; 255 messages are read from its beginning."""
    intent = TON.decode(vector("v5r1_many"), "v5r1").intent

    assert [transfer.amount for transfer in intent.transfers] == list(range(255))
    assert intent.details["messages"] == 255
    assert (intent.details["mode_50"], intent.details["more_messages"]) == (3, 205)


def test_more_warnings_than_people_read_are_counted() -> None:
    """Of 255 calls into the unknown, 100 are warned of one by one, and the rest by their number."""
    cell = Builder().cell()
    call = message_with(Builder().uint(0x12345678, 32).cell())
    for _ in range(255):
        cell = Builder().uint(0x0EC3C86D, 32).uint(3, 8).ref(cell).ref(call).cell()

    warnings = TON.decode(v5r1(cell), "v5r1").intent.warnings

    assert len(warnings) == 101
    assert warnings[-1] == "155 more warnings are not shown"


@pytest.mark.parametrize(
    ("name", "kind", "method", "transfers", "shown"),
    [
        (
            "nft_transfer",
            "token_transfer",
            "nft_transfer",
            (Transfer(SECOND["non_bounceable"], 1, THIRD["bounceable"]), Transfer(THIRD["bounceable"], 50_000_000)),
            {"query_id": 9, "response_destination": FIRST["non_bounceable"], "forward_ton_amount": 1},
        ),
        (
            "jetton_burn",
            "token_burn",
            "burn",
            (Transfer(THIRD["bounceable"], 50_000_000),),
            {"query_id": 10, "burned": "1234", "response_destination": FIRST["non_bounceable"]},
        ),
    ],
)
def test_what_happens_to_tokens_is_shown(name: str, kind: str, method: str, transfers: tuple[Transfer, ...], shown: dict[str, Any]) -> None:
    """Who gets an NFT, and how many jettons are burned, with where the rest of the value goes."""
    transaction = TON.decode(vector(name))

    assert (kind, method, transfers, THIRD["bounceable"]) == (
        transaction.intent.kind,
        transaction.intent.method,
        transaction.intent.transfers,
        transaction.intent.contract,
    )
    assert shown.items() <= transaction.intent.details.items()
    assert any("burns 1234" in warning for warning in transaction.intent.warnings) == (kind == "token_burn")
    assert "which is not this wallet" in transaction.intent_for(SECOND["bounceable"]).warnings[-1]


def test_a_burning_that_returns_to_nobody_says_no_more() -> None:
    """Without a destination for the rest there is none to show; a custom payload is warned of."""
    body = Builder().uint(0x595F07BC, 32).uint(0, 64).coins(5).uint(0b00, 2).uint(1, 1).ref(Builder().uint(9, 32).cell()).cell()

    intent = TON.decode(encode(payload(message_with(body)))).intent

    assert "response_destination" not in intent.details
    assert intent.details["custom_payload"] == "0x00000009"
    assert len(intent.warnings) == 2


# Requests


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_written_as_ton_ton_writes_it(name: str) -> None:
    """The payload made of a request is, cell by cell, the one that @ton/ton makes, and so are signature and id."""
    request, variant = json.dumps(TRANSACTIONS[name]["request"]), variant_of(name)

    transaction = TON.decode(TON.unwrap(request), variant)

    assert transaction.payload.hash == decode(vector(name)).root.hash
    assert transaction.intent == TON.decode(vector(name), variant).intent
    assert TRANSACTIONS[name]["signature"] == transaction.sign(our_key()).signature.hex()


def request(**changes: Any) -> str:
    """Write a request with a message; fields of the request begin with an underscore."""
    message = {"to": SECOND["non_bounceable"], "amount": "5"} | {name: value for name, value in changes.items() if not name.startswith("_")}
    whole = {"seqno": 1, "valid_until": 1_800_000_000, "messages": [message]} | {
        name[1:]: value for name, value in changes.items() if name.startswith("_")
    }
    return json.dumps({name: value for name, value in whole.items() if value != "absent"})


@pytest.mark.parametrize(
    ("changes", "recipient"),
    [
        ({"to": SECOND["bounceable"]}, SECOND["bounceable"]),
        ({"to": SECOND["raw"]}, SECOND["bounceable"]),
        ({"to": SECOND["non_bounceable"]}, SECOND["non_bounceable"]),
        ({"to": SECOND["non_bounceable"], "bounce": True}, SECOND["bounceable"]),
        ({"to": SECOND["bounceable"], "bounce": False}, SECOND["non_bounceable"]),
    ],
)
def test_a_message_bounces_as_its_address_says(changes: dict[str, Any], recipient: str) -> None:
    """Unless the request says otherwise."""
    assert TON.decode(TON.unwrap(request(**changes))).intent.transfers == (Transfer(recipient, 5),)


@pytest.mark.parametrize("form", ["testnet_bounceable", "testnet_non_bounceable"])
def test_an_address_for_the_test_network_is_taken_there_alone(form: str) -> None:
    """A wallet of the main network refuses it (TEP-2)."""
    text = request(to=SECOND[form])

    with pytest.raises(MalformedTransactionError, match=r"request.messages\[0\].to: the address is written for the test network"):
        TON.decode(TON.unwrap(text), "v5r1")
    intent = TON.decode(TON.unwrap(text), "v5r1_testnet").intent
    assert intent.transfers[0].recipient == SECOND["non_bounceable" if "non" in form else "bounceable"]


def test_a_mode_and_the_largest_amount_are_taken() -> None:
    """As they are given."""
    intent = TON.decode(TON.unwrap(request(mode=128 + 32, amount=MAX_COINS))).intent

    assert (intent.details["mode"], intent.transfers[0].amount) == (160, MAX_COINS)


@pytest.mark.parametrize("length", [1, 122, 123, 124, 250, 251, 40_000])
def test_a_comment_of_any_length_is_read_back(length: int) -> None:
    """At the borders of cells too."""
    assert TON.decode(TON.unwrap(request(comment="c" * length))).intent.details["comment"] == "c" * length


LIBRARY = encode(Cell(b"\2" + bytes(32), 264, (), exotic=True)).hex()
DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "request: it is no JSON as expected here"),
        ('{"a": 1, "a": 1}', "a field is there twice"),
        ('{"seqno": 1.0}', "a number has a fraction"),
        ('{"seqno": NaN}', "a number has a fraction"),
        ('{"a": ' + DEEP + "}", "more than 600 objects and lists"),
        ('{"a": ' + "9" * 5_000 + "}", "request: it is no JSON as expected here"),
        ("{" + " " * MAX_REQUEST_BYTES + "}", "it has more than 131072 bytes"),
        ("{}", "request.messages: a v4r2 wallet sends 1 to 4 messages"),
        (request(_messages=[]), "request.messages: a v4r2 wallet sends 1 to 4 messages"),
        (request(_messages=[{}] * 5), "request.messages: a v4r2 wallet sends 1 to 4 messages"),
        (request(_messages={}), "request.messages: a v4r2"),
        (request(_messages=[[]]), r"request.messages\[0\]: an object is expected"),
        (request(_seqno="absent"), "request.seqno: an integer from 0 to 4294967295 is expected"),
        (request(_seqno=True), "request.seqno"),
        (request(_seqno=-1), "request.seqno"),
        (request(_valid_until=1 << 32), "request.valid_until"),
        (request(_version="v5r1"), "request: unknown fields; known are messages, seqno, valid_until"),
        (request(to_=1), r"request.messages\[0\]: unknown fields"),
        (request(to=None), r"request.messages\[0\].to: the text is no TON address"),
        (request(to=SECOND["bounceable"][:-1] + "A"), r"request.messages\[0\].to"),
        (request(bounce="yes"), "bounce: it is true or false"),
        (request(amount=None), "amount: nanotons are expected"),
        (request(amount="05"), "amount: nanotons are expected"),
        (request(amount="-5"), "amount: nanotons are expected"),
        (request(amount="\u0665"), "amount: nanotons are expected"),
        (request(amount="9" * 38), "amount: nanotons are expected"),
        (request(amount=MAX_COINS + 1), "amount: nanotons are expected"),
        (request(amount=True), "amount: nanotons are expected"),
        (request(mode=256), "mode: an integer from 0 to 255 is expected"),
        (request(mode=64), "message 1, bit 0: send mode 64 has flags"),
        (request(comment=""), "comment: a text is expected"),
        (request(comment=5), "comment: a text is expected"),
        (request(comment="\ud800"), "comment: a text is expected"),
        (request(comment="a", payload=LIBRARY), r"messages\[0\]: a message has a comment or a payload"),
        (request(comment="a" * 100_000), "more than a node takes|deeper than"),
        (request(payload=5), "payload: a bag of cells is expected, in hex or base64"),
        (request(payload="zz"), "payload: a bag of cells is expected"),
        (request(payload="te6cc!"), "payload: a bag of cells is expected"),
        (request(payload="b5ee9c72"), "payload: a bag of cells is expected, in hex or base64 .*bag of cells, byte"),
        (request(payload=LIBRARY), "only a reference to a library"),
        (request(state_init=LIBRARY), "state init, bit 0: this cell is only a reference"),
        (request(state_init=encode(Builder().uint(0b00000, 5).cell()).hex()), "the state init is not the destination's"),
    ],
    ids=lambda each: each[:60] if isinstance(each, str) else None,
)
def test_a_request_that_is_not_as_described_is_refused(text: str, reason: str) -> None:
    """The refusal names the field, and what it should be; what is wrong with the payload made of it is said as of any payload."""
    with pytest.raises(MalformedTransactionError, match=reason):
        TON.decode(TON.unwrap(text))


def test_v5r1_takes_no_mode_without_the_flag_that_it_needs() -> None:
    """What the contract would refuse is refused, whoever wrote the payload."""
    with pytest.raises(MalformedTransactionError, match="send mode 1 lacks the flag 2"):
        TON.decode(TON.unwrap(request(mode=1)), "v5r1")


# Texts


def test_a_payload_may_come_in_base64() -> None:
    """As TON's own tools write it; anything else than base64 behind its beginning is refused."""
    raw = vector("transfer")
    assert TON.unwrap(b64encode(raw).decode()) == raw
    with pytest.raises(MalformedTransactionError, match="not base64"):
        TON.unwrap("te6cc_")


@pytest.mark.parametrize("refs", range(5))
@pytest.mark.parametrize("comment", ["", "c" * 120], ids=["no body", "a body"])
def test_a_state_init_that_leaves_no_room_is_refused_as_any_other(refs: int, comment: str) -> None:
    """However large it is: it is written as a reference, or the reason why it is no state init is told."""
    for bits in range(600, 660):
        state = Builder().uint(0, bits)
        for number in range(refs):
            state.ref(Builder().uint(number, 8).cell())
        cell = state.cell()
        text = request(to="0:" + cell.hash.hex(), state_init=encode(cell).hex(), **({"comment": comment} if comment else {}))

        with pytest.raises(MalformedTransactionError, match="state init"):
            TON.decode(TON.unwrap(text))


@pytest.mark.parametrize("text", ["te6ccR==", "te6ccQ=", "te6ccQ ==", "te6ccQ==="])
def test_base64_is_written_in_one_way(text: str) -> None:
    """What decodes to the same bytes, with other bits behind the last one or other padding, is refused."""
    with pytest.raises(MalformedTransactionError, match="not base64"):
        TON.unwrap(text)
    assert TON.unwrap("te6ccQ==") == b"\xb5\xee\x9c\x71"
