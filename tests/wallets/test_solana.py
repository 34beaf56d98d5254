"""Solana: what web3.js and solders write is read and signed as they would; anything else is refused; the runtime takes what we sign."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import TransactionMetadata

from wallets.chains.solana import Solana, programs
from wallets.chains.solana.message import Reader
from wallets.curves import Curve, private_key
from wallets.derivation import DerivationPath, DerivationScheme, derive
from wallets.encoding import base58
from wallets.errors import MalformedTransactionError
from wallets.mnemonic import parse, to_seed
from wallets.model import Transfer
from wallets.secret import PrivateKey

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "solana.json").read_text())
TRANSACTIONS = {each["name"]: each for each in VECTORS["transactions"]}
SOL = Solana()
US = VECTORS["accounts"][0]
OTHER = VECTORS["accounts"][1]
SYSTEM = "11111111111111111111111111111111"
BLOCKHASH = bytes([9]) * 32


def key_of(seed: bytes) -> PrivateKey:
    """Make a key of an ed25519 seed."""
    return private_key(Curve.ED25519, seed)


def our_key() -> PrivateKey:
    """Make the key of the first account."""
    return key_of(bytes.fromhex(US["private_key"]))


def numbered(number: int) -> str:
    """Write the address of 32 equal bytes, as the vectors use them."""
    return base58(bytes([number]) * 32)


def vector(name: str, field: str = "unsigned_tx") -> bytes:
    """Return a transaction of the vectors."""
    return bytes.fromhex(TRANSACTIONS[name][field])


# Addresses


@pytest.mark.parametrize("account", VECTORS["accounts"], ids=lambda each: f"{each['scheme']}-{each['index']}")
def test_addresses_are_those_that_wallets_find(account: dict[str, Any]) -> None:
    """The phrase gives the keys and addresses that ed25519-hd-key, @scure/bip32 and web3.js make of it: stored money depends on it."""
    scheme = DerivationScheme(account["scheme"])
    path = DerivationPath.parse(SOL.paths[scheme].format(index=account["index"]))

    key = derive(to_seed(parse(VECTORS["mnemonic"])), path, SOL.curve, scheme)

    assert account["private_key"] == key.reveal().hex()
    assert account["address"] == SOL.address(key.public_key, scheme)


def test_the_first_address_is_the_one_of_solders() -> None:
    """A third implementation finds the same first address."""
    seed = to_seed(parse(VECTORS["mnemonic"])).reveal()

    pubkey = Keypair.from_seed_and_derivation_path(seed, "m/44'/501'/0'/0'").pubkey()

    assert US["address"] == str(pubkey)


def test_an_address_has_one_form() -> None:
    """An address is found under its own text, and has no other forms."""
    assert frozenset({US["address"]}) == SOL.normalize(US["address"])
    assert SOL.forms(US["address"]) == {}


@pytest.mark.parametrize("text", ["", "0x00", "abc", "1" * 33, numbered(9) + "1", "UQAXQH-lFETZ9KncaE4qs0XVTAYMMC2AGSKPNKhvt_Do45ym"])
def test_what_is_no_address_names_nobody(text: str) -> None:
    """Text that is not base58 of 32 bytes has no normal form."""
    assert frozenset() == SOL.normalize(text)


# Signing


@pytest.mark.parametrize("name", TRANSACTIONS)
def test_transactions_are_signed_as_by_web3_js(name: str) -> None:
    """The signed transaction and its id are, byte for byte, those of web3.js."""
    transaction = SOL.decode(vector(name))

    signed = transaction.sign(our_key())

    assert TRANSACTIONS[name]["signed_tx"] == signed.raw.hex()
    assert TRANSACTIONS[name]["tx_id"] == signed.tx_id


@pytest.mark.parametrize("name", [name for name in TRANSACTIONS if name != "fee_payer_elsewhere"])
def test_a_bare_message_is_the_same_transaction(name: str) -> None:
    """The message alone decodes to the transaction with empty slots."""
    transaction = SOL.decode(vector(name, "message"))

    assert SOL.decode(vector(name)) == transaction
    assert TRANSACTIONS[name]["version"] == transaction.message.version


def test_signers_are_those_the_message_requires() -> None:
    """Every account that must sign is among the signers, and no other."""
    transaction = SOL.decode(vector("create_account"))

    assert frozenset({US["address"], OTHER["address"]}) == transaction.signers


def test_a_key_without_a_slot_does_not_sign() -> None:
    """A key that is not among the signers is refused."""
    transaction = SOL.decode(vector("transfer"))

    with pytest.raises(MalformedTransactionError, match="not among"):
        transaction.sign(key_of(bytes(32)))


def test_a_filled_slot_is_not_signed_again() -> None:
    """A transaction that this account has signed already is refused."""
    transaction = SOL.decode(vector("transfer", "signed_tx"))

    with pytest.raises(MalformedTransactionError, match="already signed"):
        transaction.sign(our_key())


def test_signers_sign_one_after_the_other() -> None:
    """The second signer gets the first one's result, keeps its signature and completes the transaction."""
    first = SOL.decode(vector("create_account")).sign(our_key())

    second = SOL.decode(first.raw).sign(key_of(bytes.fromhex(OTHER["private_key"])))

    assert VersionedTransaction.from_bytes(second.raw).verify_with_results() == [True, True]
    assert first.tx_id == base58(second.raw[1:65])
    assert second.tx_id is None


