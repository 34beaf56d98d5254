"""Values for property tests, made by hypothesis."""

import os
from typing import Any

from hypothesis import strategies as st

from wallets.curves import SECP256K1_ORDER

U32 = 2**32 - 1
U64 = 2**64 - 1
U256 = 2**256 - 1


def differential_examples(usual: int) -> int:
    """How many random transactions are compared with a second library: `make differential` wants 1,000."""
    return int(os.environ.get("DIFFERENTIAL_EXAMPLES", usual))


def secp256k1_secrets() -> st.SearchStrategy[bytes]:
    """Private keys: 32 bytes, a scalar in 1..n-1."""
    return st.integers(1, SECP256K1_ORDER - 1).map(lambda scalar: scalar.to_bytes(32))


def ed25519_secrets() -> st.SearchStrategy[bytes]:
    """Private keys: any 32 bytes."""
    return st.binary(min_size=32, max_size=32)


def seeds() -> st.SearchStrategy[bytes]:
    """BIP-39 seeds: 64 bytes."""
    return st.binary(min_size=64, max_size=64)


def evm_addresses() -> st.SearchStrategy[bytes]:
    """EVM addresses: 20 bytes."""
    return st.binary(min_size=20, max_size=20)


def evm_transactions(chain_id: int) -> st.SearchStrategy[dict[str, Any]]:
    """Transactions of every type on one chain, as the dictionaries that eth-account signs."""
    return st.one_of(_legacy(chain_id), _access_list(chain_id), _dynamic_fee(chain_id), _blobs(chain_id), _set_code(chain_id))


def _quantities(bits: int) -> st.SearchStrategy[int]:
    """Unsigned integers of all lengths, not just long ones."""
    return st.integers(0, bits).flatmap(lambda size: st.integers(0, 2**size - 1))


def _common(chain_id: int, *, may_create: bool) -> dict[str, st.SearchStrategy[Any]]:
    to = evm_addresses()
    return {
        "chainId": st.just(chain_id),
        "nonce": _quantities(63),
        "gas": _quantities(64),
        "to": st.one_of(to, st.just(b"")) if may_create else to,
        "value": _quantities(256),
        "data": st.one_of(st.just(b""), st.binary(max_size=100), st.binary(min_size=250, max_size=300)),
    }


def _legacy(chain_id: int) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({**_common(chain_id, may_create=True), "gasPrice": _quantities(256)})


def _access_lists() -> st.SearchStrategy[list[dict[str, Any]]]:
    keys = st.lists(st.binary(min_size=32, max_size=32).map(lambda key: "0x" + key.hex()), max_size=3)
    return st.lists(st.fixed_dictionaries({"address": evm_addresses(), "storageKeys": keys}), max_size=3)


def _access_list(chain_id: int) -> st.SearchStrategy[dict[str, Any]]:
    fields = {"type": st.just(1), "gasPrice": _quantities(256), "accessList": _access_lists()}
    return st.fixed_dictionaries({**_common(chain_id, may_create=True), **fields})


def _fees() -> dict[str, st.SearchStrategy[Any]]:
    return {"maxFeePerGas": st.just(0), "maxPriorityFeePerGas": _quantities(256), "accessList": _access_lists()}


def _with_fee_cap(transaction: dict[str, Any]) -> dict[str, Any]:
    """Nodes want the whole fee to be at least the priority fee."""
    return {**transaction, "maxFeePerGas": min(U256, transaction["maxPriorityFeePerGas"] + transaction["nonce"])}


def _dynamic_fee(chain_id: int) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({**_common(chain_id, may_create=True), **_fees(), "type": st.just(2)}).map(_with_fee_cap)


def _blobs(chain_id: int) -> st.SearchStrategy[dict[str, Any]]:
    hashes = st.lists(st.binary(min_size=31, max_size=31).map(lambda tail: b"\x01" + tail), min_size=1, max_size=3)
    fields = {"type": st.just(3), "maxFeePerBlobGas": _quantities(256), "blobVersionedHashes": hashes}
    return st.fixed_dictionaries({**_common(chain_id, may_create=False), **_fees(), **fields}).map(_with_fee_cap)


def _set_code(chain_id: int) -> st.SearchStrategy[dict[str, Any]]:
    authorization = st.fixed_dictionaries(
        {
            "chainId": st.sampled_from([0, chain_id]),
            "address": evm_addresses(),
            "nonce": _quantities(64),
            "yParity": st.integers(0, 1),
            "r": _quantities(256),
            "s": _quantities(256),
        }
    )
    fields = {"type": st.just(4), "authorizationList": st.lists(authorization, min_size=1, max_size=3)}
    return st.fixed_dictionaries({**_common(chain_id, may_create=False), **_fees(), **fields}).map(_with_fee_cap)


def rlp_items() -> st.SearchStrategy[Any]:
    """Nested lists of byte strings, as RLP can write them."""
    strings = st.one_of(st.binary(max_size=3), st.binary(min_size=50, max_size=60), st.binary(min_size=250, max_size=260))
    return st.recursive(strings, lambda items: st.lists(items, max_size=5), max_leaves=12)


@st.composite
def damaged(draw: st.DrawFn, originals: st.SearchStrategy[bytes]) -> bytes:
    """Bytes that were right once: a few of them replaced, removed or inserted at one place, or the end cut off."""
    data = draw(originals)
    start = draw(st.integers(0, len(data)))
    removed = draw(st.one_of(st.integers(0, 3), st.just(len(data))))
    return data[:start] + draw(st.binary(max_size=3)) + data[start + removed :]


def tron_addresses() -> st.SearchStrategy[bytes]:
    """Tron addresses: 21 bytes, 0x41 first."""
    return evm_addresses().map(lambda tail: b"\x41" + tail)


def tron_raw_data(contract: st.SearchStrategy[tuple[str, dict[str, Any]]]) -> st.SearchStrategy[dict[str, Any]]:
    """Tron transactions with one contract, as the dictionaries that tronpy calculates ids of."""
    return st.fixed_dictionaries(
        {
            "ref_block_bytes": st.binary(min_size=2, max_size=2).map(bytes.hex),
            "ref_block_hash": st.binary(min_size=8, max_size=8).map(bytes.hex),
            "expiration": st.integers(1, 2**63 - 1),
            "timestamp": _quantities(63),
            "fee_limit": _quantities(63),
            "contract": contract.map(_tron_contract),
        }
    )


def tron_transfers() -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    """Contracts that send TRX."""
    fields = {"owner_address": tron_addresses(), "to_address": tron_addresses(), "amount": st.integers(1, 2**63 - 1)}
    return st.tuples(st.just("TransferContract"), st.fixed_dictionaries(fields))


def tron_calls() -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    """Contracts that call a contract, with TRX and TRC-10 tokens going along."""
    fields = {
        "owner_address": tron_addresses(),
        "contract_address": tron_addresses(),
        "data": st.binary(max_size=150),
        "call_value": _quantities(63),
        "call_token_value": _quantities(63),
        "token_id": _quantities(63),
    }
    return st.tuples(st.just("TriggerSmartContract"), st.fixed_dictionaries(fields))


def _tron_contract(contract: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
    name, fields = contract
    value = {key: item.hex() if isinstance(item, bytes) else item for key, item in fields.items()}
    return [{"type": name, "parameter": {"type_url": f"type.googleapis.com/protocol.{name}", "value": value}}]
