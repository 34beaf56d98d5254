"""Token-2022: instructions for encrypted amounts and batches, as its own client writes and LiteSVM executes them."""

import json
from pathlib import Path
from typing import Any

import pytest
from solders.pubkey import Pubkey
from solders.token.state import TokenAccount

from tests.wallets.solana_messages import SOL, call, compact, message
from tests.wallets.test_solana_power import MINT, PROGRAMS, THIRD_PARTY, House
from wallets.chains.solana.programs import effects_of
from wallets.chains.solana.token_2022 import TOKEN_2022
from wallets.chains.solana.token_programs import TOKEN
from wallets.encoding import unbase58
from wallets.errors import MalformedTransactionError
from wallets.model import Intent, Transfer

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "solana_token_2022.json").read_text())
BY_NAME = {each["name"]: each for each in VECTORS["instructions"]}
KEYS = VECTORS["keys"]
ACCOUNT, TARGET, US, TOKEN_KEY = KEYS["account"], KEYS["target"], KEYS["us"], KEYS["mint"]
COMMON = {"version", "fee_payer", "recent_blockhash", "payload_hash", "signatures", "instructions"}

MOVED = {"account": ACCOUNT, "mint": TOKEN_KEY, "destination": TARGET}
BURNT = {"account": ACCOUNT, "mint": TOKEN_KEY}
FEES = {"mint": TOKEN_KEY, "destination": TARGET}
CREDITS = {"account": ACCOUNT}
HARVEST = {"account": TOKEN_KEY}
HIDDEN = "that is encrypted: it cannot be shown"
MOVES = f"moves an amount of {TOKEN_KEY} from {ACCOUNT} to {TARGET} {HIDDEN}"
BURNS = f"burns an amount of {TOKEN_KEY} in {ACCOUNT} {HIDDEN}"
POWER = {"mint": TOKEN_KEY, "authority": US}

EXPECTED: dict[str, tuple[str, dict[str, str], str]] = {
    "initialize_confidential_transfer": (
        "authority_change",
        {**POWER, "approves_new_accounts": "yes", "auditor_key": KEYS["elgamal"]},
        f"{US} says who may hold encrypted amounts of {TOKEN_KEY}",
    ),
    "initialize_confidential_transfer_without": (
        "authority_change",
        {**POWER, "authority": "nobody", "approves_new_accounts": "no", "auditor_key": "nobody"},
        f"nobody says who may hold encrypted amounts of {TOKEN_KEY}",
    ),
    "update_confidential_transfer": (
        "authority_change",
        {**HARVEST, "approves_new_accounts": "no", "auditor_key": KEYS["elgamal"]},
        f"sets approves_new_accounts no, auditor_key {KEYS['elgamal']} for {TOKEN_KEY}",
    ),
    "configure_confidential_account": ("maintenance", CREDITS, ""),
    "configure_confidential_account_with_registry": ("maintenance", {**BURNT, "registry": KEYS["registry"]}, ""),
    "approve_confidential_account": ("authority_change", CREDITS, f"approves that {ACCOUNT} holds encrypted amounts of {TOKEN_KEY}"),
    "empty_confidential_account": ("maintenance", CREDITS, ""),
    "confidential_deposit": ("maintenance", {**BURNT, "amount": "7"}, f"encrypts 7 base units of {TOKEN_KEY} in {ACCOUNT}"),
    "confidential_withdraw": ("maintenance", {**BURNT, "amount": "9"}, f"decrypts 9 base units of {TOKEN_KEY} in {ACCOUNT}"),
    "confidential_transfer": ("token_transfer", MOVED, MOVES),
    "confidential_transfer_by_instructions": ("token_transfer", MOVED, MOVES),
    "confidential_transfer_mixed": ("token_transfer", MOVED, MOVES),
    "confidential_transfer_with_fee": ("token_transfer", MOVED, MOVES),
    "apply_confidential_balance": ("maintenance", CREDITS, ""),
    "enable_confidential_credits": ("authority_change", CREDITS, f"lets encrypted amounts enter {ACCOUNT}"),
    "disable_confidential_credits": ("authority_change", CREDITS, f"lets no encrypted amounts enter {ACCOUNT}"),
    "enable_non_confidential_credits": ("authority_change", CREDITS, f"lets amounts that are not encrypted enter {ACCOUNT}"),
    "disable_non_confidential_credits": ("authority_change", CREDITS, f"lets only encrypted amounts enter {ACCOUNT}"),
    "initialize_confidential_fee": (
        "authority_change",
        {**POWER, "fee_key": KEYS["elgamal"]},
        f"{US} withdraws encrypted fees of {TOKEN_KEY}",
    ),
    "withdraw_confidential_fees_from_mint": ("token_transfer", FEES, f"pays encrypted withheld fees of {TOKEN_KEY} to {TARGET}"),
    "withdraw_confidential_fees_from_accounts": ("token_transfer", FEES, f"pays encrypted withheld fees of {TOKEN_KEY} to {TARGET}"),
    "harvest_confidential_fees": ("maintenance", {"mint": TOKEN_KEY}, ""),
    "enable_harvest_to_mint": ("authority_change", HARVEST, f"lets anybody gather encrypted fees in {TOKEN_KEY}"),
    "disable_harvest_to_mint": ("authority_change", HARVEST, f"lets nobody gather encrypted fees in {TOKEN_KEY}"),
    "initialize_confidential_mint_burn": (
        "authority_change",
        {"mint": TOKEN_KEY, "supply_key": KEYS["elgamal"]},
        f"the supply of {TOKEN_KEY} is encrypted: only who has the key {KEYS['elgamal']} can know it",
    ),
    "rotate_supply_key": (
        "authority_change",
        {**HARVEST, "supply_key": KEYS["elgamal"]},
        f"encrypts the supply of {TOKEN_KEY} for the key {KEYS['elgamal']}",
    ),
    "update_decryptable_supply": ("maintenance", HARVEST, ""),
    "confidential_mint": ("token_mint", FEES, f"mints an amount of {TOKEN_KEY} to {TARGET} {HIDDEN}"),
    "confidential_burn": ("token_burn", BURNT, BURNS),
    "apply_confidential_burn": ("maintenance", HARVEST, ""),
    "permissioned_confidential_burn": ("token_burn", BURNT, BURNS),
}


