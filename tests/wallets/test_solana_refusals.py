"""Solana: one encoding is accepted, that of the runtime and of solders; anything else is refused as malformed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from tests.strategies import differential_examples
from tests.wallets.solana_messages import (
    SOL,
    SYSTEM,
    VECTORS,
    call,
    compact,
    key_of,
    listed,
    lookup,
    message,
    our_key,
    v0,
)
from wallets.chains.solana import programs, token_2022, token_programs
from wallets.chains.solana.message import Reader
from wallets.errors import MalformedTransactionError


def test_the_crafted_message_is_taken_when_nothing_is_wrong_with_it() -> None:
    """The base of the following cases decodes, in both versions, so that each is refused for what it changes."""
    assert SOL.decode(message()).message.version == "legacy"
    assert len(SOL.decode(message(instructions=[bytes([1, 0, 0])] * 64)).message.instructions) == 64
    assert SOL.decode(v0([lookup(50, b"\0\1", b"\2")], indexes=bytes([0, 4]))).message.version == "0"


MALFORMED: list[tuple[bytes, str]] = [
    (b"", "more bytes expected"),
    (message(end=b"\0"), "1 bytes too many"),
    (message()[:-1], "does not fit"),
    (message(prefix=b"\x81"), "version 1 is not supported"),
    (message(prefix=b"\xff"), "version 127 is not supported"),
    (message(header=(0, 0, 1)), "no signature is required"),
    (message(header=(1, 1, 1)), "every signer is read-only"),
    (message(header=(1, 0, 2)), "more keys than there are"),
    (message(header=(3, 0, 0)), "more keys than there are"),
    (message(keys=[bytes(32), bytes(32)]), "there twice"),
    (message(keys=[]), "more keys than there are"),
    (message(instructions=[bytes([0, 0, 0])]), "calls the fee payer"),
    (message(instructions=[bytes([2, 0, 0])]), "not among the message's own keys"),
    (message(instructions=[bytes([1, 1, 2, 0])]), "names an account that does not exist"),
    (message(instructions=[bytes([1, 0, 200, 1])]), "a list of 200 does not fit"),
    (message(instructions=[bytes([1, 0, 0])] * 65), "65 instructions are more than 64"),
    (bytes(1233), "would have 1233 bytes or more; a node takes 1232"),
    (bytes([1, 0, 1, 0x82, 0]) + message()[4:], "more bytes than it needs"),
    (bytes([1, 0, 1, 0x82, 0x80, 0]) + message()[4:], "more bytes than it needs"),
    (bytes([1, 0, 1, 0x82, 0x80, 0x80, 0]) + message()[4:], "more than three bytes"),
    (bytes([1, 0, 1, 0xFF, 0xFF, 0x04]) + message()[4:], "above 65535"),
    (bytes([1, 0, 1, 0xFF, 0xFF, 0x03]) + message()[4:], "a list of 65535 does not fit"),
    (v0([lookup(50, b"", b"")]), "takes nothing"),
    (v0([lookup(50, b"\1", b"\1")]), "takes an entry twice"),
    (v0([lookup(50, b"\1", b""), lookup(50, b"\2", b"")]), "table is there twice"),
    (v0([lookup(50, b"\1", b"")], indexes=b"\3"), "names an account that does not exist"),
    (v0([lookup(50, bytes(range(127)), b"")]), "129 accounts are more than 128"),
    (message(prefix=b"\x80", instructions=[bytes([2, 0, 0])], lookups=listed([lookup(50, b"\1", b"")])), "message's own keys"),
    (message(prefix=b"\x80"), "more bytes expected"),
    (message(instructions=[bytes([1, 0]) + compact(1100) + bytes(1100)]), "a node takes 1232"),
    (b"\x02" + bytes(128) + message(), "2 signature slots, but 1 signatures are required"),
    (b"\x02" + bytes(64) + message(), "neither a transaction"),
    (b"\x00" + message(), "neither a transaction"),
    (b"\x81\x00" + bytes(64) + message(), "more bytes than it needs"),
]


@pytest.mark.parametrize(("raw", "reason"), MALFORMED)
def test_what_the_runtime_would_refuse_is_refused(raw: bytes, reason: str) -> None:
    """Truncated, trailing, non-canonical and inconsistent messages are refused, with the reason."""
    with pytest.raises(MalformedTransactionError, match=reason):
        SOL.decode(raw)


def test_bytes_with_two_meanings_are_refused() -> None:
    """What is both a transaction and a message is refused rather than guessed at; making it took a million signatures."""
    with pytest.raises(MalformedTransactionError, match="both as a transaction and as a message"):
        SOL.decode(bytes.fromhex(VECTORS["ambiguous"]))


@pytest.mark.parametrize(
    ("program", "data", "accounts", "reason"),
    [
        (SYSTEM, bytes([2, 0, 0, 0]) + bytes(9), 4, "1 bytes too many"),
        (SYSTEM, bytes([2, 0, 0, 0]) + bytes(7), 4, "8 more bytes expected"),
        (SYSTEM, bytes([2, 0, 0, 0]) + bytes(8), 1, "2 accounts expected, 1 are there"),
        (SYSTEM, bytes([3, 0, 0, 0]) + bytes(32) + b"\xff" * 8, 4, "more bytes expected"),
        (token_programs.TOKEN, bytes([3]) + bytes(9), 4, "1 bytes too many"),
        (token_programs.TOKEN, bytes([6, 2, 1]) + bytes(31), 4, "32 more bytes expected"),
        (token_programs.TOKEN, bytes([6, 2, 2]) + bytes(32), 4, r"what may be absent is there \(1\) or not \(0\)"),
        (token_programs.TOKEN, bytes([6, 2, 0]) + bytes(32), 4, "32 bytes too many"),
        (token_2022.TOKEN_2022, bytes([26, 1]) + bytes(18), 4, "1 bytes too many"),
        (token_2022.TOKEN_2022, bytes([28, 0, 3]), 4, "there is no such state"),
        (token_2022.TOKEN_2022, bytes([29, 0]), 4, "2 more bytes expected"),
        (token_programs.ASSOCIATED_TOKEN, bytes([1, 0]), 4, "1 bytes too many"),
        (token_programs.ASSOCIATED_TOKEN, bytes([2]), 4, "6 accounts expected"),
        (programs.COMPUTE_BUDGET, bytes([2]) + bytes(5), 4, "1 bytes too many"),
        (programs.MEMO, b"\xff", 4, "not UTF-8"),
    ],
)
def test_a_known_instruction_out_of_its_layout_is_refused(program: str, data: bytes, accounts: int, reason: str) -> None:
    """Programs ignore bytes behind an instruction; we refuse them, so that what is shown is all there is."""
    with pytest.raises(MalformedTransactionError, match=reason):
        SOL.decode(call(program, data, accounts=accounts))


@pytest.mark.parametrize(
    ("program", "data"),
    [
        (SYSTEM, b""),
        (SYSTEM, b"\xff\0\0\0"),
        (token_programs.TOKEN, b""),
        (token_programs.TOKEN, b"\xfe"),
        (token_2022.TOKEN_2022, b""),
        (token_2022.TOKEN_2022, b"\x1a"),
        (token_2022.TOKEN_2022, b"\x1a\xff"),
        (token_programs.ASSOCIATED_TOKEN, b"\3"),
        (token_2022.TOKEN_2022, b"\x1b"),
        (programs.COMPUTE_BUDGET, b"\0"),
    ],
)
def test_an_instruction_that_is_not_known_is_a_contract_call_with_a_warning(program: str, data: bytes) -> None:
    """What a known program is told in a way not known here may do anything, and the intent says so."""
    intent = SOL.decode(call(program, data)).intent

    assert ("contract_call", program) == (intent.kind, intent.contract)
    assert "not known here" in intent.warnings[0]


def test_a_compute_budget_set_twice_is_refused() -> None:
    """The runtime refuses it as well, and which of two prices would count is nobody's guess."""
    keys = [our_key().public_key, bytes(Pubkey.from_string(programs.COMPUTE_BUDGET))]
    price = bytes([1, 0, 9, 3]) + bytes(8)

    with pytest.raises(MalformedTransactionError, match="compute_unit_price is set twice"):
        SOL.decode(message(keys=keys, instructions=[price, price]))


