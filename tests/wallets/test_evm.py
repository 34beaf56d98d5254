"""EVM networks: what ethers and eth-account sign is signed bit for bit, and nothing else is."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import rlp
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.samples import EIP_155_EXAMPLE
from tests.strategies import evm_addresses, evm_transactions, secp256k1_secrets
from wallets.chains import CHAINS
from wallets.chains.evm import Evm
from wallets.chains.evm.address import checksummed
from wallets.chains.evm.payload import MAX_BYTES
from wallets.curves import Curve, private_key
from wallets.derivation import DerivationScheme
from wallets.errors import MalformedTransactionError
from wallets.hashes import keccak256
from wallets.model import Intent, SignedTransaction, Transfer

VECTORS = Path(__file__).parents[1] / "vectors"
EVM: dict[str, Any] = json.loads((VECTORS / "evm.json").read_text())
EIP55: dict[str, list[str]] = json.loads((VECTORS / "eip55.json").read_text())
BY_NAME = {vector["name"]: vector for vector in EVM["transactions"]}
NETWORKS = [chain for chain in CHAINS.values() if isinstance(chain, Evm)]
ETH = CHAINS["eth"]
TO = bytes.fromhex("35" * 20)
every_network = pytest.mark.parametrize("chain", NETWORKS, ids=lambda chain: chain.network)


def _sign(unsigned_tx: bytes, secret: bytes = b"\x46" * 32, network: str = "eth") -> SignedTransaction:
    return CHAINS[network].decode(unsigned_tx).sign(private_key(Curve.SECP256K1, secret))


def _intent(items: Iterable[Any], *, kind: int = 2, network: str = "eth") -> Intent:
    return CHAINS[network].decode(_typed(kind, items)).intent


def _typed(kind: int, items: Iterable[Any]) -> bytes:
    return bytes([kind]) + bytes(rlp.encode(list(items)))


def _eip1559(**changes: Any) -> list[Any]:
    fields = {"chain_id": 1, "nonce": 7, "tip": 2, "fee": 30, "gas": 21000, "to": TO, "value": 10**18, "data": b"", "access_list": []}
    return list({**fields, **changes}.values())


def _unsigned(signed_tx: bytes, chain_id: int) -> bytes:
    """Take the signature off a signed transaction, with the rlp package."""
    if signed_tx[0] >= 0xC0:
        return bytes(rlp.encode([*rlp.decode(signed_tx)[:6], chain_id, 0, 0]))
    return signed_tx[:1] + bytes(rlp.encode(rlp.decode(signed_tx[1:])[:-3]))


@pytest.mark.parametrize("vector", EVM["transactions"], ids=lambda vector: vector["name"])
def test_transactions_are_signed_as_ethers_does(vector: dict[str, str]) -> None:
    """Every type on every network gives the signed transaction and the hash that ethers gives."""
    secret = bytes.fromhex(EVM["accounts"][0]["private_key"])

    signed = _sign(bytes.fromhex(vector["unsigned_tx"]), secret, vector["network"])

    assert vector["signed_tx"] == signed.raw.hex()
    assert vector["tx_id"] == signed.tx_id


@every_network
@given(data=st.data(), secret=secp256k1_secrets())
@settings(max_examples=25)
def test_transactions_are_signed_as_eth_account_does(chain: Evm, data: st.DataObject, secret: bytes) -> None:
    """Any transaction of any type is signed bit for bit as eth-account does, and eth-account finds its sender."""
    expected = Account.sign_transaction(data.draw(evm_transactions(chain.chain_id)), secret)
    unsigned_tx = _unsigned(bytes(expected.raw_transaction), chain.chain_id)
    key = private_key(Curve.SECP256K1, secret)

    signed = chain.decode(unsigned_tx).sign(key)

    assert bytes(expected.raw_transaction) == signed.raw
    assert "0x" + bytes(expected.hash).hex() == signed.tx_id
    assert Account.recover_transaction(signed.raw) == chain.address(key.public_key, DerivationScheme.STANDARD)


@every_network
def test_a_transaction_of_another_chain_is_refused(chain: Evm) -> None:
    """Every network refuses each other network's transactions by their chain id, legacy and typed ones."""
    for vector in EVM["transactions"]:
        if vector["network"] != chain.network:
            with pytest.raises(MalformedTransactionError, match=f"{chain.network} has {chain.chain_id}"):
                chain.decode(bytes.fromhex(vector["unsigned_tx"]))


