"""Say what a contract call does, and what is odd about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from wallets.model import Transfer

ZERO_ADDRESS = bytes(20)

_PRACTICALLY_UNLIMITED = 2**96 - 1
"""Tokens that keep amounts in 96 bits take this for unlimited, and no token has a supply near it."""


@dataclass(frozen=True, slots=True)
class CallMeaning:
    """What a contract call does, in the terms of `wallets.model.Intent`.

    `passed_on` is how much of the native value that goes along is in `transfers` already, on its way to somebody else.
    """

    kind: str
    method: str | None = None
    transfers: tuple[Transfer, ...] = ()
    details: Mapping[str, str | int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    passed_on: int = 0


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


def recipient_warnings(recipient: bytes) -> tuple[str, ...]:
    """Return what is odd about sending value to these 20 bytes."""
    return ("the recipient is the zero address: what is sent there is lost",) if recipient == ZERO_ADDRESS else ()


def allowance_warnings(amount: int) -> tuple[str, ...]:
    """Return what is odd about letting somebody take an amount."""
    return ("lets the spender take a practically unlimited amount",) if amount >= _PRACTICALLY_UNLIMITED else ()


def fee_warnings(amount: int, max_fee: int) -> tuple[str, ...]:
    """Return what is odd about paying a fee of up to `max_fee` for sending `amount`, both in base units of the native asset."""
    return ("the fee may be more than a tenth of the amount",) if amount and max_fee * 10 > amount else ()
