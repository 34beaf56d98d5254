"""TON: what @ton/ton and tonweb build is read and signed as they would; anything else is refused; pytoniq-core verifies what we sign."""

import json
from base64 import b64decode, urlsafe_b64encode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.signing import VerifyKey
from pytoniq_core.boc import address, builder, cell
from pytoniq_core.crypto.crc import crc16
from pytoniq_core.tlb import transaction as tlb
from pytoniq_core.tlb.account import StateInit
from pytoniq_core.tlb.block import CurrencyCollection
from pytoniq_core.tlb.custom import wallet

from wallets.chains.ton import MAX_UNSIGNED_DEPTH, Ton
from wallets.chains.ton.address import Address
from wallets.chains.ton.boc import Builder, Cell, decode, encode
from wallets.chains.ton.wallet import V4R2_CODE_HASH, V4R2_WALLET_ID, WalletV4R2
from wallets.curves import Curve, private_key
from wallets.derivation import DerivationPath, DerivationScheme, derive
from wallets.errors import InvalidRequestError, MalformedTransactionError
from wallets.mnemonic import parse, to_seed
from wallets.model import Transfer
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


# Addresses


@pytest.mark.parametrize("account", VECTORS["accounts"], ids=lambda each: f"{each['scheme']}-{each['index']}")
def test_addresses_are_those_that_wallets_find(account: dict[str, Any]) -> None:
    """The phrase gives the keys and addresses that ed25519-hd-key, @scure/bip32 and @ton/ton make of it: stored money depends on it."""
    scheme = DerivationScheme(account["scheme"])
    path = DerivationPath.parse(TON.paths[scheme].format(index=account["index"]))

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
    state = WalletV4R2().state_init(bytes(32))

    assert state.refs[0].hash == V4R2_CODE_HASH


@given(st.binary(min_size=32, max_size=32))
@settings(max_examples=60)
def test_the_initial_state_is_that_of_pytoniq(public_key: bytes) -> None:
    """For any key, the initial state is the one pytoniq-core makes of the same code."""
    state = WalletV4R2().state_init(public_key)
    code = ReferenceCell.one_from_boc(encode(state.refs[0]))

    expected = StateInit(code=code, data=WalletV4Data(public_key=public_key).serialize()).serialize()

    assert expected.hash == state.hash


# Signing


@pytest.mark.parametrize("field", ["unsigned_tx", "unsigned_tx_without_crc"])
@pytest.mark.parametrize("name", TRANSACTIONS)
def test_payloads_are_signed_as_by_ton_ton(name: str, field: str) -> None:
    """Signature, external message and normalised hash are those of @ton/ton and @ton/core."""
    transaction = TON.decode(bytes.fromhex(TRANSACTIONS[name][field]))

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


def normalized(message: Any) -> Any:
    """Make TEP-467's form of an external message with pytoniq-core: no state, and the body as a reference."""
    return ReferenceBuilder().store_cell(message.info.serialize()).store_bit(0).store_bit(1).store_ref(message.body).end_cell()


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
            {"seqno": 7, "messages": 1, "mode": 3, "query_id": 78, "forward_ton_amount": 0, "comment": "inline"},
        ),
    ],
)
def test_the_details_tell_the_rest(name: str, details: dict[str, str | int]) -> None:
    """Sequence number, modes, comments and the fields of a jetton transfer are in the details."""
    assert details == TON.decode(vector(name)).intent.details


@pytest.mark.parametrize(
    ("name", "warnings"),
    [
        ("transfer", []),
        ("jetton_transfer_without_payload", []),
        ("whole_balance", ["carries the wallet's whole balance", "destroys the wallet's contract"]),
        ("deploy", ["deploys a contract at UQ"]),
        ("call", [f"calls {THIRD['bounceable']} in a way that is not known here"]),
    ],
)
def test_the_intent_warns_of_what_is_easily_missed(name: str, warnings: list[str]) -> None:
    """What sends more than it states, deploys, or calls a contract in an unknown way is a warning."""
    intent = TON.decode(vector(name)).intent

    assert len(warnings) == len(intent.warnings)
    assert all(expected in warning for expected, warning in zip(warnings, intent.warnings, strict=True))


def test_a_call_names_its_contract_and_operation() -> None:
    """An operation that is not known here is shown by its number."""
    intent = TON.decode(vector("call")).intent

    assert (intent.contract, intent.method) == (THIRD["bounceable"], "0x5fcc3d14")


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


# Crafted payloads


