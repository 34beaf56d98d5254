"""Encrypt mnemonics by the Transit engine of HashiCorp Vault or OpenBao."""

import asyncio
import base64
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import hvac
import requests
from hvac.exceptions import BadGateway, InternalServerError, InvalidRequest, RateLimitExceeded, VaultDown, VaultError
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from wallets.errors import CorruptCiphertextError, KeyEncryptionUnavailableError
from wallets.model import ComponentHealth, HealthStatus
from wallets.secret import Mnemonic

_CONNECT_SECONDS, _REQUEST_SECONDS = 5, 10
_WORKERS = 8
_TRANSIENT = (requests.Timeout, requests.ConnectionError, InternalServerError, BadGateway, VaultDown, RateLimitExceeded)


class VaultTransit:
    """`KeyEncryption` on Vault Transit. hvac blocks, so calls run in a bounded pool of threads."""

    name = "vault"

    def __init__(self, address: str, token: str, *, key_id: str, mount: str, verify: bool | str, deadline_seconds: float) -> None:
        self._client = hvac.Client(url=address, token=token, verify=verify, timeout=(_CONNECT_SECONDS, _REQUEST_SECONDS))
        self._key_id = key_id
        self._mount = mount
        self._deadline_seconds = deadline_seconds
        self._threads = ThreadPoolExecutor(_WORKERS, thread_name_prefix="vault")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def encrypt(self, mnemonic: Mnemonic, *, associated_data: bytes) -> str:
        """See `KeyEncryption.encrypt`."""
        call = self._client.secrets.transit.encrypt_data

        def encrypt() -> Any:
            return call(self._key_id, plaintext=_text(mnemonic.reveal()), associated_data=_text(associated_data), mount_point=self._mount)

        answer = await self._call(encrypt)
        return str(answer["data"]["ciphertext"])

    async def decrypt(self, ciphertext: str, *, associated_data: bytes) -> Mnemonic:
        """See `KeyEncryption.decrypt`."""
        call = self._client.secrets.transit.decrypt_data

        def decrypt() -> Any:
            return call(self._key_id, ciphertext=ciphertext, associated_data=_text(associated_data), mount_point=self._mount)

        answer = await self._call(decrypt)
        return Mnemonic(base64.b64decode(answer["data"]["plaintext"]))

    async def check(self) -> ComponentHealth:
        """See `Component.check`: asks for the health and the token, and writes nothing."""
        started = time.monotonic()
        status = HealthStatus.OK
        try:
            async with asyncio.timeout(2):
                await asyncio.get_running_loop().run_in_executor(self._threads, self._client.auth.token.lookup_self)
        except (TimeoutError, requests.RequestException, VaultError):
            status = HealthStatus.ERROR
        return ComponentHealth(status, round((time.monotonic() - started) * 1000, 1), {"circuit_state": "closed"})

    async def _call(self, function: Callable[[], Any]) -> Any:
        retrying = Retrying(
            stop=stop_after_attempt(4),
            wait=wait_exponential_jitter(initial=0.1, max=5, jitter=0.1),
            retry=retry_if_exception_type(_TRANSIENT),
            reraise=True,
        )
        try:
            async with asyncio.timeout(self._deadline_seconds):
                return await asyncio.get_running_loop().run_in_executor(self._threads, retrying, function)
        except InvalidRequest as error:
            raise CorruptCiphertextError("the wallet's ciphertext does not decrypt") from error
        except (TimeoutError, requests.RequestException, VaultError) as error:
            raise KeyEncryptionUnavailableError("the key backend is not available") from error


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
