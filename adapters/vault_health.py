"""Say how Vault is."""

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

from hvac.exceptions import VaultError

from adapters.resilience import CircuitState
from adapters.vault import TransitKey
from adapters.vault_client import VaultClient
from adapters.vault_server import TRANSIENT, understood
from wallets.errors import KeyEncryptionUnavailableError
from wallets.model import ComponentHealth, HealthStatus

_REQUEST_SECONDS = 1.5
_DEADLINE_SECONDS = 1.9


class VaultHealth:
    """Say how Vault is: whether it is unsealed, takes our login and has our key. See `wallets.ports.Component`.

    An open circuit is `degraded`: what is unlocked signs on, and the service recovers by itself. Use as an asynchronous context manager.
    """

    name = "vault"

    def __init__(self, client: VaultClient, key: TransitKey) -> None:
        self._client = client
        self._key = key
        # Threads that wait for a Vault that hangs must not keep us from asking how it is.
        self._connections = client.server.session(1)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="vault-health")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._connections.close()

    async def check(self) -> ComponentHealth:
        """See `Component.check`."""
        start, circuit = time.monotonic(), self._client.breaker.state
        if circuit is CircuitState.OPEN:
            return ComponentHealth(HealthStatus.DEGRADED, 0.0, {"circuit_state": circuit.value})
        status, details = await self._ask()
        return ComponentHealth(status, (time.monotonic() - start) * 1000, {"circuit_state": circuit.value, **details})

    async def _ask(self) -> tuple[HealthStatus, Mapping[str, str | int]]:
        try:
            async with asyncio.timeout(_DEADLINE_SECONDS):
                ttl_seconds = await asyncio.get_running_loop().run_in_executor(self._thread, self._look)
        except KeyEncryptionUnavailableError as error:
            return HealthStatus.ERROR, {"reason": str(error)}
        except VaultError:
            return HealthStatus.ERROR, {"reason": "Vault refuses the token"}
        except TRANSIENT:
            return HealthStatus.ERROR, {"reason": "Vault is away"}
        return HealthStatus.OK, {"token_ttl_seconds": ttl_seconds}

    def _look(self) -> int:
        """Look our token up, and see that the key is what it should be unless it has been seen: both change nothing."""
        client = self._client.server.client(self._connections, self._client.session.token or "", (_REQUEST_SECONDS, _REQUEST_SECONDS))
        answer: Any = client.auth.token.lookup_self()
        if not self._key.is_derived:
            self._examine_key(client)
        with understood():
            return int(answer["data"]["ttl"])

    def _examine_key(self, client: Any) -> None:
        try:
            self._key.examine(client)
        except VaultError:
            msg = "Vault refuses to use the key"
            raise KeyEncryptionUnavailableError(msg) from None
