"""Derivation: the standards' vectors, what other libraries derive, and the scheme of 1.0.8 for ever."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from eth_account.hdaccount import key_from_seed
from hypothesis import given, settings
from hypothesis import strategies as st
from solders.keypair import Keypair

from tests.known_phrase import FIRST_ADDRESSES, PHRASE
from tests.strategies import seeds
from wallets import derivation
from wallets.chains import CHAINS
from wallets.curves import Curve, private_key
from wallets.derivation import (
    HARDENED,
    MAX_INDEX,
    DerivationPath,
    DerivationScheme,
    child,
    child_public_key,
    derive,
    extended_public_key,
    public_path,
    symmetric_key,
)
from wallets.encoding import unbase58check
from wallets.errors import InvalidRequestError
from wallets.mnemonic import parse, to_seed
from wallets.secret import ExtendedPublicKey, Seed

VECTORS = Path(__file__).parents[1] / "vectors"
STEPS = st.lists(st.integers(0, 2**32 - 1), max_size=6).map(tuple)


def _vectors(name: str) -> Any:
    return json.loads((VECTORS / name).read_text())


def _chains(name: str) -> list[tuple[str, dict[str, str]]]:
    return [(vector["seed"], chain) for vector in _vectors(name) for chain in vector["chains"]]


@pytest.mark.parametrize(("seed", "chain"), _chains("bip32.json"))
def test_bip32_test_vectors(seed: str, chain: dict[str, str]) -> None:
    """The private keys of BIP-32's test vectors 1 to 4, leading zeros included, come out in both schemes."""
    expected = unbase58check(chain["xprv"])[-32:]

    for scheme in DerivationScheme:
        key = derive(Seed(bytes.fromhex(seed)), DerivationPath.parse(chain["path"]), Curve.SECP256K1, scheme)

        assert expected == key.reveal()


def _public(xprv: str) -> ExtendedPublicKey:
    """Return the extended public key of a serialized extended private key (BIP-32, N)."""
    raw = unbase58check(xprv)
    return ExtendedPublicKey(private_key(Curve.SECP256K1, raw[-32:]).public_key + raw[13:45])


def _children() -> list[tuple[str, str, int]]:
    """Return parent, child and step wherever a child in BIP-32's vectors is not hardened."""
    chains = [{each["path"]: each["xprv"] for each in vector["chains"]} for vector in _vectors("bip32.json")]
    pairs = [(chain, path, path.rpartition("/")) for chain in chains for path in chain if path != "m" and not path.endswith("'")]
    return [(chain[parent], chain[path], int(step)) for chain, path, (parent, _, step) in pairs]


@pytest.mark.parametrize(("seed", "chain"), _chains("bip32.json"))
def test_bip32_extended_public_keys(seed: str, chain: dict[str, str]) -> None:
    """The extended public key of each of BIP-32's vectors is the one of its extended private key."""
    path = DerivationPath.parse(chain["path"])

    assert _public(chain["xprv"]) == extended_public_key(Seed(bytes.fromhex(seed)), path)


@pytest.mark.parametrize(("parent", "derived", "step"), _children())
def test_bip32_children_of_public_keys(parent: str, derived: str, step: int) -> None:
    """CKDpub: BIP-32's children that are not hardened come out of their parents' public keys, chain code and all."""
    assert _public(derived) == child(_public(parent), step)
    assert _public(derived).reveal()[:33] == child_public_key(_public(parent), step)


@given(seeds(), st.lists(st.integers(0, 2**32 - 1), max_size=3).map(tuple), st.integers(0, MAX_INDEX))
@settings(max_examples=50)
def test_public_keys_agree_with_private_ones(seed: bytes, steps: tuple[int, ...], step: int) -> None:
    """The public key of any child is the same whether it is derived by CKDpub, or by CKDpriv from the seed."""
    secret = Seed(seed)

    expected = derive(secret, DerivationPath((*steps, step)), Curve.SECP256K1, DerivationScheme.STANDARD).public_key

    assert expected == child_public_key(extended_public_key(secret, DerivationPath(steps)), step)


