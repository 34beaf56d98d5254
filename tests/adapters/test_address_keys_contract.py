"""The contracts of the ports that keep address keys and extended public keys, on the fakes and on PostgreSQL."""

import asyncio
from uuid import uuid4

import pytest

from tests.adapters.conftest import AT, Storage, kept_account, new_event
from wallets.errors import StoreUnavailableError, WalletNotFoundError
from wallets.model import AuditAction, EncryptedAddressKey

KEY = EncryptedAddressKey(1, "vault:v1:a")
PATH = "m/44'/60'/0'"


async def test_where_no_key_was_added_there_is_none(storage: Storage) -> None:
    """Then it is the first request's to make one."""
    assert await storage.address_keys.address_key() is None


async def test_a_key_is_kept(storage: Storage) -> None:
    """And found from then on."""
    added = await storage.address_keys.add_address_key(KEY, AT)

    assert added == await storage.address_keys.address_key() == await storage.ciphertexts.address_key() == KEY


async def test_the_newest_key_is_the_one(storage: Storage) -> None:
    """By its number, in whichever order they were added."""
    newer = EncryptedAddressKey(2, "vault:v1:b")
    await storage.address_keys.add_address_key(newer, AT)

    assert await storage.address_keys.add_address_key(KEY, AT) == KEY
    assert await storage.address_keys.address_key() == newer


async def test_of_keys_that_are_added_at_once_one_is_kept(storage: Storage) -> None:
    """Replicas that start together learn of the same."""
    keys = [EncryptedAddressKey(1, f"vault:v1:{number}") for number in range(8)]

    added = await asyncio.gather(*(storage.address_keys.add_address_key(key, AT) for key in keys))

    assert set(added) == {await storage.address_keys.address_key()}


async def test_a_ciphertext_is_replaced_with_its_audit_row(storage: Storage) -> None:
    """If it is still the one that was read; else nothing is changed and nothing written."""
    await storage.address_keys.add_address_key(KEY, AT)
    event = new_event(action=AuditAction.KEYS_REWRAP)

    first = await storage.ciphertexts.replace_address_key(KEY, "vault:v2:a", event)
    second = await storage.ciphertexts.replace_address_key(KEY, "vault:v2:b", event)

    assert (first, second) == (True, False)
    assert await storage.address_keys.address_key() == EncryptedAddressKey(1, "vault:v2:a")
    assert list(await storage.events()) == [event]


async def test_no_audit_no_change(storage: Storage) -> None:
    """Where the row cannot be written the ciphertext stays."""
    await storage.address_keys.add_address_key(KEY, AT)
    unwritable = new_event(action=AuditAction.KEYS_REWRAP, x=float("nan"))

    with pytest.raises(ValueError, match="JSON"):
        await storage.ciphertexts.replace_address_key(KEY, "vault:v2:a", unwritable)

    assert await storage.address_keys.address_key() == KEY


async def test_an_account_key_is_kept_for_its_place(storage: Storage) -> None:
    """And replaced by the next; other paths and wallets have none."""
    wallet_id = (await kept_account(storage)).wallet_id
    await storage.account_keys.put_account_key(wallet_id, PATH, "first")

    await storage.account_keys.put_account_key(wallet_id, PATH, "second")

    assert await storage.account_keys.account_key(wallet_id, PATH) == "second"
    assert await storage.account_keys.account_key(wallet_id, "m/84'/0'/0'") is None
    assert await storage.account_keys.account_key(uuid4(), PATH) is None


async def test_an_account_key_of_no_wallet_is_refused(storage: Storage) -> None:
    """Nothing is kept without its wallet."""
    with pytest.raises(WalletNotFoundError):
        await storage.account_keys.put_account_key(uuid4(), PATH, "sealed")


async def test_a_store_that_is_away_says_so(storage_away: Storage) -> None:
    """Every method, with the port's error."""
    for call in (
        storage_away.address_keys.address_key(),
        storage_away.ciphertexts.address_key(),
        storage_away.address_keys.add_address_key(KEY, AT),
        storage_away.ciphertexts.replace_address_key(KEY, "x", new_event()),
        storage_away.account_keys.account_key(uuid4(), PATH),
        storage_away.account_keys.put_account_key(uuid4(), PATH, "x"),
    ):
        with pytest.raises(StoreUnavailableError):
            await call
