"""Bitcoin: what bitcoinjs-lib and @scure/btc-signer sign is signed bit for bit, and Bitcoin Core takes it."""

from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.wallets import bitcoin_node
from tests.wallets.psbts import STRANGER, US, VECTORS, Party, Spent, chain, psbt, spent, transfer, variant_of
from wallets.chains.bitcoin.fields import TX_MODIFIABLE
from wallets.chains.bitcoin.script import Kind
from wallets.chains.bitcoin.transaction import Output
from wallets.derivation import DerivationPath, DerivationScheme, derive
from wallets.encoding import unhex
from wallets.errors import MalformedTransactionError
from wallets.mnemonic import parse, to_seed
from wallets.secret import PrivateKey

SCHEMES = list(DerivationScheme)
TRANSACTIONS: list[dict[str, Any]] = VECTORS["transactions"]
every_transaction = pytest.mark.parametrize(
    "vector", TRANSACTIONS, ids=[f"{each['network']}-{each['type']}-{each['name']}-{each['psbt_version']}" for each in TRANSACTIONS]
)
every_kind = pytest.mark.parametrize("kind", Kind)


def key_of(vector: dict[str, Any]) -> PrivateKey:
    """Return the key of a vector's account."""
    network = chain(vector["network"])
    path = network.path(DerivationScheme.STANDARD, variant_of(vector)).format(index=vector["index"])
    return derive(to_seed(parse(VECTORS["phrase"].strip())), DerivationPath.parse(path), network.curve, DerivationScheme.STANDARD)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_accounts_are_those_of_other_wallets(scheme: DerivationScheme) -> None:
    """Path, key and address, of every kind on every network, whichever scheme the wallet has."""
    for account in VECTORS["accounts"]:
        network, variant = chain(account["network"]), variant_of(account)
        path = network.path(scheme, variant).format(index=account["index"])
        key = derive(to_seed(parse(VECTORS["phrase"].strip())), DerivationPath.parse(path), network.curve, scheme)

        assert account["path"] == path
        assert account["public_key"] == key.public_key.hex()
        assert account["address"] == network.address(key.public_key, scheme, variant)
        assert network.normalize(account["address"]) == {account["address"]}


@every_transaction
def test_transactions_are_signed_bit_for_bit(vector: dict[str, Any]) -> None:
    """Transaction, id and virtual size are those of the library that made the vector, and so are fee and change."""
    transaction = chain(vector["network"]).decode(bytes.fromhex(vector["unsigned_tx"]), variant_of(vector))
    intent = transaction.intent_for(vector["address"])

    signed = transaction.sign(key_of(vector))

    assert (signed.raw.hex(), signed.tx_id, signed.extra["vsize"]) == (vector["signed_tx"], vector["tx_id"], vector["vsize"])
    assert (intent.max_fee, intent.details.get("change", 0), intent.sender) == (vector["fee"], vector["change"], vector["address"])
    assert vector["address"] in transaction.signers
    assert vector["vsize"] <= int(intent.details["max_vsize"]) <= vector["vsize"] + len(transaction.unlockings)
    assert signed.signature.hex() in vector["signed_tx"]


@every_transaction
def test_bitcoin_core_accepts_what_is_signed(vector: dict[str, Any]) -> None:
    """Its script interpreter lets every input spend, its library gives the same id, and a changed signature is not accepted."""
    transaction = chain(vector["network"]).decode(bytes.fromhex(vector["unsigned_tx"]), variant_of(vector))
    coins = [coin.output for coin in transaction.picture.coins]
    signed = transaction.sign(key_of(vector))
    at = signed.raw.index(signed.signature) + 40

    assert bitcoin_node.accepts(signed.raw, coins)
    assert bitcoin_node.tx_id(signed.raw) == signed.tx_id
    assert bitcoin_node.read(signed.raw) == transaction.picture.transaction
    assert not bitcoin_node.accepts(signed.raw[:at] + bytes([signed.raw[at] ^ 1]) + signed.raw[at + 1 :], coins)


@every_transaction
def test_the_psbt_comes_back_final(vector: dict[str, Any]) -> None:
    """It decodes again, to the same transaction, and signing it once more is refused."""
    network = chain(vector["network"])
    before = network.decode(bytes.fromhex(vector["unsigned_tx"]), variant_of(vector))
    again = network.decode(bytes.fromhex(str(before.sign(key_of(vector)).extra["psbt"])), variant_of(vector))

    assert again.picture.transaction == before.picture.transaction
    assert None not in again.unlockings
    with pytest.raises(MalformedTransactionError, match="this account has already signed"):
        again.sign(key_of(vector))


@pytest.mark.parametrize("version", [0, 2])
def test_a_node_mines_what_is_signed(tmp_path: Path, version: int) -> None:
    """A chain of Bitcoin Core's takes a block with transactions of every kind of account, and none that spends a coin again."""
    node = bitcoin_node.Chain(tmp_path)
    parties = [Party(kind, network="btc_regtest") for kind in Kind]
    funding = node.fund([Output(100_000, party.script) for party in parties])
    raws = []
    for number, party in enumerate(parties):
        coin = spent(party, number=number, whole=funding)
        signed = party.decode(psbt([coin], [Output(60_000, STRANGER), Output(39_000, party.script)], version=version)).sign(party.key)
        raws.append(signed.raw)

    height = node.height
    node.mine(raws)

    assert node.height == height + 1
    with pytest.raises(AssertionError):
        node.mine(raws[:1])


