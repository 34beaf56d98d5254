"""The address key is made once, decrypted once, and forgotten when that is asked for."""

import asyncio
from uuid import UUID

import pytest

from tests.fake_addresses import FakeAddressKeys
from tests.fakes import FakeKeyEncryption
from tests.wallets.custody_house import NOW
from tests.wallets.keyring_house import settle
from wallets.address_keyring import AddressKeyring
from wallets.derivation import DerivationScheme
from wallets.errors import CorruptCiphertextError, KeyEncryptionUnavailableError, StoreUnavailableError
from wallets.keyring import associated_data
from wallets.mnemonic import generate
from wallets.model import Account, EncryptedAddressKey, EncryptedMnemonic, SealedAddress, Wallet
from wallets.seals import AddressKey

WALLET = Wallet(UUID(int=1), "w", DerivationScheme.STANDARD, NOW)


class Place:
    """Where the key is kept, and what encrypts it. `refused` counts ciphertexts that did not decrypt."""

    def __init__(self) -> None:
        self.store, self.encryption, self.refused = FakeAddressKeys(), FakeKeyEncryption(), 0

    def keyring(self) -> AddressKeyring:
        """Make the keyring of one more replica."""
        return AddressKeyring(self.store, self.encryption, refused=self.count, now=lambda: NOW)

    def count(self) -> None:
        """Count a refusal."""
        self.refused += 1


@pytest.fixture
def place() -> Place:
    """A place without a key."""
    return Place()


def sealed(key: AddressKey) -> SealedAddress:
    """Return what a key seals: it tells whether two are the same."""
    return key.seal(Account(WALLET.id, "eth", 0), WALLET.scheme, "0xabc")


async def test_a_key_is_made_where_there_is_none(place: Place) -> None:
    """And is found by every later replica, decrypted once by each."""
    first, second = place.keyring(), place.keyring()

    keys = [await first.key(), await first.key(), await second.key(), await second.key()]

    assert len({sealed(key) for key in keys}) == 1
    assert place.encryption.decryptions == 2
    assert place.store.made_at == {1: NOW}


async def test_replicas_that_make_one_at_once_have_the_same(place: Place) -> None:
    """The database settles which."""
    keys = await asyncio.gather(*(place.keyring().key() for _ in range(5)))

    assert len({sealed(key) for key in keys}) == 1


async def test_a_key_that_is_deleted_is_made_anew_by_whoever_has_forgotten_it(place: Place) -> None:
    """So a lock goes with it: until then a replica that has it open goes on with it, and the others have another of the same number."""
    old, new = place.keyring(), place.keyring()
    await old.key()
    place.store.keys.clear()
    made = await new.key()
    before = await old.key()

    old.forget()

    assert made.number == before.number
    assert sealed(made) != sealed(before)
    assert sealed(await old.key()) == sealed(made)


async def test_waiting_requests_share_one_decryption(place: Place) -> None:
    """Also if the one that came first goes away."""
    await place.keyring().key()
    place.encryption.decryptions = 0
    place.encryption.gate.clear()
    keyring = place.keyring()
    waiting = [asyncio.create_task(keyring.key()) for _ in range(3)]
    await settle()
    waiting[0].cancel()
    place.encryption.gate.set()

    keys = await asyncio.gather(*waiting[1:])

    assert keys[0] is keys[1]
    assert place.encryption.decryptions == 1


async def test_to_prepare_opens_what_is_there(place: Place) -> None:
    """And makes nothing: a service that is never asked for an address has no key."""
    await place.keyring().prepare()
    assert place.store.keys == {}
    await place.keyring().key()
    keyring = place.keyring()

    await keyring.prepare()

    place.encryption.away = True
    await keyring.key()


async def test_what_is_forgotten_is_decrypted_anew(place: Place) -> None:
    """As after a lock."""
    keyring = place.keyring()
    await keyring.key()

    keyring.forget()

    place.encryption.away = True
    with pytest.raises(KeyEncryptionUnavailableError):
        await keyring.key()


async def test_what_is_forgotten_meanwhile_serves_who_waits_and_no_one_else(place: Place) -> None:
    """A decryption that is under way cannot be called back."""
    keyring = place.keyring()
    place.encryption.gate.clear()
    waiting = asyncio.create_task(keyring.key())
    await settle()
    keyring.forget()
    place.encryption.gate.set()
    await waiting
    place.encryption.away = True

    with pytest.raises(KeyEncryptionUnavailableError):
        await keyring.key()


async def test_what_is_away_is_asked_again(place: Place) -> None:
    """By the next request."""
    keyring = place.keyring()
    place.store.away = True
    with pytest.raises(StoreUnavailableError):
        await keyring.key()
    place.store.away = False
    place.encryption.away = True
    with pytest.raises(KeyEncryptionUnavailableError):
        await keyring.key()
    place.encryption.away = False

    await keyring.key()


async def test_a_wallets_ciphertext_is_no_address_key(place: Place) -> None:
    """Whose phrase somebody may know: it is bound to the wallet, so that who writes it here gains nothing."""
    ciphertext = await place.encryption.encrypt(generate(24), associated_data=associated_data(WALLET))
    place.store.keys[1] = EncryptedAddressKey(1, ciphertext)

    with pytest.raises(CorruptCiphertextError):
        await place.keyring().key()

    assert place.refused == 1


async def test_a_key_of_another_number_does_not_open(place: Place) -> None:
    """A former key cannot be put in the place of a later one."""
    await place.keyring().key()
    place.store.keys[2] = EncryptedAddressKey(2, place.store.keys[1].ciphertext)

    with pytest.raises(CorruptCiphertextError):
        await place.keyring().key()


async def test_a_ciphertext_that_is_renewed_meanwhile_is_read_again(place: Place) -> None:
    """Rewrapped while it was on its way, and its version retired."""
    await place.keyring().key()
    old = place.store.keys[1]
    await place.encryption.rotate()
    place.encryption.gate.clear()
    waiting = asyncio.create_task(place.keyring().key())
    await settle()
    (renewed,) = await place.encryption.rewrap_many([EncryptedMnemonic(old.ciphertext, old.associated_data)])
    assert isinstance(renewed, str)
    place.store.keys[1] = EncryptedAddressKey(1, renewed)
    await place.encryption.set_oldest_usable(2)
    place.encryption.gate.set()

    await waiting

    assert place.refused == 0


async def test_a_key_that_is_gone_meanwhile_is_corrupt(place: Place) -> None:
    """There is nothing to read again."""
    place.store.keys[1] = EncryptedAddressKey(1, "fake:v1:AAAA")
    place.encryption.gate.clear()
    waiting = asyncio.create_task(place.keyring().key())
    await settle()
    del place.store.keys[1]
    place.encryption.gate.set()

    with pytest.raises(CorruptCiphertextError):
        await waiting
