"""The keyring: the right key of the right wallet, a bounded number of seeds for a bounded time, and nothing left open behind it."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from tests.fakes import FakeKeyEncryption
from tests.known_phrase import FIRST_ADDRESSES
from tests.wallets.keyring_house import ETH, SOL, TON, Vault, is_closed
from wallets.derivation import DerivationScheme
from wallets.errors import CorruptCiphertextError, WalletNotFoundError
from wallets.model import Wallet
from wallets.secret import Seed


async def test_a_key_is_the_one_of_its_account(vault: Vault) -> None:
    """The key of an account is the one its address belongs to, per network and index."""
    keyring, wallet = vault.keyring(), await vault.wallet()

    with await keyring.key(wallet, ETH, 0) as first, await keyring.key(wallet, ETH, 1) as second:
        assert ETH.address(first.public_key, wallet.scheme) == FIRST_ADDRESSES["eth"]
        assert first != second
    with await keyring.key(wallet, SOL, 0) as solana:
        assert SOL.address(solana.public_key, wallet.scheme) == FIRST_ADDRESSES["sol"]


async def test_the_scheme_of_the_wallet_is_followed(vault: Vault) -> None:
    """The same phrase under another scheme has other keys."""
    keyring = vault.keyring()
    standard, old = await vault.wallet(), await vault.wallet(DerivationScheme.V1_0_8)

    with await keyring.key(standard, SOL, 0) as ours, await keyring.key(old, SOL, 0) as theirs:
        assert ours != theirs


async def test_an_unlocked_wallet_is_not_decrypted_again(vault: Vault) -> None:
    """Every account of an unlocked wallet comes without a decryption."""
    keyring, wallet = vault.keyring(), await vault.wallet()

    for chain in (ETH, SOL, TON, ETH):
        (await keyring.key(wallet, chain, 0)).close()

    assert vault.encryption.decryptions == 1
    assert len(keyring) == 1


async def test_a_key_is_the_callers_own(vault: Vault) -> None:
    """Closing a key, as every caller does, leaves the next caller's alone; locking leaves one that is in use alone."""
    keyring, wallet = vault.keyring(), await vault.wallet()

    first = await keyring.key(wallet, ETH, 0)
    second = await keyring.key(wallet, ETH, 0)
    first.close()
    keyring.lock()

    assert second.reveal()


async def test_a_seed_is_forgotten_after_its_time(vault: Vault, seeds: list[Seed]) -> None:
    """Use does not prolong a seed's time; when it is over the seed is closed and the next request decrypts again."""
    keyring, wallet = vault.keyring(ttl_seconds=60), await vault.wallet()
    await keyring.key(wallet, ETH, 0)
    vault.clock.now += 59
    await keyring.key(wallet, ETH, 0)
    assert vault.encryption.decryptions == 1

    vault.clock.now += 1
    await keyring.key(wallet, ETH, 0)

    assert vault.encryption.decryptions == 2
    assert [is_closed(seed) for seed in seeds] == [True, False]


async def test_seeds_expire_without_requests(vault: Vault, seeds: list[Seed]) -> None:
    """`expire` forgets those whose time is over, however recently used, and no others."""
    keyring = vault.keyring(ttl_seconds=60)
    old, new = await vault.wallet(), await vault.wallet()
    await keyring.key(old, ETH, 0)
    vault.clock.now += 30
    await keyring.key(new, ETH, 0)
    await keyring.key(old, ETH, 0)

    vault.clock.now += 30
    keyring.expire()

    assert [is_closed(seed) for seed in seeds] == [True, False]
    assert len(keyring) == 1


async def test_the_least_recently_used_seed_goes_and_is_closed(vault: Vault, seeds: list[Seed]) -> None:
    """Beyond the bound, the wallet that was not used for longest is locked, and only that."""
    keyring = vault.keyring(max_seeds=2)
    first, second, third = [await vault.wallet() for _ in range(3)]
    await keyring.key(first, ETH, 0)
    await keyring.key(second, ETH, 0)
    await keyring.key(first, ETH, 0)

    await keyring.key(third, ETH, 0)

    assert len(keyring) == 2
    assert [is_closed(seed) for seed in seeds] == [False, True, False]


