"""Solana's own runtime gives power to whom the intent names: LiteSVM executes what we sign, and what the programs wrote is read."""

from collections.abc import Sequence

import pytest
from solders.account import Account
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import (
    AssignParams,
    AuthorizeNonceAccountParams,
    CreateAccountParams,
    InitializeNonceAccountParams,
    assign,
    authorize_nonce_account,
    create_account,
    initialize_nonce_account,
)
from solders.sysvar import RENT
from solders.token.state import Mint, TokenAccount, TokenAccountState
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import TransactionMetadata

from tests.wallets.solana_messages import SOL, key_of, numbered
from wallets.chains.solana import token_2022, token_programs
from wallets.model import Intent

PROGRAMS = [Pubkey.from_string(token_programs.TOKEN), Pubkey.from_string(token_2022.TOKEN_2022)]
MINT = Pubkey.from_string(numbered(20))
THIRD_PARTY = Pubkey.from_string(numbered(23))
TOKEN_ACCOUNT_BYTES = 165
NONCE_ACCOUNT_BYTES = 80
NONCE_AUTHORITY = slice(8, 40)
"""Where a nonce account keeps its authority, behind its version and its state."""


class House:
    """A runtime with our funded account, a token's mint for each token program, and a fresh key."""

    def __init__(self, program: Pubkey = PROGRAMS[0]) -> None:
        self.runtime = LiteSVM()
        self.program = program
        self.us = Keypair.from_seed(bytes([1]) * 32)
        self.fresh = Keypair.from_seed(bytes([2]) * 32)
        self.runtime.airdrop(self.us.pubkey(), 10**10)
        mint = Mint(mint_authority=self.us.pubkey(), supply=1_000, decimals=0, is_initialized=True, freeze_authority=None)
        self.runtime.set_account(MINT, Account(lamports=10**9, data=bytes(mint), owner=program))

    def executed(self, instructions: Sequence[Instruction]) -> Intent:
        """Sign with every required key of ours, let the runtime execute it, and return what we said it would do."""
        message = Message.new_with_blockhash(list(instructions), self.us.pubkey(), self.runtime.latest_blockhash())
        raw = bytes(message)
        keys = [pair for pair in (self.us, self.fresh) if pair.pubkey() in message.account_keys[: message.header.num_required_signatures]]
        for pair in keys:
            raw = SOL.decode(raw).sign(key_of(pair.secret())).raw
        result = self.runtime.send_transaction(VersionedTransaction.from_bytes(raw))
        assert isinstance(result, TransactionMetadata), result
        return SOL.decode(raw).intent

    def data(self, key: Pubkey) -> bytes:
        """Return what an account holds."""
        account = self.runtime.get_account(key)
        assert account is not None
        return bytes(account.data)

    def created(self, owner: Pubkey, size: int) -> Instruction:
        """Create the fresh key's account."""
        lamports = self.runtime.minimum_balance_for_rent_exemption(size)
        return create_account(
            CreateAccountParams(from_pubkey=self.us.pubkey(), to_pubkey=self.fresh.pubkey(), lamports=lamports, space=size, owner=owner)
        )

    def token_account(self, *, amount: int = 0) -> Pubkey:
        """Put a token account of ours there."""
        account = TokenAccount(
            mint=MINT,
            owner=self.us.pubkey(),
            amount=amount,
            delegate=None,
            state=TokenAccountState.Initialized,
            is_native=None,
            delegated_amount=0,
            close_authority=None,
        )
        key = Pubkey.from_string(numbered(21))
        self.runtime.set_account(key, Account(lamports=2_039_280, data=bytes(account), owner=self.program))
        return key

    def call(self, data: bytes, *accounts: Pubkey) -> Instruction:
        """Call the token program with these accounts, of which we sign for our own."""
        metas = [AccountMeta(key, is_signer=key == self.us.pubkey(), is_writable=key not in {RENT, MINT}) for key in accounts]
        return Instruction(self.program, data, metas)


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
@pytest.mark.parametrize("tag", [1, 16, 18])
def test_a_token_account_belongs_to_the_owner_that_is_shown(program: Pubkey, tag: int) -> None:
    """Each of the three ways to open a token account gives it to the owner that the intent names."""
    house = House(program)
    account = house.fresh.pubkey()
    if tag == 1:
        initialize = house.call(b"\x01", account, MINT, THIRD_PARTY, RENT)
    else:
        initialize = house.call(bytes([tag]) + bytes(THIRD_PARTY), account, MINT, RENT)

    intent = house.executed([house.created(program, TOKEN_ACCOUNT_BYTES), initialize])

    assert TokenAccount.from_bytes(house.data(account)[:TOKEN_ACCOUNT_BYTES]).owner == THIRD_PARTY
    assert (intent.details["account_2"], intent.details["owner_2"]) == (str(account), str(THIRD_PARTY))
    assert intent.kind == "account_creation"
    assert intent.warnings == (
        f"the new account {account} belongs to the program {program}",
        f"the token account {account} for {MINT} belongs to {THIRD_PARTY}",
    )


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
@pytest.mark.parametrize(("number", "name"), [(2, "account_owner"), (3, "close_account")])
def test_an_authority_is_given_to_whom_is_shown(program: Pubkey, number: int, name: str) -> None:
    """The authority over a token account that the intent names is the one that changes hands."""
    house = House(program)
    account = house.token_account()

    intent = house.executed([house.call(bytes([6, number, 1]) + bytes(THIRD_PARTY), account, house.us.pubkey())])

    state = TokenAccount.from_bytes(house.data(account)[:TOKEN_ACCOUNT_BYTES])
    holders = {"account_owner": state.owner, "close_account": state.close_authority}
    assert [key for key, holder in holders.items() if holder == THIRD_PARTY] == [name]
    assert (intent.details["authority_type"], intent.details["authority"]) == (name, str(THIRD_PARTY))


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_a_dropped_authority_is_nobodys(program: Pubkey) -> None:
    """Where the intent says that nobody may mint, nobody may."""
    house = House(program)

    mint = AccountMeta(MINT, is_signer=False, is_writable=True)
    us = AccountMeta(house.us.pubkey(), is_signer=True, is_writable=False)
    intent = house.executed([Instruction(program, bytes([6, 0, 0]), [mint, us])])

    assert Mint.from_bytes(house.data(MINT)[:82]).mint_authority is None
    assert intent.warnings == (f"gives nobody the authority mint_tokens over {MINT}",)


