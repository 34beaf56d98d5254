"""Bitcoin: what a transaction does is told whole, in base units, with what is odd about it; claims are believed when they are derived."""

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest

from tests.wallets import bitcoin_node
from tests.wallets.psbts import FINGERPRINT, KINDS, STRANGER, US, Fields, Party, chain, claim, psbt, spent, transfer
from wallets.chains.bitcoin.network import Network
from wallets.chains.bitcoin.psbt import read_psbt
from wallets.chains.bitcoin.script import Kind, p2sh, witness
from wallets.chains.bitcoin.transaction import Output
from wallets.derivation import DerivationPath, DerivationScheme
from wallets.model import Intent, Transfer

TAPROOT = Party(Kind.TAPROOT)
NO_POINT = b"\x05".rjust(32, b"\0")
"""No point of the curve has this x."""


def own(index: int, variant: str) -> str:
    """Derive another account of the wallet."""
    return Party(KINDS[variant], index).address


def intent_of(raw: bytes, party: Party = US) -> Intent:
    """Return what a PSBT does when an account signs it."""
    return party.decode(raw).intent_for(party.address, own)


def paying(*outputs: Output, fee: int = 1_000, **more: Any) -> Intent:
    """Return what it is to pay these outputs, and the rest but the fee back."""
    total = sum(output.amount for output in outputs) + fee
    return intent_of(psbt([spent(US, total + 50_000)], [*outputs, Output(50_000, US.script)], **more))


def test_a_transfer_is_told() -> None:
    """Whom it pays, what comes back, what it costs at least and at most, and whether it can be replaced."""
    intent = intent_of(transfer())

    assert intent == Intent(
        "btc",
        "transfer",
        sender=US.address,
        transfers=(Transfer("1pmuWZgV4nJVHaioT79ABVXxCGYLpCfri", 60_000),),
        max_fee=1_000,
        details={
            "psbt_version": 0,
            "unsigned_tx_id": bitcoin_node.tx_id(read_psbt(transfer()).transaction.raw()),
            "payload_hash": hashlib.sha256(transfer()).hexdigest(),
            "version": 2,
            "inputs": 1,
            "signed_inputs": 0,
            "outputs": 2,
            "input_total": 100_000,
            "replaceable": "yes",
            "max_vsize": 144,
            "min_fee_rate": "6.94",
            "own_inputs": 1,
            "change": 39_000,
            "change_outputs": 1,
            "net_outflow": 61_000,
        },
    )


def test_whoever_signs_it() -> None:
    """Without a signer nothing is change, and nobody is the sender."""
    intent = US.decode(transfer()).intent

    assert (intent.sender, [each.amount for each in intent.transfers]) == (None, [60_000, 39_000])
    assert "change" not in intent.details


def test_a_transfer_to_oneself_is_told_as_such() -> None:
    """It has no transfers, and the fee is what goes out."""
    intent = intent_of(psbt([spent(US, 50_000, salt=1), spent(US, 50_000, salt=2)], [Output(99_000, US.script)]))

    assert (intent.kind, intent.transfers, intent.max_fee) == ("self_transfer", (), 1_000)
    assert (intent.details["own_inputs"], intent.details["change"], intent.details["net_outflow"]) == (2, 99_000, 1_000)


def test_inputs_of_others_do_not_count_as_ours() -> None:
    """What goes out of the account is told, also where more comes in."""
    intent = intent_of(
        psbt([spent(US, 10_000), spent(Party(index=1), 90_000, salt=2)], [Output(60_000, STRANGER), Output(39_000, US.script)])
    )

    assert (intent.details["inputs"], intent.details["own_inputs"], intent.details["net_outflow"]) == (2, 1, 10_000 - 39_000)


