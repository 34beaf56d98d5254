"""Solana: each instruction of the System, Token, Token-2022 and Associated Token programs is named and says who gets power over what.

The transactions are web3.js's and spl-token's; where these have no builder, ours. What LiteSVM has executes is in `test_solana_power.py`.
"""

import struct

import pytest

from tests.wallets.solana_messages import SOL, SYSTEM, TRANSACTIONS, US, call, numbered, vector
from wallets.chains.solana.token_2022 import TOKEN_2022
from wallets.chains.solana.token_programs import TOKEN
from wallets.errors import MalformedTransactionError
from wallets.model import Intent, Transfer

COMMON = {"version", "fee_payer", "recent_blockhash", "durable_nonce", "signatures", "instructions", "payload_hash"}
MINT, SOURCE, TARGET, DELEGATE, HOOK = (numbered(number) for number in (20, 21, 22, 24, 27))
PROGRAM = numbered(81)
WE = US["address"]


def own_details(intent: Intent) -> dict[str, str | int]:
    """Return the details that only this transaction has."""
    return {name: value for name, value in intent.details.items() if name not in COMMON}


@pytest.mark.parametrize(
    ("name", "kind", "method", "details"),
    [
        ("upgrade_nonce", "maintenance", "system.upgrade_nonce", {}),
        ("create_account_prefunded", "account_creation", "system.create_account_allow_prefund", {"account": numbered(3), "owner": PROGRAM}),
        (
            "token_initialize_mint",
            "account_creation",
            "token.initialize_mint",
            {"mint": MINT, "decimals": "6", "mint_authority": WE, "freeze_authority": DELEGATE},
        ),
        (
            "token_initialize_mint_2",
            "account_creation",
            "token.initialize_mint_2",
            {"mint": MINT, "decimals": "6", "mint_authority": WE, "freeze_authority": "nobody"},
        ),
        (
            "token_initialize_multisig",
            "account_creation",
            "token.initialize_multisig",
            {"account": SOURCE, "required": "1", "signers": f"{WE}, {DELEGATE}"},
        ),
        ("token_freeze", "authority_change", "token.freeze_account", {"account": SOURCE, "mint": MINT}),
        ("token_thaw", "authority_change", "token.thaw_account", {"account": SOURCE, "mint": MINT}),
        ("token_sync_native", "maintenance", "token.sync_native", {}),
        ("token_immutable_owner", "maintenance", "token.initialize_immutable_owner", {}),
        ("token_amount_to_ui_amount", "maintenance", "token.amount_to_ui_amount", {}),
        ("token_ui_amount_to_amount", "maintenance", "token.ui_amount_to_amount", {}),
        (
            "recover_nested",
            "account_closure",
            "associated_token.recover_nested",
            {"account": numbered(30), "mint": numbered(31), "destination": numbered(32)},
        ),
        ("t22_close_authority", "authority_change", "token_2022.initialize_mint_close_authority", {"mint": MINT, "authority": WE}),
        ("t22_no_close_authority", "authority_change", "token_2022.initialize_mint_close_authority", {"mint": MINT, "authority": "nobody"}),
        ("t22_permanent_delegate", "authority_change", "token_2022.initialize_permanent_delegate", {"mint": MINT, "authority": DELEGATE}),
        ("t22_non_transferable", "authority_change", "token_2022.initialize_non_transferable_mint", {"account": MINT}),
        ("t22_native_mint", "maintenance", "token_2022.create_native_mint", {}),
        ("t22_reallocate", "account_creation", "token_2022.reallocate", {"account": SOURCE}),
        (
            "t22_initialize_fee",
            "authority_change",
            "token_2022.initialize_transfer_fee",
            {"mint": MINT, "authority": WE, "withdraw_authority": "nobody", "fee_basis_points": "125", "maximum_fee": "9000"},
        ),
        (
            "t22_set_fee",
            "authority_change",
            "token_2022.set_transfer_fee",
            {"account": MINT, "fee_basis_points": "50", "maximum_fee": "100"},
        ),
        ("t22_withdraw_from_mint", "token_transfer", "token_2022.withdraw_withheld_from_mint", {"mint": MINT, "destination": TARGET}),
        (
            "t22_withdraw_from_accounts",
            "token_transfer",
            "token_2022.withdraw_withheld_from_accounts",
            {"mint": MINT, "destination": TARGET},
        ),
        ("t22_harvest", "maintenance", "token_2022.harvest_withheld_to_mint", {}),
        (
            "t22_default_state",
            "authority_change",
            "token_2022.initialize_default_account_state",
            {"account": MINT, "default_account_state": "frozen"},
        ),
        (
            "t22_update_state",
            "authority_change",
            "token_2022.update_default_account_state",
            {"account": MINT, "default_account_state": "initialized"},
        ),
        ("t22_require_memo", "authority_change", "token_2022.require_memo", {"account": SOURCE}),
        ("t22_no_memo", "authority_change", "token_2022.do_not_require_memo", {"account": SOURCE}),
        ("t22_cpi_guard", "authority_change", "token_2022.enable_cpi_guard", {"account": SOURCE}),
        ("t22_no_cpi_guard", "authority_change", "token_2022.disable_cpi_guard", {"account": SOURCE}),
        (
            "t22_interest",
            "authority_change",
            "token_2022.initialize_interest_bearing_mint",
            {"mint": MINT, "authority": WE, "rate_basis_points": "-300"},
        ),
        ("t22_set_interest", "authority_change", "token_2022.set_interest_rate", {"account": MINT, "rate_basis_points": "5"}),
        (
            "t22_hook",
            "authority_change",
            "token_2022.initialize_transfer_hook",
            {"mint": MINT, "authority": WE, "hook_program": HOOK},
        ),
        ("t22_update_hook", "authority_change", "token_2022.update_transfer_hook", {"account": MINT, "hook_program": HOOK}),
        (
            "t22_metadata_pointer",
            "authority_change",
            "token_2022.initialize_metadata_pointer",
            {"mint": MINT, "authority": WE, "metadata": numbered(28)},
        ),
        ("t22_update_metadata_pointer", "authority_change", "token_2022.update_metadata_pointer", {"account": MINT, "metadata": "nobody"}),
        (
            "t22_group_pointer",
            "authority_change",
            "token_2022.initialize_group_pointer",
            {"mint": MINT, "authority": WE, "group": numbered(28)},
        ),
        ("t22_member_pointer", "authority_change", "token_2022.update_group_member_pointer", {"account": MINT, "member": numbered(28)}),
        (
            "t22_multiplier",
            "authority_change",
            "token_2022.initialize_scaled_ui_amount",
            {"mint": MINT, "authority": WE, "multiplier": "1.5"},
        ),
        (
            "t22_set_multiplier",
            "authority_change",
            "token_2022.set_multiplier",
            {"account": MINT, "multiplier": "2.0", "from": "1800000000"},
        ),
        ("t22_pausable", "authority_change", "token_2022.initialize_pausable", {"mint": MINT, "authority": WE}),
        ("t22_pause", "authority_change", "token_2022.pause", {"account": MINT}),
        ("t22_resume", "authority_change", "token_2022.resume", {"account": MINT}),
    ],
)
def test_what_spl_token_builds_is_named_with_all_it_sets(name: str, kind: str, method: str, details: dict[str, str]) -> None:
    """The instruction has its name, and what it sets is among the details; what gives power is a warning too."""
    intent = SOL.decode(vector(name)).intent

    assert (kind, method, ()) == (intent.kind, intent.method, intent.transfers)
    assert details == own_details(intent)
    assert bool(intent.warnings) == (kind != "maintenance" and method != "token_2022.reallocate")


