"""Say what a contract call does, and what is odd about it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from wallets.model import Transfer

ZERO_ADDRESS = bytes(20)

MAX_TRANSFERS = 256
"""What is shown of one call: an intent must stay readable, and small enough to be audited."""

NEW_CONTRACT = "new contract"
"""The recipient of what goes into a contract that is created: its address is made of its sender's, or of the whole transaction."""

_PRACTICALLY_UNLIMITED = 2**112 - 1
"""The most of a token that a pair of Uniswap v2 holds, whose reserves have 112 bits: no token that is traded has such a supply. SHIB and
PEPE, with some 5 * 10^32 base units, have a tenth of it; more than 2^96.
"""
_UNLIMITED_IN_96_BITS = 2**96 - 1
"""What tokens that keep amounts in 96 bits (UNI, COMP) take for unlimited: nobody writes just this amount for another reason."""


@dataclass(frozen=True, slots=True)
class AddressForm:
    """How a network writes addresses: 20 bytes as `text`, and in a word behind one of the `heads`, of 12 bytes each."""

    text: Callable[[bytes], str]
    heads: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class CallMeaning:
    """What a contract call does, in the terms of `wallets.model.Intent`.

    `passed_on` is how much native value is in `transfers` already, on its way to somebody else; None where the call names no amounts, so
    that what goes along stays with the contract. It is what the arguments say, and no more: `with_value` compares it with what is sent.
    `spends_own` is whether contracts that have this method hold value of their own, and pay from it where none is sent: accounts.
    `more_transfers` are those beyond as many as are shown, which are counted and not told: the address of each would have to be written.
    """

    kind: str
    method: str | None = None
    transfers: tuple[Transfer, ...] = ()
    details: Mapping[str, str | int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    passed_on: int | None = None
    spends_own: bool = False
    more_transfers: int = 0


class Reader(Protocol):
    """Reads a call inside of another, and writes addresses as the network does."""

    def text(self, address: bytes) -> str:
        """Write 20 bytes as an address."""
        ...

    def inner(self, contract: str, data: bytes, depth: int) -> CallMeaning | None:
        """Read a call; None if there were too many, or too deep in each other, to be read."""
        ...


@dataclass(frozen=True, slots=True)
class Call:
    """A call whose method is known: to which contract, inside of how many others, and what reads the calls inside of it."""

    method: str
    contract: str
    depth: int
    reader: Reader

    def text(self, address: bytes) -> str:
        """Write 20 bytes as an address."""
        return self.reader.text(address)


def with_value(call: CallMeaning, contract: str, value: int) -> CallMeaning:
    """Return what a call does that native value is sent along with: what the contract gets, and what it is trusted to pass on.

    Anybody may write selector and arguments, and a contract may do with the value what it wants: it is named wherever value goes through
    it, and never are others said to get more than is sent.
    """
    if call.passed_on is None:
        return replace(call, transfers=_sent(contract, value) + call.transfers)
    if call.spends_own and not value:
        odd = (f"the contract {contract} is said to pay {call.passed_on} out of its own balance",) if call.passed_on else ()
        return replace(call, warnings=odd + call.warnings)
    kept = value - call.passed_on
    if kept < 0:
        tokens = tuple(transfer for transfer in call.transfers if transfer.asset != "native")
        odd = (f"says that {call.passed_on} is passed on, but {value} is sent: only what the contract {contract} gets is shown",)
        return replace(call, transfers=_sent(contract, value) + tokens, warnings=odd + call.warnings)
    trusted = (f"the contract {contract} is trusted to pass on {call.passed_on}",) if call.passed_on else ()
    odd = (f"of the {value} that is sent, {kept} stays with the contract {contract}",) if kept else ()
    return replace(call, transfers=_sent(contract, kept) + call.transfers, warnings=trusted + odd + call.warnings)


def _sent(contract: str, value: int) -> tuple[Transfer, ...]:
    return (Transfer(contract, value),) if value else ()


def recipient_warnings(recipient: bytes) -> tuple[str, ...]:
    """Return what is odd about sending value to these 20 bytes."""
    return ("the recipient is the zero address: what is sent there is lost",) if recipient == ZERO_ADDRESS else ()


def allowance_warnings(amount: int) -> tuple[str, ...]:
    """Return what is odd about letting somebody take an amount."""
    is_unlimited = amount >= _PRACTICALLY_UNLIMITED or amount == _UNLIMITED_IN_96_BITS
    return ("lets the spender take a practically unlimited amount",) if is_unlimited else ()


def fee_warnings(amount: int, max_fee: int, absurd_fee: int) -> tuple[str, ...]:
    """Return what is odd about paying a fee of up to `max_fee` for sending `amount`, which may be none; in base units of the native asset.

    `absurd_fee` is more than ordinary transactions of the network cost, whatever they do: what tokens are worth is not known here.
    """
    if amount and max_fee * 10 > amount:
        return ("the fee may be more than a tenth of the amount",)
    return (f"the fee may be {max_fee}, far more than is usual",) if max_fee > absurd_fee else ()
