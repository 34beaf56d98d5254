"""Token-2022 itself executes what we sign for its extensions: LiteSVM runs the program, and takes each layout for what we take it for."""

import struct

import pytest
from solders.account import Account
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.token.state import Mint, TokenAccount, TokenAccountState

from tests.wallets.test_solana_power import MINT, PROGRAMS, THIRD_PARTY, House
from wallets.chains.solana.token_2022 import TOKEN_2022
from wallets.model import Intent

TOKEN_2022_KEY = Pubkey.from_string(TOKEN_2022)
EXTENSIONS_START = 166
"""Where a mint's extensions begin: behind the space of a token account and a byte for the kind; each has four bytes before it."""


def signed_by_us(house: House, data: bytes, *accounts: Pubkey) -> Instruction:
    """Call the token program; the last account signs."""
    us = house.us.pubkey()
    metas = [AccountMeta(key, is_signer=key == us, is_writable=key != us) for key in accounts]
    return Instruction(house.program, data, metas)


def mint_with(house: House, data: bytes, extension_bytes: int) -> tuple[Pubkey, Intent]:
    """Make a token with an extension, initialised by the instruction `data`, and minted and frozen by us."""
    us, mint = house.us.pubkey(), house.fresh.pubkey()
    initialize_mint = bytes([20, 2]) + bytes(us) + b"\1" + bytes(us)
    instructions = [
        house.created(house.program, EXTENSIONS_START + 4 + extension_bytes),
        house.call(data, mint),
        house.call(initialize_mint, mint),
    ]
    return mint, house.executed(instructions)


US = b"us"
"""Where our key stands in an instruction."""
HOOK = b"h" * 32


@pytest.mark.parametrize(
    ("initialize", "extension_bytes", "method", "update"),
    [
        pytest.param([25, 1, US], 32, "initialize_mint_close_authority", None, id="close authority"),
        pytest.param(
            [26, 0, 1, US, 1, US, struct.pack("<HQ", 125, 9)], 108, "initialize_transfer_fee", [26, 5, struct.pack("<HQ", 1, 2)], id="fee"
        ),
        pytest.param([28, 0, 2], 1, "initialize_default_account_state", [28, 1, 1], id="default state"),
        pytest.param([32], 0, "initialize_non_transferable_mint", None, id="non-transferable"),
        pytest.param(
            [33, 0, US, struct.pack("<h", -300)], 52, "initialize_interest_bearing_mint", [33, 1, struct.pack("<h", 5)], id="interest"
        ),
        pytest.param([35, US], 32, "initialize_permanent_delegate", None, id="permanent delegate"),
        pytest.param([36, 0, US, HOOK], 64, "initialize_transfer_hook", [36, 1, bytes(32)], id="hook"),
        pytest.param([39, 0, US, HOOK], 64, "initialize_metadata_pointer", [39, 1, bytes(32)], id="metadata"),
        pytest.param([40, 0, US, HOOK], 64, "initialize_group_pointer", [40, 1, HOOK[1:] + b"i"], id="group"),
        pytest.param([41, 0, US, HOOK], 64, "initialize_group_member_pointer", [41, 1, bytes(32)], id="member"),
        pytest.param(
            [43, 0, US, struct.pack("<d", 1.5)], 56, "initialize_scaled_ui_amount", [43, 1, struct.pack("<dq", 2, 0)], id="multiplier"
        ),
        pytest.param([44, 0, US], 33, "initialize_pausable", [44, 1], id="pause"),
    ],
)
def test_the_program_takes_an_extension_as_we_read_it(
    initialize: list[int | bytes], extension_bytes: int, method: str, update: list[int | bytes] | None
) -> None:
    """The real program initialises the token with each extension's instruction, and lets the authority that is shown change it."""
    house = House(TOKEN_2022_KEY)

    mint, initialized = mint_with(house, written(house, initialize), extension_bytes)

    assert f"token_2022.{method}" in str(initialized.details["instructions"])
    assert str(house.us.pubkey()) in initialized.details.values()
    before = house.data(mint)
    if update:
        intent = house.executed([signed_by_us(house, written(house, update), mint, house.us.pubkey())])
        assert intent.kind == "authority_change"
        assert intent.details["account"] == str(mint)
        assert before != house.data(mint)


