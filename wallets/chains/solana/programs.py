"""Say what single instructions do: those of the System, Token, Token-2022, Associated Token, Compute Budget and Memo programs.

A program that is not known here, or an instruction of it that is not, has an effect nobody can state: it becomes a contract call with a
warning. An instruction that is known must be exactly as long as its layout. The programs themselves ignore bytes behind it; we refuse
them, so that two transactions never look the same here and different elsewhere.

Layouts: `solana-system-interface` (bincode: a uint32 tag), `spl-token-interface` and `spl-token-2022-interface` (a byte), little-endian.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial

from wallets.chains.solana.message import KEY_BYTES, Instruction, Message, Reader
from wallets.encoding import base58
from wallets.errors import MalformedTransactionError
from wallets.model import Transfer

SYSTEM = "11111111111111111111111111111111"
TOKEN = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"  # noqa: S105  # an address, no password
TOKEN_2022 = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"  # noqa: S105  # an address, no password
ASSOCIATED_TOKEN = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL"  # noqa: S105  # an address, no password
COMPUTE_BUDGET = "ComputeBudget111111111111111111111111111111"
MEMO = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"
MEMO_V1 = "Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo"
PRECOMPILES = frozenset(
    {
        "Ed25519SigVerify111111111111111111111111111",
        "KeccakSecp256k11111111111111111111111111111",
        "Secp256r1SigVerify1111111111111111111111111",
    }
)
"""Programs that verify signatures in their data, whose first byte is how many; each costs the base fee."""


class Kind(StrEnum):
    """What an instruction is about; the weightiest of a transaction names it, so they stand in that order."""

    CONTRACT_CALL = "contract_call"
    AUTHORITY_CHANGE = "authority_change"
    TOKEN_APPROVAL = "token_approval"  # noqa: S105  # no password
    TOKEN_BURN = "token_burn"  # noqa: S105  # no password
    TOKEN_MINT = "token_mint"  # noqa: S105  # no password
    TOKEN_TRANSFER = "token_transfer"  # noqa: S105  # no password
    TRANSFER = "transfer"
    ACCOUNT_CREATION = "account_creation"
    MAINTENANCE = "maintenance"
    MEMO = "memo"
    FEE = "fee"


@dataclass(frozen=True, slots=True)
class Effect:
    """What one instruction does. `payer` is whose funds move, `limits` what it sets in the compute budget."""

    name: str
    kind: Kind
    transfers: tuple[Transfer, ...] = ()
    payer: str | None = None
    warnings: tuple[str, ...] = ()
    memo: str | None = None
    limits: Mapping[str, int] = field(default_factory=dict)


class Call:
    """One instruction being read: its accounts by name, its data from the front."""

    def __init__(self, message: Message, instruction: Instruction, number: int) -> None:
        self.program = message.account(instruction.program)
        self.data = Reader(instruction.data, f"instruction {number}")
        self._message = message
        self._accounts = instruction.accounts
        self._number = number

    def accounts(self, count: int) -> list[str]:
        """Return the first `count` accounts; instructions may have more behind them (multisig signers, transfer hooks)."""
        if len(self._accounts) < count:
            msg = f"instruction {self._number}: {count} accounts expected, {len(self._accounts)} are there"
            raise MalformedTransactionError(msg)
        return [self._message.account(index) for index in self._accounts[:count]]

    def u64(self) -> int:
        """Return an amount."""
        return self.data.uint(8)

    def key(self) -> str:
        """Return a public key."""
        return base58(self.data.take(KEY_BYTES))

    def skip_string(self) -> None:
        """Pass a string: its length as uint64, then its bytes."""
        self.data.take(self.u64())


def effect_of(message: Message, instruction: Instruction, number: int) -> Effect:
    """Say what the instruction does. `number` counts from 1, for errors.

    Raises:
        MalformedTransactionError: It is a known instruction, but not in its layout.
    """
    call = Call(message, instruction, number)
    read = _PROGRAMS.get(call.program)
    effect = read(call) if read else None
    if effect is None:
        return Effect(
            call.program, Kind.CONTRACT_CALL, warnings=(f"instruction {number} calls {call.program} in a way that is not known here",)
        )
    call.data.end()
    return effect


_Read = Callable[[Call], Effect]


def _tagged(table: Mapping[int, _Read], tag_bytes: int, call: Call) -> Effect | None:
    """Read the tag, and then as the table says; None for a tag that is not in it, or none at all."""
    if call.data.remaining < tag_bytes:
        return None
    read = table.get(call.data.uint(tag_bytes))
    return read(call) if read else None


def _plain(name: str, kind: Kind, data_bytes: int, call: Call) -> Effect:
    """Pass over an instruction whose name says all there is to say."""
    call.data.take(data_bytes)
    return Effect(name, kind)


# System program


def _transfer(call: Call) -> Effect:
    amount = call.u64()
    source, target = call.accounts(2)
    return Effect("system.transfer", Kind.TRANSFER, (Transfer(target, amount),), source)


def _transfer_with_seed(call: Call) -> Effect:
    amount = call.u64()
    call.skip_string()
    call.key()
    source, _, target = call.accounts(3)
    return Effect("system.transfer_with_seed", Kind.TRANSFER, (Transfer(target, amount),), source)


def _withdraw_nonce(call: Call) -> Effect:
    amount = call.u64()
    nonce, target = call.accounts(2)
    return Effect("system.withdraw_nonce", Kind.TRANSFER, (Transfer(target, amount),), nonce)


def _create_account(call: Call) -> Effect:
    amount = call.u64()
    call.u64()
    owner = call.key()
    payer, created = call.accounts(2)
    return _created("system.create_account", created, owner, amount, payer)


def _create_account_with_seed(call: Call) -> Effect:
    call.key()
    call.skip_string()
    amount = call.u64()
    call.u64()
    owner = call.key()
    payer, created = call.accounts(2)
    return _created("system.create_account_with_seed", created, owner, amount, payer)


def _created(name: str, created: str, owner: str, amount: int, payer: str) -> Effect:
    warnings = () if owner in {SYSTEM, TOKEN, TOKEN_2022} else (f"the new account {created} belongs to {owner}",)
    return Effect(name, Kind.ACCOUNT_CREATION, (Transfer(created, amount),), payer, warnings)


def _assign(call: Call) -> Effect:
    owner = call.key()
    (account,) = call.accounts(1)
    return Effect("system.assign", Kind.AUTHORITY_CHANGE, warnings=(f"hands {account} over to the program {owner}",))


def _assign_with_seed(call: Call) -> Effect:
    call.key()
    call.skip_string()
    return _assign(call)


def _authorize_nonce(call: Call) -> Effect:
    authority = call.key()
    (nonce,) = call.accounts(1)
    return Effect(
        "system.authorize_nonce", Kind.AUTHORITY_CHANGE, warnings=(f"gives {authority} authority over the nonce account {nonce}",)
    )


def _advance_nonce(call: Call) -> Effect:
    (nonce,) = call.accounts(1)
    return Effect(
        "system.advance_nonce", Kind.MAINTENANCE, warnings=(f"uses the durable nonce of {nonce}: it does not expire until that advances",)
    )


_SYSTEM: Mapping[int, _Read] = {
    0: _create_account,
    1: _assign,
    2: _transfer,
    3: _create_account_with_seed,
    4: _advance_nonce,
    5: _withdraw_nonce,
    6: partial(_plain, "system.initialize_nonce", Kind.MAINTENANCE, KEY_BYTES),
    7: _authorize_nonce,
    8: partial(_plain, "system.allocate", Kind.MAINTENANCE, 8),
    10: _assign_with_seed,
    11: _transfer_with_seed,
}


# Token programs


def _token_transfer(call: Call) -> Effect:
    amount = call.u64()
    source, target, owner = call.accounts(3)
    warning = f"the transaction does not name the token that leaves {source}"
    return Effect("token.transfer", Kind.TOKEN_TRANSFER, (Transfer(target, amount, source),), owner, (warning,))


def _token_transfer_checked(call: Call) -> Effect:
    amount = call.u64()
    call.data.u8()
    _, mint, target, owner = call.accounts(4)
    return Effect("token.transfer_checked", Kind.TOKEN_TRANSFER, (Transfer(target, amount, mint),), owner)


def _token_transfer_with_fee(call: Call) -> Effect:
    effect = _token_transfer_checked(call)
    call.u64()
    return Effect("token.transfer_checked_with_fee", effect.kind, effect.transfers, effect.payer)


def _token_approve(call: Call) -> Effect:
    amount = call.u64()
    source, delegate, owner = call.accounts(3)
    return _approved("token.approve", source, delegate, owner, amount)


def _token_approve_checked(call: Call) -> Effect:
    amount = call.u64()
    call.data.u8()
    source, _, delegate, owner = call.accounts(4)
    return _approved("token.approve_checked", source, delegate, owner, amount)


def _approved(name: str, source: str, delegate: str, owner: str, amount: int) -> Effect:
    return Effect(name, Kind.TOKEN_APPROVAL, payer=owner, warnings=(f"lets {delegate} spend {amount} base units from {source}",))


def _token_set_authority(call: Call) -> Effect:
    call.data.u8()
    authority = call.key() if call.data.u8() else "nobody"
    account, owner = call.accounts(2)
    return Effect("token.set_authority", Kind.AUTHORITY_CHANGE, payer=owner, warnings=(f"gives {authority} an authority over {account}",))


def _token_mint(name: str, data_bytes: int, call: Call) -> Effect:
    amount = call.u64()
    call.data.take(data_bytes)
    mint, target, authority = call.accounts(3)
    return Effect(name, Kind.TOKEN_MINT, (Transfer(target, amount, mint),), authority)


def _token_burn(name: str, data_bytes: int, call: Call) -> Effect:
    amount = call.u64()
    call.data.take(data_bytes)
    source, mint, owner = call.accounts(3)
    return Effect(name, Kind.TOKEN_BURN, payer=owner, warnings=(f"burns {amount} base units of {mint} in {source}",))


def _token_close(call: Call) -> Effect:
    account, target, owner = call.accounts(3)
    return Effect(
        "token.close_account", Kind.MAINTENANCE, payer=owner, warnings=(f"closes {account} and pays all its lamports to {target}",)
    )


_TOKEN: Mapping[int, _Read] = {
    1: partial(_plain, "token.initialize_account", Kind.MAINTENANCE, 0),
    3: _token_transfer,
    4: _token_approve,
    5: partial(_plain, "token.revoke", Kind.MAINTENANCE, 0),
    6: _token_set_authority,
    7: partial(_token_mint, "token.mint_to", 0),
    8: partial(_token_burn, "token.burn", 0),
    9: _token_close,
    12: _token_transfer_checked,
    13: _token_approve_checked,
    14: partial(_token_mint, "token.mint_to_checked", 1),
    15: partial(_token_burn, "token.burn_checked", 1),
    16: partial(_plain, "token.initialize_account_2", Kind.MAINTENANCE, KEY_BYTES),
    17: partial(_plain, "token.sync_native", Kind.MAINTENANCE, 0),
    18: partial(_plain, "token.initialize_account_3", Kind.MAINTENANCE, KEY_BYTES),
}

_TRANSFER_FEE_EXTENSION = {1: _token_transfer_with_fee}


def _token_2022(call: Call) -> Effect | None:
    if call.data.remaining and call.data.peek() == 26:
        call.data.u8()
        return _tagged(_TRANSFER_FEE_EXTENSION, 1, call)
    return _tagged(_TOKEN, 1, call)


# Associated Token, Compute Budget, Memo


def _associated_token(call: Call) -> Effect | None:
    tag = call.data.u8() if call.data.remaining else 0
    if tag > 1:
        return None
    payer, _, owner, mint = call.accounts(4)
    name = ("associated_token.create", "associated_token.create_idempotent")[tag]
    return Effect(name, Kind.ACCOUNT_CREATION, payer=payer, warnings=(f"pays the rent of an account of {owner} for {mint}, if it is new",))


def _limit(name: str, size: int, call: Call) -> Effect:
    return Effect(f"compute_budget.{name}", Kind.FEE, limits={name: call.data.uint(size)})


_COMPUTE_BUDGET: Mapping[int, _Read] = {
    1: partial(_limit, "heap_bytes", 4),
    2: partial(_limit, "compute_unit_limit", 4),
    3: partial(_limit, "compute_unit_price", 8),
    4: partial(_limit, "loaded_accounts_data_bytes", 4),
}


def _memo(call: Call) -> Effect:
    try:
        text = call.data.rest().decode()
    except UnicodeDecodeError as error:
        msg = "a memo is not UTF-8"
        raise MalformedTransactionError(msg) from error
    return Effect("memo", Kind.MEMO, memo=text)


_PROGRAMS: Mapping[str, Callable[[Call], Effect | None]] = {
    SYSTEM: partial(_tagged, _SYSTEM, 4),
    TOKEN: partial(_tagged, _TOKEN, 1),
    TOKEN_2022: _token_2022,
    ASSOCIATED_TOKEN: _associated_token,
    COMPUTE_BUDGET: partial(_tagged, _COMPUTE_BUDGET, 1),
    MEMO: _memo,
    MEMO_V1: _memo,
}
