"""Read the messages a wallet contract sends, and say what they do.

Sources: `block.tlb` of the node (MessageRelaxed, StateInit), TEP-74 (jettons), TEP-62 (NFTs), the TON documentation on send modes and
comments.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum, auto

from wallets.chains.ton.address import WORKCHAINS, Address
from wallets.chains.ton.boc import Builder, Cell, Slice
from wallets.encoding import legible
from wallets.model import Transfer

COMMENT = 0
JETTON_TRANSFER = 0x0F8A7EA5
JETTON_BURN = 0x595F07BC
NFT_TRANSFER = 0x5FCC3D14

PAY_FEES_SEPARATELY = 1
IGNORE_ERRORS = 2
BOUNCE_ON_ACTION_FAILURE = 16
DESTROY_IF_EMPTY = 32
CARRY_ALL_BALANCE = 128
_KNOWN_MODES = PAY_FEES_SEPARATELY | IGNORE_ERRORS | BOUNCE_ON_ACTION_FAILURE | DESTROY_IF_EMPTY | CARRY_ALL_BALANCE


class Kind(StrEnum):
    """What a message is about (in the API in lower case); the weightiest of a transaction names it, so they stand in that order."""

    CONTRACT_CALL = auto()
    CONTRACT_CREATION = auto()
    TOKEN_BURN = auto()
    TOKEN_TRANSFER = auto()
    TRANSFER = auto()


@dataclass(frozen=True, slots=True)
class Effect:
    """What one message does. `contract` and `method` where it calls one."""

    kind: Kind
    transfers: tuple[Transfer, ...]
    contract: str | None = None
    method: str | None = None
    details: Mapping[str, str | int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    response_destination: Address | None = None
    """Who gets what is left of the value attached to a transfer of a token."""


@dataclass(frozen=True, slots=True)
class OutMessage:
    """An internal message to be sent. `value` in nanotons; `deploys` tells whether it carries the destination's initial state."""

    mode: int
    destination: Address
    bounce: bool
    value: int
    deploys: bool
    body: Slice

    @property
    def recipient(self) -> str:
        """The destination in the form that says whether the message bounces."""
        return self.destination.bounceable if self.bounce else self.destination.non_bounceable


def read_message(mode: int, cell: Cell, what: str) -> OutMessage:
    """Read a MessageRelaxed with an internal message in it, to the last bit. `what` names it in errors.

    What a wallet leaves to the network must be empty: source, fees, logical time. Extra currencies are not supported.

    Raises:
        MalformedTransactionError: It is anything else.
    """
    reader = Slice(cell, what)
    _check_mode(reader, mode)
    if reader.bit():
        reader.fail("this is no internal message")
    reader.bit()  # ihr_disabled: instant hypercube routing was never built, either value means the same
    bounce = reader.bit()
    if reader.bit():
        reader.fail("it is marked as bounced")
    if reader.uint(2) != 0b00:
        reader.fail("the source must be empty: the network fills it in")
    destination = read_address(reader)
    value = reader.coins()
    if reader.bit():
        reader.fail("extra currencies are not supported")
    if (reader.coins(), reader.coins(), reader.uint(64), reader.uint(32)) != (0, 0, 0, 0):
        reader.fail("fees and times must be zero: the network fills them in")
    deploys = _read_state_init(reader, destination)
    return OutMessage(mode, destination, bounce, value, deploys, _read_either(reader, what))


def read_address(reader: Slice) -> Address:
    """Read `addr_std` without anycast, in a workchain that exists."""
    if reader.uint(2) != 0b10 or reader.bit():
        reader.fail("this is no standard address")
    workchain = reader.sint(8)
    if workchain not in WORKCHAINS:
        reader.fail(f"there is no workchain {workchain}")
    return Address(workchain, reader.octets(32))


def effect_of(message: OutMessage, what: str) -> Effect:
    """Say what a message does.

    Raises:
        MalformedTransactionError: It begins like a transfer or a burning of a token and is none.
    """
    plain = _plain_effect(message, what)
    body = message.body.copy()
    if not (body.remaining_bits or body.remaining_refs):
        return plain
    operation = _read_operation(body)
    read = _TOKEN_OPERATIONS.get(operation)
    if read is not None:
        return read(body, message.recipient, plain, what)
    text = _read_text(body) if operation == COMMENT else None
    if text is not None:
        return replace(plain, details={**plain.details, "comment": text})
    return replace(
        plain,
        kind=Kind.CONTRACT_CALL,
        contract=message.recipient,
        method=None if operation is None else _operation_text(operation),
        warnings=(*plain.warnings, f"{what} calls {message.recipient} {_unknown(operation)}"),
    )


