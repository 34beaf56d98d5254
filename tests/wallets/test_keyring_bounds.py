"""The keyring's keys are bounded, its watcher is told of what happens, and a corrupt ciphertext is refused, once it is sure to be one."""

import asyncio

import pytest

from tests.known_phrase import FIRST_ADDRESSES
from tests.wallets.keyring_house import ETH, CountingWatcher, Vault, is_closed, recorded_keys, settle
from wallets import keyring as keyring_module
from wallets.errors import CorruptCiphertextError


async def test_the_keys_of_all_wallets_together_are_bounded(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key that was not used for longest goes, whosever it is, and is closed; asked for again it is derived, without a decryption."""
    monkeypatch.setattr(keyring_module, "MAX_KEYS", 3)
    derived = recorded_keys(monkeypatch)
    keyring, wallets = vault.keyring(), [await vault.wallet() for _ in range(2)]
    first = await keyring.key(wallets[0], ETH, 0)
    for wallet, index in ((wallets[0], 1), (wallets[1], 0), (wallets[0], 0)):
        await keyring.key(wallet, ETH, index)

    await keyring.key(wallets[1], ETH, 1)

    assert [is_closed(key) for key in derived] == [False, True, False, False]
    assert first == await keyring.key(wallets[0], ETH, 0)
    assert len(derived) == 4
    assert (await keyring.key(wallets[0], ETH, 1)).reveal() == derived[4].reveal()
    assert (len(keyring._keys), vault.encryption.decryptions) == (3, 2)


async def test_a_wallet_that_goes_takes_its_keys_along(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its seed every key of a wallet is closed, and those of others stay."""
    derived = recorded_keys(monkeypatch)
    keyring, wallets = vault.keyring(max_seeds=1), [await vault.wallet() for _ in range(2)]
    for index in range(3):
        await keyring.key(wallets[0], ETH, index)

    await keyring.key(wallets[1], ETH, 0)

    assert [is_closed(key) for key in derived] == [True, True, True, False]
    assert len(keyring._keys) == 1
    keyring.lock()
    assert (len(keyring._keys), is_closed(derived[3])) == (0, True)


async def test_the_watcher_knows_how_many_seeds_are_unlocked(vault: Vault) -> None:
    """It is told at the beginning, and of every seed that comes, goes, expires or is locked."""
    watcher = CountingWatcher()
    keyring = vault.keyring(max_seeds=2, ttl_seconds=60, watcher=watcher)
    counts = [watcher.count]
    for _ in range(3):
        await keyring.key(await vault.wallet(), ETH, 0)
        counts.append(watcher.count)

    vault.clock.now += 60
    keyring.expire()
    counts.append(watcher.count)
    await keyring.key(await vault.wallet(), ETH, 0)
    keyring.lock()
    counts.append(watcher.count)

    assert counts == [0, 1, 2, 2, 0, 0]
    assert watcher.refused == 0


async def test_a_ciphertext_that_does_not_decrypt_is_counted_once(vault: Vault) -> None:
    """However many wait for it; what is away is no such thing."""
    watcher = CountingWatcher()
    keyring, wallet = vault.keyring(watcher=watcher), await vault.wallet()
    vault.encryption.away = True
    await asyncio.gather(keyring.key(wallet, ETH, 0), return_exceptions=True)
    vault.encryption.away = False
    assert watcher.refused == 0

    vault.ciphertexts.rows[wallet.id] += "x"
    results = await asyncio.gather(*(keyring.key(wallet, ETH, 0) for _ in range(3)), return_exceptions=True)

    assert [CorruptCiphertextError] * 3 == [type(result) for result in results]
    assert (watcher.refused, vault.encryption.decryptions) == (1, 2)


async def test_a_ciphertext_that_was_replaced_on_the_way_is_read_again(vault: Vault) -> None:
    """It was rewrapped, and its old key version is not accepted any more: the new one is taken, and nothing is counted as corrupt."""
    watcher = CountingWatcher()
    keyring, wallet = vault.keyring(watcher=watcher), await vault.wallet()
    rewrapped, vault.ciphertexts.rows[wallet.id] = vault.ciphertexts.rows[wallet.id], "fake:v0:"
    vault.encryption.gate.clear()
    waiter = asyncio.create_task(keyring.key(wallet, ETH, 0))
    await settle()

    vault.ciphertexts.rows[wallet.id] = rewrapped
    vault.encryption.gate.set()
    with await waiter as key:
        assert ETH.address(key.public_key, wallet.scheme) == FIRST_ADDRESSES["eth"]

    assert (watcher.refused, vault.encryption.decryptions) == (0, 2)


async def test_a_replacement_that_is_corrupt_too_is_refused(vault: Vault) -> None:
    """It is read again once, not for ever."""
    watcher = CountingWatcher()
    keyring, wallet = vault.keyring(watcher=watcher), await vault.wallet()
    vault.ciphertexts.rows[wallet.id] = "fake:v0:"
    vault.encryption.gate.clear()
    waiter = asyncio.create_task(keyring.key(wallet, ETH, 0))
    await settle()

    vault.ciphertexts.rows[wallet.id] = "fake:v00:"
    vault.encryption.gate.set()
    with pytest.raises(CorruptCiphertextError):
        await waiter

    assert (watcher.refused, vault.encryption.decryptions) == (1, 2)
