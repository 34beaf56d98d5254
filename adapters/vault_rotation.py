"""Rotate Transit's key, and have ciphertexts encrypted anew inside of Vault, which never shows their plaintext. For operators."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from adapters.vault import TransitKey
from adapters.vault_batch import Sealed, answers_to_ciphertexts, read_rewrapped, sealed
from adapters.vault_client import VaultClient, VaultRefusedError
from wallets.errors import CorruptCiphertextError, InvalidRequestError, KeyEncryptionUnavailableError
from wallets.model import EncryptedMnemonic, KeyVersions

T = TypeVar("T")


class VaultKeyRotation:
    """See `wallets.ports.KeyRotation`. The client has logged in as an operator, who may not decrypt (docs/vault)."""

    backend = "vault"

    def __init__(self, client: VaultClient, key: TransitKey) -> None:
        self._client = client
        self._key = key

    async def versions(self) -> KeyVersions:
        """See `KeyRotation.versions`."""

        def request(client: Any) -> Any:
            return client.secrets.transit.read_key(self._key.name, mount_point=self._key.mount)

        return await self._asked(request, _versions)

    async def rotate(self) -> int:
        """See `KeyRotation.rotate`. It is not tried again: a call whose answer was lost may have been heard."""

        def request(client: Any) -> Any:
            return client.secrets.transit.rotate_key(self._key.name, mount_point=self._key.mount)

        await self._asked(request, lambda _: None, retries=0)
        return (await self.versions()).latest

    async def rewrap_many(self, items: Sequence[EncryptedMnemonic]) -> Sequence[str | CorruptCiphertextError]:
        """See `KeyRotation.rewrap_many`."""

        def request(client: Any, part: Sequence[Sealed]) -> Any:
            return client.secrets.transit.rewrap_data(self._key.name, ciphertext="", batch_input=part, mount_point=self._key.mount)

        return await answers_to_ciphertexts(self._asked, [sealed(item) for item in items], request, read_rewrapped)

    async def set_oldest_usable(self, number: int) -> None:
        """See `KeyRotation.set_oldest_usable`."""
        latest = (await self.versions()).latest
        if not 1 <= number <= latest:
            msg = f"the key has the versions 1 to {latest}"
            raise InvalidRequestError(msg)

        def request(client: Any) -> Any:
            return client.secrets.transit.update_key_configuration(
                self._key.name, min_decryption_version=number, mount_point=self._key.mount
            )

        await self._asked(request, lambda _: None)

    async def _asked(self, request: Callable[[Any], Any], read: Callable[[Any], T], *, retries: int = 3) -> T:
        try:
            return await self._client.call(request, read, retries=retries)
        except VaultRefusedError:
            ours = KeyEncryptionUnavailableError("the key backend refuses this to the operator, or has no such key")
        raise ours


def _versions(answer: Any) -> KeyVersions:
    key = answer["data"]
    if not key["derived"]:
        msg = "the key of the key backend does not bind ciphertexts to wallets; make a derived one (docs/vault)"
        raise KeyEncryptionUnavailableError(msg)
    return KeyVersions(latest=int(key["latest_version"]), oldest_usable=max(1, int(key["min_decryption_version"])))
