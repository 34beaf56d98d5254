"""Decode what an EVM account signs: the transaction without its signature, as the bytes that are hashed.

Legacy transactions are `rlp([nonce, gas_price, gas_limit, to, value, data, chain_id, 0, 0])` (EIP-155), or the first six items alone,
which every chain would take. Typed ones are the type's byte and the list without the three signature items (EIP-2718): 0x01 EIP-2930, 0x02
EIP-1559, 0x03 EIP-4844, 0x04 EIP-7702. EIP-4844 comes without its blobs, or in front of them as networks pass it on (`blobs.py`).
"""

from dataclasses import dataclass
from typing import NoReturn

from wallets.chains.evm.blobs import BLOB_HASH_VERSION, MAX_SIDECAR_BYTES, check_sidecar
from wallets.chains.refusal import refuse
from wallets.chains.rlp import RlpReader
from wallets.errors import MalformedTransactionError

LEGACY = 0
EIP_2930 = 1
EIP_1559 = 2
EIP_4844 = 3
EIP_7702 = 4

TYPE_NAMES = {LEGACY: "legacy", EIP_2930: "eip-2930", EIP_1559: "eip-1559", EIP_4844: "eip-4844", EIP_7702: "eip-7702"}

MAX_BYTES = 128 * 1024
"""What a node's pool takes of one transaction (go-ethereum, txMaxSize)."""

_SIGNATURE_ITEMS = 3
_ITEMS = {EIP_2930: 8, EIP_1559: 9, EIP_4844: 11, EIP_7702: 10}
_MOST_ITEMS = max(_ITEMS.values()) + _SIGNATURE_ITEMS
_MAX_NONCE = 2**64 - 2  # EIP-2681


@dataclass(frozen=True, slots=True)
class Authorization:
    """One signed order to run the code of `address` in the signer's account (EIP-7702). `chain_id` 0 means every chain."""

    chain_id: int
    address: bytes
    nonce: int


@dataclass(frozen=True, slots=True)
class EvmPayload:
    """The fields of one unsigned transaction, and the part of its list that stays in the signed one.

    `chain_id` is None before EIP-155. `to` is 20 bytes, or empty where a contract is created. Fees are wei per gas;
    `max_priority_fee_per_gas` is None before EIP-1559, where `max_fee_per_gas` is the gas price. `preimage` is what is hashed to be signed,
    `items` the items of the list that go into the signed transaction as they are, `sidecar` what stands behind it (EIP-4844), and
    `chain_id_offset` the byte of the input at which the chain id begins.
    """

    type: int
    chain_id: int | None
    nonce: int
    max_fee_per_gas: int
    gas_limit: int
    to: bytes
    value: int
    data: bytes
    preimage: bytes
    items: bytes
    max_priority_fee_per_gas: int | None = None
    access_list_entries: int = 0
    max_fee_per_blob_gas: int = 0
    blob_hashes: tuple[bytes, ...] = ()
    authorizations: tuple[Authorization, ...] = ()
    sidecar: bytes = b""
    chain_id_offset: int = 0


def decode_payload(unsigned_tx: bytes) -> EvmPayload:
    """Decode one whole unsigned transaction.

    Raises:
        MalformedTransactionError: It is none, is not canonical, or is signed already.
    """
    if not unsigned_tx:
        refuse("transaction", 0, "the transaction is empty")
    kind = unsigned_tx[0]
    _check_size(len(unsigned_tx), MAX_BYTES + MAX_SIDECAR_BYTES if kind == EIP_4844 else MAX_BYTES)
    if kind >= 0xC0:
        return _legacy(unsigned_tx)
    if kind not in _ITEMS:
        msg = f"the first byte, 0x{kind:02x}, is neither a list nor a transaction type that is signed here (0x01 to 0x04)"
        raise MalformedTransactionError(msg)
    return _typed(kind, unsigned_tx)


def _legacy(unsigned_tx: bytes) -> EvmPayload:
    outer = RlpReader(unsigned_tx)
    fields = outer.list("transaction")
    outer.finish("transaction")
    start = fields.offset
    count = fields.count("transaction", _MOST_ITEMS)
    if count not in {6, 9}:
        refuse("transaction", start, f"a legacy transaction to be signed has 9 items, or 6 before EIP-155, not {count}")
    nonce = _nonce(fields)
    gas_price = fields.uint("gas_price", 256)
    gas_limit = fields.uint("gas_limit", 64)
    to, value, data = _to(fields, may_create=True), fields.uint("value", 256), fields.string("data")
    end = fields.offset
    chain_id = None
    if count == 9:
        chain_id = fields.uint("chain_id", 256)
        for name in ("r", "s"):
            at = fields.offset
            if fields.uint(name, 256):
                _refuse_signed(name, at)
    items = unsigned_tx[start:end]
    return EvmPayload(LEGACY, chain_id, nonce, gas_price, gas_limit, to, value, data, unsigned_tx, items, chain_id_offset=end)


