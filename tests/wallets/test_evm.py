"""EVM transactions are decoded strictly and signed as nodes accept them."""

import contextlib

import pytest
import rlp
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from wallets.chains import CHAINS, chain_for
from wallets.curves import Curve, private_key
from wallets.derivation import DerivationPath, DerivationScheme, derive
from wallets.errors import MalformedTransactionError, UnsupportedNetworkError
from wallets.hashes import keccak256
from wallets.mnemonic import parse, to_seed

_ETH = chain_for("eth")
_KEY = private_key(Curve.SECP256K1, bytes.fromhex("46" * 32))
# The unsigned and the signed transaction of EIP-155's example.
_EIP_155 = "ec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080018080"
_EIP_155_SIGNED = (
    "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a028ef61340bd939bc2195fe537567866003e1a15d"
    "3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"
)
_CHAIN_IDS = {"eth": 1, "bsc": 56, "polygon": 137, "arbitrum": 42161, "optimism": 10, "base": 8453, "avalanche": 43114}
_uint64 = st.integers(0, 2**64 - 1)
_uint256 = st.integers(0, 2**256 - 1)
_address = st.binary(min_size=20, max_size=20)
_access_list = st.lists(st.tuples(_address, st.lists(st.binary(min_size=32, max_size=32), max_size=3)), max_size=3)


