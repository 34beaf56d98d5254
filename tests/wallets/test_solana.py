"""Solana: what web3.js writes is read, explained and signed as it would be, and the runtime executes what we sign."""

import hashlib
from typing import Any

import pytest
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import TransactionMetadata

from tests.wallets.solana_messages import OTHER, SOL, TRANSACTIONS, US, VECTORS, key_of, numbered, our_key, vector
from wallets.chains.solana.message import MAX_INSTRUCTIONS
from wallets.chains.solana.token_programs import TOKEN
from wallets.derivation import DerivationPath, DerivationScheme, derive
from wallets.encoding import base58
from wallets.errors import MalformedTransactionError
from wallets.mnemonic import parse, to_seed
from wallets.model import Transfer

# Addresses


@pytest.mark.parametrize("account", VECTORS["accounts"], ids=lambda each: f"{each['scheme']}-{each['index']}")
def test_addresses_are_those_that_wallets_find(account: dict[str, Any]) -> None:
    """The phrase gives the keys and addresses that ed25519-hd-key, @scure/bip32 and web3.js make of it: stored money depends on it."""
    scheme = DerivationScheme(account["scheme"])
    path = DerivationPath.parse(SOL.path(scheme).format(index=account["index"]))

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


def test_the_runtime_executes_as_many_instructions_as_we_take() -> None:
    """LiteSVM executes 64 instructions and fails the 65th: we refuse what could only cost its fee."""
    runtime, payer, target = LiteSVM(), Keypair.from_seed(bytes(32)), Pubkey.from_string(numbered(1))
    runtime.airdrop(payer.pubkey(), 10**9)
    instruction = transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=target, lamports=10**6))

    results = []
    for count in (MAX_INSTRUCTIONS, MAX_INSTRUCTIONS + 1):
        message = Message.new_with_blockhash([instruction] * count, payer.pubkey(), runtime.latest_blockhash())
        results.append(isinstance(runtime.send_transaction(VersionedTransaction(message, [payer])), TransactionMetadata))

    assert results == [True, False]


# Intent


@pytest.mark.parametrize(
    ("name", "kind", "transfers"),
    [
        ("transfer", "transfer", [Transfer(numbered(1), 12345678901)]),
        ("transfer_with_seed", "transfer", [Transfer(numbered(1), 8)]),
        ("nonce_advance", "transfer", [Transfer(numbered(1), 1)]),
        ("nonce_withdraw", "transfer", [Transfer(numbered(1), 3)]),
        ("nonce_authorize", "authority_change", []),
        ("nonce_initialize", "account_creation", []),
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
        ("token_close", "account_closure", []),
        ("token_initialize", "account_creation", []),
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
        ("nonce_initialize", f"gives {US['address']} authority over the nonce account {numbered(4)}"),
        ("create_account", f"the new account {OTHER['address']} belongs to the program {TOKEN}"),
        ("create_account_with_seed", f"belongs to the program {numbered(81)}"),
        ("token_transfer", "does not name the token"),
        ("token_approve", f"lets {numbered(24)} spend 50"),
        ("token_approve_checked", f"lets {numbered(24)} spend 50"),
        ("token_set_authority", f"gives {numbered(25)} the authority account_owner over {numbered(21)}"),
        ("token_drop_authority", f"gives nobody the authority mint_tokens over {numbered(20)}"),
        ("token_initialize", f"the token account {numbered(26)} for {numbered(20)} belongs to {US['address']}"),
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
        "payload_hash": hashlib.sha256(vector("priority_fee", "message")).hexdigest(),
        "signatures": 1,
        "instructions": "compute_budget.compute_unit_limit, compute_budget.compute_unit_price, system.transfer",
        "compute_unit_limit": 300_000,
        "compute_unit_price": 12_345,
        "memo": "order 7, Привет",
    } == details


@pytest.mark.parametrize(
    ("name", "details"),
    [
        ("create_account", {"account": OTHER["address"], "owner": TOKEN}),
        ("assign", {"account": US["address"], "owner": numbered(81)}),
        ("assign_with_seed", {"account": numbered(3), "owner": numbered(81)}),
        ("nonce_initialize", {"account": numbered(4), "authority": US["address"]}),
        ("nonce_authorize", {"account": numbered(4), "authority": numbered(5)}),
        (
            "token_initialize",
            {
                "account_1": numbered(21),
                "mint_1": numbered(20),
                "owner_1": US["address"],
                "account_2": numbered(26),
                "mint_2": numbered(20),
                "owner_2": US["address"],
            },
        ),
        ("token_set_authority", {"account": numbered(21), "authority": numbered(25), "authority_type": "account_owner"}),
        ("token_drop_authority", {"account": numbered(20), "authority": "nobody", "authority_type": "mint_tokens"}),
        ("token_approve", {"account": numbered(21), "delegate": numbered(24), "amount": "50"}),
        ("token_approve_checked", {"account": numbered(21), "delegate": numbered(24), "amount": "50"}),
        ("token_burn", {"account": numbered(21), "mint": numbered(20), "amount": "5"}),
        ("token_close", {"account": numbered(21), "destination": numbered(1)}),
        ("associated_token", {"account": numbered(22), "owner": numbered(23), "mint": numbered(20)}),
    ],
)
def test_the_details_name_who_gets_power_over_what(name: str, details: dict[str, str]) -> None:
    """Each new owner, authority, delegate and destination is a detail, under its instruction's number where there are several."""
    common = {"version", "fee_payer", "recent_blockhash", "payload_hash", "signatures", "instructions"}

    assert details == {key: value for key, value in SOL.decode(vector(name)).intent.details.items() if key not in common}


@pytest.mark.parametrize(
    ("name", "sender"), [("transfer", US["address"]), ("nonce_withdraw", numbered(4)), ("fee_payer_elsewhere", US["address"])]
)
def test_the_sender_is_whose_funds_move(name: str, sender: str) -> None:
    """The account that the value leaves is the sender, and not who pays the fee."""
    assert sender == SOL.decode(vector(name)).intent.sender