def test_signatures_that_programs_verify_cost_as_well() -> None:
    """Each signature in the data of a precompiled program adds the base fee."""
    program = "Ed25519SigVerify111111111111111111111111111"

    assert SOL.decode(call(program, bytes([3, 0]))).intent.max_fee == 5_000 * (1 + 3)
    assert SOL.decode(call(program, b"")).intent.max_fee == 5_000


def test_a_transaction_that_does_nothing_says_so() -> None:
    """Without instructions there is a fee and no effect."""
    intent = SOL.decode(message(instructions=[])).intent

    assert (intent.method, intent.transfers) == (None, ())
    assert "does nothing" in intent.warnings[0]


def test_several_memos_are_all_shown_and_legible() -> None:
    """Memos are joined, and characters that databases or terminals stumble over are replaced."""
    keys = [our_key().public_key, bytes(Pubkey.from_string(programs.MEMO)), bytes(Pubkey.from_string(programs.MEMO_V1))]

    intent = SOL.decode(message(header=(1, 0, 2), keys=keys, instructions=[bytes([1, 0, 2]) + b"a\0", bytes([2, 0, 1]) + b"b"])).intent

    assert intent.kind == "memo"
    assert intent.details["memo"] == "a\ufffd\nb"


# Differential and property tests

KEYPAIRS = [Keypair.from_seed(bytes([number]) * 32) for number in range(1, 5)]
KEYS = [Pubkey.from_bytes(bytes([100 + number]) * 32) for number in range(12)]
PROGRAMS = [Pubkey.from_bytes(bytes([200 + number]) * 32) for number in range(3)]
TABLES = [
    AddressLookupTableAccount(key=Pubkey.from_bytes(bytes([220]) * 32), addresses=KEYS[:4]),
    AddressLookupTableAccount(key=Pubkey.from_bytes(bytes([221]) * 32), addresses=KEYS[4:8]),
]

