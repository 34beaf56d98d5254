"""Curves: keys and signatures are those of other libraries, and a fault never leaves as a signature."""

import coincurve
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from eth_keys.datatypes import PrivateKey as EthPrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.strategies import ed25519_secrets, secp256k1_secrets
from wallets.curves import (
    SECP256K1_ORDER,
    Curve,
    SignatureFaultError,
    add_scalars,
    add_to_public_key,
    is_x_of_a_point,
    private_key,
    recover_secp256k1,
    sign_ed25519,
    sign_schnorr,
    sign_secp256k1,
    tweaked,
    uncompressed,
    verify_ed25519,
    verify_schnorr,
    verify_secp256k1,
)
from wallets.secret import PrivateKey

DIGESTS = st.binary(min_size=32, max_size=32)


@given(secp256k1_secrets())
@settings(max_examples=50)
def test_secp256k1_public_keys_are_those_of_eth_keys(secret: bytes) -> None:
    """The compressed and the uncompressed public key are what eth-keys computes."""
    expected = EthPrivateKey(secret).public_key

    key = private_key(Curve.SECP256K1, secret)

    assert expected.to_compressed_bytes() == key.public_key
    assert expected.to_bytes() == uncompressed(key.public_key)


@given(ed25519_secrets())
@settings(max_examples=50)
def test_ed25519_public_keys_are_those_of_openssl(secret: bytes) -> None:
    """The public key is what pyca/cryptography computes."""
    expected = Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()

    assert expected == private_key(Curve.ED25519, secret).public_key


@given(secp256k1_secrets(), DIGESTS)
@settings(max_examples=50)
def test_secp256k1_signatures_are_those_of_eth_keys(secret: bytes, digest: bytes) -> None:
    """The deterministic signature (RFC 6979) is bit for bit the one eth-keys makes, with a low s and recovery id 0 or 1."""
    expected = EthPrivateKey(secret).sign_msg_hash(digest)

    signature = sign_secp256k1(private_key(Curve.SECP256K1, secret), digest)

    assert expected.to_bytes() == signature
    assert int.from_bytes(signature[32:64]) <= SECP256K1_ORDER // 2
    assert signature[64] in {0, 1}


@given(ed25519_secrets(), st.binary(max_size=200))
@settings(max_examples=50)
def test_ed25519_signatures_are_those_of_openssl(secret: bytes, message: bytes) -> None:
    """The signature is bit for bit the one pyca/cryptography makes, and verifies for this message only."""
    key = private_key(Curve.ED25519, secret)

    signature = sign_ed25519(key, message)

    assert Ed25519PrivateKey.from_private_bytes(secret).sign(message) == signature
    assert verify_ed25519(key.public_key, signature, message)
    assert not verify_ed25519(key.public_key, signature, message + b"!")


def test_a_secp256k1_signature_of_another_key_is_a_fault() -> None:
    """A signature that does not recover to the key's public key, as after a bit flip in memory, is not returned."""
    broken = PrivateKey(bytes(31) + b"\1", private_key(Curve.SECP256K1, bytes(31) + b"\2").public_key)

    with pytest.raises(SignatureFaultError):
        sign_secp256k1(broken, bytes(32))


def test_an_ed25519_signature_of_another_key_is_a_fault() -> None:
    """A signature that does not verify with the key's public key is not returned."""
    broken = PrivateKey(bytes(32), private_key(Curve.ED25519, bytes(31) + b"\2").public_key)

    with pytest.raises(SignatureFaultError):
        sign_ed25519(broken, b"message")


@pytest.mark.parametrize("curve", list(Curve))
@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_private_key_has_32_bytes(curve: Curve, length: int) -> None:
    """Another length is refused on both curves."""
    with pytest.raises(ValueError, match="32 bytes"):
        private_key(curve, b"\1" * length)


@pytest.mark.parametrize("scalar", [0, SECP256K1_ORDER, SECP256K1_ORDER + 1, 2**256 - 1])
def test_a_secp256k1_scalar_is_below_the_order_and_not_zero(scalar: int) -> None:
    """Zero and what is not below n are no private keys."""
    with pytest.raises(ValueError, match=r"[Ss]ecret scalar"):
        private_key(Curve.SECP256K1, scalar.to_bytes(32))


