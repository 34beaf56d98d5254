"""Measure what a replica asks of the key backend and of its cache, without either knowing, and raise the alarm about addresses."""

import time
from collections.abc import Awaitable, Sequence
from typing import TypeVar
from uuid import UUID

import structlog

from adapters.memory import LruAddressCache
from api.observability import Metrics
from wallets.address_watcher import Source
from wallets.errors import CorruptCiphertextError
from wallets.model import Account, EncryptedMnemonic
from wallets.ports import KeyEncryption
from wallets.secret import Mnemonic

T = TypeVar("T")


class MeasuredKeyEncryption:
    """`KeyEncryption` that tells the metrics how long each call took and how it ended."""

    def __init__(self, encryption: KeyEncryption, metrics: Metrics) -> None:
        self._encryption = encryption
        self._metrics = metrics

    async def encrypt(self, mnemonic: Mnemonic, *, associated_data: bytes) -> str:
        """See `KeyEncryption.encrypt`."""
        return await self._measured("encrypt", self._encryption.encrypt(mnemonic, associated_data=associated_data))

    async def decrypt(self, ciphertext: str, *, associated_data: bytes) -> Mnemonic:
        """See `KeyEncryption.decrypt`."""
        return await self._measured("decrypt", self._encryption.decrypt(ciphertext, associated_data=associated_data))

    async def encrypt_many(self, items: Sequence[tuple[Mnemonic, bytes]]) -> Sequence[str]:
        """See `KeyEncryption.encrypt_many`."""
        return await self._measured("encrypt", self._encryption.encrypt_many(items))

    async def decrypt_many(self, items: Sequence[EncryptedMnemonic]) -> Sequence[Mnemonic | CorruptCiphertextError]:
        """See `KeyEncryption.decrypt_many`."""
        return await self._measured("decrypt", self._encryption.decrypt_many(items))

    async def _measured(self, operation: str, call: Awaitable[T]) -> T:
        started, status = time.perf_counter(), "error"
        try:
            answer = await call
            status = "ok"
        except CorruptCiphertextError:
            status = "refused"
            raise
        finally:
            self._metrics.observe_vault(operation, status, time.perf_counter() - started)
        return answer


class MeasuredAddressCache:
    """The cache of this process, which tells the metrics how full it is, and whether it had what was looked for."""

    def __init__(self, cache: LruAddressCache, metrics: Metrics) -> None:
        self._cache = cache
        self._metrics = metrics
        metrics.observe_cache(len(cache), cache.capacity)

    async def get(self, account: Account) -> str | None:
        """See `AddressCache.get`."""
        address = await self._cache.get(account)
        self._metrics.address_looked_up(Source.MEMORY, is_found=address is not None)
        return address

    async def put(self, account: Account, address: str) -> None:
        """See `AddressCache.put`."""
        await self._cache.put(account, address)
        self._metrics.observe_cache(len(self._cache), self._cache.capacity)


class AddressAlarm:
    """See `wallets.address_watcher.AddressWatcher`: count in the metrics, and log what is forged, without what was there."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._log = structlog.get_logger(__name__)

    def address_looked_up(self, source: Source, *, is_found: bool) -> None:
        """See `AddressWatcher.address_looked_up`."""
        self._metrics.address_looked_up(source, is_found=is_found)

    def address_forged(self, source: Source, wallet_id: UUID) -> None:
        """See `AddressWatcher.address_forged`."""
        self._metrics.address_forged(source)
        self._log.error("address_forged", store=source.value, wallet_id=str(wallet_id))

    def address_unsealed(self, _wallet_id: UUID, /) -> None:
        """See `AddressWatcher.address_unsealed`."""
        self._metrics.address_unsealed()
