"""Bitcoin: any transaction is signed so that Bitcoin Core takes it, and no byte of a PSBT can be changed unnoticed."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from tests.strategies import differential_examples
from tests.wallets import bitcoin_node
from tests.wallets.psbts import KINDS, STRANGER, US, VECTORS, Party, Spent, chain, claim, psbt, spent, transfer, variant_of
from wallets.chains.bitcoin.psbt import read_psbt
from wallets.chains.bitcoin.script import Kind, p2sh, witness
from wallets.chains.bitcoin.transaction import Output
from wallets.errors import MalformedTransactionError

NETWORKS = ("btc", "btc_testnet", "ltc", "doge")
every_network = pytest.mark.parametrize("network", NETWORKS)
PARTIES = {network: [Party(kind, index, network) for kind in Kind for index in (0, 1, 2)] for network in NETWORKS}
PARTIES["doge"] = [Party(Kind.LEGACY, index, "doge") for index in (0, 1, 2)]


def random_input(dice: random.Random, party: Party, salt: int) -> Spent:
    """Return a coin of an account, told of in one of the ways in which it may be."""
    fields = [(b"\xfc" + bytes([salt]), dice.randbytes(9))] if dice.random() < 0.2 else []
    if dice.random() < 0.2:
        fields.append((b"\x03", (1).to_bytes(4, "little")))
    sequence = dice.choice([0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD, 0, dice.getrandbits(32)])
    amount = dice.choice([dice.randrange(10_000, 10**6), dice.randrange(10**6, 10**12)])
    has_claim = party.kind is not Kind.LEGACY and dice.random() < 0.5
    number, has_witness = dice.randrange(3), chain(party.network).rules.has_segwit and dice.random() < 0.5
    return spent(party, amount, salt=salt, sequence=sequence, number=number, fields=fields, has_claim=has_claim, has_witness=has_witness)


def random_outputs(dice: random.Random, total: int) -> list[Output]:
    """Return outputs of all sorts that share a sum."""
    parties = PARTIES["btc"]
    kinds = [STRANGER, p2sh(dice.randbytes(20)), witness(0, dice.randbytes(20)), witness(1, dice.randbytes(32)), b"\x6a\x03abc", b""]
    count = dice.randrange(1, 8)
    return [Output(dice.randrange(total // count), dice.choice([*kinds, dice.choice(parties).script])) for _ in range(count)]


def random_psbt(dice: random.Random, network: str) -> tuple[bytes, list[Party], Sequence[Spent]]:
    """Return a PSBT, whose accounts have to sign it, and what it spends."""
    parties = [dice.choice(PARTIES[network]) for _ in range(dice.randrange(1, 6))]
    inputs = [random_input(dice, party, salt) for salt, party in enumerate(parties, start=1)]
    raw = psbt(
        inputs,
        random_outputs(dice, sum(each.amount for each in inputs)),
        version=dice.choice([0, 2]),
        tx_version=dice.choice([1, 2, 3]),
        lock_time=dice.choice([0, 0, 800_000, 1_700_000_000]),
    )
    return raw, sorted(set(parties), key=lambda _: dice.random()), inputs


@every_network
def test_random_transactions_are_accepted_by_bitcoin_core(network: str) -> None:
    """Whatever they spend and pay, in whichever order their accounts sign; id and contents are as Core reads them."""
    dice = random.Random(174)
    for _ in range(differential_examples(20)):
        raw, parties, inputs = random_psbt(dice, network)
        before = parties[0].decode(raw).picture.transaction
        for number, party in enumerate(parties, start=1):
            signed = party.decode(raw).sign(party.key)
            raw = bytes.fromhex(str(signed.extra["psbt"]))
            assert bool(signed.raw) is (number == len(parties))

        assert bitcoin_node.accepts(signed.raw, [each.output for each in inputs])
        assert bitcoin_node.read(signed.raw) == before
        assert bitcoin_node.tx_id(signed.raw) == signed.tx_id


@every_network
def test_random_psbts_are_written_as_they_were_read(network: str) -> None:
    """To the byte, before and after signing."""
    dice = random.Random(370)
    for _ in range(differential_examples(20)):
        raw, parties, _ = random_psbt(dice, network)
        signed = bytes.fromhex(str(parties[0].decode(raw).sign(parties[0].key).extra["psbt"]))

        assert (read_psbt(raw).raw, read_psbt(signed).raw) == (raw, signed)


def originals() -> Iterator[tuple[Party, bytes]]:
    """Return PSBTs with everything in them that may be."""
    for kind in Kind:
        party = Party(kind)
        yield party, transfer(party)
        yield party, transfer(party, version=2, output_fields={1: (claim(party),)}, head=((b"\x06", b"\3"), (b"\xfc\1a", b"b")))
    coins = [spent(US), replace(spent(Party(index=1)), salt=2)]
    part = US.decode(psbt(coins, [Output(150_000, STRANGER)])).sign(US.key)
    yield Party(index=1), bytes.fromhex(str(part.extra["psbt"]))
    for vector in VECTORS["transactions"]:
        if vector["name"] in {"several amounts claimed", "locked by its input", "data and derivations"}:
            yield Party(KINDS[variant_of(vector)]), bytes.fromhex(vector["unsigned_tx"])


@pytest.mark.parametrize("number", range(sum(1 for _ in originals())))
def test_no_byte_is_changed_unnoticed(number: int) -> None:
    """With any byte changed, a PSBT is refused, or shows something else, or comes to the same transaction: what is not signed is kept."""
    party, raw = list(originals())[number]
    dice, before = random.Random(number), party.decode(raw)
    intent, tx_id = before.intent_for(party.address), before.sign(party.key).tx_id
    same = 0
    for at in range(len(raw)):
        changed = raw[:at] + bytes([raw[at] ^ dice.randrange(1, 256)]) + raw[at + 1 :]
        try:
            after = party.decode(changed)
            signed = after.sign(party.key)
        except MalformedTransactionError:
            continue
        if after.intent_for(party.address) == intent and after.signers == before.signers:
            same += 1
            assert signed.tx_id == tx_id

    assert same < len(raw) / 2
