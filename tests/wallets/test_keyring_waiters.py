"""Many who wait for one wallet: one decryption serves them, and neither their leaving, its failure nor a lock disturbs the others."""

import asyncio
import gc

import pytest

from tests.wallets.keyring_house import ETH, Vault, is_closed, settle
from wallets.errors import KeyEncryptionUnavailableError
from wallets.secret import Seed


async def test_two_hundred_waiters_share_one_decryption(vault: Vault) -> None:
    """Requests that arrive while the wallet is being unlocked all get their own key of the one decryption."""
    keyring, wallet = vault.keyring(), await vault.wallet()
    vault.encryption.gate.clear()
    waiters = [asyncio.create_task(keyring.key(wallet, ETH, index % 3)) for index in range(200)]
    await settle()

    vault.encryption.gate.set()
    keys = await asyncio.gather(*waiters)

    assert vault.encryption.decryptions == 1
    assert len({id(key) for key in keys}) == 200
    assert len({key.public_key for key in keys}) == 3


async def test_more_wallets_at_once_than_are_kept_are_all_served(vault: Vault, seeds: list[Seed]) -> None:
    """Wallets unlocked in the same moment push each other out, and still each of their waiters gets its key."""
    keyring = vault.keyring(max_seeds=1)
    wallets = [await vault.wallet() for _ in range(8)]
    vault.encryption.gate.clear()
    waiters = [asyncio.create_task(keyring.key(wallet, ETH, index)) for wallet in wallets for index in range(4)]
    await settle()

    vault.encryption.gate.set()
    keys = await asyncio.gather(*waiters)

    assert len({key.public_key for key in keys}) == 4
    assert len(keyring) == 1
    assert sum(map(is_closed, seeds)) == 7


async def test_a_lock_during_a_decryption_keeps_nothing(vault: Vault, seeds: list[Seed]) -> None:
    """Who waited gets its key; the seed is not kept, and a request after the lock starts a decryption of its own."""
    keyring, wallet = vault.keyring(), await vault.wallet()
    vault.encryption.gate.clear()
    before = asyncio.create_task(keyring.key(wallet, ETH, 0))
    await settle()

    assert keyring.lock() == 0
    after = asyncio.create_task(keyring.key(wallet, ETH, 0))
    await settle()
    vault.encryption.gate.set()
    keys = await asyncio.gather(before, after)

    assert keys[0] == keys[1]
    assert vault.encryption.decryptions == 2
    assert len(keyring) == 1
    assert sorted(map(is_closed, seeds)) == [False, True]


async def test_a_waiter_that_goes_away_does_not_end_the_others(vault: Vault) -> None:
    """Cancelling one request, even the one that came first, leaves the decryption to the others."""
    keyring, wallet = vault.keyring(), await vault.wallet()
    vault.encryption.gate.clear()
    waiters = [asyncio.create_task(keyring.key(wallet, ETH, 0)) for _ in range(3)]
    await settle()

    waiters[0].cancel()
    await settle()
    vault.encryption.gate.set()
    results = await asyncio.gather(*waiters, return_exceptions=True)

    assert isinstance(results[0], asyncio.CancelledError)
    assert results[1] == results[2]
    assert vault.encryption.decryptions == 1


async def test_a_decryption_that_nobody_waits_for_any_more_ends_quietly(vault: Vault, seeds: list[Seed]) -> None:
    """When all waiters have gone and the keyring was locked, the seed is closed as it comes, and no task is lost on the way."""
    keyring, wallet = vault.keyring(), await vault.wallet()
    vault.encryption.gate.clear()
    waiter = asyncio.create_task(keyring.key(wallet, ETH, 0))
    await settle()
    waiter.cancel()
    keyring.lock()
    await settle()
    gc.collect()

    vault.encryption.gate.set()
    await asyncio.gather(*keyring._tasks)

    assert len(keyring) == 0
    assert [is_closed(seed) for seed in seeds] == [True]


async def test_a_failure_reaches_every_waiter_and_is_not_kept(vault: Vault) -> None:
    """All who wait get the error, and the next request tries again."""
    keyring, wallet = vault.keyring(), await vault.wallet()
    vault.encryption.away = True

    results = await asyncio.gather(*(keyring.key(wallet, ETH, 0) for _ in range(3)), return_exceptions=True)
    vault.encryption.away = False
    key = await keyring.key(wallet, ETH, 0)

    assert [KeyEncryptionUnavailableError] * 3 == [type(result) for result in results]
    assert key.reveal()
    assert vault.encryption.decryptions == 2


async def test_a_failure_that_nobody_waits_for_is_not_reported_as_lost(vault: Vault) -> None:
    """The only waiter has gone when the backend fails: nothing is logged as never retrieved (warnings are errors here)."""
    keyring, wallet = vault.keyring(), await vault.wallet()
    vault.encryption.gate.clear()
    waiter = asyncio.create_task(keyring.key(wallet, ETH, 0))
    await settle()
    waiter.cancel()
    vault.encryption.away = True

    vault.encryption.gate.set()
    await asyncio.gather(*keyring._tasks, return_exceptions=True)
    await settle()
    gc.collect()

    assert keyring._tasks == set()


async def test_a_cancelled_decryption_leaves_nothing_behind(vault: Vault) -> None:
    """When the loop ends and cancels the decryption itself, its waiters are cancelled and the keyring is as before."""
    keyring, wallet = vault.keyring(), await vault.wallet()
    vault.encryption.gate.clear()
    waiter = asyncio.create_task(keyring.key(wallet, ETH, 0))
    await settle()

    for task in keyring._tasks:
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter

    vault.encryption.gate.set()
    assert (await keyring.key(wallet, ETH, 0)).reveal()


async def test_a_wallet_held_unlocked_serves_its_block_to_the_end(vault: Vault, seeds: list[Seed]) -> None:
    """A lock meanwhile forgets it for everybody else; the block still gets keys, and closes the seed when it ends."""
    keyring = vault.keyring()
    wallet = await vault.wallet()

    async with keyring.unlocked(wallet) as keys:
        first = keys(ETH, 0)
        keyring.lock()
        again = keys(ETH, 0)
        was_closed = is_closed(seeds[0])

    assert first == again
    assert not was_closed
    assert len(keyring) == 0
    assert is_closed(seeds[0])


async def test_holding_an_unlocked_wallet_decrypts_nothing(vault: Vault) -> None:
    """It is there already, and stays."""
    keyring = vault.keyring()
    wallet = await vault.wallet()
    key = await keyring.key(wallet, ETH, 0)

    async with keyring.unlocked(wallet) as keys:
        assert keys(ETH, 0) == key

    assert vault.encryption.decryptions == 1
    assert len(keyring) == 1
