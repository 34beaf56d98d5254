"""Hashes: the standards' examples, and Keccak against a second library."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st

from wallets import hashes
from wallets.hashes import double_sha256, double_sha256_from, hash160, keccak256, sha256, sha256_before


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
    ],
)
def test_keccak_is_the_one_before_fips_202(data: bytes, expected: str) -> None:
    """The empty input gives Ethereum's well-known empty hash, not SHA3-256's."""
    assert expected == keccak256(data).hex()


@given(st.binary(max_size=300))
def test_keccak_is_that_of_eth_hash(data: bytes) -> None:
    """Inputs of all lengths around the block size hash as eth-hash hashes them."""
    assert keccak(data) == keccak256(data)


def test_sha256_of_fips_180() -> None:
    """FIPS 180-4's example `abc`."""
    assert sha256(b"abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_double_sha256_of_hello() -> None:
    """The example of Bitcoin's protocol documentation."""
    assert double_sha256(b"hello").hex() == "9595c9df90075148eb06860365df33584b75bff782a510c6cd4883a419833d50"


def test_hash160_of_hello() -> None:
    """The example of Bitcoin's protocol documentation."""
    assert hash160(b"hello").hex() == "b6a9c8c230722b7c748331a8b450f05566dc7d0f"


@given(st.lists(st.binary(max_size=100)), st.binary(max_size=100))
def test_a_beginning_is_hashed_once(parts: list[bytes], data: bytes) -> None:
    """What stands before each part goes on with other data, as often as is wanted."""
    states = sha256_before(parts)

    found = [double_sha256_from(state, data) for state in (*states, *states)]

    assert found == [double_sha256(b"".join(parts[:at]) + data) for at in range(len(parts))] * 2


def test_threads_hash_side_by_side() -> None:
    """Each thread computes for itself: while C works in one, Python runs the others."""
    inputs = [bytes([number]) * 50_000 for number in range(8)]

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(keccak256, inputs * 10))

    assert found == [keccak(data) for data in inputs] * 10


def test_a_hash_that_failed_is_not_used() -> None:
    """What C says went wrong is raised, and no digest returned."""
    with pytest.raises(RuntimeError, match="error 3"):
        hashes._check(3)
