"""Say what a whole Solana message does, and what it can cost."""

from collections.abc import Sequence

from wallets.chains.contract_calls.meaning import ZERO_ADDRESS, fee_warnings, recipient_warnings
from wallets.chains.solana.instruction import Effect, Kind
from wallets.chains.solana.message import Message
from wallets.chains.solana.programs import PRECOMPILES, effects_of
from wallets.chains.solana.system_program import ADVANCE_NONCE, SYSTEM
from wallets.encoding import base58, legible
from wallets.errors import MalformedTransactionError
from wallets.hashes import sha256
from wallets.model import Intent

LAMPORTS_PER_SIGNATURE = 5_000
MAX_COMPUTE_UNITS = 1_400_000
DEFAULT_INSTRUCTION_COMPUTE_UNITS = 200_000
_ABSURD_FEE = 10**9
"""One SOL, in lamports: 200,000 times the base fee. Priority fees reach hundredths of it where blocks are full."""
_MICRO = 1_000_000

_KINDS = tuple(Kind)

DURABLE_NONCE = "durable_nonce"
"""Where an intent's details have the nonce that stands in the place of a recent blockhash."""


def read_intent(message: Message) -> Intent:
    """Say what the message does.

    Recipients of tokens are token accounts, as the transaction names them. An account from a lookup table is written `table[index]`:
    which key that is, only the network knows.

    Raises:
        MalformedTransactionError: A known instruction is not in its layout, or the compute budget is set twice.
    """
    numbered = enumerate(message.instructions, start=1)
    effects = [effect for number, instruction in numbered for effect in effects_of(message, instruction, number)]
    limits = _limits(effects)
    max_fee = _max_fee(message, limits)
    kind = min((effect.kind for effect in effects), key=_KINDS.index, default=Kind.MEMO)
    # The instruction that gives the transaction its kind; compute-budget instructions usually stand before it.
    main = next((effect for effect in effects if effect.kind is kind), None)
    return Intent(
        network="sol",
        kind=kind,
        sender=_sender(message, effects),
        transfers=tuple(transfer for effect in effects for transfer in effect.transfers),
        max_fee=max_fee,
        contract=main.name if main and kind is Kind.CONTRACT_CALL else None,
        method=main.name if main and kind is not Kind.CONTRACT_CALL else None,
        details=_details(message, effects, limits),
        warnings=_value_warnings(effects, max_fee) + _warnings(message, effects),
    )


def _limits(effects: Sequence[Effect]) -> dict[str, int]:
    limits: dict[str, int] = {}
    for effect in effects:
        if limits.keys() & effect.limits.keys():
            msg = f"{effect.name} is set twice"
            raise MalformedTransactionError(msg)
        limits.update(effect.limits)
    return limits


def _sender(message: Message, effects: Sequence[Effect]) -> str:
    """Whose funds the transfers move, if they are one account's; else, also where an amount is hidden, who pays the fee."""
    payers = {effect.payer for effect in effects if effect.transfers and effect.payer}
    return payers.pop() if len(payers) == 1 else base58(message.keys[0])


def _max_fee(message: Message, limits: dict[str, int]) -> int:
    """Base fee of every signature, also those that precompiled programs verify, and the priority fee, which is paid on the limit.

    Without a limit the runtime allows 200,000 units an instruction, less for its built-in programs (SIMD-0170): an upper bound.
    """
    precompiled = [each.data[0] for each in message.instructions if each.data and message.account(each.program) in PRECOMPILES]
    default = DEFAULT_INSTRUCTION_COMPUTE_UNITS * len(message.instructions)
    units = min(limits.get("compute_unit_limit", default), MAX_COMPUTE_UNITS)
    priority = -(-limits.get("compute_unit_price", 0) * units // _MICRO)
    return LAMPORTS_PER_SIGNATURE * (message.signer_count + sum(precompiled)) + priority


def _details(message: Message, effects: Sequence[Effect], limits: dict[str, int]) -> dict[str, str | int]:
    details: dict[str, str | int] = {
        "version": message.version,
        "fee_payer": base58(message.keys[0]),
        DURABLE_NONCE if _is_durable(effects) else "recent_blockhash": base58(message.blockhash),
        "payload_hash": sha256(message.raw).hex(),
        "signatures": message.signer_count,
        "instructions": ", ".join(effect.name for effect in effects),
        **limits,
        **_instruction_details(effects),
    }
    memos = [effect.memo for effect in effects if effect.memo is not None]
    if memos:
        details["memo"] = legible("\n".join(memos))
    return details


def _is_durable(effects: Sequence[Effect]) -> bool:
    """Whether the blockhash is a durable nonce: the runtime takes it for one where the first instruction advances the nonce account."""
    return bool(effects) and effects[0].name == ADVANCE_NONCE


def _instruction_details(effects: Sequence[Effect]) -> dict[str, str]:
    """Return what each instruction adds, under its number where there are several."""
    if len(effects) == 1:
        return dict(effects[0].details)
    return {f"{name}_{number}": value for number, effect in enumerate(effects, start=1) for name, value in effect.details.items()}


def _value_warnings(effects: Sequence[Effect], max_fee: int) -> tuple[str, ...]:
    """Return what is odd about sending SOL: to nobody, or for a fee of more than a tenth of it; or of absurd fees for anything."""
    sent = [transfer for effect in effects if effect.kind is Kind.TRANSFER for transfer in effect.transfers if transfer.asset == "native"]
    lost = recipient_warnings(ZERO_ADDRESS) if any(transfer.recipient == SYSTEM for transfer in sent) else ()
    return lost + fee_warnings(sum([transfer.amount for transfer in sent]), max_fee, _ABSURD_FEE)


def _warnings(message: Message, effects: Sequence[Effect]) -> tuple[str, ...]:
    warnings = [warning for effect in effects for warning in effect.warnings]
    if not effects:
        warnings.append("the transaction has no instructions: it does nothing but pay its fee")
    if _is_durable(effects):
        nonce = effects[0].details["nonce_account"]
        warnings.append(f"uses the durable nonce of {nonce}: it does not expire until that advances")
    if message.lookups:
        warnings.append("accounts written as table[index] come from lookup tables, whose contents are not in the transaction")
    return tuple(warnings)