@pytest.mark.parametrize("vector", EVM["transactions"], ids=lambda vector: vector["name"])
def test_a_signed_transaction_is_refused_as_such(vector: dict[str, str]) -> None:
    """What is signed already is not signed again, and the message says so."""
    with pytest.raises(MalformedTransactionError, match="signed already"):
        CHAINS[vector["network"]].decode(bytes.fromhex(vector["signed_tx"]))


@pytest.mark.parametrize("vector", EVM["transactions"], ids=lambda vector: vector["name"])
def test_truncated_and_trailing_bytes_are_refused(vector: dict[str, str]) -> None:
    """A byte less at either end, or one more, is refused."""
    data = bytes.fromhex(vector["unsigned_tx"])

    for damage in (data[:-1], data[1:], data + b"\0", data + b"\x80", data[:1]):
        with pytest.raises(MalformedTransactionError):
            CHAINS[vector["network"]].decode(damage)


_KEY = b"\x11" * 32
_AUTHORIZATION = [1, TO, 0, 0, 1, 1]
_REFUSALS: list[tuple[bytes, str]] = [
    (b"", "empty"),
    (b"\x02", "transaction at byte 1: the data ends too early"),
    (b"\x00\xc0", "0x00"),
    (b"\x05\xc0", "0x05"),
    (b"\x80", "0x80"),
    (b"\x02\x80", "a list is expected"),
    (rlp.encode([9, 1, 21000, TO, 1, b"", 1]), "has 9 items, or 6 before EIP-155, not 7"),
    (rlp.encode([9, 1, 21000, TO, 1, b"", 37, 1, 1]), "signed already"),
    (rlp.encode([9, 1, 21000, TO, 1, b"", 1, 0, b"\0"]), "s at byte"),
    (rlp.encode([9, 1, 21000, TO[:19], 1, b"", 1, 0, 0]), "to at byte 6: 20 bytes"),
    (rlp.encode([[], 1, 21000, TO, 1, b"", 1, 0, 0]), "nonce at byte 1: bytes are expected"),
    (_typed(2, _eip1559()[:8]), "has 9 items, not 8"),
    (_typed(2, _eip1559(nonce=b"\0\7")), "nonce at byte 3: an integer has no leading zeros"),
    (_typed(2, _eip1559(nonce=2**64 - 1)), "EIP-2681"),
    (_typed(2, _eip1559(nonce=2**64)), "nonce at byte 3: the integer does not fit in 64 bits"),
    (_typed(2, _eip1559(gas=2**64)), "gas_limit at byte 6: the integer does not fit in 64 bits"),
    (_typed(2, _eip1559(value=2**256)), "value at byte .*: the integer does not fit in 256 bits"),
    (_typed(2, _eip1559(fee=2**256)), "max_fee_per_gas at byte"),
    (_typed(2, _eip1559(tip=31)), "max_fee_per_gas at byte 5: it is less than max_priority_fee_per_gas"),
    (_typed(2, _eip1559(to=TO + b"\0")), "to at byte .*: 20 bytes are expected, or none"),
    (_typed(2, _eip1559(data=[])), "data at byte .*: bytes are expected"),
    (_typed(2, _eip1559(access_list=b"")), "access_list at byte .*: a list is expected"),
    (_typed(2, _eip1559(access_list=[TO])), "access_list entry at byte"),
    (_typed(2, _eip1559(access_list=[[TO]])), "storage keys at byte"),
    (_typed(2, _eip1559(access_list=[[TO[1:], []]])), "access_list address at byte .*: 20 bytes are expected, not 19"),
    (_typed(2, _eip1559(access_list=[[TO, [_KEY[1:]]]])), "storage key at byte .*: 32 bytes are expected, not 31"),
    (_typed(2, _eip1559(access_list=[[TO, [], b""]])), "access_list entry at byte .*: 1 bytes too many"),
    (_typed(3, [*_eip1559(to=b""), 1, [b"\1" * 32]]), "to at byte .*: 20 bytes are expected$"),
    (_typed(3, [*_eip1559(), 1, []]), "at least one"),
    (_typed(3, [*_eip1559(), 1, [b"\2" * 32]]), "only version 1"),
    (_typed(3, [*_eip1559(), 1, [b"\1" * 31]]), "32 bytes are expected, not 31"),
    (_typed(4, [*_eip1559(to=b""), [_AUTHORIZATION]]), "to at byte .*: 20 bytes are expected$"),
    (_typed(4, [*_eip1559(), []]), "must not be empty"),
    (_typed(4, [*_eip1559(), [_AUTHORIZATION[:5]]]), "authorization s at byte"),
    (_typed(4, [*_eip1559(), [[*_AUTHORIZATION, 1]]]), "authorization at byte .*: 1 bytes too many"),
    (_typed(4, [*_eip1559(), [[1, TO, 0, 256, 1, 1]]]), "y_parity at byte .*: the integer does not fit in 8 bits"),
    (_typed(4, [*_eip1559(), [[1, TO, 0, 2, 1, 1]]]), "y_parity at byte .*: no signature has this parity"),
    (_typed(2, _eip1559(data=bytes(MAX_BYTES))), f"nodes take at most {MAX_BYTES}"),
]


