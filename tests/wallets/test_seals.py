"""Seals: what one has sealed for one place holds for it, and nothing else does."""

import base64
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.known_phrase import PHRASE
from wallets.derivation import DerivationPath, DerivationScheme
from wallets.mnemonic import generate, parse
from wallets.model import Account, SealedAddress, Wallet
from wallets.seals import AddressKey
from wallets.secret import ExtendedPublicKey

STANDARD, V1 = DerivationScheme.STANDARD, DerivationScheme.V1_0_8
ACCOUNT = Account(UUID(int=7), "btc", 3, "taproot")
WALLET = Wallet(UUID(int=7), "sealed", STANDARD, datetime(2026, 1, 1, tzinfo=UTC))
PATH = DerivationPath.parse("m/86'/0'/0'")
ACCOUNT_KEY = ExtendedPublicKey(bytes(range(65)))
KEY = AddressKey(1, parse(PHRASE))
SEALED = KEY.seal(ACCOUNT, STANDARD, "bc1p")


def test_a_seal_stays_the_same_for_ever() -> None:
    """Protects what is stored: the seal that this phrase made for this account is made again, by whichever later version."""
    assert SealedAddress("bc1p", "blake2b:v1:N8nRmJBIIrhN29fWIW03TYxFfN4+b0EQfQAr/XW5gcU=") == SEALED


def test_a_seal_holds_for_what_was_sealed() -> None:
    """In another process as well, which has the same phrase."""
    assert AddressKey(1, parse(PHRASE)).holds(ACCOUNT, STANDARD, SEALED)


@pytest.mark.parametrize(
    ("account", "scheme", "found"),
    [
        (replace(ACCOUNT, wallet_id=UUID(int=8)), STANDARD, SEALED),
        (replace(ACCOUNT, network="ltc"), STANDARD, SEALED),
        (replace(ACCOUNT, index=4), STANDARD, SEALED),
        (replace(ACCOUNT, variant=""), STANDARD, SEALED),
        (ACCOUNT, V1, SEALED),
        (ACCOUNT, STANDARD, replace(SEALED, text="bc1q")),
        (ACCOUNT, STANDARD, replace(SEALED, text="BC1P")),
        (ACCOUNT, STANDARD, replace(SEALED, text="bc1p ")),
        (ACCOUNT, STANDARD, replace(SEALED, text="")),
        (ACCOUNT, STANDARD, replace(SEALED, seal="")),
        (ACCOUNT, STANDARD, replace(SEALED, seal=SEALED.seal[:-1])),
        (ACCOUNT, STANDARD, replace(SEALED, seal=SEALED.seal + "=")),
        (ACCOUNT, STANDARD, replace(SEALED, seal=SEALED.seal.replace("v1", "v2"))),
        (ACCOUNT, STANDARD, replace(SEALED, seal="\N{CHECK MARK}\udc80")),
        (ACCOUNT, STANDARD, replace(SEALED, text="\udc80")),
    ],
)
def test_a_seal_holds_for_nothing_else(account: Account, scheme: DerivationScheme, found: SealedAddress) -> None:
    """Neither for another place, nor for another address, nor when anything of it is different."""
    assert not KEY.holds(account, scheme, found)


@pytest.mark.parametrize("other", [AddressKey(2, parse(PHRASE)), AddressKey(1, generate(24))], ids=["another number", "another phrase"])
def test_a_seal_of_another_key_does_not_hold(other: AddressKey) -> None:
    """A key that is no longer the one makes nothing that is believed."""
    assert not KEY.holds(ACCOUNT, STANDARD, other.seal(ACCOUNT, STANDARD, "bc1p"))


@given(st.integers(0, len(base64.b64decode(SEALED.seal.rpartition(":")[2])) * 8 - 1))
def test_a_seal_with_another_bit_does_not_hold(bit: int) -> None:
    """Whichever it is."""
    head, _, text = SEALED.seal.rpartition(":")
    changed = bytearray(base64.b64decode(text))
    changed[bit // 8] ^= 1 << bit % 8

    assert not KEY.holds(ACCOUNT, STANDARD, replace(SEALED, seal=f"{head}:{base64.b64encode(changed).decode()}"))


def test_an_account_key_opens_where_it_was_sealed() -> None:
    """It names its key, and is another text each time."""
    sealed = [KEY.seal_account_key(WALLET, PATH, ACCOUNT_KEY) for _ in range(2)]

    assert [KEY.open_account_key(WALLET, PATH, each) for each in sealed] == [ACCOUNT_KEY, ACCOUNT_KEY]
    assert sealed[0] != sealed[1]
    assert sealed[0].startswith("aesgcm:v1:")


def test_an_account_key_opens_nowhere_else() -> None:
    """Neither for another wallet, scheme or path, nor under another key."""
    sealed = KEY.seal_account_key(WALLET, PATH, ACCOUNT_KEY)

    assert KEY.open_account_key(replace(WALLET, id=uuid4()), PATH, sealed) is None
    assert KEY.open_account_key(replace(WALLET, scheme=V1), PATH, sealed) is None
    assert KEY.open_account_key(WALLET, DerivationPath.parse("m/84'/0'/0'"), sealed) is None
    assert AddressKey(2, parse(PHRASE)).open_account_key(WALLET, PATH, sealed) is None
    assert AddressKey(1, generate(24)).open_account_key(WALLET, PATH, sealed) is None


@pytest.mark.parametrize("text", ["", "x", "aesgcm:v1:", "aesgcm:v1:AAAA", "aesgcm:v1:A", "aesgcm:v1:" + "A" * 200, SEALED.seal])
def test_what_is_no_account_key_does_not_open(text: str) -> None:
    """And raises nothing."""
    assert KEY.open_account_key(WALLET, PATH, text) is None


@given(st.integers(0, (12 + 65 + 16) * 8 - 1))
def test_an_account_key_with_another_bit_does_not_open(bit: int) -> None:
    """Whichever it is, of nonce, ciphertext or tag."""
    head, _, text = KEY.seal_account_key(WALLET, PATH, ACCOUNT_KEY).rpartition(":")
    changed = bytearray(base64.b64decode(text))
    changed[bit // 8] ^= 1 << bit % 8

    assert KEY.open_account_key(WALLET, PATH, f"{head}:{base64.b64encode(changed).decode()}") is None


def test_it_is_redacted() -> None:
    """Printing the key shows its number alone."""
    assert repr(KEY) == str(KEY) == "<AddressKey 1: redacted>"
