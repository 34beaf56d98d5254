"""Keys are derived as the standards say."""

import pytest

from wallets.curves import Curve
from wallets.derivation import DerivationPath, DerivationScheme, derive
from wallets.errors import InvalidRequestError
from wallets.secret import Seed

_SEED_1 = bytes.fromhex("000102030405060708090a0b0c0d0e0f")
_SEED_2 = bytes.fromhex(
    "fffcf9f6f3f0edeae7e4e1dedbd8d5d2cfccc9c6c3c0bdbab7b4b1aeaba8a5a29f9c999693908d8a8784817e7b7875726f6c696663605d5a5754514e4b484542"
)


@pytest.mark.parametrize(
    ("seed", "path", "expected"),
    [
        (_SEED_1, "m", "e8f32e723decf4051aefac8e2c93c9c5b214313817cdb01a1494b917c8436b35"),
        (_SEED_1, "m/0'", "edb2e14f9ee77d26dd93b4ecede8d16ed408ce149b6cd80b0715a2d911a0afea"),
        (_SEED_1, "m/0'/1", "3c6cb8d0f6a264c91ea8b5030fadaa8e538b020f0a387421a12de9319dc93368"),
        (_SEED_1, "m/0'/1/2'", "cbce0d719ecf7431d88e6a89fa1483e02e35092af60c042b1df2ff59fa424dca"),
        (_SEED_2, "m", "4b03d6fc340455b363f51020ad3ecca4f0850280cf436c70c727923f6db46c3e"),
        (_SEED_2, "m/0", "abe74a98f6c7eabee0428f53798f0ab8aa1bd37873999041703c742f15ac7e1e"),
    ],
)
def test_bip32(seed: bytes, path: str, expected: str) -> None:
    """The private keys of BIP-32's test vectors 1 and 2 are derived."""
    key = derive(Seed(seed), DerivationPath.parse(path), Curve.SECP256K1, DerivationScheme.STANDARD)

    assert expected == key.reveal().hex()


@pytest.mark.parametrize(
    ("path", "private", "public"),
    [
        (
            "m",
            "2b4be7f19ee27bbf30c667b642d5f4aa69fd169872f8fc3059c08ebae2eb19e7",
            "a4b2856bfec510abab89753fac1ac0e1112364e7d250545963f135f2a33188ed",
        ),
        (
            "m/0'",
            "68e0fe46dfb67e368c75379acec591dad19df3cde26e63b93a8e704f1dade7a3",
            "8c8a13df77a28f3445213a0f432fde644acaa215fc72dcdf300d5efaa85d350c",
        ),
    ],
)
def test_slip10(path: str, private: str, public: str) -> None:
    """The ed25519 keys of SLIP-0010's test vector 1 are derived."""
    key = derive(Seed(_SEED_1), DerivationPath.parse(path), Curve.ED25519, DerivationScheme.STANDARD)

    assert (private, public) == (key.reveal().hex(), key.public_key.hex())


def test_ed25519_has_hardened_children_only() -> None:
    """A path with a step that is not hardened is refused on ed25519."""
    with pytest.raises(InvalidRequestError, match="hardened"):
        derive(Seed(_SEED_1), DerivationPath.parse("m/44'/501'/0"), Curve.ED25519, DerivationScheme.STANDARD)


def test_v1_0_8_takes_the_bip32_child_as_ed25519_seed() -> None:
    """Under the scheme of 1.0.8 an ed25519 key has the bytes of the BIP-32 child key."""
    path = DerivationPath.parse("m/44'/501'/0'/0/3")

    taken_over = derive(Seed(_SEED_1), path, Curve.ED25519, DerivationScheme.V1_0_8)

    assert derive(Seed(_SEED_1), path, Curve.SECP256K1, DerivationScheme.STANDARD).reveal() == taken_over.reveal()


@pytest.mark.parametrize("text", ["", "44'/60'", "m/", "m/-1", "m/2147483648", "m/01", "m/1h", "m//1"])
def test_malformed_paths_are_refused(text: str) -> None:
    """What is no path is refused."""
    with pytest.raises(InvalidRequestError):
        DerivationPath.parse(text)
