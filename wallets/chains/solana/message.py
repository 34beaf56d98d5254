"""Read Solana messages, legacy and version 0, in the one encoding the runtime gives them.

A message is: header (three bytes: required signatures, read-only ones among the signed keys, read-only ones among the others), account
keys, recent blockhash, instructions and, in version 0, address table lookups. Lists are preceded by their length as compact-u16. The
rules are those of the runtime's `sanitize` and account loading; where the runtime is lenient about bytes it would ignore, this is not.
"""

from dataclasses import dataclass
from typing import NoReturn

from wallets.encoding import base58
from wallets.errors import InvalidRequestError, MalformedTransactionError

MAX_TRANSACTION_BYTES = 1232
"""A transaction travels in one packet: IPv6's minimal MTU of 1280 less 48 bytes of headers."""

MAX_ACCOUNTS = 128
"""The runtime's MAX_TX_ACCOUNT_LOCKS: static and loaded keys together."""

MAX_INSTRUCTIONS = 64
"""The runtime's MAX_INSTRUCTION_TRACE_LENGTH, which a message must not exceed by itself (SIMD-0160)."""

KEY_BYTES = 32
SIGNATURE_BYTES = 64
_VERSION_FLAG = 0x80


@dataclass(frozen=True, slots=True)
class Instruction:
    """One call. `program` and `accounts` index the message's keys, static ones first, then those loaded from tables."""

    program: int
    accounts: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class TableLookup:
    """Keys taken from an address lookup table: its 32-byte key, and indexes into it."""

    table: bytes
    writable: bytes
    readonly: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """What the signers sign: `raw`, and what it says. `version` is `legacy` or `0`."""

    raw: bytes
    version: str
    signer_count: int
    keys: tuple[bytes, ...]
    blockhash: bytes
    instructions: tuple[Instruction, ...]
    lookups: tuple[TableLookup, ...]

    @property
    def signers(self) -> tuple[bytes, ...]:
        """The keys whose signatures are required, the fee payer's first."""
        return self.keys[: self.signer_count]

    def account(self, index: int) -> str:
        """Return an account as base58, or as `table[index]` where only a lookup table, which is not in the message, knows it."""
        if index < len(self.keys):
            return base58(self.keys[index])
        loaded = [(lookup.table, entry) for lookup in self.lookups for entry in lookup.writable]
        loaded += [(lookup.table, entry) for lookup in self.lookups for entry in lookup.readonly]
        table, entry = loaded[index - len(self.keys)]
        return f"{base58(table)}[{entry}]"


class Reader:
    """Take bytes from the front, within bounds. `what` names the input in errors, which are of the type `error`."""

    def __init__(self, data: bytes, what: str, error: type[InvalidRequestError] = MalformedTransactionError) -> None:
        self._data = data
        self._what = what
        self._error = error
        self._at = 0

    @property
    def at(self) -> int:
        """Return how many bytes have been taken."""
        return self._at

    @property
    def remaining(self) -> int:
        """Return how many bytes are left."""
        return len(self._data) - self._at

    def fail(self, reason: str) -> NoReturn:
        """Refuse the input at the present offset."""
        msg = f"{self._what}, byte {self._at}: {reason}"
        raise self._error(msg)

    def take(self, count: int) -> bytes:
        """Return the next `count` bytes."""
        if count > self.remaining:
            self.fail(f"{count} more bytes expected, {self.remaining} are there")
        taken = self._data[self._at : self._at + count]
        self._at += count
        return taken

    def peek(self) -> int:
        """Return the next byte and leave it there."""
        byte = self.u8()
        self._at -= 1
        return byte

    def rest(self) -> bytes:
        """Return all that is left."""
        return self.take(self.remaining)

    def u8(self) -> int:
        """Return an unsigned byte."""
        return self.take(1)[0]

    def uint(self, size: int) -> int:
        """Return an unsigned little-endian integer of `size` bytes."""
        return int.from_bytes(self.take(size), "little")

    def compact_u16(self) -> int:
        """Return a compact-u16: seven bits a byte, the low ones first, in as few bytes as the value needs."""
        value = 0
        for position in range(3):
            byte = self.u8()
            value |= (byte & 0x7F) << 7 * position
            if byte == 0 and position:
                self.fail("a length is written in more bytes than it needs")
            if not byte & 0x80:
                break
        else:
            self.fail("a length has more than three bytes")
        if value > 0xFFFF:
            self.fail("a length is above 65535")
        return value

    def end(self) -> None:
        """Refuse what is left over."""
        if self.remaining:
            self.fail(f"{self.remaining} bytes too many")


