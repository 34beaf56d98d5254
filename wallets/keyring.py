"""Keep a bounded number of seeds unlocked for a bounded time, and the account keys derived from them."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol
from uuid import UUID

from wallets.chains.base import Chain
from wallets.derivation import DerivationPath, derive
from wallets.mnemonic import to_seed
from wallets.model import Wallet
from wallets.ports import KeyEncryption
from wallets.secret import PrivateKey, Seed

MAX_KEYS_PER_WALLET = 1_000


class EncryptedMnemonics(Protocol):
    """Where the ciphertexts are: the one method of `WalletStore` that the keyring needs."""

    async def encrypted_mnemonic(self, wallet_id: UUID) -> str:
        """See `wallets.ports.WalletStore.encrypted_mnemonic`."""
        ...


def associated_data(wallet: Wallet) -> bytes:
    """Return what binds a ciphertext to its wallet: moved to another row or scheme, it does not decrypt."""
    return f"{wallet.id}:{wallet.scheme}".encode()


class _Unlocked:
    """One wallet's seed and the keys derived from it so far, the least recently used first."""

    __slots__ = ("keys", "seed", "until")

    def __init__(self, seed: Seed, until: float) -> None:
        self.seed = seed
        self.keys: OrderedDict[tuple[str, int], PrivateKey] = OrderedDict()
        self.until = until

    def close(self) -> None:
        self.seed.close()
        for key in self.keys.values():
            key.close()


class Keyring:
    """Unlock accounts. The only caller of `KeyEncryption.decrypt`.

    Requests that wait for the same wallet share one decryption. A seed is forgotten `ttl_seconds` after it was unlocked, however often it
    is used, and the least recently used goes when there are more than `max_seeds`. With either at 0 nothing is kept.
    """

    def __init__(
        self,
        mnemonics: EncryptedMnemonics,
        encryption: KeyEncryption,
        *,
        max_seeds: int = 1_000,
        ttl_seconds: float = 300,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._mnemonics = mnemonics
        self._encryption = encryption
        self._max_seeds = max_seeds
        self._ttl_seconds = ttl_seconds
        self._clock = clock
        self._unlocked: OrderedDict[UUID, _Unlocked] = OrderedDict()
        self._waiting: dict[UUID, asyncio.Task[_Unlocked]] = {}
        self._generation = 0

    def __len__(self) -> int:
        return len(self._unlocked)

    async def key(self, wallet: Wallet, chain: Chain, index: int) -> PrivateKey:
        """Return the account's key, decrypting the mnemonic only when the wallet is not unlocked.

        The key belongs to the keyring, which may close it at the next await: sign before awaiting anything.

        Raises:
            CorruptCiphertextError: The ciphertext is not this wallet's.
            KeyEncryptionUnavailableError: The key backend is away.
            StoreUnavailableError: The database is away.
        """
        self.expire()
        unlocked = self._unlocked.get(wallet.id)
        if unlocked is None:
            unlocked = await self._unlock(wallet)
        else:
            self._unlocked.move_to_end(wallet.id)
        return _account_key(unlocked, wallet, chain, index)

    def expire(self) -> None:
        """Forget what has been unlocked for longer than `ttl_seconds`."""
        now = self._clock()
        # Every seed gets the same time, but use reorders them: all are looked at, which a bounded number allows.
        for wallet_id in [wallet_id for wallet_id, unlocked in self._unlocked.items() if unlocked.until <= now]:
            self._unlocked.pop(wallet_id).close()

    def lock(self) -> int:
        """Forget every unlocked seed, also those being decrypted now; return how many were unlocked."""
        self._generation += 1
        self._waiting.clear()
        count = len(self._unlocked)
        while self._unlocked:
            self._unlocked.popitem()[1].close()
        return count

    async def _unlock(self, wallet: Wallet) -> _Unlocked:
        task = self._waiting.get(wallet.id)
        if task is None:
            task = asyncio.create_task(self._decrypt(wallet, self._generation))
            self._waiting[wallet.id] = task
            task.add_done_callback(lambda done: self._forget(wallet.id, done))
        # A waiting client that goes away must not end the decryption of the others.
        return await asyncio.shield(task)

    async def _decrypt(self, wallet: Wallet, generation: int) -> _Unlocked:
        ciphertext = await self._mnemonics.encrypted_mnemonic(wallet.id)
        with await self._encryption.decrypt(ciphertext, associated_data=associated_data(wallet)) as mnemonic:
            seed = await asyncio.to_thread(to_seed, mnemonic)
        unlocked = _Unlocked(seed, self._clock() + self._ttl_seconds)
        if generation == self._generation and self._max_seeds > 0 and self._ttl_seconds > 0:
            self._keep(wallet.id, unlocked)
        return unlocked

    def _keep(self, wallet_id: UUID, unlocked: _Unlocked) -> None:
        self._unlocked[wallet_id] = unlocked
        while len(self._unlocked) > self._max_seeds:
            self._unlocked.popitem(last=False)[1].close()

    def _forget(self, wallet_id: UUID, task: asyncio.Task[_Unlocked]) -> None:
        if self._waiting.get(wallet_id) is task:
            del self._waiting[wallet_id]
        if not task.cancelled():
            task.exception()  # every waiter may have gone: then nobody else asks for it


def _account_key(unlocked: _Unlocked, wallet: Wallet, chain: Chain, index: int) -> PrivateKey:
    path = chain.paths[wallet.scheme]
    key = unlocked.keys.get((path, index))
    if key is None:
        key = derive(unlocked.seed, DerivationPath.parse(path.format(index=index)), chain.curve, wallet.scheme)
        unlocked.keys[path, index] = key
        if len(unlocked.keys) > MAX_KEYS_PER_WALLET:
            unlocked.keys.popitem(last=False)[1].close()
    else:
        unlocked.keys.move_to_end((path, index))
    return key