def _integer(value: int) -> bytes:
    """Return the shortest big-endian bytes of a number; none for zero."""
    return value.to_bytes((value.bit_length() + 7) // 8)


def test_eip155_example() -> None:
    """The example of EIP-155 is signed bit for bit."""
    signed = _ETH.decode(bytes.fromhex(_EIP_155)).sign(_KEY)

    assert signed.raw.hex() == _EIP_155_SIGNED
    assert signed.tx_id == "0x" + keccak256(bytes.fromhex(_EIP_155_SIGNED)).hex()


def test_bip44_address() -> None:
    """The first account of the phrase "abandon … about" is the one that every wallet shows."""
    seed = to_seed(parse("abandon " * 11 + "about"))
    path = DerivationPath.parse(_ETH.paths[DerivationScheme.STANDARD].format(index=0))

    address = _ETH.address(derive(seed, path, Curve.SECP256K1, DerivationScheme.STANDARD).public_key, DerivationScheme.STANDARD)

    assert address == "0x9858EfFD232B4033E47d90003D41EC34EcaEda94"


@pytest.mark.parametrize(
    "address",
    [
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ],
)
def test_eip55(address: str) -> None:
    """Addresses are found in one case or with the right checksum, and not with a wrong one (EIP-55)."""
    assert _ETH.normalize(address) == {address}
    assert _ETH.normalize(address.lower()) == {address}
    assert _ETH.normalize("0x" + address[2:].swapcase()) == frozenset()


@given(
    nonce=st.integers(0, 2**64 - 2),
    price=_uint256,
    gas=_uint64,
    to=st.one_of(st.just(b""), _address),
    value=_uint256,
    data=st.binary(max_size=100),
    access=_access_list,
    kind=st.sampled_from([0, 1, 2]),
    network=st.sampled_from(sorted(_CHAIN_IDS)),
)
def test_signed_as_eth_account_signs(
    nonce: int, price: int, gas: int, to: bytes, value: int, data: bytes, access: list[tuple[bytes, list[bytes]]], kind: int, network: str
) -> None:
    """A random transaction of each type is signed with the very bytes and the hash of eth-account."""
    chain_id = _CHAIN_IDS[network]
    common: list[object] = [_integer(gas), to, _integer(value), data]
    entries: list[object] = [[address, list(keys)] for address, keys in access]
    fields: dict[str, object] = {"nonce": nonce, "gas": gas, "to": to, "value": value, "data": data, "chainId": chain_id}
    if kind == 0:
        unsigned = rlp.encode([_integer(nonce), _integer(price), *common, _integer(chain_id), b"", b""])
        fields["gasPrice"] = price
    else:
        head: list[object] = [_integer(chain_id), _integer(nonce), *([_integer(price)] * kind)]
        unsigned = bytes([kind]) + rlp.encode([*head, *common, entries])
        fees = {"gasPrice": price} if kind == 1 else {"maxPriorityFeePerGas": price, "maxFeePerGas": price}
        access_list = [{"address": "0x" + address.hex(), "storageKeys": ["0x" + key.hex() for key in keys]} for address, keys in access]
        fields.update(fees, type=kind, accessList=access_list)

    signed = chain_for(network).decode(unsigned).sign(_KEY)

    theirs = Account.sign_transaction(fields, _KEY.reveal())
    assert bytes(theirs.raw_transaction) == signed.raw
    assert "0x" + bytes(theirs.hash).hex() == signed.tx_id


@given(st.binary(max_size=200))
def test_nothing_but_our_error_escapes(data: bytes) -> None:
    """Arbitrary bytes are refused with our error, whatever the network."""
    for chain in CHAINS.values():
        with contextlib.suppress(MalformedTransactionError):
            assert chain.decode(data).intent.network == chain.network


@given(st.integers(0, len(_EIP_155) // 2 - 1))
def test_truncated_transactions_are_refused(length: int) -> None:
    """Every part of a transaction is refused."""
    with pytest.raises(MalformedTransactionError):
        _ETH.decode(bytes.fromhex(_EIP_155)[:length])


@pytest.mark.parametrize(
    ("unsigned", "reason"),
    [
        (_EIP_155 + "00", "1 bytes too many"),
        (_EIP_155_SIGNED, "chain id|signed already"),
        (_EIP_155.replace("018080", "388080"), "chain id 56"),
        ("e9098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080", "before EIP-155"),
        ("03c0", "type 0x03"),
        (_EIP_155.replace("ec09", "ed8109"), "its own encoding"),
        (_EIP_155.replace("825208", "820008"), "leading zero"),
        ("f800", "shortest"),
        ("c3c2c1c0", "items"),
        ("c4c3c2c1c0", "items"),
    ],
)
def test_what_is_not_exactly_one_unsigned_transaction_is_refused(unsigned: str, reason: str) -> None:
    """Trailing bytes, other chains, signed, replayable, unknown and non-canonical transactions are refused with the reason."""
    with pytest.raises(MalformedTransactionError, match=reason):
        _ETH.decode(bytes.fromhex(unsigned))


def test_intent_of_a_token_transfer() -> None:
    """A call of ERC-20's transfer shows the token, the recipient inside the call and the amount."""
    token, recipient = b"\x11" * 20, b"\x22" * 20
    data = bytes.fromhex("a9059cbb") + bytes(12) + recipient + (7).to_bytes(32)
    unsigned = b"\x02" + rlp.encode([b"\x01", b"", b"\x01", b"\x02", b"\xff", token, b"", data, []])

    intent = _ETH.decode(unsigned).intent

    assert (intent.kind, intent.method, intent.max_fee) == ("token_transfer", "transfer(address,uint256)", 510)
    assert [(each.recipient, each.amount, each.asset) for each in intent.transfers] == [("0x" + "22" * 20, 7, "0x" + "11" * 20)]


def test_unknown_calls_are_named_unknown() -> None:
    """Calldata that is not understood gives a warning."""
    unsigned = b"\x02" + rlp.encode([b"\x01", b"", b"", b"", b"", b"\x11" * 20, b"", b"\xde\xad\xbe\xef", []])

    assert "no kind that is read here" in _ETH.decode(unsigned).intent.warnings[0]


def test_unknown_networks_are_refused() -> None:
    """A network that is not in the table is refused, and the known ones are named."""
    with pytest.raises(UnsupportedNetworkError, match=", ".join(CHAINS)):
        chain_for("nope")