@pytest.mark.parametrize(("data", "reason"), _REFUSALS, ids=[reason for _, reason in _REFUSALS])
def test_malformed_transactions_are_refused_with_a_reason(data: bytes, reason: str) -> None:
    """What does not fit the format is refused; the message names the field and the byte."""
    with pytest.raises(MalformedTransactionError, match=reason):
        ETH.decode(data)


def test_the_largest_transaction_is_taken() -> None:
    """A transaction of exactly as many bytes as a node takes is signed."""
    smaller = _typed(2, _eip1559(data=bytes(100_000)))
    data = _typed(2, _eip1559(data=bytes(100_000 + MAX_BYTES - len(smaller))))

    assert len(data) == MAX_BYTES
    assert ETH.decode(data).intent.kind == "contract_call"


def test_no_signer_is_named() -> None:
    """The format names no signer and no sender: whoever signs is the sender."""
    transaction = ETH.decode(bytes.fromhex(EIP_155_EXAMPLE))

    assert transaction.signers == frozenset()
    assert transaction.intent.sender is None


def test_intent_of_a_transfer() -> None:
    """A transfer says who gets how much, what the fee is at most, and the fields that only this network has."""
    expected = Intent(
        "eth",
        "transfer",
        transfers=(Transfer("0x" + "35" * 20, 10**18),),
        max_fee=21000 * 30,
        details={
            "type": "eip-1559",
            "payload_hash": keccak256(_typed(2, _eip1559())).hex(),
            "chain_id": 1,
            "nonce": 7,
            "gas_limit": 21000,
            "max_fee_per_gas": "30",
            "max_priority_fee_per_gas": "2",
        },
    )

    assert expected == _intent(_eip1559())


def test_intent_of_a_transfer_to_the_zero_address() -> None:
    """Value sent to the zero address is lost, and the intent warns of it."""
    assert "zero address" in _intent(_eip1559(to=bytes(20))).warnings[0]


@pytest.mark.parametrize(
    ("name", "kind", "method"),
    [
        ("eip2930", "token_transfer", "transfer(address,uint256)"),
        ("eip1559_token_transfer", "token_transfer", "transfer(address,uint256)"),
        ("eip1559_transfer_from", "token_transfer", "transferFrom(address,address,uint256)"),
        ("eip1559_approve_unlimited", "token_approval", "approve(address,uint256)"),
        ("eip1559_operator", "token_approval", "setApprovalForAll(address,bool)"),
        ("eip1559_call_with_value", "contract_call", "deposit()"),
        ("eip1559_creation", "contract_creation", None),
        ("legacy_creation", "contract_creation", None),
        ("eip7702", "set_code", None),
        ("eip4844", "transfer", None),
    ],
)
def test_intents_of_the_vectors(name: str, kind: str, method: str | None) -> None:
    """Each kind of transaction is named for what it does."""
    intent = ETH.decode(bytes.fromhex(BY_NAME[name]["unsigned_tx"])).intent

    assert (kind, method) == (intent.kind, intent.method)


def test_intent_of_a_token_transfer() -> None:
    """An ERC-20 transfer names the token's contract as the asset and the inner recipient."""
    intent = ETH.decode(bytes.fromhex(BY_NAME["eip1559_token_transfer"]["unsigned_tx"])).intent

    token = "0xdAC17F958D2ee523a2206206994597C13D831ec7"
    assert intent.transfers == (Transfer(EVM["accounts"][1]["address"], 123456, token),)
    assert intent.contract == token


def test_intent_of_a_call_with_value() -> None:
    """Native value that goes along with a call is a transfer of its own, and an unknown call is warned of."""
    intent = _intent(_eip1559(data=b"\1\2\3\4\5"))

    assert intent.transfers == (Transfer("0x" + "35" * 20, 10**18),)
    assert (intent.details["selector"], intent.details["data_bytes"]) == ("0x01020304", 5)
    assert intent.warnings == ("blind call: the call data is of no kind that is read here",)


