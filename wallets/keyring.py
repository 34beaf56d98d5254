"""Keep a bounded number of seeds unlocked for a bounded time, and the account keys derived from them."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Protocol
from uuid import UUID

from wallets.chains.base import Chain
from wallets.curves import Curve
from wallets.derivation import DerivationPath, DerivationScheme, derive, extended_public_key
from wallets.errors import CorruptCiphertextError
from wallets.mnemonic import to_seed
from wallets.model import Wallet
from wallets.ports import KeyEncryption
from wallets.secret import ExtendedPublicKey, Mnemonic, PrivateKey, Seed

MAX_KEYS = 50_000
"""Account keys kept at most, of all wallets together: some 25 MB. Seeds and time are the bounds that a setting moves; a key that is not
kept is derived again in 0.2 ms, and never gives away more than the seed beside it, so this one has no setting."""


class EncryptedMnemonics(Protocol):
    """Where the ciphertexts are: the one method of `WalletStore` that the keyring needs."""

    async def encrypted_mnemonic(self, wallet_id: UUID) -> str:
        """See `wallets.ports.WalletStore.encrypted_mnemonic`."""
        ...


class Watcher(Protocol):
    """Who counts what a keyring does."""

    def seeds_unlocked(self, count: int) -> None:
        """Take how many seeds are unlocked now."""
        ...

    def ciphertext_refused(self) -> None:
        """Count a ciphertext that does not decrypt."""
        ...


class Unwatched:
    """Nobody counts."""

    def seeds_unlocked(self, count: int) -> None:
        """See `Watcher.seeds_unlocked`."""

    def ciphertext_refused(self) -> None:
        """See `Watcher.ciphertext_refused`."""


class Keys(Protocol):
    """What lends the keys of one wallet."""

    def __call__(self, chain: Chain, index: int, variant: str = "") -> PrivateKey:
        """Lend the key of an account; whoever gets it closes it."""
        ...


_Place = tuple[UUID, DerivationScheme]
"""What a ciphertext is bound to, and so what a seed is unlocked for."""

_KeyPlace = tuple[Curve, str, int]


def _place(wallet: Wallet) -> _Place:
    return wallet.id, wallet.scheme


def associated_data(wallet: Wallet) -> bytes:
    """Return what binds a ciphertext to its wallet: moved to another row or scheme, it does not decrypt."""
    return f"{wallet.id}:{wallet.scheme}".encode()


class _Keys:
    """The keys that were derived from the unlocked seeds, the least recently used first, and no more than `MAX_KEYS`."""

    __slots__ = ("_keys",)

    def __init__(self) -> None:
        self._keys: OrderedDict[tuple[_Unlocked, _KeyPlace], PrivateKey] = OrderedDict()

    def __len__(self) -> int:
        return len(self._keys)

    def get(self, owner: "_Unlocked", place: _KeyPlace) -> PrivateKey | None:
        """Return the key if it is kept."""
        key = self._keys.get((owner, place))
        if key is not None:
            self._keys.move_to_end((owner, place))
        return key

    def keep(self, owner: "_Unlocked", place: _KeyPlace, key: PrivateKey) -> None:
        """Keep a key, and close the one that was not used for longest if there are too many."""
        self._keys[owner, place] = key
        owner.places.add(place)
        if len(self._keys) > MAX_KEYS:
            (loser, lost), oldest = self._keys.popitem(last=False)
            loser.places.remove(lost)
            oldest.close()

    def drop_all_of(self, owner: "_Unlocked") -> None:
        """Close the keys of one seed."""
        while owner.places:
            self._keys.pop((owner, owner.places.pop())).close()


class _Unlocked:
    """One wallet's seed. `places` says which of `keys` were derived from it.

    It is made before its seed is there. Requests wait for `opening`, and are counted, so that a seed that is dropped while some of them
    have still to run is closed by the last of them and not under their hands.
    """

    __slots__ = ("_is_dropped", "_keys", "_seed", "_waiting", "opening", "places", "until")

    def __init__(self, keys: _Keys) -> None:
        self.opening: asyncio.Task[None] | None = None
        self.places: set[_KeyPlace] = set()
        self.until = 0.0
        self._keys = keys
        self._seed: Seed | None = None
        self._waiting = 0
        self._is_dropped = False

    def fill(self, seed: Seed, until: float) -> None:
        """Take the seed. `until` is when it must be forgotten."""
        self._seed = seed
        self.until = until

    async def wait(self) -> None:
        """Wait for the seed, and hold it until `release`."""
        assert self.opening is not None
        self._waiting += 1
        # A waiting client that goes away must not end the decryption of the others.
        await asyncio.shield(self.opening)

    def release(self) -> None:
        """Let go of what `wait` held, whether it came or not."""
        self._waiting -= 1
        self._close_if_unused()

    def drop(self) -> None:
        """Close the seed and the keys as soon as nobody waits for them."""
        self._is_dropped = True
        self._close_if_unused()

    def key(self, wallet: Wallet, chain: Chain, index: int, variant: str = "") -> PrivateKey:
        """Return the account's key, one of its own for its receiver, who closes it."""
        assert self._seed is not None
        place = (chain.curve, chain.path(wallet.scheme, variant), index)
        key = self._keys.get(self, place)
        if key is None:
            key = derive(self._seed, DerivationPath.parse(place[1].format(index=index)), chain.curve, wallet.scheme)
            self._keys.keep(self, place, key)
        return key.lend()

    def account_key(self, path: DerivationPath) -> ExtendedPublicKey:
        """Return the extended public key at `path`."""
        assert self._seed is not None
        return extended_public_key(self._seed, path)

    def _close_if_unused(self) -> None:
        if self._waiting or not self._is_dropped:
            return
        if self._seed is not None:
            self._seed.close()
        self._keys.drop_all_of(self)


