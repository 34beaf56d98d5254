"""Check what blob transactions carry beside what is signed: blobs, commitments and proofs, as networks pass them on.

`0x03 || rlp([payload, blobs, commitments, proofs])` (EIP-4844), or `0x03 || rlp([payload, 1, blobs, commitments, cell_proofs])` (EIP-7594).
The signature covers the hashes of the commitments alone. That blobs, commitments and proofs fit together is for nodes to check (KZG): with
a wrong one the transaction is not taken, and never another one.
"""

from wallets.chains.refusal import refuse
from wallets.chains.rlp import RlpReader
from wallets.hashes import sha256

BLOB_BYTES = 2**17
CELL_PROOFS = 128
"""Proofs of each blob from EIP-7594 on."""
BLOB_HASH_VERSION = 1
MAX_SIDECAR_BYTES = 16 * (BLOB_BYTES + 8_192)

_COMMITMENT_BYTES = 48
_PROOF_BYTES = 48
_WITH_CELL_PROOFS = 1


def check_sidecar(items: RlpReader, data: bytes, hashes: tuple[bytes, ...]) -> bytes:
    """Read blobs, commitments and proofs to the end of `items`, and return the part of `data` that they are.

    The commitments are compared with the hashes that are signed.

    Raises:
        MalformedTransactionError: There are more or fewer than hashes, one has a wrong length, or a commitment has another hash.
    """
    start, proofs_each = items.offset, 1
    if not items.next_is_list():
        at = items.offset
        if items.uint("wrapper_version", 8) != _WITH_CELL_PROOFS:
            refuse("wrapper_version", at, "only version 1 is known (EIP-7594)")
        proofs_each = CELL_PROOFS
    _lengths(items, "blob", BLOB_BYTES, len(hashes))
    at, commitments = items.offset, _lengths(items, "commitment", _COMMITMENT_BYTES, len(hashes))
    for number, (commitment, versioned_hash) in enumerate(zip(commitments, hashes, strict=True), start=1):
        if bytes([BLOB_HASH_VERSION]) + sha256(commitment)[1:] != versioned_hash:
            refuse("commitments", at, f"number {number} has another hash than the transaction names")
    _lengths(items, "proof", _PROOF_BYTES, len(hashes) * proofs_each)
    items.finish("transaction")
    return data[start : items.offset]


def _lengths(items: RlpReader, name: str, size: int, count: int) -> list[bytes]:
    """Read a list of exactly `count` byte strings of exactly `size` bytes."""
    at = items.offset
    inner = items.list(f"{name}s")
    found = []
    while inner.more():
        found.append(inner.fixed(name, size))
        if len(found) > count:
            break
    if len(found) != count:
        refuse(f"{name}s", at, f"there must be {count} of them for this transaction's blobs")
    return found