def test_intent_of_a_call_without_value() -> None:
    """A call without value transfers nothing."""
    assert _intent(_eip1559(data=b"\1", value=0)).transfers == ()


def test_intent_of_an_empty_creation() -> None:
    """A transaction without recipient and code is likely a mistake, and warned of."""
    intent = _intent(_eip1559(to=b""))

    assert intent.kind == "contract_creation"
    assert "neither a recipient nor code" in intent.warnings[0]
    assert intent.details["value"] == str(10**18)


def test_intent_of_an_access_list() -> None:
    """The number of its entries is told, and the price is called gas price before EIP-1559."""
    intent = _intent([1, 7, 30, 21000, TO, 5, b"", [[TO, [_KEY]], [TO, []]]], kind=1)

    assert (intent.details["access_list_entries"], intent.details["gas_price"]) == (2, "30")


def test_intent_of_blobs() -> None:
    """Blobs are paid for beside the gas: 2^17 blob gas each."""
    intent = _intent([*_eip1559(), 3, [b"\1" * 32, b"\1" * 32]], kind=3)

    assert intent.max_fee == 21000 * 30 + 2 * 2**17 * 3
    assert (intent.details["blobs"], intent.details["max_fee_per_blob_gas"]) == (2, "3")


def test_intent_of_authorizations() -> None:
    """Each account handed over to code is warned of, up to ten; then how many more there are."""
    items = [[0, TO, 3, 0, 1, 1], *[_AUTHORIZATION] * 11]

    intent = _intent([*_eip1559(), items], kind=4)

    assert intent.kind == "set_code"
    assert "its nonce 3, on every chain" in intent.warnings[0]
    assert "on chain 1" in intent.warnings[1]
    assert (len(intent.warnings), intent.warnings[-1]) == (11, "2 more authorizations")


def test_a_rollup_that_charges_for_data_has_no_bounded_fee() -> None:
    """Optimism and Base charge for the data beside the gas: the fee is unbounded, and the gas's part of it a detail."""
    intent = _intent(_eip1559(chain_id=10), network="optimism")

    assert intent.max_fee is None
    assert intent.details["max_execution_fee"] == str(21000 * 30)


@pytest.mark.parametrize("address", [address for group in EIP55.values() for address in group])
def test_the_addresses_of_eip_55(address: str) -> None:
    """The EIP's addresses are written with their checksum, and read in all lower and all upper case."""
    digits = address[2:]

    assert address == checksummed(bytes.fromhex(digits))
    for text in (address, "0x" + digits.lower(), "0x" + digits.upper(), "0X" + digits.upper(), digits):
        assert ETH.normalize(text) == {address}


@given(evm_addresses(), st.integers(0, 39))
def test_a_wrong_checksum_is_no_address(raw: bytes, position: int) -> None:
    """Changing the case of one letter makes the text no address, unless what is left is all of one case."""
    digits = checksummed(raw)[2:]
    changed = digits[:position] + digits[position].swapcase() + digits[position + 1 :]

    if changed not in {digits, digits.lower(), digits.upper()}:
        assert ETH.normalize("0x" + changed) == frozenset()


@pytest.mark.parametrize("text", ["", "0x", "0x" + "1" * 39, "0x" + "1" * 41, "0x" + "g" * 40, " 0x" + "1" * 40, "0x" + "1" * 40 + "\n"])
def test_what_is_no_address_names_nothing(text: str) -> None:
    """Another length, other characters and white space are no address."""
    assert ETH.normalize(text) == frozenset()


@every_network
def test_a_network_describes_itself(chain: Evm) -> None:
    """Every row signs on secp256k1, at one path in both schemes, and writes hex with 0x; an address has no other form."""
    assert (chain.curve, chain.hex_prefix, chain.decimals) == (Curve.SECP256K1, "0x", 18)
    assert {chain.path(scheme) for scheme in DerivationScheme} == {"m/44'/60'/0'/0/{index}"}
    assert chain.forms(EVM["accounts"][0]["address"]) == {}


def test_chain_ids() -> None:
    """The chain ids are those of the public list (chainlist)."""
    expected = {"eth": 1, "bsc": 56, "polygon": 137, "arbitrum": 42161, "optimism": 10, "base": 8453, "avalanche": 43114, "gnosis": 100}
    expected |= {"linea": 59144, "sepolia": 11155111, "holesky": 17000}

    assert expected == {chain.network: chain.chain_id for chain in NETWORKS}