def test_an_account_with_a_seed_is_handed_over() -> None:
    """Its space is allocated and the program that owns it is set by one instruction."""
    intent = SOL.decode(vector("allocate_with_seed")).intent

    assert (intent.method, own_details(intent)["owner"]) == ("system.allocate_with_seed", PROGRAM)
    assert "over to the program" in intent.warnings[0]


def test_what_a_prefunded_account_still_gets_is_a_transfer() -> None:
    """Only where something is paid is there a payer."""
    intent = SOL.decode(vector("create_account_allow_prefund")).intent

    assert intent.transfers == (Transfer(numbered(3), 5),)


@pytest.mark.parametrize(("name", "is_durable"), [("nonce_advance", True), ("nonce_advance_later", False)])
def test_only_the_first_instruction_makes_a_nonce_durable(name: str, is_durable: bool) -> None:
    """The runtime takes the blockhash for a nonce where the first instruction advances it, and then it does not expire."""
    intent = SOL.decode(vector(name)).intent

    assert is_durable == ("durable_nonce" in intent.details)
    assert is_durable != ("recent_blockhash" in intent.details)
    assert is_durable == any("does not expire" in warning for warning in intent.warnings)
    assert numbered(4) in intent.details.values()


@pytest.mark.parametrize(
    ("program", "data", "kind", "method", "transfers"),
    [
        (TOKEN, bytes([45, 1]) + struct.pack("<Q", 7), "transfer", "token.unwrap_lamports", (Transfer(numbered(41), 7),)),
        (TOKEN, bytes([45, 0]), "transfer", "token.unwrap_lamports", ()),
        (TOKEN, bytes([38]), "transfer", "token.withdraw_excess_lamports", ()),
        (TOKEN, bytes([19, 2]), "account_creation", "token.initialize_multisig_2", ()),
        (TOKEN, bytes([21]), "maintenance", "token.get_account_data_size", ()),
        (TOKEN_2022, bytes([21, 7, 0, 8, 0]), "maintenance", "token.get_account_data_size", ()),
        (TOKEN_2022, bytes([46, 0]) + bytes(32), "authority_change", "token_2022.initialize_permissioned_burn", ()),
        (TOKEN_2022, bytes([46, 1]) + struct.pack("<Q", 7), "token_burn", "token_2022.permissioned_burn", ()),
        (TOKEN_2022, bytes([46, 2]) + struct.pack("<QB", 7, 2), "token_burn", "token_2022.permissioned_burn_checked", ()),
        (SYSTEM, bytes([12, 0, 0, 0]), "maintenance", "system.upgrade_nonce", ()),
    ],
)
def test_what_spl_token_does_not_build_is_read_too(
    program: str, data: bytes, kind: str, method: str, transfers: tuple[Transfer, ...]
) -> None:
    """Layouts of the programs' interfaces; where not all that moves is stated, a warning names who gets it."""
    intent = SOL.decode(call(program, data)).intent

    assert (kind, method, transfers) == (intent.kind, intent.method, intent.transfers)
    if kind == "transfer" and not transfers:
        assert numbered(41) in intent.warnings[0]


@pytest.mark.parametrize(("tag", "required", "signers"), [(2, 0, 2), (2, 12, 2), (19, 1, 0), (19, 1, 12)])
def test_a_multisig_that_the_programs_refuse_is_refused(tag: int, required: int, signers: int) -> None:
    """They take 1 to 11 of 1 to 11 keys."""
    others = 2 if tag == 2 else 1

    with pytest.raises(MalformedTransactionError, match=f"{required} of {signers} keys are required"):
        SOL.decode(call(TOKEN, bytes([tag, required]), accounts=others + signers))


def test_the_fee_that_a_token_keeps_is_shown() -> None:
    """A transfer with a fee says how much of it does not arrive."""
    assert own_details(SOL.decode(vector("token_2022_transfer_with_fee")).intent)["fee"]


@pytest.mark.parametrize("name", TRANSACTIONS)
def test_every_instruction_of_the_vectors_is_known(name: str) -> None:
    """Nothing that is built for the programs named here is a call into the unknown, but for the vectors of just that."""
    intent = SOL.decode(vector(name)).intent

    assert (intent.kind == "contract_call") == (name in {"unknown_program", "unknown_instruction", "lookup_tables"})