@pytest.mark.parametrize("step", [HARDENED, 2**32 - 1, -1])
def test_hardened_children_need_the_private_key(step: int) -> None:
    """A public key has no hardened child, and no child of another number."""
    parent = extended_public_key(Seed(bytes(64)), DerivationPath(()))

    with pytest.raises(InvalidRequestError, match="hardened"):
        child(parent, step)


def test_a_public_child_that_does_not_exist_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where BIP-32's hash is not below the curve's order. No input is known that does this: the hash is replaced."""
    parent = extended_public_key(Seed(bytes(64)), DerivationPath(()))
    monkeypatch.setattr(derivation, "_hmac_sha512", lambda _key, _data: b"\xff" * 64)

    with pytest.raises(InvalidRequestError, match="no key"):
        child(parent, 0)


@pytest.mark.parametrize(
    ("template", "account", "steps"),
    [("m/44'/60'/0'/0/{index}", "m/44'/60'/0'", (0,)), ("m/49'/{index}", "m/49'", ()), ("m/0/1'/2/3/{index}", "m/0/1'", (2, 3))],
)
def test_paths_of_accounts_that_need_no_seed(template: str, account: str, steps: tuple[int, ...]) -> None:
    """They are split behind their last hardened step."""
    path = public_path(template, Curve.SECP256K1)

    assert path is not None
    assert (account, steps) == (str(path.account), path.steps)


@pytest.mark.parametrize(
    ("template", "curve"),
    [
        ("m/44'/60'/0'/0/{index}", Curve.ED25519),
        ("m/44'/501'/{index}'/0'", Curve.SECP256K1),
        ("m/44'/{index}'/0", Curve.SECP256K1),
        ("m/44'/{index}'/0/{index}", Curve.SECP256K1),
        ("m/0/{index}", Curve.SECP256K1),
    ],
)
def test_paths_of_accounts_that_need_the_seed(template: str, curve: Curve) -> None:
    """On ed25519, where the index is hardened, and where nothing is, so that the extended public key would tell of the whole wallet."""
    assert public_path(template, curve) is None


@pytest.mark.parametrize("key", _vectors("slip0021.json")["keys"], ids=lambda key: "/".join(key["labels"]) or "m")
def test_slip0021_test_vectors(key: dict[str, Any]) -> None:
    """The symmetric keys of SLIP-0021's example come out."""
    seed = Seed(bytes.fromhex(_vectors("slip0021.json")["seed"]))

    assert bytes.fromhex(key["key"]) == symmetric_key(seed, *key["labels"]).reveal()


@pytest.mark.parametrize(("seed", "chain"), _chains("slip0010.json"))
def test_slip0010_test_vectors(seed: str, chain: dict[str, str]) -> None:
    """The ed25519 private keys of SLIP-0010's test vectors 1 and 2 come out."""
    key = derive(Seed(bytes.fromhex(seed)), DerivationPath.parse(chain["path"]), Curve.ED25519, DerivationScheme.STANDARD)

    assert bytes.fromhex(chain["private"]) == key.reveal()
    assert Ed25519PrivateKey.from_private_bytes(key.reveal()).public_key().public_bytes_raw() == key.public_key


@pytest.mark.parametrize("vector", _vectors("bip39.json")["vectors"])
def test_bip39_master_keys(vector: dict[str, str]) -> None:
    """The master key of each BIP-39 vector is the one Trezor's list gives."""
    master = derive(Seed(bytes.fromhex(vector["seed"])), DerivationPath(()), Curve.SECP256K1, DerivationScheme.STANDARD)

    assert unbase58check(vector["xprv"])[-32:] == master.reveal()


@pytest.mark.parametrize("network", ["eth", "tron"])
@pytest.mark.parametrize("scheme", list(DerivationScheme))
def test_accounts_of_secp256k1_networks(network: str, scheme: DerivationScheme) -> None:
    """Protects stored money: keys and addresses by BIP-44 are what ethers and TronWeb give for the same phrase, in both schemes."""
    name, accounts = ("evm.json", None) if network == "eth" else ("tron.json", _vectors("tron.json")["mnemonic"])
    chain = CHAINS[network]

    for account in _vectors(name)["accounts"]:
        with parse(account.get("mnemonic", accounts)) as mnemonic:
            seed = to_seed(mnemonic)
        index = int(account["path"].rpartition("/")[2])
        key = derive(seed, DerivationPath.parse(chain.path(scheme).format(index=index)), chain.curve, scheme)

        assert account["path"] == chain.path(scheme).format(index=index)
        assert bytes.fromhex(account["private_key"]) == key.reveal()
        assert account["address"] == chain.address(key.public_key, scheme)