def payload(message: Cell, mode: int = 3) -> Cell:
    """Make a payload of one message."""
    return Builder().uint(V4R2_WALLET_ID, 32).uint(1, 32).uint(1, 32).uint(0, 8).uint(mode, 8).ref(message).cell()


def message_with(body: Cell | None, *, state: Cell | None = None, destination: bytes = bytes(32)) -> Cell:
    """Make a message of one nanoton, with a body and an initial state as references, or none of them."""
    builder = Builder().uint(0b011000, 6).uint(0b100, 3).uint(0, 8).octets(destination).uint(1, 4).uint(1, 8).uint(0, 1 + 4 + 4 + 64 + 32)
    builder = builder.uint(0b11, 2).ref(state) if state else builder.uint(0, 1)
    return builder.uint(1, 1).ref(body).cell() if body else builder.uint(0, 1).cell()


def library() -> Cell:
    """Make a library reference."""
    return Cell(b"\2" + bytes(32), 264, (), exotic=True)


def test_a_state_may_be_special_and_refer_to_libraries() -> None:
    """A state with tick-tock flags, whose code is a library reference as token contracts' often is, is taken."""
    state = Builder().uint(0b0111110, 7).ref(library()).ref(Builder().cell()).cell()

    intent = TON.decode(encode(payload(message_with(None, state=state, destination=state.hash)))).intent

    assert intent.kind == "contract_creation"


@pytest.mark.parametrize("body", [library(), Builder().uint(0, 32).ref(library()).cell()])
def test_a_library_is_no_text(body: Cell) -> None:
    """A body that is a library reference is refused; a comment that goes on in one is no comment."""
    raw = encode(payload(message_with(body)))

    if body.exotic:
        with pytest.raises(MalformedTransactionError, match="only a reference to a library"):
            TON.decode(raw)
    else:
        assert TON.decode(raw).intent.kind == "contract_call"


@pytest.mark.parametrize(
    ("forward", "comment"),
    [
        (Builder(), None),
        (Builder().uint(7, 32), None),
        (Builder().uint(0, 32).uint(0xFF, 8), None),
        (Builder().uint(0, 32).octets(b"a\0\xe2\x80\xae"), "a\ufffd\ufffd"),
    ],
)
def test_the_comment_of_a_jetton_transfer_is_shown_when_it_is_one(forward: Builder, comment: str | None) -> None:
    """Whatever is forwarded is allowed; it is shown where it is text, with what is not legible replaced."""
    transfer = Builder().uint(0x0F8A7EA5, 32).uint(0, 64).uint(0, 4).uint(0b100, 3).uint(0, 8 + 256).uint(0, 2 + 1 + 4)

    intent = TON.decode(encode(payload(message_with(transfer.uint(1, 1).ref(forward.cell()).cell())))).intent

    assert intent.kind == "token_transfer"
    assert comment == intent.details.get("comment")


@pytest.mark.parametrize("case", VECTORS["refused"], ids=lambda each: each["name"])
def test_what_the_wallet_contract_or_the_network_would_not_take_is_refused(case: dict[str, str]) -> None:
    """Every field that is not as a wallet's message has it is refused, with the reason."""
    with pytest.raises(MalformedTransactionError, match=case["reason"]):
        TON.decode(bytes.fromhex(case["unsigned_tx"]))


def test_a_payload_is_bounded() -> None:
    """What would be too large or too deep for a node once it is signed is refused; the deepest allowed is signed."""
    body = Builder().cell()
    for _ in range(MAX_UNSIGNED_DEPTH - 2):
        body = Builder().ref(body).cell()
    deepest = payload(message_with(body))

    assert decode(TON.decode(encode(deepest)).sign(our_key()).raw).root.depth == 512
    with pytest.raises(MalformedTransactionError, match="512 cells deep"):
        TON.decode(encode(payload(message_with(Builder().ref(body).cell()))))
    with pytest.raises(MalformedTransactionError, match="60001 bytes"):
        TON.decode(bytes(60_001))


def test_the_largest_payload_is_signed_within_what_a_node_takes() -> None:
    """A payload just below the bound, with as many cells as fit, makes a first message that the bag's reader still takes."""
    cells = [Builder().uint(number, 1016).cell() for number in range(300)]
    row = Builder().cell()
    for start in range(0, 300, 3):
        row = Builder().ref(row).ref(cells[start]).ref(cells[start + 1]).ref(cells[start + 2]).cell()
    largest = Builder().uint(V4R2_WALLET_ID, 32).uint(1, 32).uint(0, 32).uint(0, 8).uint(3, 8).ref(message_with(row)).cell()
    raw = encode(largest)

    signed = TON.decode(raw).sign(our_key())

    assert 39_000 < len(raw) < 60_000
    assert len(decode(signed.raw).cells) > len(decode(raw).cells)