def _plain_effect(message: OutMessage, what: str) -> Effect:
    """Say what a message does without regard to its body."""
    warnings = _mode_warnings(message.mode, what)
    if message.deploys:
        warnings += (f"{what} deploys a contract at {message.recipient}",)
    kind = Kind.CONTRACT_CREATION if message.deploys else Kind.TRANSFER
    return Effect(kind, (Transfer(message.recipient, message.value),), details={"mode": message.mode}, warnings=warnings)


def _read_operation(body: Slice) -> int | None:
    """Read the 32 bits that tell a contract what to do; None where there are fewer."""
    return body.uint(32) if body.remaining_bits >= 32 else None


def _operation_text(operation: int) -> str:
    return f"0x{operation:08x}"


def _unknown(operation: int | None) -> str:
    """Name the operation code that nothing is known of here: it can be looked up."""
    return "without an operation code" if operation is None else f"with operation {_operation_text(operation)}, which is not known here"


def _check_mode(reader: Slice, mode: int) -> None:
    """Refuse modes that the action phase would refuse, and 64, which forwards the value of an inbound message: a wallet gets none."""
    if mode & ~_KNOWN_MODES:
        reader.fail(f"send mode {mode} has flags a wallet's message cannot have")
    if mode & DESTROY_IF_EMPTY and not mode & CARRY_ALL_BALANCE:
        reader.fail(f"send mode {mode}: the flag 32 has a meaning only with 128")


def _mode_warnings(mode: int, what: str) -> tuple[str, ...]:
    warnings = []
    if mode & CARRY_ALL_BALANCE:
        warnings.append(f"{what} carries the wallet's whole balance, not the amount it states")
    if mode & DESTROY_IF_EMPTY:
        warnings.append(f"{what} destroys the wallet's contract when nothing is left in it")
    return tuple(warnings)


def _read_state_init(reader: Slice, destination: Address) -> bool:
    """Read `Maybe (Either StateInit ^StateInit)`: it must be the destination's, or the network would ignore it."""
    if not reader.bit():
        return False
    if reader.bit():
        state = reader.ref()
        fields = Slice(state, "state init")
        _pass_state_init(fields)
        fields.end()
    else:
        state = _pass_state_init(reader)
    if state.hash != destination.account:
        reader.fail("the state init is not the destination's")
    return True


def _pass_state_init(reader: Slice) -> Cell:
    """Pass over a StateInit and return it as a cell of its own."""
    builder = Builder()
    if reader.bit():
        reader.fail("a state init with a split depth is not supported")
    builder.uint(0, 1)
    has_special = reader.bit()
    builder.uint(has_special, 1)
    if has_special:
        builder.uint(reader.uint(2), 2)
    for _ in ("code", "data", "library"):
        is_there = reader.bit()
        builder.uint(is_there, 1)
        if is_there:
            builder.ref(reader.ref())
    return builder.cell()


def _read_either(reader: Slice, what: str) -> Slice:
    """Read `Either X ^X`: what is left in this cell, or the one reference that is all that is left."""
    if not reader.bit():
        return reader
    cell = reader.ref()
    reader.end()
    # A body that is nothing but a library reference says nothing here; contracts would have to look it up.
    return Slice(cell, f"{what}, body")


