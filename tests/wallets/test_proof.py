"""The proof of stored addresses: only what the seed derives is right, and what cannot be an account differs from everything."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from tests.known_phrase import FIRST_ADDRESSES, PHRASE
from wallets import derivation
from wallets.derivation import MAX_INDEX, DerivationScheme
from wallets.mnemonic import parse, to_seed
from wallets.proof import Difference, StoredAddress, differences

WALLET_ID = uuid4()


def stored(network: str, index: int, text: str) -> StoredAddress:
    """Return an address as a database may keep it."""
    return StoredAddress(network, index, text, datetime(2026, 11, 24, tzinfo=UTC))


def found(*addresses: StoredAddress) -> list[Difference]:
    """Return what differs for the known phrase."""
    return list(differences(WALLET_ID, to_seed(parse(PHRASE)), DerivationScheme.STANDARD, addresses))


def test_the_known_addresses_do_not_differ() -> None:
    """What wallets in use show is what is derived, on every network."""
    assert found(*(stored(network, 0, text) for network, text in FIRST_ADDRESSES.items())) == []


def test_evm_networks_without_a_row_are_proven_too() -> None:
    """An address that was derived for a chain id is derived again; in other letters it is a matter of spelling."""
    (difference,) = found(stored("evm:5", 0, FIRST_ADDRESSES["eth"]), stored("evm:5", 0, FIRST_ADDRESSES["eth"].lower()))

    assert difference.is_spelling


def test_an_address_of_another_account_differs() -> None:
    """The account's own address is told with it."""
    wrong = stored("eth", 1, FIRST_ADDRESSES["eth"])

    (difference,) = found(stored("eth", 0, FIRST_ADDRESSES["eth"]), wrong)

    assert (difference.wallet_id, difference.stored) == (WALLET_ID, wrong)
    assert difference.derived not in {None, FIRST_ADDRESSES["eth"]}
    assert not difference.is_spelling


@pytest.mark.parametrize(("network", "index"), [("mars", 0), ("eth", -1), ("eth", MAX_INDEX + 1)])
def test_an_account_that_cannot_be_has_no_address(network: str, index: int) -> None:
    """A network that is not in the table, or an index outside of its range, differs whatever is stored."""
    address = stored(network, index, FIRST_ADDRESSES["eth"])

    assert found(address) == [Difference(WALLET_ID, address, None)]


def test_an_index_without_a_key_has_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """No input is known for which BIP-32's hash is not below the curve's order: the hash is replaced."""
    monkeypatch.setattr(derivation, "_hmac_sha512", lambda _key, _data: b"\xff" * 64)
    address = stored("eth", 0, FIRST_ADDRESSES["eth"])

    assert found(address) == [Difference(WALLET_ID, address, None)]
