"""Bitcoin: the vectors of its standards, as they publish them."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.wallets.psbts import chain
from wallets.chains import CHAINS
from wallets.chains.bitcoin import bech32
from wallets.chains.bitcoin.digest import ALL, DEFAULT, Digests
from wallets.chains.bitcoin.psbt import read_psbt
from wallets.chains.bitcoin.reader import Reader
from wallets.chains.bitcoin.script import address_of, script_for
from wallets.chains.bitcoin.transaction import Output, read_unsigned
from wallets.curves import Curve, private_key, sign_schnorr, tweaked, verify_schnorr
from wallets.derivation import DerivationPath, DerivationScheme, derive
from wallets.errors import InvalidRequestError, MalformedTransactionError
from wallets.hashes import tagged_hash
from wallets.mnemonic import parse, to_seed

_FOLDER = Path(__file__).parents[1] / "vectors"
WITHOUT_INPUTS = {"PSBT with global unsigned tx that has 0 inputs and 0 outputs", "PSBT with 0 inputs"}
"""Valid beginnings, in which there is nothing to sign yet."""


def load(name: str) -> Any:
    """Return the vectors of a standard."""
    return json.loads((_FOLDER / f"{name}.json").read_text())


def cases(kind: str) -> list[Any]:
    """Return the PSBTs of this kind of every standard that has such, each with its case as its id."""
    return [
        pytest.param(bytes.fromhex(each["psbt"]), id=f"{name}: {number} {each['case']}")
        for name in ("bip174", "bip370", "bip371")
        for number, each in enumerate(load(name).get(kind, ()))
        if each["case"] not in WITHOUT_INPUTS
    ]


@pytest.mark.parametrize("raw", cases("invalid"))
def test_psbts_that_the_standards_call_invalid_are_refused(raw: bytes) -> None:
    """With what is wrong, and at which byte."""
    with pytest.raises(MalformedTransactionError, match=r"at byte \d+: "):
        read_psbt(raw)


@pytest.mark.parametrize("raw", cases("valid"))
def test_psbts_that_the_standards_call_valid_are_read(raw: bytes) -> None:
    """And written again as the same bytes."""
    assert read_psbt(raw).raw == raw


@pytest.mark.parametrize("case", sorted(WITHOUT_INPUTS))
def test_psbts_without_inputs_are_refused(case: str) -> None:
    """They are valid, but nobody can sign them."""
    (raw,) = [bytes.fromhex(each["psbt"]) for each in load("bip174")["valid"] if each["case"] == case]

    with pytest.raises(MalformedTransactionError, match="there are 0 inputs"):
        read_psbt(raw)


@pytest.mark.parametrize("raw", cases("inconsistent"))
def test_psbts_that_a_signer_must_refuse_are_refused(raw: bytes) -> None:
    """They can be read, and contradict themselves (BIP-174, "fails signer checks")."""
    read_psbt(raw)

    with pytest.raises(MalformedTransactionError, match=r"input \d.* at byte \d+: "):
        chain("btc_testnet").decode(raw)


@pytest.mark.parametrize("vector", load("bip370")["lock_times"], ids=lambda vector: vector["case"])
def test_lock_times_are_determined(vector: dict[str, Any]) -> None:
    """From what each input requires; where they cannot agree, the PSBT is refused (BIP-370)."""
    if vector["lock_time"] is None:
        with pytest.raises(MalformedTransactionError, match="some inputs require a height as lock time, and others a time"):
            read_psbt(bytes.fromhex(vector["psbt"]))
    else:
        assert read_psbt(bytes.fromhex(vector["psbt"])).transaction.lock_time == vector["lock_time"]


@pytest.mark.parametrize("vector", load("bip340"), ids=lambda vector: str(vector["index"]))
def test_schnorr_signatures_are_verified(vector: dict[str, Any]) -> None:
    """As BIP-340 says."""
    public_key, signature, message = (bytes.fromhex(vector[name]) for name in ("public_key", "signature", "message"))

    assert verify_schnorr(public_key, signature, message) == vector["is_valid"]


@pytest.mark.parametrize("vector", load("bip341")["scriptPubKey"], ids=lambda vector: vector["expected"]["bip350Address"])
def test_taproot_keys_are_tweaked(vector: dict[str, Any]) -> None:
    """With the root of the scripts or without scripts, and written as addresses (BIP-341, BIP-350)."""
    internal = bytes.fromhex(vector["given"]["internalPubkey"])
    tweak = tagged_hash("TapTweak", internal + bytes.fromhex(vector["intermediary"]["merkleRoot"] or ""))

    key = tweaked(b"\x02" + internal, tweak)

    assert tweak.hex() == vector["intermediary"]["tweak"]
    assert key.hex() == vector["intermediary"]["tweakedPubkey"]
    assert address_of(chain().rules.forms, bytes.fromhex("5120") + key) == vector["expected"]["bip350Address"]


def test_taproot_inputs_are_signed() -> None:
    """Each input of BIP-341's transaction that signs all inputs and outputs: digest and signature are the standard's."""
    (vector,) = load("bip341")["keyPathSpending"]
    raw = bytes.fromhex(vector["given"]["rawUnsignedTx"])
    spent = [Output(each["amountSats"], bytes.fromhex(each["scriptPubKey"])) for each in vector["given"]["utxosSpent"]]
    digests = Digests(read_unsigned(Reader(raw, "transaction")), spent)
    signs_all = [each for each in vector["inputSpending"] if each["given"]["hashType"] in {DEFAULT, ALL}]

    for each in signs_all:
        hash_type = each["given"]["hashType"]
        key = private_key(Curve.SECP256K1, bytes.fromhex(each["given"]["internalPrivkey"]))
        digest = digests.taproot(each["given"]["txinIndex"], hash_type)
        signature = sign_schnorr(key, digest, bytes.fromhex(each["intermediary"]["tweak"]))

        assert digest.hex() == each["intermediary"]["sigHash"]
        assert [signature.hex() + ("01" if hash_type == ALL else "")] == each["expected"]["witness"]
    assert {each["given"]["hashType"] for each in signs_all} == {DEFAULT, ALL}


@pytest.mark.parametrize("name", ["bech32", "bech32m"])
def test_bech32_is_read_and_written(name: str) -> None:
    """Each checksum's valid strings, and none of the invalid ones (BIP-173, BIP-350)."""
    vectors = load("bip350")[name]
    constant = bech32.BECH32 if name == "bech32" else bech32.BECH32M
    for text in vectors["valid"]:
        hrp, values, found = bech32.decode(text)
        assert (found, bech32.encode(hrp, values, constant)) == (constant, text.lower())
    for text in vectors["invalid"]:
        with pytest.raises(InvalidRequestError):
            bech32.decode(text)