@pytest.mark.parametrize("party", [Party(kind, 7) for kind in Kind], ids=str)
@pytest.mark.parametrize("signer", [US, TAPROOT], ids=["segwit", "taproot"])
def test_another_account_of_the_wallet_is_change_once_it_is_derived(signer: Party, party: Party) -> None:
    """As its output claims; nobody is believed while nothing is derived."""
    raw = psbt([spent(signer)], [Output(60_000, STRANGER), Output(39_000, party.script)], output_fields={1: (claim(party),)})

    believed = signer.decode(raw).intent_for(signer.address, own)
    alone = signer.decode(raw).intent_for(signer.address)

    assert (len(believed.transfers), believed.details["change"], believed.warnings) == (1, 39_000, ())
    assert (len(alone.transfers), alone.details.get("change"), alone.warnings) == (2, None, ())


def _path(text: str) -> DerivationPath:
    return DerivationPath.parse(text)


LIES: dict[str, tuple[Fields, str]] = {
    "a stranger's": ((claim(US),), "output 1 is said to be change at m/84'/0'/0'/0/0, and is not this wallet's"),
    "on the path of change": (
        (claim(US, path=_path("m/84'/0'/0'/1/0")),),
        "output 1 is said to be change at m/84'/0'/0'/1/0, which is no account of this service: not believed",
    ),
    "hardened": ((claim(US, path=_path("m/84'/0'/0'/0/0'")),), "at m/84'/0'/0'/0/0', which is no account"),
    "another coin": ((claim(US, path=_path("m/84'/1'/0'/0/0")),), "at m/84'/1'/0'/0/0, which is no account"),
    "the master key": ((claim(US, path=_path("m")),), "at m, which is no account"),
    "a long path": ((claim(US, path=_path("m" + "/1" * 11)),), "at a path of 11 steps, which is no account"),
}


@pytest.mark.parametrize("name", LIES)
def test_a_lie_about_change_is_not_believed(name: str) -> None:
    """It is a transfer like others, with a warning."""
    fields, warning = LIES[name]

    intent = intent_of(psbt([spent(US)], [Output(60_000, STRANGER), Output(39_000, STRANGER)], output_fields={1: fields}))

    assert [each.amount for each in intent.transfers] == [60_000, 39_000]
    (found,) = intent.warnings
    assert warning in found


TAP_LEAF = (b"\x07" + bytes(32), b"\x01" + bytes(32) + FINGERPRINT + bytes(4))
ODD_CLAIMS: dict[str, Fields] = {
    "two keys": (claim(US), (b"\x02" + b"\x03" * 33, FINGERPRINT + bytes(4))),
    "both kinds of key": (claim(US), claim(TAPROOT)),
    "a leaf": (TAP_LEAF,),
    "cut off": ((b"\x07" + bytes(32), b"\0" + FINGERPRINT + b"\1\2"),),
    "empty": ((b"\x07" + bytes(32), b""),),
}


@pytest.mark.parametrize("name", ODD_CLAIMS)
def test_what_is_no_claim_of_one_key_is_not_looked_at(name: str) -> None:
    """Keys of scripts, and what cannot be read, say nothing about change."""
    intent = intent_of(psbt([spent(US)], [Output(60_000, STRANGER), Output(39_000, STRANGER)], output_fields={1: ODD_CLAIMS[name]}))

    assert (len(intent.transfers), intent.warnings) == (2, ())


def test_claims_are_derived_in_a_bounded_number() -> None:
    """Beyond twenty they are not looked at, and no more than ten warnings of lies are shown."""
    raw = psbt([spent(US)], [Output(1_000, STRANGER) for _ in range(24)], output_fields={at: (claim(US),) for at in range(24)})
    asked: list[int] = []

    def counted(index: int, variant: str) -> str:
        asked.append(index)
        return own(index, variant)

    intent = US.decode(raw).intent_for(US.address, counted)

    assert len(asked) == 20
    lies = [each for each in intent.warnings if "change" in each]
    assert len(lies) == 10
    assert "11 more of this kind" in intent.warnings


