"""Accepted by a node: each type of transaction that we sign is mined by a real EVM, with the effect that its intent tells."""

from typing import Any

import pytest
import rlp
from eth_utils.exceptions import ValidationError

from tests.wallets.evm_node import CHAIN_ID, ETHER, Node
from wallets.chains import CHAINS
from wallets.chains.evm.address import checksummed
from wallets.curves import Curve, private_key, uncompressed
from wallets.hashes import keccak256, sha256
from wallets.model import SignedTransaction

ETH = CHAINS["eth"]
KEY = private_key(Curve.SECP256K1, b"\x46" * 32)
OTHER_KEY = private_key(Curve.SECP256K1, b"\x47" * 32)


US, OTHER = (keccak256(uncompressed(key.public_key))[-20:] for key in (KEY, OTHER_KEY))
TO = bytes.fromhex("35" * 20)
GAS_PRICE = 100 * 10**9
HASH = b"\1" + sha256(b"\xc0" + bytes(47))[1:]

STORES_42 = bytes.fromhex("602a600055")
"""Code: put 42 into slot 0."""
CREATES_STORER = bytes.fromhex("64602a600055600052" + "6005601bf3")
"""Init code: return the five bytes of the code above."""

ACCESS_LIST = [[TO, [bytes(32)]]]
BODIES: dict[str, tuple[int | None, list[Any]]] = {
    "legacy before EIP-155": (None, [0, GAS_PRICE, 30_000, TO, 5, b""]),
    "legacy": (None, [0, GAS_PRICE, 30_000, TO, 5, b"", CHAIN_ID, b"", b""]),
    "EIP-2930": (1, [CHAIN_ID, 0, GAS_PRICE, 30_000, TO, 5, b"", ACCESS_LIST]),
    "EIP-1559": (2, [CHAIN_ID, 0, 10**9, GAS_PRICE, 30_000, TO, 5, b"", ACCESS_LIST]),
    "EIP-4844": (3, [CHAIN_ID, 0, 10**9, GAS_PRICE, 30_000, TO, 5, b"", [], 10**9, [HASH]]),
}


@pytest.fixture
def node() -> Node:
    """A new chain on which our first account has 100 ether."""
    return Node(US)


def _signed(kind: int | None, body: list[Any]) -> SignedTransaction:
    head = b"" if kind is None else bytes([kind])
    return ETH.decode(head + bytes(rlp.encode(body))).sign(KEY)


@pytest.mark.parametrize(("kind", "body"), BODIES.values(), ids=BODIES)
def test_each_type_moves_value(node: Node, kind: int | None, body: list[Any]) -> None:
    """The node finds us as the sender, knows the transaction by our id, and pays the recipient."""
    signed = _signed(kind, body)

    assert node.mine(signed.raw)

    assert node.transaction_hash(signed.raw) == signed.tx_id
    assert (node.state.get_balance(TO), node.state.get_nonce(US)) == (5, 1)
    spent = 100 * ETHER - node.state.get_balance(US)
    max_fee = ETH.decode((b"" if kind is None else bytes([kind])) + bytes(rlp.encode(body))).intent.max_fee
    assert max_fee is not None
    assert 5 < spent <= 5 + max_fee


@pytest.mark.parametrize("kind", [None, 1, 2], ids=["legacy", "EIP-2930", "EIP-1559"])
def test_a_contract_is_created_and_called(node: Node, kind: int | None) -> None:
    """A transaction without recipient makes a contract, and one with call data runs it."""
    created = keccak256(bytes(rlp.encode([US, 0])))[-20:]
    for nonce, (to, data) in enumerate([(b"", CREATES_STORER), (created, b"\1")]):
        middle = [nonce, GAS_PRICE, 100_000, to, 0, data]
        body = {None: [*middle, CHAIN_ID, b"", b""], 1: [CHAIN_ID, *middle, []], 2: [CHAIN_ID, nonce, 1, *middle[1:], []]}[kind]
        assert node.mine(_signed(kind, body).raw)

    assert node.state.get_code(created) == STORES_42
    assert node.state.get_storage(created, 0) == 42


def test_an_authorization_gives_an_account_code(node: Node) -> None:
    """An authorization that we sign (EIP-7702), in a transaction that we sign, puts the code into the other account, which then runs it."""
    created = keccak256(bytes(rlp.encode([US, 0])))[-20:]
    node.mine(_signed(2, [CHAIN_ID, 0, 1, GAS_PRICE, 100_000, b"", 0, CREATES_STORER, []]).raw)
    request = {"standard": "eip-7702", "chainId": CHAIN_ID, "address": checksummed(created), "nonce": 0}
    signature = ETH.read_typed_data(request).sign(OTHER_KEY).signature
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:64])
    authorization = [CHAIN_ID, created, 0, signature[64], r, s]

    assert node.mine(_signed(4, [CHAIN_ID, 1, 1, GAS_PRICE, 200_000, OTHER, 0, b"\1", [], [authorization]]).raw)

    assert node.state.get_code(OTHER) == bytes.fromhex("ef0100") + created
    assert (node.state.get_storage(OTHER, 0), node.state.get_nonce(OTHER)) == (42, 1)


def test_a_changed_signature_is_not_taken(node: Node) -> None:
    """The node does check: with another amount the same signature is somebody else's, who has no money."""
    signed = _signed(*BODIES["EIP-1559"]).raw
    fields = rlp.decode(signed[1:])

    with pytest.raises(ValidationError):
        node.mine(b"\2" + bytes(rlp.encode([*fields[:6], b"\6", *fields[7:]])))