def test_an_authority_that_is_not_known_is_shown_by_its_number() -> None:
    """Token-2022 may get more kinds of authority: the number is shown."""
    house = House()
    message = Message.new_with_blockhash(
        [house.call(bytes([6, 99, 0]), house.token_account(), house.us.pubkey())], house.us.pubkey(), house.runtime.latest_blockhash()
    )

    assert SOL.decode(bytes(message)).intent.details["authority_type"] == "type 99"


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
@pytest.mark.parametrize("is_checked", [False, True])
def test_a_delegate_is_who_is_shown(program: Pubkey, is_checked: bool) -> None:
    """The delegate and the amount that the intent names are those the token program writes down."""
    house = House(program)
    account, amount = house.token_account(amount=9), (7).to_bytes(8, "little")
    if is_checked:
        approve = house.call(bytes([13]) + amount + b"\0", account, MINT, THIRD_PARTY, house.us.pubkey())
    else:
        approve = house.call(bytes([4]) + amount, account, THIRD_PARTY, house.us.pubkey())

    intent = house.executed([approve])

    state = TokenAccount.from_bytes(house.data(account)[:TOKEN_ACCOUNT_BYTES])
    assert (state.delegate, state.delegated_amount) == (THIRD_PARTY, 7)
    assert (intent.details["delegate"], intent.details["amount"]) == (str(THIRD_PARTY), "7")


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_a_closed_account_pays_to_whom_is_shown(program: Pubkey) -> None:
    """The lamports of an account that is closed go to the destination that the intent names."""
    house = House(program)

    intent = house.executed([house.call(bytes([9]), house.token_account(), THIRD_PARTY, house.us.pubkey())])

    assert house.runtime.get_balance(THIRD_PARTY) == 2_039_280
    assert (intent.kind, intent.details["destination"]) == ("account_closure", str(THIRD_PARTY))


def test_a_nonce_account_obeys_the_authority_that_is_shown() -> None:
    """The first authority over a nonce account, and the one it is given later, are those that the intents name."""
    house = House()
    nonce = house.fresh.pubkey()
    initialize = initialize_nonce_account(InitializeNonceAccountParams(nonce_pubkey=nonce, authority=house.us.pubkey()))
    authorize = authorize_nonce_account(
        AuthorizeNonceAccountParams(nonce_pubkey=nonce, authorized_pubkey=house.us.pubkey(), new_authority=THIRD_PARTY)
    )

    first = house.executed([house.created(Pubkey.default(), NONCE_ACCOUNT_BYTES), initialize])
    first_authority = house.data(nonce)[NONCE_AUTHORITY]
    second = house.executed([authorize])
    second_authority = house.data(nonce)[NONCE_AUTHORITY]

    assert bytes(house.us.pubkey()) == first_authority
    assert first.warnings == (f"gives {house.us.pubkey()} authority over the nonce account {nonce}",)
    assert bytes(THIRD_PARTY) == second_authority
    assert second.warnings == (f"gives {THIRD_PARTY} authority over the nonce account {nonce}",)


def test_an_account_is_assigned_to_the_program_that_is_shown() -> None:
    """An account that is handed over belongs to the program that the intent names."""
    house = House()
    account = house.fresh.pubkey()
    house.runtime.airdrop(account, 10**9)

    intent = house.executed([assign(AssignParams(pubkey=account, owner=THIRD_PARTY))])

    held = house.runtime.get_account(account)
    assert held is not None
    assert held.owner == THIRD_PARTY
    assert (intent.kind, intent.warnings) == ("authority_change", (f"hands {account} over to the program {THIRD_PARTY}",))
