"""Forms of EVM transactions beside the usual: before EIP-155, and with blobs. Signed as eth-account does."""

from typing import Any

import pytest
import rlp
from eth_account import Account
from eth_account._utils.legacy_transactions import encode_transaction, serializable_unsigned_transaction_from_dict
from eth_account._utils.signing import sign_transaction_hash
from eth_keys.datatypes import PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.strategies import evm_addresses, secp256k1_secrets
from wallets.chains import CHAINS
from wallets.chains.evm.blobs import BLOB_BYTES, CELL_PROOFS
from wallets.curves import Curve, private_key
from wallets.errors import MalformedTransactionError
from wallets.hashes import keccak256, sha256
from wallets.model import Transfer

ETH = CHAINS["eth"]
KEY = private_key(Curve.SECP256K1, b"\x46" * 32)
TO = bytes.fromhex("35" * 20)


@given(
    st.fixed_dictionaries(
        {
            "nonce": st.integers(0, 2**64 - 2),
            "gasPrice": st.integers(0, 2**256 - 1),
            "gas": st.integers(0, 2**64 - 1),
            "to": st.one_of(evm_addresses(), st.just(b"")),
            "value": st.integers(0, 2**256 - 1),
            "data": st.binary(max_size=70),
        }
    ),
    secp256k1_secrets(),
)
@settings(max_examples=25)
def test_legacy_transactions_without_a_chain_id_are_signed_as_eth_account_does(fields: dict[str, Any], secret: bytes) -> None:
    """Six items are signed with v 27 or 28 (before EIP-155), bit for bit as eth-account does, whatever the network."""
    unsigned = serializable_unsigned_transaction_from_dict(fields)
    v, r, s = sign_transaction_hash(PrivateKey(secret), unsigned.hash(), None)
    expected = bytes(encode_transaction(unsigned, vrs=(v, r, s)))

    signed = CHAINS["bsc"].decode(bytes(rlp.encode(rlp.decode(expected)[:6]))).sign(private_key(Curve.SECP256K1, secret))

    assert (expected, "0x" + keccak256(expected).hex()) == (signed.raw, signed.tx_id)


def test_a_transaction_without_a_chain_id_is_warned_of() -> None:
    """The intent says that other chains would take it as well."""
    intent = ETH.decode(bytes(rlp.encode([9, 1, 21000, TO, 10**18, b""]))).intent

    assert "names no chain (before EIP-155)" in intent.warnings[0]
    assert "chain_id" not in intent.details


def test_value_that_a_batch_passes_on_is_shown_once() -> None:
    """Recipients inside of a call get what goes along with it; only the rest stays with the contract."""
    call = keccak256(b"disperseEther(address[],uint256[])")[:4]
    words = [64, 128, 1, int.from_bytes(TO), 1, 40]
    data = call + b"".join(word.to_bytes(32) for word in words)

    intents = [ETH.decode(bytes(rlp.encode([9, 1, 21000, b"\x11" * 20, value, data, 1, b"", b""]))).intent for value in (40, 50)]

    assert [each.transfers[-1] for each in intents] == [Transfer("0x" + "35" * 20, 40)] * 2
    assert [each.transfers[0].amount for each in intents] == [40, 10]


# Blobs


COMMITMENT = b"\xc0" + bytes(47)
HASH = b"\1" + sha256(COMMITMENT)[1:]
BLOB = bytes(BLOB_BYTES)
PROOF = bytes(48)
SIDECARS = {"EIP-4844": [[BLOB], [COMMITMENT], [PROOF]], "EIP-7594": [1, [BLOB], [COMMITMENT], [PROOF] * CELL_PROOFS]}


def _body(hashes: int = 1) -> list[Any]:
    return [1, 7, 2, 30, 21000, TO, 5, b"", [], 3, [HASH] * hashes]


def _wrapped(*sidecar: Any, hashes: int = 1) -> bytes:
    return b"\3" + bytes(rlp.encode([_body(hashes), *sidecar]))


def _signed_by_eth_account() -> bytes:
    """Return the transaction without its blobs, signed."""
    names = ["chainId", "nonce", "maxPriorityFeePerGas", "maxFeePerGas", "gas", "to", "value", "data", "accessList", "maxFeePerBlobGas"]
    fields = {"type": 3, **dict(zip([*names, "blobVersionedHashes"], _body(), strict=True))}
    return bytes(Account.sign_transaction(fields, b"\x46" * 32).raw_transaction)