def test_well_known_addresses() -> None:
    """Protects stored money: the first accounts of the phrase that every wallet's documentation uses."""
    with parse(PHRASE) as mnemonic:
        seed = to_seed(mnemonic)

    for network, address in FIRST_ADDRESSES.items():
        chain = CHAINS[network]
        path = DerivationPath.parse(chain.path(DerivationScheme.STANDARD).format(index=0))
        key = derive(seed, path, chain.curve, DerivationScheme.STANDARD)
        assert address == chain.address(key.public_key, DerivationScheme.STANDARD)


@pytest.mark.parametrize("vector", _vectors("bip32_v1_0_8.json")["keys"], ids=lambda vector: vector["path"])
def test_ed25519_keys_of_1_0_8(vector: dict[str, str]) -> None:
    """Protects stored money: keys of wallets taken over from 1.0.8 are BIP-32 child keys taken as ed25519 seeds, and stay so."""
    with parse(vector["mnemonic"]) as mnemonic:
        seed = to_seed(mnemonic)

    key = derive(seed, DerivationPath.parse(vector["path"]), Curve.ED25519, DerivationScheme.V1_0_8)

    assert bytes.fromhex(vector["private_key"]) == key.reveal()
    assert bytes.fromhex(vector["public_key"]) == key.public_key


@given(seeds(), STEPS)
@settings(max_examples=50)
def test_bip32_agrees_with_eth_account(seed: bytes, steps: tuple[int, ...]) -> None:
    """Any path of any seed gives eth-account's private key."""
    path = DerivationPath(steps)

    key = derive(Seed(seed), path, Curve.SECP256K1, DerivationScheme.STANDARD)

    assert (key_from_seed(seed, str(path)) if steps else key.reveal()) == key.reveal()


@given(seeds(), st.lists(st.integers(0, MAX_INDEX), min_size=1, max_size=6))
@settings(max_examples=50)
def test_slip0010_agrees_with_solana(seed: bytes, steps: list[int]) -> None:
    """Any hardened path of any seed gives the key of Solana's own library."""
    path = DerivationPath((HARDENED + 44, HARDENED + 501, *(HARDENED + step for step in steps[:2])))
    expected = Keypair.from_seed_and_derivation_path(seed, str(path))

    key = derive(Seed(seed), path, Curve.ED25519, DerivationScheme.STANDARD)

    assert expected.secret() == key.reveal()


@given(STEPS)
def test_paths_print_as_they_parse(steps: tuple[int, ...]) -> None:
    """A path printed and parsed again is the same."""
    path = DerivationPath(steps)

    assert path == DerivationPath.parse(str(path))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "44'",
        "M/0",
        "m/",
        "m//0",
        "m/00",
        "m/01'",
        "m/-1",
        "m/0''",
        "m/0h",
        "m/2147483648",
        "m/2147483648'",
        "m/x",
        "m/ 0",
        "m/0\n",
        "m/\u0663",
    ],
)
def test_what_is_no_path_is_refused(text: str) -> None:
    """Only decimal steps of 0..2^31-1 without leading zeros, with ' when hardened, make a path."""
    with pytest.raises(InvalidRequestError):
        DerivationPath.parse(text)


def test_ed25519_has_hardened_children_only() -> None:
    """SLIP-0010 knows no other child, so a path with one is refused."""
    with pytest.raises(InvalidRequestError, match="hardened"):
        derive(Seed(bytes(64)), DerivationPath.parse("m/44'/501'/0"), Curve.ED25519, DerivationScheme.STANDARD)


def test_a_child_that_does_not_exist_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where BIP-32's hash is not below the curve's order there is no key. No input is known that does this: the hash is replaced."""
    monkeypatch.setattr(derivation, "_hmac_sha512", lambda _key, _data: b"\xff" * 64)

    with pytest.raises(InvalidRequestError, match="no key"):
        derive(Seed(bytes(64)), DerivationPath(()), Curve.SECP256K1, DerivationScheme.STANDARD)
