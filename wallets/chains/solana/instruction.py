"""Hold what single instructions do, and the means to read it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum, auto

from wallets.chains.solana.message import KEY_BYTES, Instruction, Message, Reader
from wallets.encoding import base58
from wallets.errors import MalformedTransactionError
from wallets.model import Transfer

NOBODY = "nobody"
"""Who holds an authority that is given up."""


class Kind(StrEnum):
    """What an instruction is about (in the API in lower case); the weightiest of a transaction names it, so they stand in that order."""

    CONTRACT_CALL = auto()
    AUTHORITY_CHANGE = auto()
    TOKEN_APPROVAL = auto()
    TOKEN_BURN = auto()
    ACCOUNT_CLOSURE = auto()
    TOKEN_MINT = auto()
    TOKEN_TRANSFER = auto()
    TRANSFER = auto()
    ACCOUNT_CREATION = auto()
    MAINTENANCE = auto()
    MEMO = auto()
    FEE = auto()


@dataclass(frozen=True, slots=True)
class Effect:
    """What one instruction does.

    `payer` is whose funds move, `details` who gets power over what, `limits` what it sets in the compute budget.
    """

    name: str
    kind: Kind
    transfers: tuple[Transfer, ...] = ()
    payer: str | None = None
    warnings: tuple[str, ...] = ()
    details: Mapping[str, str] = field(default_factory=dict)
    memo: str | None = None
    limits: Mapping[str, int] = field(default_factory=dict)


class Call:
    """One instruction being read: its accounts by name, its data from the front."""

    def __init__(self, message: Message, instruction: Instruction, number: str) -> None:
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

    def optional_key(self) -> str:
        """Return a public key behind a byte that says whether it is there; `NOBODY` where it is not."""
        return self.key() if self.is_there() else NOBODY

    def key_unless_zero(self) -> str:
        """Return a public key of which zero stands for `NOBODY`."""
        key = self.data.take(KEY_BYTES)
        return base58(key) if any(key) else NOBODY

    def is_there(self) -> bool:
        """Return whether what follows is there."""
        tag = self.data.u8()
        if tag > 1:
            self.data.fail("what may be absent is there (1) or not (0)")
        return tag == 1

    def rest_of_accounts(self, first: int) -> list[str]:
        """Return the accounts from number `first` (from 0) on."""
        return self.accounts(len(self._accounts))[first:]

    def skip_string(self) -> None:
        """Pass a string: its length as uint64, then its bytes."""
        self.data.take(self.u64())


Read = Callable[[Call], Effect]
"""Reads the data behind an instruction's tag, and its accounts."""


def tagged(table: Mapping[int, Read], tag_bytes: int, call: Call) -> Effect | None:
    """Read the tag, and then as the table says; None for a tag that is not in it, or none at all."""
    if call.data.remaining < tag_bytes:
        return None
    read = table.get(call.data.uint(tag_bytes))
    return read(call) if read else None


def plain(name: str, data_bytes: int, call: Call) -> Effect:
    """Pass over an instruction whose name says all there is to say."""
    call.data.take(data_bytes)
    return Effect(name, Kind.MAINTENANCE)