# Differential and property tests

ADDRESSES = st.tuples(st.sampled_from([0, -1]), st.binary(min_size=32, max_size=32)).map(ReferenceAddress)


@st.composite
def messages(draw: st.DrawFn) -> Any:
    """Build a wallet's message with pytoniq-core: any destination and amount, with a comment, an unknown body or none."""
    amount = draw(st.integers(0, 2**120 - 1))
    info = InternalMsgInfo(
        ihr_disabled=draw(st.booleans()),
        bounce=draw(st.booleans()),
        bounced=False,
        src=None,
        dest=draw(ADDRESSES),
        value=CurrencyCollection(grams=amount),
        ihr_fee=0,
        fwd_fee=0,
        created_lt=0,
        created_at=0,
    )
    text: str = draw(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=300))
    body = ReferenceBuilder().store_uint(0, 32).store_snake_string(text).end_cell() if text else ReferenceCell.empty()
    mode: int = draw(st.sampled_from([0, 1, 2, 3, 128, 130, 160]))
    return amount, text, info, WalletMessage(mode, MessageAny(info=info, init=None, body=body))


@given(st.lists(messages(), min_size=1, max_size=4), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.booleans())
@settings(max_examples=60)
def test_any_payload_of_pytoniq_is_signed_so_that_pytoniq_and_nacl_agree(
    built: list[Any], valid_until: int, seqno: int, has_crc: bool
) -> None:
    """pytoniq-core reads our message back to the payload it built, and PyNaCl verifies the signature over its hash."""
    builder = ReferenceBuilder().store_uint(V4R2_WALLET_ID, 32).store_uint(valid_until, 32).store_uint(seqno, 32).store_uint(0, 8)
    for *_, message in built:
        builder.store_cell(message.serialize())
    unsigned = builder.end_cell()
    key = our_key()

    transaction = TON.decode(unsigned.to_boc(hash_crc32=has_crc))
    signed = transaction.sign(key)

    theirs = MessageAny.deserialize(ReferenceCell.one_from_boc(signed.raw).begin_parse())
    body = theirs.body.begin_parse()
    VerifyKey(key.public_key).verify(unsigned.hash, body.load_bytes(64))
    assert unsigned == body.to_cell()
    assert normalized(theirs).hash.hex() == signed.tx_id
    assert [amount for amount, *_ in built] == [transfer.amount for transfer in transaction.intent.transfers]
    assert [info.dest.to_str(is_bounceable=info.bounce) for _, _, info, _ in built] == [
        transfer.recipient for transfer in transaction.intent.transfers
    ]
    comments = [f"comment_{number}" if len(built) > 1 else "comment" for number in range(1, len(built) + 1)]
    assert {name: text for name, (_, text, *_) in zip(comments, built, strict=True) if text} == {
        name: value for name, value in transaction.intent.details.items() if name.startswith("comment")
    }


@given(st.sampled_from(sorted(TRANSACTIONS)), st.data())
def test_mutated_payloads_are_refused_or_signed_for_what_they_are(name: str, data: st.DataObject) -> None:
    """Bits changed in any cell leave a payload of the same encoding, or our refusal, and nothing else."""
    raw = bytearray.fromhex(TRANSACTIONS[name]["unsigned_tx_without_crc"])
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))

    try:
        transaction = TON.decode(bytes(raw))
    except MalformedTransactionError:
        return
    assert transaction.payload.hash == ReferenceCell.one_from_boc(bytes(raw)).hash


@given(st.sampled_from(sorted(TRANSACTIONS)), st.data())
def test_truncated_and_lengthened_payloads_are_refused(name: str, data: st.DataObject) -> None:
    """Every proper prefix, and anything behind the end, is refused."""
    raw = vector(name)
    cut = raw[: data.draw(st.integers(0, len(raw) - 1))]
    longer = raw + data.draw(st.binary(min_size=1, max_size=4))

    for wrong in (cut, longer):
        with pytest.raises(MalformedTransactionError):
            TON.decode(wrong)


def test_the_message_is_external_and_names_no_source() -> None:
    """The message is external, without source and import fee."""
    signed = TON.decode(vector("transfer")).sign(our_key())

    message = MessageAny.deserialize(ReferenceCell.one_from_boc(signed.raw).begin_parse())

    assert message.is_external
    assert (message.info.src, message.info.import_fee) == (None, 0)