@given(st.integers(0, SECP256K1_ORDER - 1), st.integers(1, SECP256K1_ORDER - 1))
def test_scalars_are_added_modulo_the_order(tweak: int, key: int) -> None:
    """The sum is that of the integers modulo n, where it is not zero."""
    total = (tweak + key) % SECP256K1_ORDER

    if total:
        assert total.to_bytes(32) == add_scalars(tweak.to_bytes(32), key.to_bytes(32))


@pytest.mark.parametrize(("tweak", "key"), [(SECP256K1_ORDER, 1), (2**256 - 1, 1), (1, SECP256K1_ORDER - 1), (0, 0)])
def test_a_child_that_does_not_exist_is_refused(tweak: int, key: int) -> None:
    """A tweak of n or more and a sum of zero make no key (BIP-32)."""
    with pytest.raises(ValueError, match="does not exist"):
        add_scalars(tweak.to_bytes(32), key.to_bytes(32))


@given(secp256k1_secrets(), secp256k1_secrets())
@settings(max_examples=50)
def test_adding_to_a_public_key_adds_to_its_private_key(tweak: bytes, secret: bytes) -> None:
    """The point of the sum is the sum of the points (BIP-32, CKDpub)."""
    total = (int.from_bytes(tweak) + int.from_bytes(secret)) % SECP256K1_ORDER
    public_key = private_key(Curve.SECP256K1, secret).public_key

    if total:
        assert private_key(Curve.SECP256K1, total.to_bytes(32)).public_key == add_to_public_key(tweak, public_key)


@pytest.mark.parametrize("tweak", [SECP256K1_ORDER, 2**256 - 1, SECP256K1_ORDER - 1])
def test_a_public_child_that_does_not_exist_is_refused(tweak: int) -> None:
    """A tweak of n or more and a sum at infinity make no point, nor does what is no public key."""
    generator = private_key(Curve.SECP256K1, (1).to_bytes(32)).public_key

    with pytest.raises(ValueError, match="does not exist"):
        add_to_public_key(tweak.to_bytes(32), generator)
    with pytest.raises(ValueError, match="does not exist"):
        add_to_public_key((1).to_bytes(32), b"\5" + generator[1:])


@pytest.mark.parametrize("signature", [b"", bytes(65), b"\xff" * 65, b"\1" * 64 + b"\4", b"\1" * 64])
def test_what_no_key_signed_recovers_to_none(signature: bytes) -> None:
    """Bytes that are no signature raise ValueError, whatever the library raises."""
    with pytest.raises(ValueError, match="does not recover"):
        recover_secp256k1(signature, bytes(32))


@given(secp256k1_secrets(), DIGESTS)
@settings(max_examples=50)
def test_a_signature_recovers_to_the_key_that_made_it(secret: bytes, digest: bytes) -> None:
    """Signature and digest give the public key back."""
    key = private_key(Curve.SECP256K1, secret)

    assert key.public_key == recover_secp256k1(sign_secp256k1(key, digest), digest)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_digest_has_32_bytes(length: int) -> None:
    """Another length is refused before libsecp256k1, which cannot know it, reads beyond its end."""
    key = private_key(Curve.SECP256K1, bytes(31) + b"\1")

    with pytest.raises(ValueError, match="32 bytes"):
        sign_secp256k1(key, bytes(length))
    with pytest.raises(ValueError, match="32 bytes"):
        recover_secp256k1(sign_secp256k1(key, bytes(32)), bytes(length))


def test_a_short_signature_does_not_verify() -> None:
    """An ed25519 signature has 64 bytes; what has fewer is none, also when the message makes up for it."""
    key = private_key(Curve.ED25519, bytes(32))
    signature = sign_ed25519(key, b"message")

    assert not verify_ed25519(key.public_key, signature[:63], signature[63:] + b"message")