@pytest.mark.parametrize(
    ("sequence", "lock_time", "tx_version", "details"),
    [
        (0xFFFFFFFF, 0, 2, {"replaceable": "no"}),
        (0xFFFFFFFF, 800_000, 2, {"replaceable": "no"}),
        (0xFFFFFFFE, 800_000, 2, {"replaceable": "no", "lock_height": 800_000}),
        (0xFFFFFFFD, 1_700_000_000, 2, {"replaceable": "yes", "lock_time": 1_700_000_000}),
        (144, 0, 2, {"replaceable": "yes", "relative_locks": 1}),
        (144, 0, 1, {"replaceable": "yes"}),
    ],
)
def test_locks_and_replacement_are_told(sequence: int, lock_time: int, tx_version: int, details: dict[str, Any]) -> None:
    """As they are in force: a final sequence turns the lock time off, and version 1 relative locks (BIP-68, BIP-125)."""
    raw = psbt([spent(US, sequence=sequence)], [Output(99_000, STRANGER)], lock_time=lock_time, tx_version=tx_version)

    found = intent_of(raw).details

    names = ("replaceable", "lock_height", "lock_time", "relative_locks")
    assert {name: found[name] for name in names if name in found} == details


ODD: dict[str, tuple[Output, str]] = {
    "dust": (Output(545, STRANGER), "output 0 is dust: nodes may not relay it"),
    "dust by witness": (Output(293, witness(0, bytes(20))), "output 0 is dust: nodes may not relay it"),
    "dust by taproot": (Output(329, TAPROOT.script), "output 0 is dust: nodes may not relay it"),
    "a public key": (Output(10_000, b"\x21" + US.key.public_key + b"\xac"), "output 0 has no address: its script is none that wallets use"),
    "a long script": (Output(20_000, b"\x00" * 3_000), "output 0 has no address: its script is none that wallets use"),
    "a version without rules": (
        Output(10_000, witness(2, bytes(32))),
        "output 0 can be spent by anybody: its witness version has no rules yet",
    ),
    "an anchor": (Output(10_000, bytes.fromhex("51024e73")), "output 0 can be spent by anybody: its witness version has no rules yet"),
    "a program without rules": (Output(10_000, witness(0, bytes(10))), "output 0 has no address: its script is none that wallets use"),
    "a number, no version": (Output(10_000, b"\x02\x02ab"), "output 0 has no address: its script is none that wallets use"),
    "no point": (Output(10_000, witness(1, NO_POINT)), "output 0 can be spent by nobody: its taproot key is no point of the curve"),
    "burnt": (Output(10_000, b"\x6a\x01a"), "output 0 burns its value: it carries data, which nobody can spend"),
    "much data": (Output(0, b"\x6a\x4c\x60" + b"a" * 96), "output 0 carries more data than many nodes relay"),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_outputs_are_warned_of(name: str) -> None:
    """With their numbers."""
    output, warning = ODD[name]

    assert warning in paying(output, Output(100_000, STRANGER)).warnings


USUAL = [Output(546, STRANGER), Output(540, p2sh(bytes(20))), Output(294, witness(0, bytes(20))), Output(330, witness(0, bytes(32)))]


@pytest.mark.parametrize(
    "output", [*USUAL, Output(330, TAPROOT.script), Output(0, b"\x6a" + b"\x4b" * 76)], ids=lambda each: each.script.hex()[:8]
)
def test_usual_outputs_are_not(output: Output) -> None:
    """Also the smallest that is no dust."""
    assert paying(output, Output(100_000, STRANGER)).warnings == ()


def test_many_odd_outputs_are_one_warning() -> None:
    """With ten of their numbers."""
    intent = paying(*[Output(1, STRANGER) for _ in range(12)], Output(100_000, STRANGER))

    assert intent.warnings == ("output 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more is dust: nodes may not relay it",)


def test_data_is_shown() -> None:
    """What is short in full, what is long by its hash, and of many how many there are."""
    short, long = Output(0, b"\x6a\x05hello"), Output(0, b"\x6a\x4c\x60" + b"a" * 96)

    few, many = paying(short, long, Output(10_000, STRANGER)), paying(*[short] * 12, Output(10_000, STRANGER))

    assert (few.details["data_0"], few.details["data_outputs"]) == ("0568656c6c6f", 2)
    assert str(few.details["data_1"]).startswith("98 bytes, SHA-256 ")
    assert [each.amount for each in few.transfers] == [10_000]
    assert sum(name.startswith("data_") for name in many.details) == 11
    assert many.details["data_outputs"] == 12


def test_recipients_without_an_address_are_told_by_their_script() -> None:
    """A long one by its hash."""
    key, long = b"\x21" + US.key.public_key + b"\xac", b"\0" * 3_000

    intent = paying(Output(10_000, key), Output(20_000, long))

    assert intent.transfers[0].recipient == f"script {key.hex()}"
    assert intent.transfers[1].recipient.startswith("script of 3000 bytes, SHA-256 ")


@pytest.mark.parametrize(
    ("amount", "fee", "warnings"),
    [
        (100_000, 10_000, []),
        (100_000, 10_001, ["the fee, 10001, is more than 10 % of the amount, 100000"]),
        (10**8, 72_500, ["the fee is at least 503.47 for a virtual byte, far more than is usual"]),
        (10**8, 14, ["the fee may be less than nodes relay: 0.09 for a virtual byte"]),
        (10**8, 15, []),
        (10**8, 0, ["the fee may be less than nodes relay: 0.00 for a virtual byte"]),
    ],
)
def test_fees_out_of_proportion_are_warned_of(amount: int, fee: int, warnings: list[str]) -> None:
    """To what is sent, and to the size."""
    assert list(paying(Output(amount, STRANGER), fee=fee).warnings) == warnings


def test_the_fee_of_a_transfer_to_oneself_is_compared_with_all() -> None:
    """There is no other amount."""
    intent = intent_of(psbt([spent(US, 11_000)], [Output(9_900, US.script)]))

    assert intent.warnings == ("the fee, 1100, is more than 10 % of the amount, 9900",)


@pytest.mark.parametrize("version", [0, 4, 2**32 - 1])
def test_versions_that_nodes_do_not_relay_are_warned_of(version: int) -> None:
    """Only 1 to 3 are usual."""
    assert f"nodes do not relay transactions of version {version}" in paying(Output(50_000, STRANGER), tx_version=version).warnings


def test_networks_have_their_own_dust() -> None:
    """Dogecoin's is a hundredth of a coin, whatever the script; and without segwit a witness program is a script like others."""
    dogecoin: Network = chain("doge").rules

    assert (dogecoin.dust(STRANGER), chain("ltc").rules.dust(STRANGER)) == (1_000_000, 546)
    assert replace(dogecoin, least_output=0).dust(witness(0, bytes(20))) == 3 * (8 + 1 + 22 + 148)


def test_the_largest_intent_can_be_audited() -> None:
    """Four hundred recipients, each with its own address, in 64 KiB."""
    outputs = [Output(10**12 + at, witness(1, bytes([at % 256, 1 + at // 256]) + TAPROOT.script[4:])) for at in range(400)]

    intent = US.decode(psbt([spent(US, 401 * 10**12)], outputs)).intent

    assert len(intent.transfers) == 400
    assert len(json.dumps(intent.as_details())) <= 64 * 1024


@pytest.mark.parametrize("scheme", list(DerivationScheme))
def test_old_addresses_are_found_as_they_are_written_now(scheme: DerivationScheme) -> None:
    """Segwit addresses in capitals, and Litecoin's script addresses with Bitcoin's version byte."""
    nested = Party(Kind.NESTED, network="ltc")
    address = chain("ltc").address(nested.key.public_key, scheme, "nested")
    old = Party(Kind.NESTED).address

    assert chain().normalize(US.address.upper()) == {US.address}
    assert chain().forms(US.address) == {}
    assert address.startswith("M")
    (found,) = chain("ltc").normalize(old)
    assert found.startswith("M")
    assert chain("doge").normalize(US.address) == chain().normalize("1") == chain().normalize(Party(network="ltc").address) == frozenset()