def raw_of(vector: dict[str, Any], *, data: bytes | None = None, leave_out: int = 0) -> bytes:
    """Write a message with one instruction, whose first key pays the fee; `leave_out` takes accounts off the end."""
    accounts = vector["accounts"][: len(vector["accounts"]) - leave_out]
    keys = list(dict.fromkeys([US, *vector["accounts"], vector["program"]]))
    content = bytes.fromhex(vector["data"]) if data is None else data
    indexes = bytes([keys.index(each) for each in accounts])
    instruction = bytes([keys.index(vector["program"])]) + compact(len(indexes)) + indexes + compact(len(content)) + content
    return message(keys=[unbase58(each) for each in keys], instructions=[instruction])


def intent_of(vector: dict[str, Any], **changes: Any) -> Intent:
    """Say what it does."""
    return SOL.decode(raw_of(vector, **changes)).intent


@pytest.mark.parametrize(("name", "expected"), EXPECTED.items(), ids=EXPECTED)
def test_instructions_for_encrypted_amounts_are_told(name: str, expected: tuple[str, dict[str, str], str]) -> None:
    """Whom they pay, who gets power over what, and that an amount cannot be shown."""
    kind, details, warning = expected

    intent = intent_of(BY_NAME[name])

    assert (intent.kind, intent.warnings) == (kind, (warning,) if warning else ())
    assert {key: value for key, value in intent.details.items() if key not in COMMON} == details
    told = str(intent.details["instructions"]).removeprefix("token_2022.")
    assert name.startswith(told)


def test_every_instruction_of_the_client_is_there() -> None:
    """What the client writes is told, and nothing is told that it does not write."""
    assert EXPECTED.keys() | {"batch"} == BY_NAME.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_their_layouts_are_exact(name: str) -> None:
    """Another byte, one too few, or an account too few is refused."""
    vector = BY_NAME[name]
    data = bytes.fromhex(vector["data"])

    for changed in (data + b"\0", data[:-1]) if len(data) > 2 else (data + b"\0",):
        with pytest.raises(MalformedTransactionError, match=r"instruction 1"):
            intent_of(vector, data=changed)
    with pytest.raises(MalformedTransactionError, match=r"instruction 1: \d accounts expected"):
        intent_of(vector, leave_out=len(vector["accounts"]))


