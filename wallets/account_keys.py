"""Derive the public keys of accounts, from the wallet's seed only where they cannot be derived without."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from uuid import UUID

from wallets.address_keyring import AddressKeyring
from wallets.address_watcher import AddressWatcher, Source, Unwatched
from wallets.chains.base import Chain
from wallets.derivation import DerivationScheme, PublicPath, child, child_public_key, public_path
from wallets.keyring import Keyring, Keys
from wallets.model import Wallet
from wallets.ports import AccountKeyStore
from wallets.secret import ExtendedPublicKey

MAX_ACCOUNT_KEYS = 10_000
"""Extended public keys kept in memory at most: some 5 MB."""

PublicKeys = Callable[[int], bytes]
"""Derive the public key of an account by its index; raises `InvalidRequestError` where there is none (one in 2^127)."""


class AccountKeys:
    """Lend what derives the public keys of a wallet's accounts.

    Where the last steps of a path are not hardened, that is the account's extended public key (BIP-32, BIP-44), which is kept, sealed, when
    the seed is first unlocked for it. What is kept and does not open is as good as nothing: it is derived again, told of, and replaced.
    """

    def __init__(
        self,
        store: AccountKeyStore,
        keyring: Keyring,
        address_keyring: AddressKeyring,
        *,
        max_keys: int = MAX_ACCOUNT_KEYS,
        watcher: AddressWatcher | None = None,
    ) -> None:
        self._store = store
        self._keyring = keyring
        self._address_keyring = address_keyring
        self._max_keys = max_keys
        self._watcher = watcher or Unwatched()
        self._parents: OrderedDict[tuple[UUID, DerivationScheme, PublicPath], ExtendedPublicKey] = OrderedDict()
        """The keys right above those of accounts, by last use, the longest ago first."""
        self._epoch = 0

    def __len__(self) -> int:
        return len(self._parents)

    @asynccontextmanager
    async def public_keys(self, wallet: Wallet, chain: Chain, variant: str = "") -> AsyncIterator[PublicKeys]:
        """Lend what derives public keys while the block runs, without waiting: 33 bytes on secp256k1, 32 on ed25519.

        Raises:
            CorruptCiphertextError: A ciphertext is not that of its place.
            KeyEncryptionUnavailableError: The key backend is needed, and away.
            StoreUnavailableError: The database is away.
            WalletNotFoundError: There is no such wallet.
        """
        path = public_path(chain.path(wallet.scheme, variant), chain.curve)
        if path is None:
            async with self._keyring.unlocked(wallet) as keys:
                yield partial(_public_key, keys, chain, variant)
        else:
            yield partial(child_public_key, await self._parent(wallet, path))

    def forget(self) -> None:
        """Forget every extended public key."""
        self._epoch += 1
        # Not closed: requests that hold one go on, and the last of them overwrites it.
        self._parents.clear()

    async def _parent(self, wallet: Wallet, path: PublicPath) -> ExtendedPublicKey:
        place = (wallet.id, wallet.scheme, path)
        parent = self._parents.get(place)
        if parent is None:
            epoch = self._epoch
            parent = await self._account_key(wallet, path)
            for step in path.steps:
                parent = child(parent, step)
            if epoch != self._epoch:
                return parent
            self._parents[place] = parent
            if len(self._parents) > self._max_keys:
                self._parents.popitem(last=False)
        else:
            self._parents.move_to_end(place)
        return parent

    async def _account_key(self, wallet: Wallet, path: PublicPath) -> ExtendedPublicKey:
        key, name = await self._address_keyring.key(), str(path.account)
        sealed = await self._store.account_key(wallet.id, name)
        if sealed is not None:
            opened = key.open_account_key(wallet, path.account, sealed)
            if opened is not None:
                return opened
            self._watcher.address_forged(Source.ACCOUNT_KEYS, wallet.id)
        derived = await self._keyring.account_key(wallet, path.account)
        await self._store.put_account_key(wallet.id, name, key.seal_account_key(wallet, path.account, derived))
        return derived


def _public_key(keys: Keys, chain: Chain, variant: str, index: int) -> bytes:
    with keys(chain, index, variant) as key:
        return key.public_key
