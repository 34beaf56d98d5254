"""Tron, Solana and TON: addresses and signatures agree with the networks' own libraries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytoniq_core import Address as TonAddress
from pytoniq_core import Cell
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import Transaction
from tronpy.keys import PrivateKey as TronKey

from tests.samples import ton_transfer, tron_field, tron_transfer
from wallets.chains import chain_for
from wallets.curves import Curve, private_key, verify_ed25519
from wallets.derivation import DerivationPath, DerivationScheme, derive
from wallets.errors import MalformedTransactionError
from wallets.hashes import sha256
from wallets.mnemonic import parse, to_seed
from wallets.secret import PrivateKey

_STANDARD = DerivationScheme.STANDARD
_SEED = to_seed(parse("abandon " * 11 + "about"))
_TRON, _SOL, _TON = chain_for("tron"), chain_for("sol"), chain_for("ton")


def _key(network: str, index: int = 0) -> PrivateKey:
    chain = chain_for(network)
    return derive(_SEED, DerivationPath.parse(chain.paths[_STANDARD].format(index=index)), chain.curve, _STANDARD)


def test_known_addresses() -> None:
    """The first Tron account of the phrase "abandon … about" is the one that wallets show."""
    assert _TRON.address(_key("tron").public_key, _STANDARD) == "TUEZSdKsoDHQMeZwihtdoBiN46zxhGWYdH"


@given(st.integers(1, 2**63 - 1))
def test_tron_transfers_are_signed_as_tronpy_verifies(amount: int) -> None:
    """A transfer's signature recovers to the owner with tronpy, raw_data is kept, and the id is its SHA-256."""
    key = _key("tron")
    theirs = TronKey(key.reveal())
    owner = bytes.fromhex(theirs.public_key.to_hex_address())
    raw_data = tron_transfer(owner, b"\x41" + b"\x22" * 20, amount)

    transaction = _TRON.decode(raw_data)
    signed = transaction.sign(key)

    assert theirs.public_key.to_base58check_address() == _TRON.address(key.public_key, _STANDARD)
    assert transaction.signers == {_TRON.address(key.public_key, _STANDARD)}
    assert [each.amount for each in transaction.intent.transfers] == [amount]
    assert signed.tx_id == sha256(raw_data).hex()
    assert raw_data in signed.raw
    assert bytes.fromhex(theirs.sign_msg_hash(sha256(raw_data)).hex())[:64] == signed.signature[:64]


@pytest.mark.parametrize(
    "change", [lambda raw: raw + b"\0", lambda raw: raw[:-1], lambda raw: raw + tron_field(14, 1), lambda _: b"\x0a\x00"]
)
def test_tron_refuses_what_is_not_exactly_one_raw_data(change: object) -> None:
    """Trailing, truncated, repeated and empty input is refused."""
    assert callable(change)
    raw_data = tron_transfer(b"\x41" + b"\x11" * 20, b"\x41" + b"\x22" * 20, 1)

    with pytest.raises(MalformedTransactionError):
        _TRON.decode(change(raw_data))


@given(st.integers(0, 2**64 - 1), st.binary(min_size=32, max_size=32), st.booleans())
def test_solana_transfers_are_signed_as_solders_signs(lamports: int, blockhash: bytes, bare: bool) -> None:
    """A transfer, bare or with an empty slot, becomes the very transaction that solders signs."""
    key = _key("sol")
    keypair = Keypair.from_seed(key.reveal())
    to = Pubkey.from_bytes(b"\x22" * 32)
    instruction = transfer(TransferParams(from_pubkey=keypair.pubkey(), to_pubkey=to, lamports=lamports))
    message = Message.new_with_blockhash([instruction], keypair.pubkey(), Hash.from_bytes(blockhash))
    unsigned = bytes(message) if bare else bytes(Transaction.new_unsigned(message))

    transaction = _SOL.decode(unsigned)
    signed = transaction.sign(key)

    theirs = Transaction([keypair], message, Hash.from_bytes(blockhash))
    assert bytes(theirs) == signed.raw
    assert str(theirs.signatures[0]) == signed.tx_id
    assert str(keypair.pubkey()) == _SOL.address(key.public_key, _STANDARD)
    assert transaction.signers == {str(keypair.pubkey())}
    assert [(each.recipient, each.amount) for each in transaction.intent.transfers] == [(str(to), lamports)]


def test_solana_refuses_trailing_bytes_and_signed_transactions() -> None:
    """Bytes behind the message, and a transaction that we have signed, are refused."""
    key = _key("sol")
    keypair = Keypair.from_seed(key.reveal())
    instruction = transfer(TransferParams(from_pubkey=keypair.pubkey(), to_pubkey=Pubkey.from_bytes(b"\x22" * 32), lamports=1))
    message = Message.new_with_blockhash([instruction], keypair.pubkey(), Hash.default())

    with pytest.raises(MalformedTransactionError):
        _SOL.decode(bytes(message) + b"\0")
    signed = _SOL.decode(bytes(message)).sign(key)
    with pytest.raises(MalformedTransactionError):
        _SOL.decode(signed.raw).sign(key)


@given(st.integers(0, 2**32 - 1), st.integers(1, 2**100))
def test_ton_external_messages_are_what_pytoniq_reads(seqno: int, amount: int) -> None:
    """The signed message goes to the wallet's own address, deploys it at seqno 0, and its signature is over the body's hash."""
    key = _key("ton")
    unsigned = ton_transfer(seqno, amount)

    signed = _TON.decode(unsigned).sign(key)

    root = Cell.one_from_boc(signed.raw)
    reader = root.begin_parse()
    assert reader.load_uint(2) == 0b10
    assert reader.load_uint(2) == 0
    destination = reader.load_address()
    assert isinstance(destination, TonAddress)
    assert destination.to_str(is_bounceable=False) == _TON.address(key.public_key, _STANDARD)
    assert reader.load_coins() == 0
    body = Cell.one_from_boc(unsigned)
    assert verify_ed25519(key.public_key, signed.signature, body.hash)
    assert reader.load_bit() == int(seqno == 0)


def test_ton_refuses_another_wallet_id() -> None:
    """A body for another wallet id is refused."""
    with pytest.raises(MalformedTransactionError):
        _TON.decode(ton_transfer(1, 1, wallet_id=1))


def test_ton_addresses_are_found_in_every_form() -> None:
    """Bounceable, non-bounceable and raw forms name the same account."""
    address = _TON.address(_key("ton").public_key, _STANDARD)

    assert all(address in _TON.normalize(form) for form in _TON.forms(address).values())


def test_v1_0_8_keys_are_bip32_children() -> None:
    """A wallet taken over has its Solana key from the BIP-32 child key."""
    path = DerivationPath.parse(_SOL.paths[DerivationScheme.V1_0_8].format(index=0))

    key = derive(_SEED, path, Curve.ED25519, DerivationScheme.V1_0_8)

    child = derive(_SEED, path, Curve.SECP256K1, _STANDARD)
    assert key.public_key == private_key(Curve.ED25519, child.reveal()).public_key
