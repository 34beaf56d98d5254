"""Read and write Bitcoin transactions as the network has them (BIP-141, BIP-144)."""

from collections.abc import Sequence
from dataclasses import dataclass

from wallets.chains.bitcoin.reader import Reader, write_counted, write_size
from wallets.hashes import double_sha256

MAX_WEIGHT = 400_000
"""What nodes relay of one transaction (Bitcoin Core, MAX_STANDARD_TX_WEIGHT)."""
MAX_INPUTS = 400
"""Each costs a signature or the verification of one."""
MAX_OUTPUTS = 400
"""Each is shown and audited."""

FINAL_SEQUENCE = 0xFFFFFFFF

_MARKER = b"\x00\x01"


@dataclass(frozen=True, slots=True)
class Input:
    """What is spent: `outpoint` is the 32 bytes of the transaction's id as they are hashed, and the output's number in four bytes."""

    outpoint: bytes
    sequence: int = FINAL_SEQUENCE

    @property
    def tx_id(self) -> str:
        """The id of the spent transaction, as people write it."""
        return self.outpoint[31::-1].hex()

    @property
    def number(self) -> int:
        """Which of its outputs is spent, from 0."""
        return int.from_bytes(self.outpoint[32:], "little")


@dataclass(frozen=True, slots=True)
class Output:
    """Who is paid: `amount` in base units."""

    amount: int
    script: bytes

    @property
    def raw(self) -> bytes:
        """It as transactions hold it."""
        return self.amount.to_bytes(8, "little") + write_counted(self.script)


@dataclass(frozen=True, slots=True)
class Unlocking:
    """What makes an input valid: its signature script, and its witness."""

    script: bytes = b""
    witness: tuple[bytes, ...] = ()

    @property
    def raw_witness(self) -> bytes:
        """The witness as transactions and PSBTs hold it."""
        return write_size(len(self.witness)) + b"".join([write_counted(item) for item in self.witness])


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction without what makes its inputs valid."""

    version: int
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    lock_time: int

    def raw(self, unlockings: Sequence[Unlocking] = ()) -> bytes:
        """Write it; with unlockings, one for each input, signed, in the form with witnesses if there is one."""
        has_witness = any(each.witness for each in unlockings)
        return b"".join(
            (
                self.version.to_bytes(4, "little"),
                _MARKER if has_witness else b"",
                self._body([each.script for each in unlockings] or [b""] * len(self.inputs)),
                b"".join([each.raw_witness for each in unlockings]) if has_witness else b"",
                self.lock_time.to_bytes(4, "little"),
            )
        )

    def _body(self, scripts: Sequence[bytes]) -> bytes:
        inputs = [
            each.outpoint + write_counted(script) + each.sequence.to_bytes(4, "little")
            for each, script in zip(self.inputs, scripts, strict=True)
        ]
        outputs = [each.raw for each in self.outputs]
        return write_size(len(inputs)) + b"".join(inputs) + write_size(len(outputs)) + b"".join(outputs)


def tx_id_of(stripped: bytes) -> str:
    """Return the id of a transaction, which depends on its signature scripts and not on its witnesses: `stripped` is it without them."""
    return double_sha256(stripped)[::-1].hex()


def virtual_size(raw: bytes, stripped: bytes) -> int:
    """Return the size that fees are reckoned by (BIP-141): `stripped` is the transaction without witnesses."""
    return (3 * len(stripped) + len(raw) + 3) // 4


def read_unsigned(reader: Reader) -> Transaction:
    """Read a transaction that has empty signature scripts and no witnesses, up to the reader's end.

    Raises:
        MalformedTransactionError: It is none, or is too large.
    """
    version = reader.uint(4)
    count = _count(reader, "inputs", MAX_INPUTS)
    inputs = tuple([_read_input(reader) for _ in range(count)])
    outputs = tuple([Output(reader.uint(8), reader.counted()) for _ in range(_count(reader, "outputs", MAX_OUTPUTS))])
    transaction = Transaction(version, inputs, outputs, reader.uint(4))
    reader.end_here()
    return transaction


def _count(reader: Reader, what: str, most: int) -> int:
    start = reader.position
    count = reader.size()
    if not 1 <= count <= most:
        reader.fail_at(start, f"there are {count} {what}; 1 to {most} are taken")
    return count


def _read_input(reader: Reader) -> Input:
    outpoint = reader.take(36)
    if reader.size():
        reader.fail("an input is signed already; in a PSBT what makes it valid stands elsewhere")
    return Input(outpoint, reader.uint(4))


def read_previous(reader: Reader, number: int) -> tuple[bytes, Output]:
    """Read a transaction that is on the chain, up to the reader's end, and return the 32 bytes of its id and its output `number`.

    Witnesses are not looked at: the id, by which the transaction is known to be the right one, does not depend on them.

    Raises:
        MalformedTransactionError: It is none, or has no such output.
    """
    raw = reader.raw
    version = reader.take(4)
    has_witness = raw[reader.position : reader.position + 2] == _MARKER
    body = reader.position + 2 * has_witness
    reader.position = body
    _skip(reader, reader.size(), before=36, after=4)
    count = reader.size()
    if number >= count:
        reader.fail(f"it has {count} outputs; number {number} is spent")
    _skip(reader, number, before=8, after=0)
    output = Output(reader.uint(8), reader.counted())
    _skip(reader, count - number - 1, before=8, after=0)
    body_end = reader.position
    if not has_witness:
        reader.take(4)
        reader.end_here()
    elif reader.end - body_end < 5:
        reader.fail("the witnesses are missing")
    return double_sha256(version + raw[body:body_end] + raw[-4:]), output


def _skip(reader: Reader, count: int, *, before: int, after: int) -> None:
    """Skip counted bytes, with so many bytes before and after them, `count` times.

    A megabyte may have a hundred thousand of them, so the usual ones are skipped without a call.
    """
    raw, end, position = reader.raw, reader.end, reader.position
    for _ in range(count):
        head = position + before
        if head < end and raw[head] < 0xFD:
            position = head + 1 + raw[head] + after
        else:
            reader.position = min(position, end)
            reader.take(before)
            reader.counted()
            reader.take(after)
            position = reader.position
    reader.position = min(position, end)
    if position > end:
        reader.fail("it is cut off")
