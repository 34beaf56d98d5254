"""TON: payloads are read to the last bit of every cell; pytoniq-core and PyNaCl agree with what we make of any of them."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st
from pytoniq_core.tlb.block import CurrencyCollection

from tests.strategies import U32, differential_examples
from tests.wallets.ton_messages import (
    TON,
    VECTORS,
    InternalMsgInfo,
    MessageAny,
    ReferenceAddress,
    ReferenceBuilder,
    ReferenceCell,
    WalletMessage,
    library,
    message_with,
    normalized,
    our_key,
    payload,
    split_body,
    vector,
)
from wallets.chains.ton import MAX_UNSIGNED_DEPTH
from wallets.chains.ton.address import Address
from wallets.chains.ton.boc import Builder, Cell, decode, encode
from wallets.chains.ton.wallet import V5R1_WALLET_ID, WALLET_ID
from wallets.errors import MalformedTransactionError
from wallets.model import Intent


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


STRANGER = Address(0, b"\x35" * 32)


def jetton_intent(*, custom: Cell | None = None, forward: Cell) -> Intent:
    """Return the intent of a jetton transfer of nothing to a stranger, with these payloads."""
    body = Builder().uint(0x0F8A7EA5, 32).uint(0, 64).uint(0, 4).uint(0b100, 3).uint(0, 8).octets(STRANGER.account).uint(0, 2)
    body = body.uint(1, 1).ref(custom) if custom else body.uint(0, 1)
    return TON.decode(encode(payload(message_with(body.uint(0, 4).uint(1, 1).ref(forward).cell())))).intent


@pytest.mark.parametrize(
    ("forward", "shown", "warning"),
    [
        (Builder(), {}, None),
        (Builder().uint(0, 32).octets(b"a\0\xe2\x80\xae"), {"comment": "a\ufffd\ufffd"}, None),
        (Builder().uint(0x12345678, 32), {"forward_payload": "0x12345678"}, "with operation 0x12345678, which is not known here"),
        (Builder().uint(0, 32).uint(0xFF, 8), {"forward_payload": "0x00000000"}, "with operation 0x00000000, which is not known here"),
        (Builder().uint(0, 31), {"forward_payload": "no operation code"}, "without an operation code"),
        (Builder().ref(library()), {"forward_payload": "no operation code"}, "without an operation code"),
    ],
)
def test_what_a_jetton_transfer_forwards_is_shown(forward: Builder, shown: dict[str, str], warning: str | None) -> None:
    """A comment is shown as text, with what is not legible replaced; of any other payload the operation is shown and warned of."""
    intent = jetton_intent(forward=forward.cell())

    assert intent.kind == "token_transfer"
    own = {name: value for name, value in intent.details.items() if name not in {"wallet", "payload_hash"}}
    assert own == {"seqno": 1, "messages": 1, "mode": 3, "query_id": 0, "forward_ton_amount": 0, **shown}
    assert intent.warnings == ((f"message 1 has a payload for {STRANGER.non_bounceable} {warning}",) if warning else ())


@pytest.mark.parametrize(
    ("custom", "shown", "warning"),
    [
        (Builder().cell(), "no operation code", "without an operation code"),
        (Builder().uint(0x0DF602D6, 32).cell(), "0x0df602d6", "with operation 0x0df602d6, which is not known here"),
        (library(), "no operation code", "without an operation code"),
    ],
)
def test_a_custom_payload_is_warned_of(custom: Cell, shown: str, warning: str) -> None:
    """What a custom payload tells the token's wallet contract is the contract's own affair: its operation is shown and warned of."""
    intent = jetton_intent(custom=custom, forward=Builder().cell())

    assert intent.details["custom_payload"] == shown
    assert intent.warnings == (f"message 1 has a custom payload for {STRANGER.bounceable} {warning}",)


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
    largest = Builder().uint(WALLET_ID, 32).uint(1, 32).uint(0, 32).uint(0, 8).uint(3, 8).ref(message_with(row)).cell()
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


def pytoniq_payload(variant: str, built: list[Any], valid_until: int, seqno: int) -> Any:
    """Write the payload of a wallet of this version with pytoniq-core."""
    if variant != "v5r1":
        builder = ReferenceBuilder().store_uint(WALLET_ID, 32).store_uint(valid_until, 32).store_uint(seqno, 32)
        if not variant:
            builder.store_uint(0, 8)
        for *_, message in built:
            builder.store_cell(message.serialize())
        return builder.end_cell()
    actions = ReferenceCell.empty()
    for *_, message in built:
        action = ReferenceBuilder().store_uint(0x0EC3C86D, 32).store_uint(message.send_mode | 2, 8)
        actions = action.store_ref(actions).store_ref(message.message.serialize()).end_cell()
    builder = ReferenceBuilder().store_uint(0x7369676E, 32).store_uint(V5R1_WALLET_ID, 32).store_uint(valid_until, 32).store_uint(seqno, 32)
    return builder.store_bit(1).store_ref(actions).store_bit(0).end_cell()


@pytest.mark.parametrize("variant", ["", "v3r2", "v5r1"])
@given(
    built=st.lists(messages(), min_size=1, max_size=4), valid_until=st.integers(0, U32), seqno=st.integers(0, U32), has_crc=st.booleans()
)
@settings(max_examples=differential_examples(40))
def test_any_payload_of_pytoniq_is_signed_so_that_pytoniq_and_openssl_agree(
    variant: str, built: list[Any], valid_until: int, seqno: int, has_crc: bool
) -> None:
    """pytoniq-core reads our message back to the payload it built, and OpenSSL verifies the signature over its hash."""
    unsigned = pytoniq_payload(variant, built, valid_until, seqno)
    key = our_key()

    transaction = TON.decode(unsigned.to_boc(hash_crc32=has_crc), variant)
    signed = transaction.sign(key)

    theirs = MessageAny.deserialize(ReferenceCell.one_from_boc(signed.raw).begin_parse())
    body = theirs.body.begin_parse()
    signature, rest = split_body(body, variant)
    Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature, unsigned.hash)
    assert unsigned == rest
    assert normalized(theirs).hash.hex() == signed.tx_id
    assert [amount for amount, *_ in built] == [transfer.amount for transfer in transaction.intent.transfers]
    assert [info.dest.to_str(is_bounceable=info.bounce) for _, _, info, _ in built] == [
        transfer.recipient for transfer in transaction.intent.transfers
    ]
    comments = [f"comment_{number}" if len(built) > 1 else "comment" for number in range(1, len(built) + 1)]
    assert {name: text for name, (_, text, *_) in zip(comments, built, strict=True) if text} == {
        name: value for name, value in transaction.intent.details.items() if name.startswith("comment")
    }


def test_the_message_is_external_and_names_no_source() -> None:
    """The message is external, without source and import fee."""
    signed = TON.decode(vector("transfer")).sign(our_key())

    message = MessageAny.deserialize(ReferenceCell.one_from_boc(signed.raw).begin_parse())

    assert message.is_external
    assert (message.info.src, message.info.import_fee) == (None, 0)


@pytest.mark.parametrize("workchain", [0, -1])
def test_value_for_the_zero_address_is_warned_of(workchain: int) -> None:
    """Nobody has the key of a contract whose state hashes to zero: what is sent there is lost."""
    nobody = Builder().uint(0b011000, 6).uint(0b100, 3).uint(workchain & 0xFF, 8).octets(bytes(32)).uint(1, 4).uint(1, 8)

    intent = TON.decode(encode(payload(nobody.uint(0, 1 + 4 + 4 + 64 + 32 + 2).cell()))).intent

    assert intent.warnings == ("the recipient is the zero address: what is sent there is lost",)