@pytest.mark.parametrize(("max_seeds", "ttl_seconds"), [(0, 60), (10, 0)])
async def test_nothing_is_kept_when_it_must_not_be(vault: Vault, seeds: list[Seed], max_seeds: int, ttl_seconds: float) -> None:
    """With a bound of 0, every request decrypts, waiters still share, and the seed is closed as soon as the last has its key."""
    keyring, wallet = vault.keyring(max_seeds=max_seeds, ttl_seconds=ttl_seconds), await vault.wallet()

    keys = [*await asyncio.gather(keyring.key(wallet, ETH, 0), keyring.key(wallet, ETH, 1)), await keyring.key(wallet, ETH, 0)]

    assert all(key.reveal() for key in keys)
    assert len(keyring) == 0
    assert vault.encryption.decryptions == 2
    assert all(is_closed(seed) for seed in seeds)


async def test_a_lock_forgets_every_seed(vault: Vault, seeds: list[Seed]) -> None:
    """Locking closes all, says how many there were, and the next request decrypts."""
    keyring = vault.keyring()
    wallets = [await vault.wallet() for _ in range(3)]
    for wallet in wallets:
        await keyring.key(wallet, ETH, 0)

    assert keyring.lock() == 3
    assert (len(keyring), keyring.lock()) == (0, 0)
    assert all(is_closed(seed) for seed in seeds)

    await keyring.key(wallets[0], ETH, 0)
    assert vault.encryption.decryptions == 4


async def test_an_unknown_wallet_is_not_found(vault: Vault) -> None:
    """A wallet without a ciphertext is not found."""
    wallet = Wallet(uuid4(), "wallet", DerivationScheme.STANDARD, datetime.now(UTC))

    with pytest.raises(WalletNotFoundError):
        await vault.keyring().key(wallet, ETH, 0)


async def test_a_ciphertext_of_another_wallet_or_scheme_does_not_open(vault: Vault) -> None:
    """A ciphertext moved to another wallet's row, or a changed scheme, is refused by the associated data."""
    keyring = vault.keyring()
    ours, theirs = await vault.wallet(), await vault.wallet()
    vault.ciphertexts.rows[theirs.id] = vault.ciphertexts.rows[ours.id]
    changed = Wallet(ours.id, ours.label, DerivationScheme.V1_0_8, ours.created_at)

    with pytest.raises(CorruptCiphertextError):
        await keyring.key(theirs, ETH, 0)
    with pytest.raises(CorruptCiphertextError):
        await keyring.key(changed, ETH, 0)


async def test_the_mnemonic_is_closed_once_it_is_stretched(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    """The phrase itself lives no longer than its decryption."""
    seen = []
    original = FakeKeyEncryption.decrypt

    async def decrypt(self: FakeKeyEncryption, ciphertext: str, *, associated_data: bytes) -> object:
        seen.append(await original(self, ciphertext, associated_data=associated_data))
        return seen[-1]

    monkeypatch.setattr(FakeKeyEncryption, "decrypt", decrypt)
    await vault.keyring().key(await vault.wallet(), ETH, 0)

    (mnemonic,) = seen
    with pytest.raises(ValueError, match="closed"):
        mnemonic.reveal()


async def test_a_seed_is_unlocked_for_its_scheme_alone(vault: Vault) -> None:
    """A row whose scheme is changed while the wallet is unlocked is decrypted anew, and its ciphertext refused."""
    keyring, wallet = vault.keyring(), await vault.wallet()
    with await keyring.key(wallet, SOL, 0):
        pass

    with pytest.raises(CorruptCiphertextError):
        await keyring.key(replace(wallet, scheme=DerivationScheme.V1_0_8), SOL, 0)
