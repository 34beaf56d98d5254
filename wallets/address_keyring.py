"""Keep the key that authenticates addresses: made once for all replicas, decrypted once by each."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from wallets import mnemonic as bip39
from wallets.errors import CorruptCiphertextError
from wallets.model import EncryptedAddressKey
from wallets.ports import AddressKeyStore, KeyEncryption
from wallets.seals import WORD_COUNT, AddressKey

FIRST = 1
"""The number of the key that is made where there is none."""


class AddressKeyring:
    """Open the address key when it is first needed, and keep it until it is told to forget it.

    Requests that wait for it share one decryption. `refused` is called for a ciphertext that does not decrypt.
    """

    def __init__(
        self,
        store: AddressKeyStore,
        encryption: KeyEncryption,
        *,
        refused: Callable[[], object] = lambda: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._encryption = encryption
        self._refused = refused
        self._now = now
        self._key: AddressKey | None = None
        self._opening: asyncio.Task[AddressKey] | None = None
        self._tasks: set[asyncio.Task[AddressKey]] = set()

    async def key(self) -> AddressKey:
        """Return the key, making it if there is none at all.

        Raises:
            CorruptCiphertextError: The ciphertext is not that of the key.
            KeyEncryptionUnavailableError: The key backend is away.
            StoreUnavailableError: The database is away.
        """
        if self._key is not None:
            return self._key
        if self._opening is None:
            self._opening = asyncio.create_task(self._open())
            self._tasks.add(self._opening)  # the event loop keeps only weak references to tasks
            self._opening.add_done_callback(self._opened)
        # A waiting client that goes away must not end the decryption of the others.
        return await asyncio.shield(self._opening)

    async def prepare(self) -> None:
        """Open the key if one was made before, so that requests need no key backend; raises as `key`."""
        if await self._store.address_key() is not None:
            await self.key()

    def forget(self) -> None:
        """Forget the key. One being decrypted now serves who waits for it, and no one else."""
        self._key = self._opening = None

    async def _open(self) -> AddressKey:
        kept = await self._store.address_key() or await self._made()
        try:
            try:
                return await self._decrypted(kept)
            except CorruptCiphertextError:
                # Rewrapped meanwhile, and its key version not accepted any more.
                newer = await self._store.address_key()
                if newer is None or newer == kept:
                    raise
                return await self._decrypted(newer)
        except CorruptCiphertextError:
            self._refused()
            raise

    async def _made(self) -> EncryptedAddressKey:
        """Make a key, or learn of the one that another replica has made at the same time."""
        made = EncryptedAddressKey(FIRST, "")
        with bip39.generate(WORD_COUNT) as mnemonic:
            ciphertext = await self._encryption.encrypt(mnemonic, associated_data=made.associated_data)
        return await self._store.add_address_key(EncryptedAddressKey(FIRST, ciphertext), self._now())

    async def _decrypted(self, kept: EncryptedAddressKey) -> AddressKey:
        with await self._encryption.decrypt(kept.ciphertext, associated_data=kept.associated_data) as mnemonic:
            return await asyncio.to_thread(AddressKey, kept.number, mnemonic)

    def _opened(self, task: "asyncio.Task[AddressKey]") -> None:
        self._tasks.discard(task)
        # Every waiter may have gone: then nobody else asks for the error.
        failed = task.cancelled() or task.exception() is not None
        if self._opening is task:
            self._opening = None
            self._key = None if failed else task.result()
