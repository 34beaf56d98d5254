"""Bitcoin: whatever is not a PSBT that an account can rely on is refused, with what is wrong and at which byte."""

import pytest

from tests.wallets.psbts import KINDS, MAGIC, STRANGER, US, VECTORS, Party, Spent, chain, psbt, spent, transfer, variant_of, write_map
from wallets.chains.bitcoin.psbt import MAX_BYTES, MAX_FIELDS, read_psbt
from wallets.chains.bitcoin.reader import Reader, write_counted, write_size
from wallets.chains.bitcoin.script import Kind, p2sh, witness
from wallets.chains.bitcoin.transaction import Input, Output, Transaction, Unlocking
from wallets.chains.bitcoin.unlock import read_der, write_der
from wallets.curves import sign_secp256k1
from wallets.errors import MalformedTransactionError
from wallets.hashes import hash160

LEGACY, NESTED, TAPROOT = Party(Kind.LEGACY), Party(Kind.NESTED), Party(Kind.TAPROOT)
OUT = (Output(90_000, STRANGER),)
KEY = US.key.public_key
RAW = transfer()
FUNDING = spent(US).previous
US_COIN = Output(100_000, US.script)
TX = Transaction(2, (spent(US).input,), OUT, 0)


def with_unsigned(raw: bytes) -> bytes:
    """Write a PSBT of version 0 with this as its transaction, and no more."""
    return MAGIC + write_map([(b"\0", raw)]) + b"\0\0"


def with_input(*fields: tuple[bytes, bytes], party: Party = US) -> bytes:
    """Write a PSBT whose one input has these fields as well."""
    return psbt([spent(party, fields=fields)], OUT)


def only(*fields: tuple[bytes, bytes], spends: Spent | None = None) -> bytes:
    """Write a PSBT whose one input has these fields only."""
    coin = spends or spent(US)
    return psbt([Spent(coin.script, coin.amount, has_whole=False, fields=fields)], OUT)


def two(first: Spent, second: Spent) -> bytes:
    """Write a PSBT with two inputs."""
    return psbt([first, second], OUT)


def foreign(index: int = 1, **more: bool) -> Spent:
    """Return an input of another account."""
    return spent(Party(index=index), salt=2, **more)


def funding_with(change: bytes) -> bytes:
    """Write a PSBT whose previous transaction is another."""
    return only((b"\0", change))


