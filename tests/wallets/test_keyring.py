"""The keyring: one decryption for all who wait, a bounded number of seeds for a bounded time, and nothing left open behind it."""

import asyncio
import gc
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from tests.fakes import FakeKeyEncryption
from wallets import keyring as keyring_module
from wallets.chains import chain_for
from wallets.derivation import DerivationScheme
from wallets.errors import CorruptCiphertextError, KeyEncryptionUnavailableError, WalletNotFoundError
from wallets.keyring import Keyring, associated_data
from wallets.mnemonic import parse, to_seed
from wallets.model import Wallet
from wallets.secret import Mnemonic, Seed

PHRASE = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"
ETH, SOL, TON = chain_for("eth"), chain_for("sol"), chain_for("ton")
FIRST_ETH_ADDRESS = "0x9858EfFD232B4033E47d90003D41EC34EcaEda94"


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


class Ciphertexts:
    """The ciphertexts of the test's wallets."""

    def __init__(self) -> None:
        self.rows: dict[object, str] = {}

    async def encrypted_mnemonic(self, wallet_id: object) -> str:
        """See `EncryptedMnemonics`."""
        await asyncio.sleep(0)
        if wallet_id not in self.rows:
            msg = "no wallet has this id"
            raise WalletNotFoundError(msg)
        return self.rows[wallet_id]


class Vault:
    """A keyring with its surroundings."""

    def __init__(self) -> None:
        self.encryption = FakeKeyEncryption()
        self.ciphertexts = Ciphertexts()
        self.clock = Clock()

    def keyring(self, *, max_seeds: int = 10, ttl_seconds: float = 60) -> Keyring:
        """Make a keyring."""
        return Keyring(self.ciphertexts, self.encryption, max_seeds=max_seeds, ttl_seconds=ttl_seconds, clock=self.clock)

    async def wallet(self, scheme: DerivationScheme = DerivationScheme.STANDARD) -> Wallet:
        """Make a wallet of the known phrase."""
        wallet = Wallet(uuid4(), "wallet", scheme, datetime.now(UTC))
        self.ciphertexts.rows[wallet.id] = await self.encryption.encrypt(parse(PHRASE), associated_data=associated_data(wallet))
        return wallet


@pytest.fixture
def vault() -> Vault:
    """A keyring's surroundings."""
    return Vault()


@pytest.fixture
def seeds(monkeypatch: pytest.MonkeyPatch) -> list[Seed]:
    """Every seed that is unlocked in the test: it must be closed at some time, and this tells whether it is."""
    made: list[Seed] = []

    def recorded(mnemonic: Mnemonic) -> Seed:
        made.append(to_seed(mnemonic))
        return made[-1]

    monkeypatch.setattr(keyring_module, "to_seed", recorded)
    return made


def is_closed(seed: Seed) -> bool:
    """Tell whether a secret has been closed."""
    return not seed._buffer


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_key_is_the_one_of_its_account(vault: Vault) -> None:
    """The key of an account is the one its address belongs to, per network and index."""
    keyring, wallet = vault.keyring(), await vault.wallet()

    with await keyring.key(wallet, ETH, 0) as first, await keyring.key(wallet, ETH, 1) as second:
        assert ETH.address(first.public_key, wallet.scheme) == FIRST_ETH_ADDRESS
        assert first != second
    with await keyring.key(wallet, SOL, 0) as solana:
        assert SOL.address(solana.public_key, wallet.scheme) == "HAgk14JpMQLgt6rVgv7cBQFJWFto5Dqxi472uT3DKpqk"


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


async def test_the_keys_of_a_wallet_are_bounded(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    """The least recently used key of a wallet goes, and is derived again when it is asked for."""
    monkeypatch.setattr(keyring_module, "MAX_KEYS_PER_WALLET", 2)
    keyring, wallet = vault.keyring(), await vault.wallet()
    first = await keyring.key(wallet, ETH, 0)
    await keyring.key(wallet, ETH, 1)
    await keyring.key(wallet, ETH, 0)

    await keyring.key(wallet, ETH, 2)

    (unlocked,) = keyring._unlocked.values()
    assert [index for _, _, index in unlocked._keys] == [0, 2]
    assert first == await keyring.key(wallet, ETH, 0)
    assert (await keyring.key(wallet, ETH, 1)).reveal()


async def test_a_seed_is_unlocked_for_its_scheme_alone(vault: Vault) -> None:
    """A row whose scheme is changed while the wallet is unlocked is decrypted anew, and its ciphertext refused."""
    keyring, wallet = vault.keyring(), await vault.wallet()
    with await keyring.key(wallet, SOL, 0):
        pass

    with pytest.raises(CorruptCiphertextError):
        await keyring.key(replace(wallet, scheme=DerivationScheme.V1_0_8), SOL, 0)