def test_the_accounts_of_proofs_are_counted() -> None:
    """An account for each proof that is at 0, and one for all others: with one account too few the signer's would be another."""
    for name in ("confidential_transfer", "confidential_transfer_by_instructions", "confidential_transfer_mixed"):
        with pytest.raises(MalformedTransactionError, match="accounts expected"):
            intent_of(BY_NAME[name], leave_out=1)


@pytest.mark.parametrize("name", ["confidential_transfer_by_instructions", "confidential_mint", "permissioned_confidential_burn"])
def test_who_stands_behind_the_proofs_is_not_told(name: str) -> None:
    """A proof that is read from a record takes an account more, of which the instruction says nothing: the owner may be the next one."""
    found = SOL.decode(raw_of(BY_NAME[name])).message

    (effect,) = effects_of(found, found.instructions[0], 1)

    assert effect.payer is None


# Batches


def test_a_batch_is_told_by_what_is_inside_of_it() -> None:
    """Each instruction by itself, with the accounts that are its own; the weightiest names the transaction."""
    intent = intent_of(BY_NAME["batch"])

    assert intent.details["instructions"] == "token.transfer_checked, token.set_authority, token_2022.confidential_transfer"
    assert (intent.kind, intent.transfers) == ("authority_change", (Transfer(TARGET, 5, TOKEN_KEY),))
    assert intent.details["authority_2"] == KEYS["other"]
    assert intent.details["destination_3"] == TARGET
    assert intent.warnings == (f"gives {KEYS['other']} the authority account_owner over {ACCOUNT}", MOVES)


@pytest.mark.parametrize(
    ("data", "accounts", "reason"),
    [
        ("ff", 0, "instruction 1, byte 1"),
        ("ff00", 0, "instruction 1, byte 2"),
        ("ff0002", 0, "instruction 1, byte 3"),
        ("ff0000", 0, "instruction 1, byte 3: an instruction of a batch is empty"),
        ("ff0101" + "05" + "0000", 1, "instruction 1, byte 6: an instruction of a batch is empty"),
        ("ff0401" + "05", 3, "4 accounts are expected, and 3 are left"),
        ("ff0101" + "05", 2, "1 accounts are left"),
        ("ff0309" + "03" + "05" + "00" * 7 + "0201" + "09", 5, "instruction 1.2: 3 accounts expected, 2 are there"),
        ("ff0308" + "03" + "05" + "00" * 6, 3, "instruction 1.1, byte 1"),
    ],
)
def test_a_batch_that_is_none_is_refused(data: str, accounts: int, reason: str) -> None:
    """One that is empty or cut off, with an empty or a wrong instruction inside, or with too few or too many accounts."""
    with pytest.raises(MalformedTransactionError, match=reason):
        SOL.decode(call(TOKEN, bytes.fromhex(data), accounts=accounts))


@pytest.mark.parametrize("program", [TOKEN, TOKEN_2022])
def test_a_batch_inside_of_a_batch_is_a_blind_call(program: str) -> None:
    """The programs refuse it, so nobody can say what it would do."""
    intent = SOL.decode(call(program, bytes.fromhex("ff0103" + "ff0000"), accounts=1)).intent

    assert intent.kind == "contract_call"
    assert intent.warnings == (f"instruction 1.1 calls {program} in a way that is not known here",)


def test_only_token_programs_have_batches() -> None:
    """The same bytes for another program are another thing."""
    assert SOL.decode(call("1" * 32, bytes.fromhex("ff0101" + "05"), accounts=1)).intent.kind == "contract_call"


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_the_runtime_executes_a_batch_as_we_read_it(program: Pubkey) -> None:
    """LiteSVM's token programs take two instructions in one, each with the accounts that we say: a delegate, and who may close."""
    house = House(program)
    us, account = house.us.pubkey(), house.token_account(amount=9)
    approve, change = bytes([4]) + (4).to_bytes(8, "little"), bytes([6, 3, 1]) + bytes(THIRD_PARTY)
    batch = b"\xff" + bytes([3, len(approve)]) + approve + bytes([2, len(change)]) + change

    intent = house.executed([house.call(batch, account, MINT, us, account, us)])

    state = TokenAccount.from_bytes(house.data(account)[:165])
    assert (state.delegate, state.delegated_amount, state.close_authority) == (MINT, 4, THIRD_PARTY)
    assert (intent.details["delegate_1"], intent.details["amount_1"]) == (str(MINT), "4")
    assert (intent.details["authority_2"], intent.details["authority_type_2"]) == (str(THIRD_PARTY), "close_account")