class Keyring:
    """Unlock accounts. The only caller of `KeyEncryption.decrypt` for wallets.

    Requests that wait for the same wallet share one decryption. A seed is forgotten `ttl_seconds` after it was unlocked, however often it
    is used, and the least recently used goes when there are more than `max_seeds`. With either at 0 nothing is kept. `watcher` is told of
    every change.
    """

    def __init__(
        self,
        mnemonics: EncryptedMnemonics,
        encryption: KeyEncryption,
        *,
        max_seeds: int = 1_000,
        ttl_seconds: float = 300,
        clock: Callable[[], float] = time.monotonic,
        watcher: Watcher | None = None,
    ) -> None:
        self._mnemonics = mnemonics
        self._encryption = encryption
        self._max_seeds = max_seeds
        self._ttl_seconds = ttl_seconds
        self._clock = clock
        self._unlocked: OrderedDict[_Place, _Unlocked] = OrderedDict()
        """By last use, the longest ago first."""
        self._expiring: OrderedDict[_Place, None] = OrderedDict()
        """The same wallets by the time they were unlocked, which is the order they expire in."""
        self._opening: dict[_Place, _Unlocked] = {}
        self._keys = _Keys()
        self._tasks: set[asyncio.Task[None]] = set()
        self._watcher = watcher or Unwatched()
        self._watcher.seeds_unlocked(0)

    def __len__(self) -> int:
        return len(self._unlocked)

    async def key(self, wallet: Wallet, chain: Chain, index: int, variant: str = "") -> PrivateKey:
        """Return the account's key, decrypting the mnemonic only when the wallet is not unlocked. Close it after use.

        Raises:
            CorruptCiphertextError: The ciphertext is not this wallet's.
            InvalidRequestError: There is no key at this index (one in 2^127).
            KeyEncryptionUnavailableError: The key backend is away.
            StoreUnavailableError: The database is away.
            WalletNotFoundError: There is no such wallet.
        """
        async with self.unlocked(wallet) as keys:
            return keys(chain, index, variant)

    @asynccontextmanager
    async def unlocked(self, wallet: Wallet) -> AsyncIterator[Keys]:
        """Hold a wallet unlocked while the block runs, and lend its accounts' keys without waiting. Raises what `key` does.

        What is locked meanwhile is forgotten by everybody else at once, and here when the block ends.
        """
        unlocked = self._found(wallet)
        try:
            await unlocked.wait()
            yield partial(unlocked.key, wallet)
        finally:
            unlocked.release()

    async def account_key(self, wallet: Wallet, path: DerivationPath) -> ExtendedPublicKey:
        """Return the wallet's extended public key at `path`, on secp256k1. Raises what `key` does."""
        unlocked = self._found(wallet)
        try:
            await unlocked.wait()
            return unlocked.account_key(path)
        finally:
            unlocked.release()

    def expire(self) -> None:
        """Forget what has been unlocked for longer than `ttl_seconds`. Every request does; call it as well while there are none."""
        now = self._clock()
        while self._expiring:
            oldest = next(iter(self._expiring))
            if self._unlocked[oldest].until > now:
                return
            self._drop(oldest)

    def lock(self) -> int:
        """Forget every unlocked seed and return how many there were. One being decrypted now serves who waits for it, and no one else."""
        count = len(self._unlocked)
        for place in list(self._unlocked):
            self._drop(place)
        while self._opening:
            self._opening.popitem()[1].drop()
        return count

    def _found(self, wallet: Wallet) -> _Unlocked:
        """Return what is unlocked for the wallet, or will be; to be waited for, and released."""
        self.expire()
        place = _place(wallet)
        unlocked = self._unlocked.get(place)
        if unlocked is None:
            return self._opening.get(place) or self._open(wallet)
        self._unlocked.move_to_end(place)
        return unlocked

    def _open(self, wallet: Wallet) -> _Unlocked:
        unlocked = self._opening[_place(wallet)] = _Unlocked(self._keys)
        unlocked.opening = asyncio.create_task(self._decrypt(wallet, unlocked))
        # The event loop keeps only weak references to tasks.
        self._tasks.add(unlocked.opening)
        unlocked.opening.add_done_callback(self._finished)
        return unlocked

    async def _decrypt(self, wallet: Wallet, unlocked: _Unlocked) -> None:
        try:
            with await self._mnemonic(wallet) as mnemonic:
                seed = await asyncio.to_thread(to_seed, mnemonic)
            unlocked.fill(seed, self._clock() + self._ttl_seconds)
        finally:
            # Locked meanwhile, it is not among these any more, and perhaps another decryption of the same wallet is.
            place = _place(wallet)
            is_wanted = self._opening.get(place) is unlocked
            if is_wanted:
                del self._opening[place]
        if is_wanted and self._max_seeds > 0 and self._ttl_seconds > 0:
            self._keep(place, unlocked)
        else:
            unlocked.drop()

    async def _mnemonic(self, wallet: Wallet) -> Mnemonic:
        """Decrypt the wallet's mnemonic. A ciphertext that is refused may have been replaced while it was on its way: then again, once."""
        ciphertext = await self._mnemonics.encrypted_mnemonic(wallet.id)
        try:
            try:
                return await self._encryption.decrypt(ciphertext, associated_data=associated_data(wallet))
            except CorruptCiphertextError:
                # Rewrapped meanwhile, and its key version not accepted any more (`min_decryption_version`).
                newer = await self._mnemonics.encrypted_mnemonic(wallet.id)
                if newer == ciphertext:
                    raise
                return await self._encryption.decrypt(newer, associated_data=associated_data(wallet))
        except CorruptCiphertextError:
            self._watcher.ciphertext_refused()
            raise

    def _keep(self, place: _Place, unlocked: _Unlocked) -> None:
        self._unlocked[place] = unlocked
        self._expiring[place] = None
        if len(self._unlocked) > self._max_seeds:
            self._drop(next(iter(self._unlocked)))
        self._watcher.seeds_unlocked(len(self._unlocked))

    def _drop(self, place: _Place) -> None:
        del self._expiring[place]
        self._unlocked.pop(place).drop()
        self._watcher.seeds_unlocked(len(self._unlocked))

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # every waiter may have gone: then nobody else asks for it