def test_segwit_addresses_are_read_and_written() -> None:
    """Those of BIP-350, and none of its invalid ones."""
    vectors = load("bip350")["addresses"]
    for each in vectors["valid"]:
        forms = chain("btc" if each["address"].lower().startswith("bc") else "btc_testnet").rules.forms
        assert script_for(forms, each["address"]).hex() == each["script"]
        assert address_of(forms, bytes.fromhex(each["script"])) == each["address"].lower()
    for each in vectors["invalid"]:
        assert not any(chain(network).normalize(each["address"]) for network in ("btc", "btc_testnet"))


@pytest.mark.parametrize("vector", load("key_io")["valid"], ids=lambda vector: f"{vector['network']} {vector['address']}")
def test_addresses_are_those_of_bitcoin_core(vector: dict[str, Any]) -> None:
    """Read to the script, and written from it, on the network that they are of."""
    network = chain(vector["network"])

    assert script_for(network.rules.forms, vector["address"]).hex() == vector["script"]
    assert network.normalize(vector["address"]) == {address_of(network.rules.forms, bytes.fromhex(vector["script"]))}


def test_what_bitcoin_core_calls_no_address_is_none() -> None:
    """On any network."""
    for text in load("key_io")["invalid"]:
        assert not any(each.normalize(text) for network, each in CHAINS.items() if network.startswith("btc"))


@pytest.mark.parametrize("vector", load("bip49_84_86")["accounts"], ids=lambda vector: f"{vector['standard']} {vector['path']}")
def test_accounts_are_those_of_the_standards(vector: dict[str, Any]) -> None:
    """Path, public key, script and address of BIP-49, BIP-84 and BIP-86."""
    network, path = chain(vector["network"]), DerivationPath.parse(vector["path"])
    assert network.path(DerivationScheme.STANDARD, vector["type"]).format(index=path.steps[-1]) == vector["path"]

    key = derive(to_seed(parse(load("bip49_84_86")["phrase"].strip())), path, network.curve, DerivationScheme.STANDARD)

    address = network.address(key.public_key, DerivationScheme.STANDARD, vector["type"])
    assert address == vector["address"]
    assert key.public_key.hex().endswith(vector.get("public_key") or vector["internal_key"])
    assert script_for(network.rules.forms, address).hex() == vector.get("script", script_for(network.rules.forms, address).hex())
