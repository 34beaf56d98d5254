"""Bitcoin: messages by BIP-322 and BIP-137, as standards and other libraries sign them, and as Bitcoin Core's interpreter takes them."""

import json
from base64 import b64decode, b64encode
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.wallets import bitcoin_node
from tests.wallets.psbts import KINDS, MESSAGES, STRANGER, US, Party, chain, psbt, spent, transfer
from wallets.chains import CHAINS
from wallets.chains.bitcoin.digest import DEFAULT
from wallets.chains.bitcoin.message import PROOF, proof_of
from wallets.chains.bitcoin.network import Network
from wallets.chains.bitcoin.reader import Reader
from wallets.chains.bitcoin.script import Kind, script_for, witness_program
from wallets.chains.bitcoin.transaction import Input, Output, Transaction, Unlocking, tx_id_of
from wallets.curves import Curve, private_key, recover_secp256k1, verify_schnorr
from wallets.encoding import unbase58check
from wallets.errors import MalformedMessageError, MalformedTransactionError, UnsupportedMessageError
from wallets.hashes import tagged_hash
from wallets.model import HexMessage, SignedMessage, TextMessage
from wallets.secret import PrivateKey
from wallets.signing import read_message

BIP322: dict[str, list[dict[str, Any]]] = json.loads((Path(__file__).parents[1] / "vectors" / "bip322.json").read_text())
KIND_OF = {"p2wpkh": "segwit", "p2tr": "taproot"}


def signed(party: Party, message: bytes, chosen: str = "") -> SignedMessage:
    """Sign a message as an account does."""
    return chain(party.network).read_message(message, party.variant, chosen).sign(party.key)


def key_of(vector: dict[str, Any]) -> PrivateKey:
    """Return the key of a published vector, which stands there in WIF."""
    return private_key(Curve.SECP256K1, unbase58check(vector["private_key"])[1:33])


@pytest.mark.parametrize("vector", BIP322["tx_hashes"], ids=lambda vector: vector["message"] or "empty")
def test_the_transactions_of_a_message_are_those_of_the_standard(vector: dict[str, Any]) -> None:
    """The hash of the message, the transaction that holds it, and the one that is signed (BIP-322)."""
    message = vector["message"].encode()

    to_sign, _ = proof_of(message, script_for(chain().rules.forms, vector["address"]))

    assert tagged_hash("BIP0322-signed-message", message).hex() == vector["message_hash"]
    assert to_sign.inputs[0].tx_id == vector["to_spend_tx_hash"]
    assert tx_id_of(to_sign.raw()) == vector["to_sign_tx_hash"]


@pytest.mark.parametrize("vector", BIP322["simple"], ids=lambda vector: f"{vector['type']} {vector['message']}")
def test_signatures_of_the_standard_are_ours_or_hold(vector: dict[str, Any]) -> None:
    """ECDSA signatures are one of the standard's to the bit; Schnorr ones have another nonce, so the standard's is verified (BIP-322)."""
    found = {each.removeprefix("smp") for each in vector["signatures"]}
    message = vector["message"].encode()
    if vector["type"] == "p2wpkh":
        ours = chain().read_message(message, KIND_OF["p2wpkh"]).sign(key_of(vector))
        assert ours.extra["signature_text"].removeprefix("smp") in found
        return
    script = script_for(chain().rules.forms, vector["address"])
    program = witness_program(script)
    assert program is not None
    (signature,) = found

    assert verify_schnorr(program[1], b64decode(signature)[2:], proof_of(message, script)[1].taproot(0, DEFAULT))


@pytest.mark.parametrize("vector", MESSAGES, ids=lambda each: f"{each['network']} {each['type']} {each['format']} {each['message'][:12]!r}")
def test_messages_are_signed_as_other_libraries_sign_them(vector: dict[str, Any]) -> None:
    """To the bit: on every network, for every kind of account, in both formats."""
    party = Party(KINDS["" if vector["type"] == "segwit" else vector["type"]], network=vector["network"])
    assert party.address == vector["address"]

    found = signed(party, vector["message"].encode(), vector["format"])

    assert found.extra == {"signature_text": vector["signature_text"]}
    assert b64encode(found.signature).decode() == vector["signature_text"].removeprefix("smp").removeprefix("ful")


@pytest.mark.parametrize("network", ["btc", "btc_testnet", "btc_signet", "btc_regtest", "ltc"])
@pytest.mark.parametrize("kind", Kind)
def test_bitcoin_core_accepts_the_transaction_of_a_message(kind: Kind, network: str) -> None:
    """By all the rules that its interpreter knows, and no longer when the message is another."""
    party = Party(kind, network=network)
    found, challenge = signed(party, b"hello", "bip322"), Output(0, party.script)
    is_simple = kind in {Kind.SEGWIT, Kind.TAPROOT}
    to_sign, other = (proof_of(message, party.script)[0] for message in (b"hello", b"hullo"))

    raw = to_sign.raw([Unlocking(witness=_stack(found.signature))]) if is_simple else found.signature

    assert found.extra["signature_text"].startswith("smp" if is_simple else "ful")
    assert bitcoin_node.read(raw) == to_sign
    assert bitcoin_node.accepts(raw, [challenge])
    assert not bitcoin_node.accepts(raw.replace(to_sign.inputs[0].outpoint, other.inputs[0].outpoint), [challenge])


def _stack(raw: bytes) -> tuple[bytes, ...]:
    reader = Reader(raw, "witness")
    items = tuple(reader.counted() for _ in range(reader.size()))
    reader.end_here()
    return items