def _typed(kind: int, unsigned_tx: bytes) -> EvmPayload:
    fields, preimage, wrapper = _opened(kind, unsigned_tx)
    _check_size(len(preimage), MAX_BYTES)
    start, end = fields.offset, fields.end
    count = fields.count("transaction", _MOST_ITEMS)
    if count == _ITEMS[kind] + _SIGNATURE_ITEMS:
        fields.skip("transaction", _ITEMS[kind])
        _refuse_signed("y_parity", fields.offset)
    if count != _ITEMS[kind]:
        refuse("transaction", start, f"a transaction of type 0x{kind:02x} to be signed has {_ITEMS[kind]} items, not {count}")
    chain_id, nonce = fields.uint("chain_id", 256), _nonce(fields)
    max_fee, priority_fee = (fields.uint("gas_price", 256), None) if kind == EIP_2930 else _fees(fields)
    gas_limit = fields.uint("gas_limit", 64)
    to = _to(fields, may_create=kind in {EIP_2930, EIP_1559})
    value, data = fields.uint("value", 256), fields.string("data")
    entries = _access_list(fields.list("access_list"))
    blob_fee, blob_hashes = _blobs(fields) if kind == EIP_4844 else (0, ())
    authorizations = _authorizations(fields) if kind == EIP_7702 else ()
    return EvmPayload(
        kind,
        chain_id,
        nonce,
        max_fee,
        gas_limit,
        to,
        value,
        data,
        preimage,
        unsigned_tx[start:end],
        priority_fee,
        entries,
        blob_fee,
        blob_hashes,
        authorizations,
        b"" if wrapper is None else check_sidecar(wrapper, unsigned_tx, blob_hashes),
        start,
    )


def _check_size(size: int, most: int) -> None:
    if size > most:
        msg = f"the transaction has {size} bytes; nodes take at most {most}"
        raise MalformedTransactionError(msg)


def _opened(kind: int, unsigned_tx: bytes) -> tuple[RlpReader, bytes, RlpReader | None]:
    """Return the items of a typed transaction, what is hashed of it, and what stands behind it where blobs go along (EIP-4844)."""
    outer = RlpReader(unsigned_tx, 1)
    fields = outer.list("transaction")
    outer.finish("transaction")
    if kind != EIP_4844 or not fields.next_is_list():
        return fields, unsigned_tx, None
    wrapper, start = fields, fields.offset
    fields = wrapper.list("transaction")
    return fields, unsigned_tx[:1] + unsigned_tx[start : wrapper.offset], wrapper


def _refuse_signed(name: str, offset: int) -> NoReturn:
    refuse(name, offset, "the transaction is signed already; send it without its signature")


def _fees(fields: RlpReader) -> tuple[int, int]:
    """Read `max_priority_fee_per_gas` and `max_fee_per_gas` (EIP-1559); return the larger first."""
    priority_fee = fields.uint("max_priority_fee_per_gas", 256)
    at = fields.offset
    max_fee = fields.uint("max_fee_per_gas", 256)
    if priority_fee > max_fee:
        refuse("max_fee_per_gas", at, "it is less than max_priority_fee_per_gas")
    return max_fee, priority_fee


def _nonce(fields: RlpReader) -> int:
    at = fields.offset
    nonce = fields.uint("nonce", 64)
    if nonce > _MAX_NONCE:
        refuse("nonce", at, "it is larger than any account's can be (EIP-2681)")
    return nonce


def _to(fields: RlpReader, *, may_create: bool) -> bytes:
    at = fields.offset
    to = fields.string("to")
    if len(to) == 20 or (may_create and not to):
        return to
    return refuse("to", at, "20 bytes are expected" + (", or none to create a contract" if may_create else ""))


def _access_list(entries: RlpReader) -> int:
    """Check `[[address, [storage_key, ...]], ...]` (EIP-2930) and return the number of its entries."""
    number = 0
    while entries.more():
        entry = entries.list("access_list entry")
        entry.fixed("access_list address", 20)
        keys = entry.list("access_list storage keys")
        while keys.more():
            keys.fixed("access_list storage key", 32)
        entry.finish("access_list entry")
        number += 1
    return number


def _blobs(fields: RlpReader) -> tuple[int, tuple[bytes, ...]]:
    """Read `max_fee_per_blob_gas` and `blob_versioned_hashes` (EIP-4844)."""
    fee = fields.uint("max_fee_per_blob_gas", 256)
    at = fields.offset
    items = fields.list("blob_versioned_hashes")
    hashes = []
    while items.more():
        here = items.offset
        hashes.append(items.fixed("blob_versioned_hash", 32))
        if hashes[-1][0] != BLOB_HASH_VERSION:
            refuse("blob_versioned_hash", here, f"only version {BLOB_HASH_VERSION} is known")
    if not hashes:
        refuse("blob_versioned_hashes", at, "a blob transaction has at least one")
    return fee, tuple(hashes)


def _authorizations(fields: RlpReader) -> tuple[Authorization, ...]:
    """Read `[[chain_id, address, nonce, y_parity, r, s], ...]` (EIP-7702)."""
    at = fields.offset
    items = fields.list("authorization_list")
    found = []
    while items.more():
        item = items.list("authorization")
        found.append(
            Authorization(
                item.uint("authorization chain_id", 256),
                item.fixed("authorization address", 20),
                item.uint("authorization nonce", 64),
            )
        )
        parity_at = item.offset
        if item.uint("authorization y_parity", 8) > 1:
            refuse("authorization y_parity", parity_at, "no signature has this parity, so that nodes would skip the authorization")
        item.uint("authorization r", 256)
        item.uint("authorization s", 256)
        item.finish("authorization")
    if not found:
        refuse("authorization_list", at, "it must not be empty")
    return tuple(found)