def _read_text(reader: Slice) -> str | None:
    """Read text in snake format: bytes, and more of them in the one reference, and so on. None where it is not UTF-8 text."""
    chunks = []
    while True:
        if reader.remaining_bits % 8 or reader.remaining_refs > 1:
            return None
        chunks.append(reader.octets(reader.remaining_bits // 8))
        if not reader.remaining_refs:
            break
        cell = reader.ref()
        if cell.exotic:
            return None
        reader = Slice(cell, "comment")
    try:
        return legible(b"".join(chunks).decode())
    except UnicodeDecodeError:
        return None


def _read_jetton_transfer(body: Slice, token_wallet: str, plain: Effect, what: str) -> Effect:
    """Read TEP-74 `transfer` behind its tag. The token is named by the sender's own wallet contract for it, where the message goes."""
    query_id, amount = body.uint(64), body.coins()
    recipient = read_address(body).non_bounceable
    transfer = Transfer(recipient, amount, token_wallet)
    return _read_forwarding(body, transfer, replace(plain, method="transfer", details={**plain.details, "query_id": query_id}), what)


def _read_nft_transfer(body: Slice, item: str, plain: Effect, what: str) -> Effect:
    """Read TEP-62 `transfer` behind its tag. The token is the contract that the message goes to, and there is one of it."""
    query_id = body.uint(64)
    transfer = Transfer(read_address(body).non_bounceable, 1, item)
    return _read_forwarding(body, transfer, replace(plain, method="nft_transfer", details={**plain.details, "query_id": query_id}), what)


def _read_forwarding(body: Slice, transfer: Transfer, plain: Effect, what: str) -> Effect:
    """Read what both transfers end with: who gets the rest, a custom payload, and what the new owner is told with how much value."""
    details = dict(plain.details)
    warnings = list(plain.warnings)
    response_destination = _read_response_destination(body)
    if response_destination:
        details["response_destination"] = response_destination.non_bounceable
    _read_custom_payload(body, transfer.asset, details, warnings, what)
    details["forward_ton_amount"] = body.coins()
    payload = _read_either(body, "forward payload")
    text = _read_comment(payload)
    if text is not None:
        details["comment"] = text
    elif payload.remaining_bits or payload.remaining_refs:
        operation = _read_operation(payload)
        details["forward_payload"] = _shown_operation(operation)
        warnings.append(f"{what} has a payload for {transfer.recipient} {_unknown(operation)}")
    return replace(
        plain,
        kind=Kind.TOKEN_TRANSFER,
        transfers=(transfer, *plain.transfers),
        contract=transfer.asset,
        details=details,
        warnings=tuple(warnings),
        response_destination=response_destination,
    )


def _read_custom_payload(body: Slice, contract: str, details: dict[str, str | int], warnings: list[str], what: str) -> None:
    if body.bit():
        operation = _operation_of(body.ref())
        details["custom_payload"] = _shown_operation(operation)
        warnings.append(f"{what} has a custom payload for {contract} {_unknown(operation)}")


def _read_jetton_burn(body: Slice, token_wallet: str, plain: Effect, what: str) -> Effect:
    """Read TEP-74 `burn` behind its tag."""
    details: dict[str, str | int] = {**plain.details, "query_id": body.uint(64)}
    amount = body.coins()
    details["burned"] = str(amount)
    warnings = [*plain.warnings, f"{what} burns {amount} base units of the token in {token_wallet}"]
    response_destination = _read_response_destination(body)
    if response_destination:
        details["response_destination"] = response_destination.non_bounceable
    _read_custom_payload(body, token_wallet, details, warnings, what)
    body.end()
    return replace(
        plain,
        kind=Kind.TOKEN_BURN,
        contract=token_wallet,
        method="burn",
        details=details,
        warnings=tuple(warnings),
        response_destination=response_destination,
    )


_TOKEN_OPERATIONS: Mapping[int | None, Callable[[Slice, str, Effect, str], Effect]] = {
    JETTON_TRANSFER: _read_jetton_transfer,
    JETTON_BURN: _read_jetton_burn,
    NFT_TRANSFER: _read_nft_transfer,
}


def _read_response_destination(reader: Slice) -> Address | None:
    """Read who gets what is left of the attached value: an address, or nobody (`addr_none`)."""
    if reader.copy().uint(2) == 0b00:
        reader.uint(2)
        return None
    return read_address(reader)


def _read_comment(payload: Slice) -> str | None:
    """Read a payload that is a comment; None, and nothing taken from it, where it is something else."""
    reader = payload.copy()
    return _read_text(reader) if _read_operation(reader) == COMMENT else None


def _operation_of(cell: Cell) -> int | None:
    return None if cell.exotic else _read_operation(Slice(cell, "custom payload"))


def _shown_operation(operation: int | None) -> str:
    return "no operation code" if operation is None else _operation_text(operation)
