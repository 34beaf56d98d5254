"""Encrypt mnemonics with the Transit engine of HashiCorp Vault or OpenBao, whose key never leaves it.

The key is derived: Transit makes one of it for each `context`, which is what binds a ciphertext to its wallet (ADR 6).
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from adapters.vault_batch import Sealed, answers, answers_to_ciphertexts, read_ciphertext, read_mnemonic, sealed, text
from adapters.vault_client import VaultClient, VaultRefusedError
from adapters.vault_server import understood
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

    def examine(self, client: Any) -> None:
        """Have Vault refuse to encrypt a byte without a context, as it does with a derived key; in the thread of the caller.

        Raises:
            KeyEncryptionUnavailableError: The key is there and is not derived, so that it would bind nothing.
            VaultError: Vault refuses to use the key at all.
        """
        self.is_derived = False
        answer = client.secrets.transit.encrypt_data(self.name, batch_input=[{"plaintext": text(b"?")}], mount_point=self.mount)
        with understood():
            (result,) = answer["data"]["batch_results"]
            self.is_derived = "context" in str(result.get("error", ""))
        if not self.is_derived:
            msg = "the key of the key backend does not bind ciphertexts to wallets; the operator must make a derived one (docs/vault)"
            raise KeyEncryptionUnavailableError(msg)

    def encrypt(self, client: Any, items: Sequence[tuple[Mnemonic, bytes]]) -> Any:
        """Ask Vault to encrypt a batch, each mnemonic bound to what stands beside it; raises as `examine`."""
        self.examine(client)
        batch = [{"plaintext": text(mnemonic.reveal()), "context": text(context)} for mnemonic, context in items]
        return client.secrets.transit.encrypt_data(self.name, batch_input=batch, mount_point=self.mount)

    def decrypt(self, client: Any, items: Sequence[Sealed]) -> Any:
        """Ask Vault to decrypt a batch that is bound; raises as `examine`, unless the key has been examined before."""
        if not self.is_derived:
            self.examine(client)
        return self.decrypt_unbound(client, items)

    def decrypt_unbound(self, client: Any, items: Sequence[Sealed]) -> Any:
        """Ask Vault to decrypt a batch, with whatever kind of key."""
        return client.secrets.transit.decrypt_data(self.name, batch_input=items, mount_point=self.mount)


class VaultTransit:
    """See `wallets.ports.KeyEncryption`. It refuses to work with a key that is not derived.

    The key is examined before everything that is encrypted, which is rare and must be bound; and before decrypting once, and again after
    something was refused: another key may have come in the place of one that is gone.
    """

    def __init__(self, client: VaultClient, key: TransitKey) -> None:
        self._client = client
        self._key = key

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
        return await answers(self._asked, items, self._key.encrypt, read_ciphertext)

    async def decrypt_many(self, items: Sequence[EncryptedMnemonic]) -> Sequence[Mnemonic | CorruptCiphertextError]:
        """See `KeyEncryption.decrypt_many`."""
        return await answers_to_ciphertexts(self._asked, [sealed(item) for item in items], self._key.decrypt, read_mnemonic)

    async def _asked(self, request: Callable[[Any], Any], read: Callable[[Any], T]) -> T:
        try:
            return await self._client.call(request, read)
        except VaultRefusedError:
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
            return await answers_to_ciphertexts(self._client.call, items, self._key.decrypt_unbound, read_mnemonic)
        except VaultRefusedError:
            ours = KeyEncryptionUnavailableError("the key backend refuses to use the key")
        raise ours