def test_a_wrong_signature_of_another_is_refused() -> None:
    """A filled slot whose signature does not verify is refused: no node would take the transaction."""
    raw = bytearray(vector("fee_payer_elsewhere"))
    raw[5] ^= 1

    with pytest.raises(MalformedTransactionError, match="signature 1 is not that of"):
        SOL.decode(bytes(raw))


# The real runtime


@pytest.mark.parametrize("version", ["legacy", "0"])
def test_the_runtime_executes_what_we_sign(version: str) -> None:
    """LiteSVM, which is the validator's own runtime, verifies our signature and moves the lamports."""
    runtime = LiteSVM()
    payer, target = Pubkey.from_string(US["address"]), Pubkey.from_string(numbered(1))
    runtime.airdrop(payer, 10**9)
    instructions = [transfer(TransferParams(from_pubkey=payer, to_pubkey=target, lamports=10**7))]
    message: Message | MessageV0 = (
        Message.new_with_blockhash(instructions, payer, runtime.latest_blockhash())
        if version == "legacy"
        else MessageV0.try_compile(payer, instructions, [], runtime.latest_blockhash())
    )
    unsigned = bytes(VersionedTransaction.populate(message, [Signature.default()]))

    transaction = SOL.decode(unsigned)
    result = runtime.send_transaction(VersionedTransaction.from_bytes(transaction.sign(our_key()).raw))

    assert isinstance(result, TransactionMetadata)
    assert runtime.get_balance(target) == 10**7
    assert 10**9 - 10**7 - (transaction.intent.max_fee or 0) == runtime.get_balance(payer)


# Intent


@pytest.mark.parametrize(
    ("name", "kind", "transfers"),
    [
        ("transfer", "transfer", [Transfer(numbered(1), 12345678901)]),
        ("transfer_with_seed", "transfer", [Transfer(numbered(1), 8)]),
        ("nonce_advance", "transfer", [Transfer(numbered(1), 1)]),
        ("nonce_withdraw", "transfer", [Transfer(numbered(1), 3)]),
        ("nonce_authorize", "authority_change", []),
        ("nonce_initialize", "maintenance", []),
        ("assign", "authority_change", []),
        ("assign_with_seed", "authority_change", []),
        ("allocate", "maintenance", []),
        ("create_account", "account_creation", [Transfer(OTHER["address"], 2039280)]),
        ("create_account_with_seed", "account_creation", [Transfer(numbered(2), 7)]),
        ("lookup_tables", "contract_call", [Transfer(f"{numbered(60)}[1]", 5), Transfer(f"{numbered(70)}[0]", 6)]),
        ("token_transfer", "token_transfer", [Transfer(numbered(22), 1000, numbered(21))]),
        ("token_transfer_checked", "token_transfer", [Transfer(numbered(22), 1000, numbered(20))]),
        ("token_2022_transfer_checked", "token_transfer", [Transfer(numbered(22), 2**63, numbered(20))]),
        ("token_2022_transfer_with_fee", "token_transfer", [Transfer(numbered(22), 1000, numbered(20))]),
        ("token_approve", "token_approval", []),
        ("token_approve_checked", "token_approval", []),
        ("token_revoke", "maintenance", []),
        ("token_set_authority", "authority_change", []),
        ("token_drop_authority", "authority_change", []),
        ("token_mint", "token_mint", [Transfer(numbered(22), 5, numbered(20))]),
        ("token_mint_checked", "token_mint", [Transfer(numbered(22), 5, numbered(20))]),
        ("token_burn", "token_burn", []),
        ("token_burn_checked", "token_burn", []),
        ("token_close", "maintenance", []),
        ("token_initialize", "maintenance", []),
        ("associated_token", "account_creation", []),
        ("unknown_program", "contract_call", [Transfer(numbered(1), 1)]),
        ("unknown_instruction", "contract_call", []),
    ],
)
def test_the_intent_says_what_a_transaction_does(name: str, kind: str, transfers: list[Transfer]) -> None:
    """The kind and every transfer, in base units, are what web3.js was told to build."""
    intent = SOL.decode(vector(name)).intent

    assert kind == intent.kind
    assert tuple(transfers) == intent.transfers