@every_kind
def test_inputs_of_others_are_left_to_them(kind: Kind) -> None:
    """Each account signs its own inputs and the PSBT goes on; the last one's answer has the transaction."""
    first, second = Party(kind, 0), Party(kind, 1)
    inputs = [spent(first, 70_000, salt=1), spent(second, 80_000, salt=2), spent(first, 90_000, salt=3)]
    raw = psbt(inputs, [Output(230_000, STRANGER)])

    part = first.decode(raw).sign(first.key)
    whole = second.decode(bytes.fromhex(str(part.extra["psbt"]))).sign(second.key)
    other_order = first.decode(bytes.fromhex(str(second.decode(raw).sign(second.key).extra["psbt"]))).sign(first.key)

    assert (part.raw, part.tx_id, set(part.extra)) == (b"", None, {"psbt"})
    assert whole.raw == other_order.raw
    assert bitcoin_node.accepts(whole.raw, [each.output for each in inputs])


def test_inputs_of_several_keys_are_kept_as_they_are() -> None:
    """A multisig input, with a signature that is not ours to judge, stays in the PSBT to the byte; no transaction is ready."""
    script = bytes.fromhex("0020") + b"\x11" * 32
    foreign = Spent(script, fields=((b"\x02" + b"\x02" * 33, b"\x30\x01"), (b"\xfc\x05", b"proprietary")), has_claim=True)
    raw = psbt([foreign, spent(US)], [Output(150_000, STRANGER)])

    transaction = US.decode(raw)
    signed = transaction.sign(US.key)

    assert signed.raw == b""
    assert "max_vsize" not in transaction.intent.details
    again = US.decode(bytes.fromhex(str(signed.extra["psbt"])))
    assert again.picture.psbt.inputs[0].values.keys() == transaction.picture.psbt.inputs[0].values.keys()
    assert [each is None for each in again.unlockings] == [True, False]


def test_a_final_input_of_several_keys_makes_the_transaction_ready() -> None:
    """What others made final is taken into the transaction as it is."""
    script = bytes.fromhex("0020") + b"\x11" * 32
    foreign = Spent(script, fields=((b"\x08", bytes.fromhex("02 02 abcd 01 51")),), has_claim=True)

    signed = US.decode(psbt([foreign, spent(US)], [Output(150_000, STRANGER)])).sign(US.key)

    assert bytes.fromhex("02 02 abcd 01 51") in signed.raw
    assert bitcoin_node.tx_id(signed.raw) == signed.tx_id


def test_what_is_not_known_is_kept() -> None:
    """Unknown and proprietary fields stand in the answer's PSBT; what it took to sign does not (BIP-174, Input Finalizer)."""
    head = ((b"\xfc\x01a", b"b"), (b"\x77", b"unknown"))
    mine = ((b"\xfe\xff\xff\x01\x00", b"z"), (b"\x06" + US.key.public_key, b"\x01" * 8), (b"\x03", b"\x01\0\0\0"))
    raw = psbt([spent(US, fields=mine)], [Output(90_000, STRANGER)], head=head, output_fields={0: ((b"\x55", b"kept"),)})

    before = US.decode(raw).picture.psbt
    after = US.decode(bytes.fromhex(str(US.decode(raw).sign(US.key).extra["psbt"]))).picture.psbt

    assert after.head.values == before.head.values
    assert after.outputs[0].values.keys() == before.outputs[0].values.keys()
    assert list(after.inputs[0].values) == [b"\x00", b"\x01", b"\xfe\xff\xff\x01\x00", b"\x08"]


@pytest.mark.parametrize(("before", "after"), [(0, 0), (1, 0), (2, 0), (3, 0), (7, 4), (255, 252)])
def test_a_signature_ends_modifications(before: int, after: int) -> None:
    """It holds for the inputs and outputs that are there, and the flags say so (BIP-370)."""
    signed = US.decode(transfer(version=2, head=((b"\x06", bytes([before])),))).sign(US.key)

    flags = US.decode(bytes.fromhex(str(signed.extra["psbt"]))).picture.psbt.head.get(TX_MODIFIABLE)

    assert flags is not None
    assert flags.number == after


@every_kind
def test_both_versions_and_texts_say_the_same(kind: Kind) -> None:
    """Version 0 or 2, hex or base64: the same transaction is signed."""
    party = Party(kind)
    old, new = transfer(party), transfer(party, version=2)

    signed = [party.decode(raw).sign(party.key).raw for raw in (old, new)]

    assert signed[0] == signed[1]


def test_nested_accounts_need_no_redeem_script() -> None:
    """The account's key tells it."""
    party = Party(Kind.NESTED)
    bare = replace(spent(party), fields=())

    signed = party.decode(psbt([bare], [Output(90_000, STRANGER)])).sign(party.key)

    assert bitcoin_node.accepts(signed.raw, [bare.output])


def test_texts_of_a_psbt() -> None:
    """Hex of either case with or without 0x, or base64; the one encoding of each."""
    raw = transfer()
    text = b64encode(raw).decode()

    assert chain().unwrap(text) == chain().unwrap(raw.hex()) == chain().unwrap("0x" + raw.hex().upper()) == raw
    for wrong in (text[:-1], text + "=", text + "\n", text.replace("A", "-", 1), text[:-4] + "AA=A"):
        with pytest.raises(MalformedTransactionError):
            chain().unwrap(wrong)
    assert unhex(raw.hex()) == raw