@pytest.mark.parametrize("party", [Party(), Party(Kind.NESTED), Party(Kind.LEGACY), Party(Kind.LEGACY, network="doge")])
def test_a_compact_signature_recovers_to_the_key_that_its_digest_tells(party: Party) -> None:
    """The header says of which kind the address is (BIP-137), and the digest is that which was signed."""
    found = signed(party, b"hello", "bip137")

    header = {Kind.LEGACY: 31, Kind.NESTED: 35, Kind.SEGWIT: 39}[party.kind]
    assert found.digest is not None
    assert recover_secp256k1(found.signature[1:] + bytes([found.signature[0] - header]), found.digest) == party.key.public_key


def test_the_digest_is_what_the_curve_signed() -> None:
    """The one of the transaction's only input, also by taproot."""
    found = signed(Party(Kind.TAPROOT), b"hello")

    assert found.digest is not None
    assert verify_schnorr(Party(Kind.TAPROOT).script[2:], found.signature[2:66], found.digest)


def test_each_kind_of_account_has_its_usual_format() -> None:
    """Legacy accounts sign as ever; the others by BIP-322."""
    usual = {kind: chain().read_message(b"a", Party(kind).variant).intent.details["standard"] for kind in Kind}

    assert usual == {Kind.LEGACY: "bip-137", Kind.SEGWIT: "bip-322", Kind.NESTED: "bip-322", Kind.TAPROOT: "bip-322"}
    assert chain("doge").read_message(b"a").intent.details["standard"] == "bip-137"


@pytest.mark.parametrize(
    ("network", "variant", "chosen", "reason"),
    [
        ("btc", "taproot", "bip137", "taproot accounts sign messages by bip322 alone"),
        ("btc", "", "bip-322", "btc signs messages as bip322, bip137"),
        ("doge", "", "bip322", "doge signs messages as bip137"),
        ("eth", "", "bip322", "eth signs messages as it does, without a choice"),
        ("ton", "", "bip137", "ton signs messages as it does, without a choice"),
    ],
)
def test_a_format_that_is_not_there_is_refused(network: str, variant: str, chosen: str, reason: str) -> None:
    """The refusal says what there is."""
    with pytest.raises(UnsupportedMessageError, match=reason):
        read_message(CHAINS[network], TextMessage("hello", chosen), variant)
    with pytest.raises(UnsupportedMessageError, match=reason):
        read_message(CHAINS[network], HexMessage("00", chosen), variant)


def test_a_message_is_shown() -> None:
    """As a text, or as hex where it is none; 32 bytes may be the hash of something, and whoever signs is the sender."""
    text, hashed = chain().read_message(b"hello"), chain().read_message(bytes(range(0x80, 0xA0)))

    assert text.intent.details == {"standard": "bip-322", "bytes": 5, "message": "hello"}
    assert (text.intent.kind, text.intent.warnings, text.signers) == ("message", (), frozenset())
    assert hashed.intent.details["message_hex"] == bytes(range(0x80, 0xA0)).hex()
    assert "may be the hash" in hashed.intent.warnings[0]
    assert text.intent_for(US.address).sender == US.address


UNSIGNED = Transaction(2, (Input(bytes(36)),), (Output(1, STRANGER),), 0)
SIGNED = UNSIGNED.raw([Unlocking(witness=(b"\1" * 71, b"\2" * 33))])


@pytest.mark.parametrize("raw", [transfer(), transfer(version=2), UNSIGNED.raw(), SIGNED], ids=["v0", "v2", "unsigned", "signed"])
@pytest.mark.parametrize("network", ["btc", "doge"])
def test_what_reads_as_a_transaction_is_no_message(network: str, raw: bytes) -> None:
    """A PSBT, or a transaction as nodes pass it on: by itself, in hex and in base64."""
    for message in (raw, raw.hex().encode(), b"0x" + raw.hex().encode(), b64encode(raw), b"\n" + b64encode(raw) + b"\n"):
        with pytest.raises(MalformedMessageError, match="is a transaction"):
            chain(network).read_message(message)


def test_what_begins_as_a_psbt_is_no_message() -> None:
    """Also where it is none that is taken here: somebody else may take it."""
    with pytest.raises(MalformedMessageError, match="is a transaction"):
        chain().read_message(b64encode(transfer()[:-1]))


@pytest.mark.parametrize("kind", Kind)
def test_the_transaction_of_a_message_is_no_transaction(kind: Kind) -> None:
    """As a PSBT it is refused: with its signature somebody could show a message as signed that nobody was shown."""
    party = Party(kind)
    to_spend = Transaction(0, (Input(bytes(32) + b"\xff" * 4, 0),), (Output(0, party.script),), 0).raw([Unlocking(b"\0\x20" + bytes(32))])
    coin = replace(spent(party, 0, sequence=0), whole=to_spend, number=0)

    with pytest.raises(MalformedTransactionError, match="it is a message, as BIP-322 signs them"):
        party.decode(psbt([coin], [PROOF], tx_version=0))


def test_a_prefix_is_no_beginning_of_a_digest_of_inputs() -> None:
    """What stands where the first input's id would, in the bytes that BIP-137 signs, is 20 bytes of the network's own on every network."""
    for network in ("btc", "ltc", "doge"):
        rules: Network = chain(network).rules
        assert rules.message_prefix.endswith(b" Signed Message:\n")
        assert len(rules.message_prefix) + 1 - 5 >= 20
