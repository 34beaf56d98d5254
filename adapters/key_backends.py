"""Encrypt with one key backend, decrypt with whichever a ciphertext names: so that wallets can move between them while the service runs."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from adapters.gathering import Gathered
from wallets.errors import CorruptCiphertextError, KeyEncryptionUnavailableError
from wallets.model import EncryptedMnemonic, KeyVersion
from wallets.ports import KeyEncryption
from wallets.secret import Mnemonic

NAMES = ("vault", "local")
"""How the ciphertexts of the backends that there are begin."""


class KeyBackends:
    """See `wallets.ports.KeyEncryption`. Of the backends, by name, `chosen` encrypts.

    A ciphertext of a backend that exists and is not configured is not corrupt: its key is away.
    """

    def __init__(self, backends: Mapping[str, KeyEncryption], chosen: str) -> None:
        self._backends = backends
        self._chosen = backends[chosen]

    async def encrypt(self, mnemonic: Mnemonic, *, associated_data: bytes) -> str:
        """See `KeyEncryption.encrypt`."""
        return await self._chosen.encrypt(mnemonic, associated_data=associated_data)

    async def decrypt(self, ciphertext: str, *, associated_data: bytes) -> Mnemonic:
        """See `KeyEncryption.decrypt`."""
        return await self._backend(_name(ciphertext)).decrypt(ciphertext, associated_data=associated_data)

    async def encrypt_many(self, items: Sequence[tuple[Mnemonic, bytes]]) -> Sequence[str]:
        """See `KeyEncryption.encrypt_many`."""
        return await self._chosen.encrypt_many(items)

    async def decrypt_many(self, items: Sequence[EncryptedMnemonic]) -> Sequence[Mnemonic | CorruptCiphertextError]:
        """See `KeyEncryption.decrypt_many`; one call to each backend that is named."""
        answers: dict[int, Mnemonic | CorruptCiphertextError] = {}
        try:
            for name in dict.fromkeys(_name(item.ciphertext) for item in items):
                places = [place for place, item in enumerate(items) if _name(item.ciphertext) == name]
                answers.update(zip(places, await self._of(name, [items[place] for place in places]), strict=True))
        except BaseException:
            _close(answers.values())
            raise
        return [answers[place] for place in range(len(items))]

    async def _of(self, name: str | None, items: Sequence[EncryptedMnemonic]) -> Sequence[Mnemonic | CorruptCiphertextError]:
        try:
            return await self._backend(name).decrypt_many(items)
        except CorruptCiphertextError as error:
            return [error] * len(items)

    def _backend(self, name: str | None) -> KeyEncryption:
        backend = self._backends.get(name or "")
        if backend is not None:
            return backend
        if name in NAMES:
            msg = f"the wallet is encrypted by the key backend `{name}`, which is not configured here"
            raise KeyEncryptionUnavailableError(msg)
        msg = "the stored ciphertext does not decrypt"
        raise CorruptCiphertextError(msg)


class GatheredDecryption:
    """Have ciphertexts that are decrypted at the same time decrypted in one call. See `wallets.ports.KeyEncryption`.

    Who waits for another's call and then for its own has no longer than for one.
    """

    def __init__(self, encryption: KeyEncryption, *, deadline_seconds: float = 10) -> None:
        self._encryption = encryption
        self._deadline_seconds = deadline_seconds
        self._decryptions: Gathered[EncryptedMnemonic, Mnemonic] = Gathered(encryption.decrypt_many, discard=Mnemonic.close)

    async def encrypt(self, mnemonic: Mnemonic, *, associated_data: bytes) -> str:
        """See `KeyEncryption.encrypt`."""
        return await self._encryption.encrypt(mnemonic, associated_data=associated_data)

    async def decrypt(self, ciphertext: str, *, associated_data: bytes) -> Mnemonic:
        """See `KeyEncryption.decrypt`."""
        try:
            async with asyncio.timeout(self._deadline_seconds):
                return await self._decryptions.ask(EncryptedMnemonic(ciphertext, associated_data))
        except TimeoutError as error:
            msg = "the key backend is away"
            raise KeyEncryptionUnavailableError(msg) from error

    async def encrypt_many(self, items: Sequence[tuple[Mnemonic, bytes]]) -> Sequence[str]:
        """See `KeyEncryption.encrypt_many`."""
        return await self._encryption.encrypt_many(items)

    async def decrypt_many(self, items: Sequence[EncryptedMnemonic]) -> Sequence[Mnemonic | CorruptCiphertextError]:
        """See `KeyEncryption.decrypt_many`."""
        return await self._encryption.decrypt_many(items)


def _name(ciphertext: str) -> str | None:
    key = KeyVersion.of(ciphertext)
    return None if key is None else key.backend


def _close(phrases: Iterable[Mnemonic | CorruptCiphertextError]) -> None:
    for phrase in phrases:
        if isinstance(phrase, Mnemonic):
            phrase.close()
