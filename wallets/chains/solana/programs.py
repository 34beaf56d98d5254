"""Say what single instructions do: those of the System, Token, Token-2022, Associated Token, Compute Budget and Memo programs.

A program that is not known here, or an instruction of it that is not, has an effect nobody can state: it becomes a contract call with a
warning. An instruction that is known must be exactly as long as its layout. The programs themselves ignore bytes behind it; we refuse
them, so that two transactions never look the same here and different elsewhere.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from wallets.chains.solana.instruction import Call, Effect, Kind, Read, tagged
from wallets.chains.solana.message import Instruction, Message, Reader
from wallets.chains.solana.system_program import SYSTEM, read_system
from wallets.chains.solana.token_2022 import TOKEN_2022, read_token_2022
from wallets.chains.solana.token_programs import ASSOCIATED_TOKEN, TOKEN, read_associated_token, read_token
from wallets.errors import MalformedTransactionError

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


_BATCHING = frozenset({TOKEN, TOKEN_2022})
_BATCH = b"\xff"


def effects_of(message: Message, instruction: Instruction, number: int) -> list[Effect]:
    """Say what the instruction does; of a batch, each one inside of it. `number` counts from 1, for errors.

    Raises:
        MalformedTransactionError: It is a known instruction, but not in its layout.
    """
    if message.account(instruction.program) in _BATCHING and instruction.data[:1] == _BATCH:
        inner = enumerate(_inside(instruction, number), start=1)
        return [_effect_of(message, each, f"{number}.{position}") for position, each in inner]
    return [_effect_of(message, instruction, str(number))]


def _inside(instruction: Instruction, number: int) -> Iterator[Instruction]:
    """Take a batch apart: each has the numbers of its accounts and of its bytes before it, and takes the next accounts.

    The programs refuse an empty instruction, and a batch inside of one.
    """
    data, accounts = Reader(instruction.data, f"instruction {number}"), instruction.accounts
    data.take(len(_BATCH))
    is_whole = False
    while not is_whole:  # an empty one is none
        count, size = data.u8(), data.u8()
        if not size:
            data.fail("an instruction of a batch is empty")
        if count > len(accounts):
            data.fail(f"{count} accounts are expected, and {len(accounts)} are left")
        yield Instruction(instruction.program, accounts[:count], data.take(size))
        accounts, is_whole = accounts[count:], not data.remaining
    if accounts:
        data.fail(f"{len(accounts)} accounts are left")


def _effect_of(message: Message, instruction: Instruction, number: str) -> Effect:
    """Say what one instruction does.

    Raises:
        MalformedTransactionError: It is a known instruction, but not in its layout.
    """
    call = Call(message, instruction, number)
    read = _PROGRAMS.get(call.program)
    effect = read(call) if read else None
    if effect is None:
        warning = f"instruction {number} calls {call.program} in a way that is not known here"
        return Effect(call.program, Kind.CONTRACT_CALL, warnings=(warning,))
    call.data.end()
    return effect


def _limit(name: str, size: int, call: Call) -> Effect:
    return Effect(f"compute_budget.{name}", Kind.FEE, limits={name: call.data.uint(size)})


_COMPUTE_BUDGET: Mapping[int, Read] = {
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
    SYSTEM: read_system,
    TOKEN: read_token,
    TOKEN_2022: read_token_2022,
    ASSOCIATED_TOKEN: read_associated_token,
    COMPUTE_BUDGET: partial(tagged, _COMPUTE_BUDGET, 1),
    MEMO: _memo,
    MEMO_V1: _memo,
}
