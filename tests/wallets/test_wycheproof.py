"""Wycheproof: signatures made to fool a verifier are refused by what verifies ours before they are released."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from wallets.curves import recover_secp256k1, verify_ed25519
from wallets.hashes import sha256

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "wycheproof.json").read_text())


def _tests(curve: str) -> Iterator[Any]:
    """Yield the public key, message and signature of each test, and what is to come of it: `valid`, `invalid` or `acceptable`."""
    for group in VECTORS[curve]["groups"]:
        for number, message, signature, result in group["tests"]:
            values = (bytes.fromhex(text) for text in (group["public_key"], message, signature))
            yield pytest.param(*values, result, id=str(number))


def _recovered(signature: bytes, digest: bytes) -> Iterator[bytes]:
    """Yield the public keys that a signature r||s may be of."""
    for recovery_id in range(4):
        with suppress(ValueError):
            yield recover_secp256k1(signature + bytes([recovery_id]), digest)


@pytest.mark.parametrize(("public_key", "message", "signature", "result"), list(_tests("secp256k1")))
def test_secp256k1(public_key: bytes, message: bytes, signature: bytes, result: str) -> None:
    """A signature leads back to the public key if it is valid, and else to others or nowhere."""
    compressed = bytes([2 + public_key[-1] % 2]) + public_key[1:33]

    assert (compressed in _recovered(signature, sha256(message))) == (result == "valid")


@pytest.mark.parametrize(("public_key", "message", "signature", "result"), list(_tests("ed25519")))
def test_ed25519(public_key: bytes, message: bytes, signature: bytes, result: str) -> None:
    """A signature is taken if it is valid, and not if it is invalid; the standard leaves `acceptable` ones open."""
    is_taken = verify_ed25519(public_key, signature, message)

    assert result == "acceptable" or is_taken == (result == "valid")


def test_every_vector_is_there() -> None:
    """None was lost on the way from the published files."""
    assert {curve: sum(len(group["tests"]) for group in found["groups"]) for curve, found in VECTORS.items()} == {
        curve: found["number"] for curve, found in VECTORS.items()
    }