def written(house: House, parts: list[int | bytes]) -> bytes:
    """Write an instruction: numbers are bytes, and our key stands where it is meant to."""
    return b"".join(bytes([part]) if isinstance(part, int) else bytes(house.us.pubkey()) if part is US else part for part in parts)


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
@pytest.mark.parametrize("tag", [0, 20])
def test_a_new_token_obeys_whom_the_intent_names(program: Pubkey, tag: int) -> None:
    """Who mints and who freezes is what the intent says."""
    house = House(program)
    us, mint = house.us.pubkey(), house.fresh.pubkey()
    data = bytes([tag, 6]) + bytes(us) + b"\1" + bytes(THIRD_PARTY)
    rent = Pubkey.from_string("SysvarRent111111111111111111111111111111111")

    intent = house.executed([house.created(program, 82), house.call(data, mint, *([rent] if tag == 0 else []))])

    state = Mint.from_bytes(house.data(mint))
    assert (state.decimals, state.mint_authority, state.freeze_authority) == (6, us, THIRD_PARTY)
    assert intent.details["mint_authority_2"] == str(us)
    assert intent.details["freeze_authority_2"] == str(THIRD_PARTY)


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
@pytest.mark.parametrize("tag", [2, 19])
def test_a_multisig_belongs_to_the_signers_that_are_shown(program: Pubkey, tag: int) -> None:
    """How many of which keys must sign is what the intent says."""
    house = House(program)
    us, account = house.us.pubkey(), house.fresh.pubkey()
    rent = [Pubkey.from_string("SysvarRent111111111111111111111111111111111")] if tag == 2 else []
    signers = [AccountMeta(key, is_signer=False, is_writable=False) for key in (*rent, us, THIRD_PARTY)]
    initialize = Instruction(program, bytes([tag, 2]), [AccountMeta(account, is_signer=False, is_writable=True), *signers])

    intent = house.executed([house.created(program, 355), initialize])

    assert house.data(account)[:3] == bytes([2, 2, 1])
    assert house.data(account)[3:67] == bytes(us) + bytes(THIRD_PARTY)
    assert (intent.details["required_2"], intent.details["signers_2"]) == ("2", f"{us}, {THIRD_PARTY}")


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_an_account_is_frozen_and_thawed(program: Pubkey) -> None:
    """Frozen and thawed again, as the intents say."""
    house = House(program)
    us, account = house.us.pubkey(), house.token_account(amount=5)
    mint = Mint(mint_authority=us, supply=5, decimals=0, is_initialized=True, freeze_authority=us)
    house.runtime.set_account(MINT, Account(lamports=10**9, data=bytes(mint), owner=program))

    frozen = house.executed([signed_by_us(house, bytes([10]), account, MINT, us)])
    between = TokenAccount.from_bytes(house.data(account)[:165]).state
    thawed = house.executed([signed_by_us(house, bytes([11]), account, MINT, us)])

    assert (frozen.warnings, thawed.warnings) == ((f"freezes {account}",), (f"thaws {account}",))
    assert between == TokenAccountState.Frozen
    assert TokenAccount.from_bytes(house.data(account)[:165]).state == TokenAccountState.Initialized


def test_excess_lamports_go_where_the_intent_says() -> None:
    """What a token account has above its rent is paid to whom the warning names."""
    house = House(TOKEN_2022_KEY)
    account = house.token_account()
    house.runtime.airdrop(account, 10**9)

    intent = house.executed([signed_by_us(house, bytes([38]), account, THIRD_PARTY, house.us.pubkey())])

    assert house.runtime.get_balance(THIRD_PARTY) == 10**9
    assert intent.details["destination"] == str(THIRD_PARTY)


@pytest.mark.parametrize(("tag", "word"), [(30, "memo"), (34, "programs")])
def test_guards_of_an_account_are_put_up_and_taken_down(tag: int, word: str) -> None:
    """A token account is made larger, then demands memos or keeps programs away, until that is taken back."""
    house = House(TOKEN_2022_KEY)
    us, account = house.us.pubkey(), house.token_account()
    extension = {30: 8, 34: 11}[tag]
    system = Pubkey.from_string("1" * 32)
    reallocate = Instruction(
        house.program,
        struct.pack("<BH", 29, extension),
        [
            AccountMeta(account, is_signer=False, is_writable=True),
            AccountMeta(us, is_signer=True, is_writable=True),
            AccountMeta(system, is_signer=False, is_writable=False),
            AccountMeta(us, is_signer=True, is_writable=False),
        ],
    )

    sizes = [len(house.data(account))]
    for instruction in (reallocate, signed_by_us(house, bytes([tag, 0]), account, us), signed_by_us(house, bytes([tag, 1]), account, us)):
        intent = house.executed([instruction])
        sizes.append(len(house.data(account)))

    assert sizes == [165, 171, 171, 171]
    assert word in intent.warnings[0]