@pytest.mark.parametrize("sidecar", SIDECARS.values(), ids=SIDECARS)
def test_blobs_are_handed_on_behind_the_signed_transaction(sidecar: list[Any]) -> None:
    """A transaction that came with its blobs comes back with them; it has the id of what eth-account signs without."""
    expected = _signed_by_eth_account()

    signed = ETH.decode(_wrapped(*sidecar)).sign(KEY)

    assert signed.raw == b"\3" + bytes(rlp.encode([rlp.decode(expected[1:]), *sidecar]))
    assert signed.tx_id == "0x" + keccak256(expected).hex()
    assert expected == ETH.decode(b"\3" + bytes(rlp.encode(_body()))).sign(KEY).raw
    with pytest.raises(MalformedTransactionError, match="signed already"):
        ETH.decode(signed.raw)


def test_blobs_that_go_along_are_told_by_their_hash() -> None:
    """What is signed is the same with other proofs, which are for nodes to check; what is handed on is not, and looks otherwise."""
    alone = ETH.decode(b"\3" + bytes(rlp.encode(_body()))).intent.details
    one, other = (ETH.decode(_wrapped([BLOB], [COMMITMENT], [proof])).intent.details for proof in (PROOF, b"\1" + PROOF[1:]))

    assert alone["payload_hash"] == one["payload_hash"] == other["payload_hash"]
    assert "sidecar_hash" not in alone
    assert one["sidecar_hash"] == sha256(bytes(rlp.encode([BLOB])) + bytes(rlp.encode([COMMITMENT])) + bytes(rlp.encode([PROOF]))).hex()
    assert one["sidecar_hash"] != other["sidecar_hash"]


def test_several_blobs_go_along() -> None:
    """Each blob has a commitment of its own, in the order of the hashes."""
    sidecar = [[BLOB] * 2, [COMMITMENT] * 2, [PROOF] * 2]

    assert rlp.decode(ETH.decode(_wrapped(*sidecar, hashes=2)).sign(KEY).raw[1:])[1:] == sidecar


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (_wrapped(), "wrapper_version at byte .*: the data ends too early"),
        (_wrapped([]), "blobs at byte .*: there must be 1 of them"),
        (_wrapped([BLOB, BLOB], [COMMITMENT], [PROOF]), "blobs at byte .*: there must be 1 of them"),
        (_wrapped([BLOB[1:]], [COMMITMENT], [PROOF]), "blob at byte .*: 131072 bytes are expected"),
        (_wrapped([BLOB]), "commitments at byte .*: the data ends too early"),
        (_wrapped([BLOB], [], [PROOF]), "commitments at byte .*: there must be 1 of them"),
        (_wrapped([BLOB], [COMMITMENT[1:]], [PROOF]), "commitment at byte .*: 48 bytes are expected"),
        (_wrapped([BLOB], [bytes(48)], [PROOF]), "commitments at byte .*: number 1 has another hash"),
        (_wrapped([BLOB], [COMMITMENT], []), "proofs at byte .*: there must be 1 of them"),
        (_wrapped([BLOB], [COMMITMENT], [PROOF, PROOF]), "proofs at byte .*: there must be 1 of them"),
        (_wrapped([BLOB], [COMMITMENT], [PROOF], []), "transaction at byte .*: 1 bytes too many"),
        (_wrapped(2, [BLOB], [COMMITMENT], [PROOF]), "wrapper_version at byte .*: only version 1"),
        (_wrapped(1, [BLOB], [COMMITMENT], [PROOF]), "proofs at byte .*: there must be 128 of them"),
        (b"\2" + bytes(rlp.encode([[1, 7, 2, 30, 21000, TO, 5, b"", []]])), "has 9 items, not 1"),
        (b"\3" + bytes(rlp.encode([[1, 7, 2, 30, 21000, TO, 5, bytes(2**17), [], 3, [HASH]], []])), "nodes take at most 131072"),
        (b"\3" + bytes(rlp.encode([bytes(2**22)])), "nodes take at most"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_does_not_belong_to_the_blobs_is_refused(raw: bytes, reason: str) -> None:
    """Numbers, lengths and hashes have to fit the transaction; the message says where."""
    with pytest.raises(MalformedTransactionError, match=reason):
        ETH.decode(raw)