MALFORMED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "psbt at byte 0: it does not begin as a PSBT does"),
    "the magic alone": (MAGIC, "psbt at byte 5: 1 more bytes are expected, 0 are there"),
    "a transaction": (TX.raw(), "psbt at byte 0: it does not begin"),
    "cut off": (RAW[:-1], "more bytes are expected"),
    "something behind": (RAW + b"\0", f"psbt at byte {len(RAW)}: 1 bytes are left"),
    "too many bytes": (RAW + bytes(MAX_BYTES), f"psbt at byte {MAX_BYTES}: it has {len(RAW) + MAX_BYTES} bytes"),
    "no transaction": (MAGIC + b"\0\0\0", "global at byte 5: it has no unsigned_tx"),
    "a long length": (MAGIC + b"\xfd\x01\x00\x00", "psbt at byte 5: a length is written in more bytes than it needs"),
    "a longer length": (MAGIC + b"\xfe\xff\xff\x00\x00", "psbt at byte 5: a length is written in more bytes than it needs"),
    "a longest length": (MAGIC + b"\xff\xff\xff\xff\xff\x00\x00\x00\x00", "psbt at byte 5: a length is written in more bytes"),
    "a length without end": (MAGIC + b"\xff" + b"\xff" * 8, "psbt at byte 14: 18446744073709551615 more bytes are expected"),
    "a field twice": (psbt([spent(US)], OUT, head=((b"\x77", b"a"), (b"\x77", b"b"))), "global at byte 98: the field 77 is there twice"),
    "too many fields": (
        psbt([spent(US)], OUT, head=[(b"\x77" + number.to_bytes(2), b"") for number in range(MAX_FIELDS + 1)]),
        f"there are more than {MAX_FIELDS} fields",
    ),
    "version 1": (
        psbt([spent(US)], OUT, head=((b"\xfb", b"\1\0\0\0"),)),
        "global version at byte 96: PSBT has versions 0 and 2, and this is 1",
    ),
    "no inputs": (with_unsigned(bytes.fromhex("02000000 00 00 00000000")), "global unsigned_tx at byte 12: there are 0 inputs; 1 to 400"),
    "no outputs": (
        with_unsigned(Transaction(2, TX.inputs, (), 0).raw()),
        "global unsigned_tx at byte 54: there are 0 outputs; 1 to 400",
    ),
    "too many inputs": (with_unsigned(Transaction(2, TX.inputs * 401, OUT, 0).raw()), "there are 401 inputs; 1 to 400"),
    "too many outputs": (with_unsigned(Transaction(2, TX.inputs, OUT * 401, 0).raw()), "there are 401 outputs; 1 to 400"),
    "a signed transaction": (with_unsigned(TX.raw([Unlocking(b"\1")])), "an input is signed already"),
    "a transaction with witnesses": (with_unsigned(TX.raw([Unlocking(b"", (b"a",))])), "there are 0 inputs"),
    "a transaction and more": (with_unsigned(TX.raw() + b"\0"), "global unsigned_tx at byte 93: 1 bytes are left"),
    "an output spent twice": (two(spent(US), spent(US)), "an output is spent twice"),
    "more paid than there is": (psbt([spent(US)], [Output(100_001, STRANGER)]), "they pay 100001, and the inputs have 100000"),
    "more than there can be": (psbt([spent(US)], [Output(21 * 10**14 + 1, STRANGER)]), "its amount is 2100000000000001; there are no more"),
    "an input of more than there can be": (psbt([spent(US, 2**63)], OUT), "its amount is 9223372036854775808"),
    "too heavy": (
        psbt([spent(US)], [Output(9, b"\0" * 100_000)]),
        "the transaction has 100064 bytes without signatures; nodes take 100000",
    ),
    # Version 2
    "no transaction version": (MAGIC + write_map([(b"\xfb", b"\2\0\0\0")]), "global at byte 5: it has no tx_version"),
    "no inputs, version 2": (
        MAGIC + write_map([(b"\x02", bytes(4)), (b"\x04", b"\0"), (b"\x05", b"\1"), (b"\xfb", b"\2\0\0\0")]),
        "global input_count at byte 15: it is 0; 1 to 400 are taken",
    ),
    "too many outputs, version 2": (
        MAGIC + write_map([(b"\x02", bytes(4)), (b"\x04", b"\1"), (b"\x05", write_size(401)), (b"\xfb", b"\2\0\0\0")]),
        "global output_count at byte 19: it is 401; 1 to 400 are taken",
    ),
    "a count and more, version 2": (
        MAGIC + write_map([(b"\x02", bytes(4)), (b"\x04", b"\1\0"), (b"\x05", b"\1"), (b"\xfb", b"\2\0\0\0")]),
        "global input_count at byte 16: 1 bytes are left",
    ),
    # Coins
    "neither whole nor claimed": (only(), "input 0 at byte 94: it has neither non_witness_utxo nor witness_utxo"),
    "a claim that is cut off": (only((b"\1", b"\0" * 8)), "input 0 witness_utxo at byte 105: 1 more bytes are expected"),
    "a claim and more": (only((b"\1", spent(US).output.raw + b"\0")), "input 0 witness_utxo at byte 128: 1 bytes are left"),
    "another claim": (
        psbt([Spent(US.script, fields=((b"\1", Output(99_999, US.script).raw),))], OUT),
        "input 0 witness_utxo at byte 251: it is not the output that non_witness_utxo has",
    ),
    "another transaction": (
        funding_with(FUNDING.replace(b"\x51", b"\x52")),
        "input 0 non_witness_utxo at byte 97: its id is ",
    ),
    "another output": (
        psbt([Spent(US.script, number=1, whole=Transaction(2, TX.inputs, OUT, 0).raw())], OUT),
        "it has 1 outputs; number 1 is spent",
    ),
    "a whole transaction that is cut off": (funding_with(FUNDING[:-1]), "4 more bytes are expected"),
    "a whole transaction and more": (funding_with(FUNDING + b"\0"), "1 bytes are left"),
    "an input that is cut off": (funding_with(FUNDING[:30]), "36 more bytes are expected"),
    "a script that is cut off": (funding_with(FUNDING[:-10]), "it is cut off"),
    "no witnesses": (
        funding_with(FUNDING[:4] + b"\0\1" + FUNDING[4:-4]),
        "the witnesses are missing",
    ),
    "two claims, segwit": (
        two(spent(US, has_whole=False), foreign()),
        "input 0 at byte 135: it has no non_witness_utxo, without which its amount",
    ),
    "another's claim": (
        two(spent(US), foreign(has_whole=False)),
        "it has no non_witness_utxo, without which its amount, and so the fee, could be another",
    ),
    "a taproot claim beside segwit": (two(spent(US), spent(TAPROOT, has_whole=False, salt=2)), "without which its amount, and so the fee"),
    "a claim about a legacy output": (
        psbt([Spent(LEGACY.script, has_whole=False, has_claim=True)], OUT),
        "input 0 at byte 94: it has no non_witness_utxo, without which the amount is not known",
    ),
    "a claim about a script": (psbt([Spent(NESTED.script, has_whole=False, has_claim=True)], OUT), "without which the amount is not known"),
    "another redeem script": (
        psbt([Spent(NESTED.script, fields=((b"\4", b"\x51"),))], OUT),
        "redeem_script at byte 252: the output does not pay to it",
    ),
    "a redeem script without need": (with_input((b"\4", US.redeem_script)), "redeem_script at byte 285: the output does not pay to it"),
    "a witness script without need": (with_input((b"\5", b"\x51")), "witness_script at byte 285: the output does not pay to it"),
    # Signatures
    "none, signed": (
        with_input((b"\3", b"\2\0\0\0")),
        "sighash_type at byte 285: it is 2; only signatures for all inputs and outputs are made",
    ),
    "single": (with_input((b"\3", b"\3\0\0\0")), "it is 3; only signatures for all"),
    "anyone can pay": (with_input((b"\3", b"\x81\0\0\0")), "it is 129; only signatures for all"),
    "default, not taproot": (with_input((b"\3", b"\0\0\0\0")), "it is 0; only signatures for all"),
    "single, taproot": (with_input((b"\3", b"\3\0\0\0"), party=TAPROOT), "it is 3; only signatures for all"),
    "half a number": (with_input((b"\6" + KEY, b"\1" * 7)), "it has 7 bytes, which are not one or more numbers of four"),
    "no signature": (with_input((b"\2" + KEY, b"\x30\1")), "partial_sig at byte 318: it is not that of the key on this transaction"),
    "no Schnorr signature": (with_input((b"\x13", bytes(64)), party=TAPROOT), "tap_key_sig at byte 309: it is not that of the key"),
    "a final witness of nothing": (with_input((b"\x08", b"\0")), "final signature at byte 285: it is not that of the key"),
    "a final script of nothing": (with_input((b"\x07", b""), party=LEGACY), "final signature at byte 254: it is not that of the key"),
    "a final taproot witness of nothing": (with_input((b"\x08", b"\0"), party=TAPROOT), "final signature at byte 309: it is not that"),
    "a final taproot script": (
        with_input((b"\x07", b"\x51"), (b"\x08", b"\1\1a"), party=TAPROOT),
        "final signature at byte 313: it is not",
    ),
    "a witness of too many items": (
        with_input((b"\x08", write_size(10_001))),
        "final_scriptwitness at byte 288: it has 10001 items; the witnesses of all",
    ),
    "a witness that is cut off": (with_input((b"\x08", b"\2\1a")), "final_scriptwitness at byte 288: 1 more bytes are expected"),
    "a witness and more": (with_input((b"\x08", b"\1\1ab")), "final_scriptwitness at byte 288: 1 bytes are left"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_malformed_is_refused(name: str) -> None:
    """With what is wrong and where; no other error escapes."""
    raw, reason = MALFORMED[name]

    with pytest.raises(MalformedTransactionError) as refused:
        US.decode(raw)

    assert reason in str(refused.value)
    assert len(str(refused.value)) < 300


def final(signature: bytes, public_key: bytes = KEY) -> tuple[bytes, bytes]:
    """Return the final witness of these."""
    return b"\x08", Unlocking(witness=(signature, public_key)).raw_witness


def our_signature(party: Party, spends: Spent) -> tuple[bytes, bytes]:
    """Return the signature of an account on the transaction with this input, and its digest."""
    transaction = party.decode(psbt([spends], OUT))
    digest = transaction.digests.ecdsa(0, party.kind, hash160(party.key.public_key))
    return write_der(sign_secp256k1(party.key, digest)[:64]), digest


def test_signatures_of_others_are_those_that_nodes_take() -> None:
    """Not with another type, of another key, with a high s, or in another encoding; the right one is taken."""
    signature, digest = our_signature(US, spent(US))
    r, s = int.from_bytes(read_der(signature)[:32]), int.from_bytes(read_der(signature)[32:])
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    high = write_der(r.to_bytes(32) + (order - s).to_bytes(32))
    other = write_der(sign_secp256k1(Party(index=1).key, digest)[:64])
    long = bytes([0x30, len(signature)]) + signature[2:] + b"\0"

    assert None not in US.decode(with_input(final(signature + b"\1"))).unlockings
    for wrong in (signature + b"\2", signature, high + b"\1", other + b"\1", long + b"\1", b"\1", b"", signature[:-1] + b"\1"):
        with pytest.raises(MalformedTransactionError, match="it is not that of the key on this transaction"):
            US.decode(with_input(final(wrong)))
        with pytest.raises(MalformedTransactionError, match="it is not that of the key on this transaction"):
            US.decode(with_input((b"\x02" + KEY, wrong)))
    with pytest.raises(MalformedTransactionError, match="it is not that of the key on this transaction"):
        US.decode(with_input(final(other + b"\1", Party(index=1).key.public_key)))


def test_a_final_legacy_script_pushes_a_signature_and_a_key() -> None:
    """In the shortest way, and nothing else."""
    signature, _ = our_signature(LEGACY, spent(LEGACY))
    right = write_counted(signature + b"\1") + write_counted(LEGACY.key.public_key)

    assert LEGACY.decode(with_input((b"\x07", right), party=LEGACY)).unlockings[0] is not None
    wrongs = (right + b"\0", right + b"\1a", right[:-1], b"\x4c" + right, b"\x51" + right, right[: len(signature) + 2], b"\0" + right)
    for wrong in wrongs:
        with pytest.raises(MalformedTransactionError, match="it is not that of the key on this transaction"):
            LEGACY.decode(with_input((b"\x07", wrong), party=LEGACY))


def test_a_taproot_input_that_was_spent_by_a_script_is_not_judged() -> None:
    """Its key is another's, who knows of scripts; it is kept as it is."""
    script = witness(1, TAPROOT.script[2:])
    by_script = Spent(script, salt=2, has_claim=True, fields=((b"\x08", bytes.fromhex("02 01 51 21") + b"\xc0" + bytes(32)),))

    assert US.decode(two(spent(US), by_script)).unlockings[1] is not None


def test_a_witness_belongs_to_segwit() -> None:
    """A compressed key alone may stand in a witness (BIP-143), and a network without segwit has no claims of outputs."""
    doge = Party(Kind.LEGACY, network="doge")
    with pytest.raises(MalformedTransactionError, match="the network has no segwit; give the whole transaction"):
        doge.decode(psbt([Spent(doge.script, has_claim=True)], OUT))

    long_key = b"\x04" + b"\x01" * 64
    coin = Spent(witness(0, hash160(long_key)), has_claim=True, fields=(final(b"\x30" + bytes(70), long_key),))
    with pytest.raises(MalformedTransactionError, match="it is not that of the key"):
        US.decode(psbt([coin], OUT))


@pytest.mark.parametrize("kind", Kind)
def test_an_account_without_an_input_is_refused(kind: Kind) -> None:
    """Nothing of it could be signed."""
    party = Party(kind, index=5)

    with pytest.raises(MalformedTransactionError, match="this account has no input to sign"):
        party.decode(psbt([spent(Party(kind))], OUT)).sign(party.key)


def test_amounts_are_believed_where_the_signature_holds_for_them() -> None:
    """Of the only input, of taproot's alone, and of all where taproot signs: others need the whole transactions."""
    claimed = spent(US, has_whole=False)
    taproots = [spent(Party(Kind.TAPROOT, index), salt=index, has_whole=False) for index in (1, 2)]
    mixed = psbt([claimed, taproots[0]], OUT)

    assert len(US.decode(psbt([claimed], OUT)).picture.coins) == 1
    assert len(US.decode(psbt(taproots, OUT)).picture.coins) == 2
    assert len(TAPROOT.decode(mixed).picture.coins) == 2
    with pytest.raises(MalformedTransactionError, match="could be another"):
        US.decode(mixed)


def test_no_fee_can_be_hidden_by_two_lies() -> None:
    """The attack on signatures of version 0: each request tells the truth of one input only. Neither is signed."""
    truth = [spent(Party(index=index), 10**8, salt=1 + index) for index in (0, 1)]
    lies = [Spent(each.script, 10**5, salt=each.salt, has_whole=False, has_claim=True) for each in truth]

    for number in (0, 1):
        coins = [lies[at] if at == number else truth[at] for at in (0, 1)]
        raw = psbt(coins, OUT)
        with pytest.raises(MalformedTransactionError, match="and so the fee, could be another"):
            Party(index=number).decode(raw)


def test_extension_blocks_are_refused() -> None:
    """Litecoin's MWEB: outputs that pay into it, and its fields; elsewhere these are fields like others."""
    litecoin, bitcoin = Party(network="ltc"), US
    for version in (8, 9):
        raw = psbt([spent(litecoin)], [Output(50_000, witness(version, bytes(32)))])
        with pytest.raises(MalformedTransactionError, match=r"output 0 at byte \d+: it pays into an extension block \(MWEB\)"):
            litecoin.decode(raw)
    for fields in ({"head": ((b"\x90", b""),)}, {"output_fields": {0: ((b"\x91", b""),)}}):
        with pytest.raises(MalformedTransactionError, match="it has a field of an extension block"):
            litecoin.decode(psbt([spent(litecoin)], OUT, **fields))
        assert bitcoin.decode(psbt([spent(bitcoin)], OUT, **fields)).unlockings == (None,)


def test_every_proper_prefix_is_refused() -> None:
    """Of a PSBT of each version."""
    for raw in (transfer(), transfer(version=2)):
        for end in range(len(raw)):
            with pytest.raises(MalformedTransactionError):
                US.decode(raw[:end])


def test_no_vector_means_anything_on_another_kind_of_account_unnoticed() -> None:
    """A PSBT that is signed for one account has nothing to sign for its other kinds."""
    for vector in VECTORS["transactions"][:8]:
        network = chain(vector["network"])
        for variant in KINDS.keys() - {variant_of(vector)}:
            transaction = network.decode(bytes.fromhex(vector["unsigned_tx"]), variant)
            with pytest.raises(MalformedTransactionError, match="no input to sign"):
                transaction.sign(Party(KINDS[variant], vector["index"], vector["network"]).key)


@pytest.mark.parametrize("number", [0, 0xFC, 0xFD, 0xFFFF, 0x10000, 0xFFFFFFFF, 0x100000000, 2**64 - 1])
def test_lengths_have_one_spelling(number: int) -> None:
    """What is written is read, in as few bytes as can be."""
    raw = write_size(number)
    reader = Reader(raw, "length")

    assert reader.size() == number
    reader.end_here()
    assert len(raw) == (1 if number < 0xFD else 3 if number < 0x10000 else 5 if number < 0x100000000 else 9)


def test_a_final_nested_input_tells_its_redeem_script() -> None:
    """It is what its script pushes; anything else is a script of several keys, which is kept."""
    signature, _ = our_signature(NESTED, spent(NESTED))
    right = ((b"\x07", write_counted(NESTED.redeem_script)), final(signature + b"\1", NESTED.key.public_key))
    bare = Spent(NESTED.script, has_claim=True, fields=right)
    other = Spent(p2sh(hash160(b"\x51")), salt=2, fields=((b"\x07", b"\x01\x51"),))

    assert NESTED.decode(psbt([bare], OUT)).picture.coins[0].kind is Kind.NESTED
    assert US.decode(two(spent(US), other)).picture.coins[1].kind is None
    with pytest.raises(MalformedTransactionError, match="it is not that of the key"):
        NESTED.decode(psbt([Spent(NESTED.script, has_claim=True, fields=(right[0], final(b"\1")))], OUT))


@pytest.mark.parametrize("has_witness", [False, True])
def test_previous_transactions_may_have_long_scripts(has_witness: bool) -> None:
    """In their inputs and outputs, before and behind the one that is spent."""
    long = b"\x51" * 300
    outputs = (Output(1, long), US_COIN, Output(2, long), Output(3, STRANGER))
    stack = (b"\x01" * 300,) if has_witness else ()
    previous = Transaction(1, (Input(bytes(36)), Input(b"\1" * 36)), outputs, 7)
    unlockings = [Unlocking(long, stack), Unlocking(b"\x51")]
    spends = Spent(US.script, whole=previous.raw([Unlocking(each.script) for each in unlockings]))
    raw = psbt([spends], OUT).replace(write_counted(spends.previous), write_counted(previous.raw(unlockings)))

    assert US.decode(raw).picture.coins[0].output == US_COIN


def test_the_id_of_an_input_is_written_as_people_do() -> None:
    """In the order of the refusal that names it."""
    assert Input(bytes(range(32)) + bytes(4)).tx_id == bytes(range(32))[::-1].hex()
    assert read_psbt(RAW).transaction.inputs[0].number == 1