def read_message(raw: bytes) -> Message:
    """Read a whole message.

    Raises:
        MalformedTransactionError: It is not exactly one legacy or version 0 message that the runtime would take.
    """
    reader = Reader(raw, "message")
    version = _read_version(reader)
    signer_count, readonly_signed, readonly_unsigned = reader.take(3)
    keys = tuple(reader.take(KEY_BYTES) for _ in range(_counted(reader, KEY_BYTES)))
    _check_header(reader, signer_count, readonly_signed, readonly_unsigned, len(keys))
    if len(set(keys)) != len(keys):
        reader.fail("an account key is there twice")
    blockhash = reader.take(KEY_BYTES)
    instructions = _read_instructions(reader)
    lookups = _read_lookups(reader) if version == "0" else ()
    reader.end()
    message = Message(raw, version, signer_count, keys, blockhash, instructions, lookups)
    _check_accounts(reader, message)
    return message


def _read_version(reader: Reader) -> str:
    """Legacy messages begin with the number of signatures, which is below 128; later ones with 128 + version."""
    if not reader.peek() & _VERSION_FLAG:
        return "legacy"
    version = reader.u8() & ~_VERSION_FLAG
    if version != 0:
        reader.fail(f"message version {version} is not supported")
    return "0"


def _counted(reader: Reader, item_bytes: int) -> int:
    """Read a list's length, and refuse one that cannot fit before anything is read for it."""
    count = reader.compact_u16()
    if count * item_bytes > reader.remaining:
        reader.fail(f"a list of {count} does not fit into the {reader.remaining} bytes left")
    return count


def _check_header(reader: Reader, signer_count: int, readonly_signed: int, readonly_unsigned: int, key_count: int) -> None:
    if signer_count == 0:
        reader.fail("no signature is required: there is no fee payer")
    if readonly_signed >= signer_count:
        reader.fail("every signer is read-only: there is no fee payer")
    if signer_count + readonly_unsigned > key_count:
        reader.fail("the header counts more keys than there are")


def _read_instructions(reader: Reader) -> tuple[Instruction, ...]:
    count = _counted(reader, 3)
    if count > MAX_INSTRUCTIONS:
        reader.fail(f"{count} instructions are more than {MAX_INSTRUCTIONS}")
    return tuple(_read_instruction(reader) for _ in range(count))


def _read_instruction(reader: Reader) -> Instruction:
    program = reader.u8()
    accounts = reader.take(_counted(reader, 1))
    data = reader.take(_counted(reader, 1))
    return Instruction(program, accounts, data)


def _read_lookups(reader: Reader) -> tuple[TableLookup, ...]:
    lookups = tuple(_read_lookup(reader) for _ in range(_counted(reader, KEY_BYTES + 2)))
    if len({lookup.table for lookup in lookups}) != len(lookups):
        reader.fail("an address lookup table is there twice")
    return lookups


def _read_lookup(reader: Reader) -> TableLookup:
    lookup = TableLookup(reader.take(KEY_BYTES), reader.take(_counted(reader, 1)), reader.take(_counted(reader, 1)))
    entries = lookup.writable + lookup.readonly
    if not entries:
        reader.fail("an address lookup takes nothing from its table")
    if len(set(entries)) != len(entries):
        reader.fail("an address lookup takes an entry twice")
    return lookup


def _check_accounts(reader: Reader, message: Message) -> None:
    count = len(message.keys) + sum(len(lookup.writable) + len(lookup.readonly) for lookup in message.lookups)
    if count > MAX_ACCOUNTS:
        reader.fail(f"{count} accounts are more than {MAX_ACCOUNTS}")
    for number, instruction in enumerate(message.instructions, start=1):
        if instruction.program == 0:
            reader.fail(f"instruction {number} calls the fee payer")
        if instruction.program >= len(message.keys):
            reader.fail(f"instruction {number} calls a program that is not among the message's own keys")
        if instruction.accounts and max(instruction.accounts) >= count:
            reader.fail(f"instruction {number} names an account that does not exist")
