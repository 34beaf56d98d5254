"""Have Bitcoin Core's own code, as a library, judge transactions: its script interpreter, and a chain with all rules of consensus."""

from collections.abc import Sequence
from pathlib import Path

import pbk
from pbk.script import PrecomputedTransactionData

from wallets.chains.bitcoin.transaction import Input, Output, Transaction, Unlocking
from wallets.hashes import double_sha256

SUBSIDY = 50 * 10**8
MATURITY = 100
"""Blocks until the output of a block's own transaction can be spent."""

_BITS = 0x207FFFFF
_TARGET = 0x7FFFFF << 232
_GENESIS_TIME = 1296688602
_ANYONE = bytes.fromhex("51")


def accepts(raw: bytes, spent: Sequence[Output]) -> bool:
    """Tell whether every input of a signed transaction may spend what it spends."""
    transaction = pbk.Transaction(raw)
    outputs = [pbk.TransactionOutput(pbk.ScriptPubkey(each.script), each.amount) for each in spent]
    data = PrecomputedTransactionData(transaction, outputs)
    assert len(transaction.inputs) == len(spent)
    return all(
        pbk.ScriptPubkey(each.script).verify(each.amount, transaction, data, index, pbk.ScriptVerificationFlags.ALL)
        for index, each in enumerate(spent)
    )


def read(raw: bytes) -> Transaction:
    """Return what Bitcoin Core reads of a transaction, without the version, of which its library does not tell."""
    found = pbk.Transaction(raw)
    inputs = [Input(bytes(each.out_point.txid) + each.out_point.index.to_bytes(4, "little"), each.sequence) for each in found.inputs]
    outputs = [Output(each.amount, bytes(each.script_pubkey)) for each in found.outputs]
    return Transaction(int.from_bytes(raw[:4], "little"), tuple(inputs), tuple(outputs), found.locktime)


def tx_id(raw: bytes) -> str:
    """Return the id that Bitcoin Core gives a transaction."""
    return str(pbk.Transaction(raw).txid)


class Chain:
    """A chain of its own (regtest), that takes blocks which are right."""

    def __init__(self, folder: Path) -> None:
        options = pbk.ChainstateManagerOptions(pbk.make_context(pbk.ChainType.REGTEST), str(folder), str(folder / "blocks"))
        options.update_block_tree_db_in_memory(True)
        options.update_chainstate_db_in_memory(True)
        self._chain = pbk.ChainstateManager(options)

    @property
    def height(self) -> int:
        """How many blocks are on the first one."""
        return int(self._chain.get_active_chain().height)

    def fund(self, outputs: Sequence[Output]) -> bytes:
        """Pay the outputs out of a block's subsidy, and return the transaction that does."""
        rest = SUBSIDY - sum(each.amount for each in outputs)
        self.mine(())
        coinbase = self._last_coinbase
        for _ in range(MATURITY):
            self.mine(())
        funding = Transaction(2, (Input(double_sha256(coinbase) + bytes(4)),), (*outputs, Output(rest, _ANYONE)), 0).raw()
        self.mine([funding])
        return funding

    def mine(self, transactions: Sequence[bytes]) -> None:
        """Put transactions into the next block.

        Raises:
            AssertionError: The block is not taken.
        """
        height = self.height + 1
        self._last_coinbase, whole = _coinbase(height, transactions)
        root = _merkle_root([double_sha256(self._last_coinbase), *(bytes.fromhex(tx_id(each))[::-1] for each in transactions)])
        entry = self._chain.get_active_chain().block_tree_entries[height - 1]
        block = _proven(bytes(entry.block_hash), root, _GENESIS_TIME + 600 * height) + bytes([1 + len(transactions)]) + whole
        self._chain.process_block(pbk.Block(block + b"".join(transactions)))
        assert self.height == height, "the block was refused"


def _coinbase(height: int, transactions: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Write a block's own transaction, without and with its witness, which commits to those of the others (BIP-34, BIP-141)."""
    root = _merkle_root([bytes(32), *map(double_sha256, transactions)])
    commitment = bytes.fromhex("6a24aa21a9ed") + double_sha256(root + bytes(32))
    number = height.to_bytes(height.bit_length() // 8 + 1, "little")
    script = bytes([len(number)]) + number if height > 16 else bytes([0x50 + height])
    unlocking = Unlocking(script + b"\0", (bytes(32),))
    coinbase = Transaction(2, (Input(bytes(32) + b"\xff" * 4),), (Output(SUBSIDY, _ANYONE), Output(0, commitment)), 0)
    return coinbase.raw([Unlocking(unlocking.script)]), coinbase.raw([unlocking])


def _merkle_root(hashes: Sequence[bytes]) -> bytes:
    row = list(hashes)
    while len(row) > 1:
        row += row[-1:] * (len(row) % 2)
        row = [double_sha256(row[at] + row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


def _proven(previous: bytes, root: bytes, time: int) -> bytes:
    """Write a block's head with the proof of work, which takes two tries on the average."""
    head = (0x20000000).to_bytes(4, "little") + previous + root + time.to_bytes(4, "little") + _BITS.to_bytes(4, "little")
    nonce = 0
    while int.from_bytes(double_sha256(head + nonce.to_bytes(4, "little")), "little") > _TARGET:
        nonce += 1
    return head + nonce.to_bytes(4, "little")
