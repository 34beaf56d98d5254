"""The contract of `wallets.ports.WalletStore`, on the fake and on PostgreSQL."""

import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tests.adapters.conftest import AT, Storage, new_event, new_wallet
from wallets.derivation import DerivationScheme
from wallets.errors import ConflictError, StoreUnavailableError, WalletNotFoundError
from wallets.model import MAX_LISTED, Position, Stretch, Wallet


async def test_a_wallet_comes_back_as_it_was_kept(storage: Storage) -> None:
    """Every field, to the microsecond."""
    wallet = Wallet(uuid4(), "Ünï ✓ 'quoted'", DerivationScheme.V1_0_8, AT)
    await storage.store.add(wallet, "vault:v1:abc", new_event(wallet.id))

    found = await storage.store.get(wallet.id)

    assert found == wallet
    assert await storage.store.encrypted_mnemonic(wallet.id) == "vault:v1:abc"


async def test_a_wallet_is_kept_with_its_audit_row(storage: Storage) -> None:
    """Keeping a wallet writes exactly its event."""
    wallet = new_wallet()
    event = new_event(wallet.id, label="deposits")

    await storage.store.add(wallet, "vault:v1:abc", event)

    assert [event] == list(await storage.events())


async def test_the_same_id_twice_is_a_conflict(storage: Storage) -> None:
    """The first wallet stays as it is, and no audit row tells of a second."""
    wallet = new_wallet()
    await storage.store.add(wallet, "vault:v1:first", new_event(wallet.id))

    with pytest.raises(ConflictError):
        await storage.store.add(new_wallet("other", wallet_id=wallet.id), "vault:v1:second", new_event(wallet.id))

    assert await storage.store.encrypted_mnemonic(wallet.id) == "vault:v1:first"
    assert len(await storage.events()) == 1


async def test_an_unknown_wallet_is_not_found(storage: Storage) -> None:
    """Neither it nor its ciphertext."""
    with pytest.raises(WalletNotFoundError):
        await storage.store.get(uuid4())
    with pytest.raises(WalletNotFoundError):
        await storage.store.encrypted_mnemonic(uuid4())


async def test_pages_are_newest_first(storage: Storage) -> None:
    """Pages follow each other without a gap; the total counts all."""
    kept = [new_wallet(f"wallet {number}", created_at=AT + timedelta(seconds=number)) for number in range(5)]
    for wallet in kept:
        await storage.store.add(wallet, "vault:v1:x", new_event(wallet.id))

    pages = [await storage.store.page(number, 2) for number in (1, 2, 3, 4)]

    assert [list(reversed(kept))[start : start + 2] for start in (0, 2, 4, 6)] == [list(page.wallets) for page in pages]
    assert {(page.size, page.total) for page in pages} == {(2, 5)}


async def test_wallets_of_one_instant_have_an_order(storage: Storage) -> None:
    """Pages do not repeat or lose wallets that were created at the same time."""
    kept = {wallet.id: wallet for wallet in (new_wallet() for _ in range(6))}
    for wallet in kept.values():
        await storage.store.add(wallet, "vault:v1:x", new_event(wallet.id))

    pages = [await storage.store.page(number, 2) for number in (1, 2, 3)]

    assert kept.keys() == {wallet.id for page in pages for wallet in page.wallets}


@pytest.mark.parametrize("size", [1, 2, 5, MAX_LISTED])
async def test_stretches_are_newest_first(storage: Storage, size: int) -> None:
    """They follow each other without a gap, also among wallets of one instant, and the last one says that it is."""
    kept = [new_wallet(f"wallet {number}", created_at=AT + timedelta(microseconds=number // 2)) for number in range(5)]
    for wallet in kept:
        await storage.store.add(wallet, "vault:v1:x", new_event(wallet.id))

    found, position, more = list[Wallet](), None, True
    while more:
        stretch = await storage.store.older(position, size)
        found += stretch.wallets
        position, more = stretch.wallets[-1].position, stretch.has_older

    assert sorted(kept, key=lambda wallet: (wallet.created_at, wallet.id), reverse=True) == found


async def test_behind_the_oldest_is_nothing(storage: Storage) -> None:
    """Nor is there in an empty store, or before the first year that there is."""
    positions = [None, Position(datetime.min.replace(tzinfo=UTC), uuid4()), Position(datetime.max.replace(tzinfo=UTC), uuid4())]

    assert [await storage.store.older(position, 2) for position in positions] == [Stretch((), has_older=False)] * 3


async def test_a_page_far_beyond_the_last_is_empty(storage: Storage) -> None:
    """Also one whose first row no 64-bit number counts."""
    page = await storage.store.page(2**62, 100)

    assert page.wallets == ()
    assert page.total == 0


async def test_a_store_that_is_away_says_so_in_time(storage_away: Storage) -> None:
    """Every method, with the port's error."""
    wallet = new_wallet()
    start = time.monotonic()

    with pytest.raises(StoreUnavailableError):
        await storage_away.store.add(wallet, "vault:v1:x", new_event(wallet.id))
    with pytest.raises(StoreUnavailableError):
        await storage_away.store.get(wallet.id)
    with pytest.raises(StoreUnavailableError):
        await storage_away.store.encrypted_mnemonic(wallet.id)
    with pytest.raises(StoreUnavailableError):
        await storage_away.store.page(1, 20)
    with pytest.raises(StoreUnavailableError):
        await storage_away.store.older(None, 20)

    assert time.monotonic() - start < 10
