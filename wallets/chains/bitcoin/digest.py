"""Hash what the signature of an input is made over, always all inputs and outputs (SIGHASH_ALL; for taproot SIGHASH_DEFAULT as well)."""

import hashlib
from collections.abc import Iterable, Sequence
from functools import cached_property

from wallets.chains.bitcoin.reader import write_size
from wallets.chains.bitcoin.script import Kind, p2pkh
from wallets.chains.bitcoin.transaction import Output, Transaction
from wallets.hashes import double_sha256, double_sha256_from, sha256, sha256_before, tagged_hash

DEFAULT = 0
ALL = 1

_UNSIGNED_INPUT_BYTES = 36 + 1 + 4


class Digests:
    """The digests of one transaction's inputs, of which `spent` are the outputs that they spend."""

    def __init__(self, transaction: Transaction, spent: Sequence[Output]) -> None:
        self._transaction = transaction
        self._spent = spent

    def ecdsa(self, index: int, kind: Kind | None, key_hash: bytes) -> bytes:
        """Return the digest of an input that the key with this hash spends in any way but taproot's."""
        return self.legacy(index) if kind is Kind.LEGACY else self.segwit(index, key_hash)

    def legacy(self, index: int) -> bytes:
        """Return the digest of an input that spends a p2pkh output (as before BIP-143)."""
        each, script = self._transaction.inputs[index], self._spent[index].script
        own = each.outpoint + bytes([len(script)]) + script + each.sequence.to_bytes(4, "little")
        # Every input has a digest of the whole transaction, whose beginning is the same for all that come later and is hashed once.
        return double_sha256_from(self._legacy_heads[index], own + self._legacy_tail[_UNSIGNED_INPUT_BYTES * (index + 1) :])

    def legacy_work(self, indexes: Iterable[int]) -> int:
        """Return how many bytes are hashed for the digests of these inputs together, if they spend p2pkh outputs."""
        size = len(self._legacy_tail)
        return sum([size - _UNSIGNED_INPUT_BYTES * index for index in indexes])

    def segwit(self, index: int, key_hash: bytes) -> bytes:
        """Return the digest of an input that spends to a key's hash by a witness of version 0 (BIP-143)."""
        each = self._transaction.inputs[index]
        return double_sha256(
            self._segwit_head
            + each.outpoint
            + b"\x19"
            + p2pkh(key_hash)
            + self._spent[index].amount.to_bytes(8, "little")
            + each.sequence.to_bytes(4, "little")
            + self._segwit_end
        )

    def taproot(self, index: int, hash_type: int) -> bytes:
        """Return the digest of an input that spends a taproot output by its key, without an annex (BIP-341). `hash_type` is 0 or 1."""
        return tagged_hash("TapSighash", bytes([0, hash_type]) + self._taproot_common + b"\0" + index.to_bytes(4, "little"))

    @cached_property
    def _taproot_common(self) -> bytes:
        amounts = b"".join([each.amount.to_bytes(8, "little") for each in self._spent])
        scripts = b"".join([each.raw[8:] for each in self._spent])
        parts = (self._outpoints, amounts, scripts, self._sequences, self._outputs)
        return self._version + self._transaction.lock_time.to_bytes(4, "little") + b"".join([sha256(part) for part in parts])

    @cached_property
    def _unsigned_inputs(self) -> list[bytes]:
        return [each.outpoint + b"\0" + each.sequence.to_bytes(4, "little") for each in self._transaction.inputs]

    @cached_property
    def _legacy_heads(self) -> "list[hashlib._Hash]":
        """What stands before each input, hashed."""
        parts = self._unsigned_inputs
        return sha256_before([self._version + write_size(len(parts)), *parts])[1:]

    @cached_property
    def _legacy_tail(self) -> bytes:
        """The inputs and what stands behind them."""
        return b"".join(self._unsigned_inputs) + write_size(len(self._transaction.outputs)) + self._outputs + self._end

    @cached_property
    def _version(self) -> bytes:
        return self._transaction.version.to_bytes(4, "little")

    @cached_property
    def _outpoints(self) -> bytes:
        return b"".join([each.outpoint for each in self._transaction.inputs])

    @cached_property
    def _sequences(self) -> bytes:
        return b"".join([each.sequence.to_bytes(4, "little") for each in self._transaction.inputs])

    @cached_property
    def _outputs(self) -> bytes:
        return b"".join([each.raw for each in self._transaction.outputs])

    @cached_property
    def _segwit_head(self) -> bytes:
        return self._version + double_sha256(self._outpoints) + double_sha256(self._sequences)

    @cached_property
    def _segwit_end(self) -> bytes:
        return double_sha256(self._outputs) + self._end

    @cached_property
    def _end(self) -> bytes:
        """Lock time and hash type, as ECDSA's digests end."""
        return self._transaction.lock_time.to_bytes(4, "little") + ALL.to_bytes(4, "little")