@pytest.mark.parametrize(
    ("name", "warning"),
    [
        ("lookup_tables", "come from lookup tables"),
        ("unknown_program", f"instruction 2 calls {numbered(82)} in a way that is not known here"),
        ("unknown_instruction", "not known here"),
        ("nonce_advance", f"durable nonce of {numbered(4)}"),
        ("nonce_authorize", f"gives {numbered(5)} authority"),
        ("assign", f"to the program {numbered(81)}"),
        ("create_account_with_seed", f"belongs to {numbered(81)}"),
        ("token_transfer", "does not name the token"),
        ("token_approve", f"lets {numbered(24)} spend 50"),
        ("token_approve_checked", f"lets {numbered(24)} spend 50"),
        ("token_set_authority", f"gives {numbered(25)} an authority"),
        ("token_drop_authority", "gives nobody"),
        ("token_burn", "burns 5"),
        ("token_close", f"to {numbered(1)}"),
        ("associated_token", f"an account of {numbered(23)}"),
    ],
)
def test_the_intent_warns_of_what_is_easily_missed(name: str, warning: str) -> None:
    """What hands over more than the transfers show, or cannot be seen, is a warning."""
    assert warning in "\n".join(SOL.decode(vector(name)).intent.warnings)


@pytest.mark.parametrize(
    ("name", "max_fee"),
    [
        ("transfer", 5_000),
        ("create_account", 10_000),
        ("priority_fee", 5_000 + 3_704),  # 300,000 units at 12,345 micro-lamports are 3,703.5 lamports
        ("priority_fee_without_limit", 5_000 + 1),
        ("fee_payer_elsewhere", 10_000),
    ],
)
def test_the_fee_is_bounded(name: str, max_fee: int) -> None:
    """The bound is 5,000 lamports a signature and the priority fee, rounded up."""
    assert max_fee == SOL.decode(vector(name)).intent.max_fee


def test_the_details_tell_the_rest() -> None:
    """Memo, blockhash, fee payer and compute limits are in the details."""
    details = {**SOL.decode(vector("memo")).intent.details, **SOL.decode(vector("priority_fee")).intent.details}

    assert {
        "version": "legacy",
        "fee_payer": US["address"],
        "recent_blockhash": numbered(9),
        "signatures": 1,
        "instructions": "compute_budget.compute_unit_limit, compute_budget.compute_unit_price, system.transfer",
        "compute_unit_limit": 300_000,
        "compute_unit_price": 12_345,
        "memo": "order 7, Привет",
    } == details


@pytest.mark.parametrize(
    ("name", "sender"), [("transfer", US["address"]), ("nonce_withdraw", numbered(4)), ("fee_payer_elsewhere", US["address"])]
)
def test_the_sender_is_whose_funds_move(name: str, sender: str) -> None:
    """The account that the value leaves is the sender, and not who pays the fee."""
    assert sender == SOL.decode(vector(name)).intent.sender


# Crafted messages