@given(secp256k1_secrets(), DIGESTS)
@settings(max_examples=50)
def test_ecdsa_signatures_verify_with_their_key_alone(secret: bytes, digest: bytes) -> None:
    """As compressed and as uncompressed key; not for another digest, nor with the other s, nor cut off."""
    key = private_key(Curve.SECP256K1, secret)
    signature = sign_secp256k1(key, digest)[:64]
    high = signature[:32] + (SECP256K1_ORDER - int.from_bytes(signature[32:])).to_bytes(32)

    assert verify_secp256k1(key.public_key, signature, digest)
    assert verify_secp256k1(b"\4" + uncompressed(key.public_key), signature, digest)
    assert not verify_secp256k1(key.public_key, signature, digest[::-1] if digest != digest[::-1] else b"\1" * 32)
    assert not verify_secp256k1(key.public_key, high, digest)
    assert not verify_secp256k1(key.public_key, signature[:63], digest)
    assert not verify_secp256k1(b"\2" + b"\xff" * 32, signature, digest)
    assert not verify_secp256k1(key.public_key, b"\xff" * 64, digest)


@given(secp256k1_secrets(), DIGESTS, DIGESTS)
@settings(max_examples=50)
def test_schnorr_signatures_are_those_of_the_tweaked_key(secret: bytes, digest: bytes, tweak: bytes) -> None:
    """Signed again they are the same, and coincurve's own way to the tweaked key makes them as well."""
    key = private_key(Curve.SECP256K1, secret)
    even = secret if key.public_key[0] == 2 else (SECP256K1_ORDER - int.from_bytes(secret)).to_bytes(32)
    scalar = (int.from_bytes(even) + int.from_bytes(tweak)) % SECP256K1_ORDER
    other = coincurve.PrivateKey(scalar.to_bytes(32))

    signature = sign_schnorr(key, digest, tweak)

    assert signature == sign_schnorr(key, digest, tweak) == other.sign_schnorr(digest, bytes(32))
    assert tweaked(key.public_key, tweak) == other.public_key.format()[1:]
    assert verify_schnorr(tweaked(key.public_key, tweak), signature, digest)


def test_a_schnorr_signature_of_another_key_is_a_fault() -> None:
    """One that does not verify with what the key's public key says is not returned."""
    broken = PrivateKey(bytes(31) + b"\1", private_key(Curve.SECP256K1, bytes(31) + b"\2").public_key)

    with pytest.raises(SignatureFaultError):
        sign_schnorr(broken, bytes(32), bytes(32))


def test_a_tweak_that_leads_to_no_key_is_refused() -> None:
    """The order of the curve and more, or what makes the sum the point at infinity; and x that no point has."""
    key = private_key(Curve.SECP256K1, bytes(31) + b"\1")

    for tweak in (SECP256K1_ORDER.to_bytes(32), b"\xff" * 32, (SECP256K1_ORDER - 1).to_bytes(32)):
        with pytest.raises(ValueError, match="the tweaked public key does not exist"):
            tweaked(key.public_key, tweak)
    with pytest.raises(ValueError, match="the tweaked public key does not exist"):
        tweaked(b"\2" + b"\xff" * 32, bytes(32))
    assert is_x_of_a_point(key.public_key[1:])
    assert not is_x_of_a_point(b"\xff" * 32)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_numbers_of_another_length_do_not_reach_libsecp256k1(length: int) -> None:
    """It would read behind them."""
    key, wrong = private_key(Curve.SECP256K1, bytes(31) + b"\1"), bytes(length)

    for call in (
        lambda: sign_schnorr(key, wrong, bytes(32)),
        lambda: sign_schnorr(key, bytes(32), wrong),
        lambda: tweaked(b"\2" + wrong, bytes(32)),
        lambda: is_x_of_a_point(wrong),
        lambda: verify_schnorr(wrong, bytes(64), bytes(32)),
        lambda: verify_secp256k1(key.public_key, b"\1" * 64, wrong),
    ):
        with pytest.raises(ValueError, match="32 bytes are expected"):
            call()
    assert not verify_schnorr(bytes(32), bytes(63), bytes(32))
