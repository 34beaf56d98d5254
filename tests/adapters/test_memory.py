"""What a process remembers by itself."""

from uuid import UUID

import pytest

from adapters.memory import CachedWalletStore, LruAddressCache
from tests.adapters.conftest import new_event, new_wallet
from tests.fakes import FakeWalletStore
from wallets.errors import WalletNotFoundError
from wallets.model import Account, Wallet


def account(index: int) -> Account:
    """Return one of a wallet's accounts."""
    return Account(UUID(int=1), "eth", index)


async def test_the_address_used_longest_ago_is_forgotten() -> None:
    """Reading counts as use."""
    cache = LruAddressCache(capacity=2)
    await cache.put(account(1), "0x1")
    await cache.put(account(2), "0x2")
    await cache.get(account(1))

    await cache.put(account(3), "0x3")

    assert [await cache.get(account(index)) for index in (1, 2, 3)] == ["0x1", None, "0x3"]
    assert len(cache) == 2


class CountingStore(FakeWalletStore):
    """A store that counts how often it is asked for a wallet."""

    asked = 0

    async def get(self, wallet_id: UUID) -> Wallet:
        """See `WalletStore.get`."""
        self.asked += 1
        return await super().get(wallet_id)


async def test_a_wallet_is_remembered_for_a_while() -> None:
    """The store is asked once, and again when the time is over."""
    store, now = CountingStore(), [0.0]
    cached = CachedWalletStore(store, ttl_seconds=30, clock=lambda: now[0])
    wallet = new_wallet()
    await cached.add(wallet, "fake:v1:x", new_event(wallet.id))

    first = [await cached.get(wallet.id) for _ in range(3)]
    now[0] = 30.0
    later = await cached.get(wallet.id)

    assert [*first, later] == [wallet] * 4
    assert store.asked == 2


async def test_an_unknown_wallet_is_not_remembered() -> None:
    """It may be created in the next moment."""
    store = CountingStore()
    cached = CachedWalletStore(store)
    wallet = new_wallet()

    with pytest.raises(WalletNotFoundError):
        await cached.get(wallet.id)
    await cached.add(wallet, "fake:v1:x", new_event(wallet.id))

    assert await cached.get(wallet.id) == wallet


async def test_the_wallets_used_last_are_remembered() -> None:
    """Beyond the capacity the one unused for longest goes."""
    store = CountingStore()
    cached = CachedWalletStore(store, capacity=2)
    first, second, third = wallets = [new_wallet() for _ in range(3)]
    for wallet in wallets:
        await cached.add(wallet, "fake:v1:x", new_event(wallet.id))

    for wallet in (first, second, first, third, first):
        await cached.get(wallet.id)

    assert (len(cached), store.asked) == (2, 3)
    await cached.get(second.id)
    assert store.asked == 4


async def test_everything_else_is_the_stores() -> None:
    """Pages and ciphertexts are never remembered."""
    store = FakeWalletStore()
    cached = CachedWalletStore(store)
    wallet = new_wallet()
    await cached.add(wallet, "fake:v1:x", new_event(wallet.id))
    store.replace_ciphertext(wallet.id, "fake:v1:y")

    assert await cached.encrypted_mnemonic(wallet.id) == "fake:v1:y"
    assert (await cached.page(1, 10)).wallets == (wallet,)