metas = st.builds(
    AccountMeta,
    pubkey=st.sampled_from([*KEYS, *(pair.pubkey() for pair in KEYPAIRS)]),
    is_signer=st.just(False),
    is_writable=st.booleans(),
)
signer_metas = st.builds(
    AccountMeta,
    pubkey=st.sampled_from([pair.pubkey() for pair in KEYPAIRS]),
    is_signer=st.just(True),
    is_writable=st.booleans(),
)
instructions_ = st.builds(
    Instruction,
    program_id=st.sampled_from(PROGRAMS),
    data=st.binary(max_size=40),
    accounts=st.lists(metas | signer_metas, max_size=6),
)


@st.composite
def messages(draw: st.DrawFn) -> Message | MessageV0:
    """Build a message of either version with solders: several signers, lookup tables, instructions of programs it does not know."""
    instructions = draw(st.lists(instructions_, max_size=4))
    payer, blockhash = draw(st.sampled_from(KEYPAIRS)).pubkey(), Hash.from_bytes(draw(st.binary(min_size=32, max_size=32)))
    if draw(st.booleans()):
        return Message.new_with_blockhash(instructions, payer, blockhash)
    return MessageV0.try_compile(payer, instructions, draw(st.sampled_from([[], TABLES[:1], TABLES])), blockhash)


def unsigned_of(built: Message | MessageV0) -> bytes:
    """Write a transaction with empty slots."""
    count = built.header.num_required_signatures
    return bytes(VersionedTransaction.populate(built, [Signature.default()] * count))


@given(messages())
@settings(max_examples=differential_examples(150))
def test_any_transaction_of_solders_is_signed_as_by_solders(built: Message | MessageV0) -> None:
    """Whatever order our signers come in, the complete transaction is the one that solders signs, and the message is unchanged."""
    signers = [pair for pair in KEYPAIRS if pair.pubkey() in built.account_keys[: built.header.num_required_signatures]]
    expected = bytes(VersionedTransaction(built, signers))

    raw = unsigned_of(built)
    for pair in signers:
        raw = SOL.decode(raw).sign(key_of(pair.secret())).raw

    assert expected == raw


@given(messages())
@settings(max_examples=100)
def test_what_is_decoded_is_what_solders_built(built: Message | MessageV0) -> None:
    """Header, keys, instructions and lookups are those of solders."""
    decoded = SOL.decode(unsigned_of(built)).message

    assert built.header.num_required_signatures == decoded.signer_count
    assert [bytes(key) for key in built.account_keys] == list(decoded.keys)
    assert [(each.program_id_index, bytes(each.accounts), bytes(each.data)) for each in built.instructions] == [
        (each.program, each.accounts, each.data) for each in decoded.instructions
    ]
    lookups = built.address_table_lookups if isinstance(built, MessageV0) else []
    assert [(bytes(each.account_key), bytes(each.writable_indexes), bytes(each.readonly_indexes)) for each in lookups] == [
        (each.table, each.writable, each.readonly) for each in decoded.lookups
    ]


@given(st.integers(0, 0xFFFF))
def test_lengths_are_read_in_their_shortest_form(number: int) -> None:
    """Every compact-u16 is read back from its one encoding."""
    reader = Reader(compact(number), "length")

    assert number == reader.compact_u16()
    assert reader.remaining == 0


@pytest.mark.parametrize(
    ("amount", "target", "warnings"),
    [
        (50_000, 41, ()),
        (49_999, 41, ("the fee may be more than a tenth of the amount",)),
        (10**9, 0, ("the recipient is the zero address: what is sent there is lost",)),
    ],
)
def test_odd_transfers_are_warned_of(amount: int, target: int, warnings: tuple[str, ...]) -> None:
    """A fee of more than a tenth of what is sent, and value for the address of zeros."""
    keys = [our_key().public_key, bytes([target]) * 32, bytes(32)] if target else [our_key().public_key, bytes(32)]
    data = bytes([2, 0, 0, 0]) + amount.to_bytes(8, "little")
    instruction = bytes([len(keys) - 1, 2, 0, 1, len(data)]) + data

    assert SOL.decode(message(keys=keys, instructions=[instruction])).intent.warnings == warnings


def test_an_approval_without_bounds_is_warned_of() -> None:
    """The largest amount there is means all that there ever will be."""
    bounded, unbounded = (
        SOL.decode(call(token_programs.TOKEN, bytes([4]) + amount.to_bytes(8, "little"))).intent.warnings for amount in (5, 2**64 - 1)
    )

    assert "all there will ever be" not in bounded[0]
    assert unbounded[0].endswith(", which is all there will ever be")