def compact(number: int) -> bytes:
    """Write a compact-u16."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def listed(items: list[bytes]) -> bytes:
    """Write a list: its length, then its items."""
    return compact(len(items)) + b"".join(items)


def message(
    *,
    prefix: bytes = b"",
    header: tuple[int, int, int] = (1, 0, 1),
    keys: list[bytes] | None = None,
    instructions: list[bytes] | None = None,
    lookups: bytes = b"",
    end: bytes = b"",
) -> bytes:
    """Write a message: by default, one instruction without data to the System program."""
    accounts = [bytes.fromhex(US["private_key"]), bytes(32)] if keys is None else keys
    calls = [bytes([1, 0, 0])] if instructions is None else instructions
    return prefix + bytes(header) + listed(accounts) + BLOCKHASH + listed(calls) + lookups + end


def call(program: str, data: bytes, *, accounts: int = 4) -> bytes:
    """Write a message whose one instruction calls `program` with `accounts` accounts, of which the first is the fee payer."""
    others = [bytes([40 + number]) * 32 for number in range(1, accounts)]
    keys = [our_key().public_key, *others, bytes(Pubkey.from_string(program))]
    instruction = bytes([len(keys) - 1]) + compact(accounts) + bytes(range(accounts)) + compact(len(data)) + data
    return message(keys=keys, instructions=[instruction])


def lookup(table: int, writable: bytes, readonly: bytes) -> bytes:
    """Write an address table lookup."""
    return bytes([table]) * 32 + compact(len(writable)) + writable + compact(len(readonly)) + readonly


def v0(lookups: list[bytes], *, indexes: bytes = b"") -> bytes:
    """Write a version 0 message with these lookups, whose instruction names accounts by these indexes."""
    instruction = bytes([1]) + compact(len(indexes)) + indexes + b"\0"
    return message(prefix=b"\x80", instructions=[instruction], lookups=listed(lookups))


def test_the_crafted_message_is_taken_when_nothing_is_wrong_with_it() -> None:
    """The base of the following cases decodes, in both versions, so that each is refused for what it changes."""
    assert SOL.decode(message()).message.version == "legacy"
    assert SOL.decode(v0([lookup(50, b"\0\1", b"\2")], indexes=bytes([0, 4]))).message.version == "0"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
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
    ],
)
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
        (programs.TOKEN, bytes([3]) + bytes(9), 4, "1 bytes too many"),
        (programs.TOKEN, bytes([6, 2, 1]) + bytes(31), 4, "32 more bytes expected"),
        (programs.TOKEN_2022, bytes([26, 1]) + bytes(18), 4, "1 bytes too many"),
        (programs.ASSOCIATED_TOKEN, bytes([1, 0]), 4, "1 bytes too many"),
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
        (programs.TOKEN, b""),
        (programs.TOKEN, b"\xff"),
        (programs.TOKEN_2022, b""),
        (programs.TOKEN_2022, b"\x1a"),
        (programs.TOKEN_2022, b"\x1a\xff"),
        (programs.ASSOCIATED_TOKEN, b"\2"),
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
@settings(max_examples=150)
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


def accepted(raw: bytes) -> bool:
    """Tell whether it decodes; any other exception than ours fails the test."""
    try:
        transaction = SOL.decode(raw)
    except MalformedTransactionError:
        return False
    # What is accepted is one encoding: another implementation reads it and writes the same bytes.
    count = transaction.message.signer_count
    body = transaction.message.raw
    again = MessageV0.from_bytes(body[1:]) if body[0] & 0x80 else Message.from_bytes(body)
    assert (body[:1] if body[0] & 0x80 else b"") + bytes(again) == body
    assert raw in {body, bytes([count]) + b"".join(transaction.slots) + body}
    return True


@given(st.binary(max_size=300) | st.binary(max_size=120).map(lambda tail: message()[:70] + tail))
def test_arbitrary_bytes_are_refused_as_malformed(raw: bytes) -> None:
    """Nothing but our error escapes, and what is accepted is canonical."""
    accepted(raw)


@given(st.sampled_from(sorted(TRANSACTIONS)), st.sampled_from(["unsigned_tx", "message"]), st.data())
def test_mutated_transactions_are_refused_or_canonical(name: str, field: str, data: st.DataObject) -> None:
    """A byte changed, inserted or removed leaves a canonical transaction or a refusal."""
    raw = bytearray(vector(name, field))
    place = data.draw(st.integers(0, len(raw) - 1))
    change: Callable[[], object] = data.draw(
        st.sampled_from(
            [
                lambda: raw.__setitem__(place, raw[place] ^ data.draw(st.integers(1, 255))),
                lambda: raw.insert(place, data.draw(st.integers(0, 255))),
                lambda: raw.pop(place),
            ]
        )
    )
    change()

    accepted(bytes(raw))


@given(st.sampled_from(sorted(TRANSACTIONS)), st.data())
def test_truncated_and_lengthened_transactions_are_refused(name: str, data: st.DataObject) -> None:
    """Every proper prefix, and anything behind the end, is refused."""
    raw = vector(name)
    cut = data.draw(st.integers(0, len(raw) - 1))

    assert not accepted(raw[:cut])
    assert not accepted(raw + data.draw(st.binary(min_size=1, max_size=4)))


@given(st.integers(0, 0xFFFF))
def test_lengths_are_read_in_their_shortest_form(number: int) -> None:
    """Every compact-u16 is read back from its one encoding."""
    reader = Reader(compact(number), "length")

    assert number == reader.compact_u16()
    assert reader.remaining == 0
