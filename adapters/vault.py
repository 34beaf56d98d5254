"""Encrypt mnemonics with the Transit engine of HashiCorp Vault or OpenBao, whose key never leaves it.

The key is derived: Transit makes one of it for each `context`, which is what binds a ciphertext to its wallet (ADR 6).
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from adapters.vault_batch import Sealed, answers, answers_to_ciphertexts, read_ciphertext, read_mnemonic, sealed, text
from adapters.vault_client import VaultClient, VaultRefusedError
from wallets.errors import CorruptCiphertextError, KeyEncryptionUnavailableError
from wallets.model import EncryptedMnemonic
from wallets.secret import Mnemonic

T = TypeVar("T")


class TransitKey:
    """A key of Transit, by name and mount, and whether Vault has been seen to refuse to use it without a context."""

    def __init__(self, name: str = "wallet-master-key", mount: str = "transit") -> None:
        self.name = name
        self.mount = mount
        self.is_derived = False

    def probe(self, client: Any) -> Any:
        """Ask Vault to encrypt a byte without a context, which a derived key refuses: nothing is changed by it."""
        item = {"plaintext": text(b"?")}
        return client.secrets.transit.encrypt_data(self.name, batch_input=[item], mount_point=self.mount)

    def decrypt(self, client: Any, items: Sequence[Sealed]) -> Any:
        """Ask Vault to decrypt a batch."""
        return client.secrets.transit.decrypt_data(self.name, batch_input=items, mount_point=self.mount)

    def learn(self, answer: Any) -> None:
        """Take in what `probe` was answered.

        Raises:
            KeyEncryptionUnavailableError: The key is there and is not derived, so that it would bind nothing.
        """
        (result,) = answer["data"]["batch_results"]
        if "context" not in str(result.get("error", "")):
            msg = "the key of the key backend does not bind ciphertexts to wallets; the operator must make a derived one (docs/vault)"
            raise KeyEncryptionUnavailableError(msg)
        self.is_derived = True


class VaultTransit:
    """See `wallets.ports.KeyEncryption`. It refuses to work with a key that is not derived."""

    def __init__(self, client: VaultClient, key: TransitKey) -> None:
        self._client = client
        self._key = key
        self._learning = asyncio.Lock()

    async def encrypt(self, mnemonic: Mnemonic, *, associated_data: bytes) -> str:
        """See `KeyEncryption.encrypt`."""
        (ciphertext,) = await self.encrypt_many([(mnemonic, associated_data)])
        return ciphertext

    async def decrypt(self, ciphertext: str, *, associated_data: bytes) -> Mnemonic:
        """See `KeyEncryption.decrypt`."""
        (answer,) = await self.decrypt_many([EncryptedMnemonic(ciphertext, associated_data)])
        if isinstance(answer, CorruptCiphertextError):
            raise answer
        return answer

    async def encrypt_many(self, items: Sequence[tuple[Mnemonic, bytes]]) -> Sequence[str]:
        """See `KeyEncryption.encrypt_many`."""

        def request(client: Any, part: Sequence[tuple[Mnemonic, bytes]]) -> Any:
            batch = [{"plaintext": text(mnemonic.reveal()), "context": text(context)} for mnemonic, context in part]
            return client.secrets.transit.encrypt_data(self._key.name, batch_input=batch, mount_point=self._key.mount)

        await self._require_derived()
        return await answers(self._asked, items, request, read_ciphertext)

    async def decrypt_many(self, items: Sequence[EncryptedMnemonic]) -> Sequence[Mnemonic | CorruptCiphertextError]:
        """See `KeyEncryption.decrypt_many`."""
        await self._require_derived()
        return await answers_to_ciphertexts(self._asked, [sealed(item) for item in items], self._key.decrypt, read_mnemonic)

    async def _require_derived(self) -> None:
        if self._key.is_derived:
            return
        async with self._learning:
            if not self._key.is_derived:
                await self._asked(self._key.probe, self._key.learn)

    async def _asked(self, request: Callable[[Any], Any], read: Callable[[Any], T]) -> T:
        try:
            return await self._client.call(request, read)
        except VaultRefusedError:
            # The key may be gone, and another may come in its place.
            self._key.is_derived = False
            msg = "the key backend refuses to use the key"
            ours = KeyEncryptionUnavailableError(msg)
        raise ours


class UnboundTransit:
    """Decrypt what 1.0.8 encrypted, under a key that is not derived and binds nothing to its wallet. It never encrypts."""

    def __init__(self, client: VaultClient, key: TransitKey) -> None:
        self._client = client
        self._key = key

    async def decrypt_many(self, ciphertexts: Sequence[str]) -> Sequence[Mnemonic | CorruptCiphertextError]:
        """Decrypt each; the place of what does not decrypt has the error.

        Raises:
            KeyEncryptionUnavailableError: Vault is away, or refuses to use the key.
        """
        items = [{"ciphertext": ciphertext} for ciphertext in ciphertexts]
        try:
            return await answers_to_ciphertexts(self._client.call, items, self._key.decrypt, read_mnemonic)
        except VaultRefusedError:
            ours = KeyEncryptionUnavailableError("the key backend refuses to use the key")
        raise ours
