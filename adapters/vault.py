"""Encrypt mnemonics with the Transit engine of HashiCorp Vault or OpenBao, whose key never leaves it."""

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self, TypeVar

import hvac
import requests
import structlog
from hvac.exceptions import InvalidRequest, VaultError
from requests.adapters import HTTPAdapter

from adapters.resilience import CircuitBreaker, CircuitOpenError, CircuitState, retried
from wallets.errors import CorruptCiphertextError, KeyEncryptionUnavailableError, WalletError
from wallets.model import ComponentHealth, HealthStatus
from wallets.secret import Mnemonic

T = TypeVar("T")

CONNECT_SECONDS = 5.0
REQUEST_SECONDS = 10.0
LONGEST_RENEWAL_WAIT_SECONDS = 86_400.0

_HEALTH_SECONDS = 1.5
_HEALTH_DEADLINE_SECONDS = 1.9
_RENEWAL_RETRY_SECONDS = 30.0
_SHORTEST_RENEWAL_WAIT_SECONDS = 1.0
_TRANSIENT_STATUSES = frozenset({429, 473})

_log = structlog.get_logger(__name__)


class _TransientStatusError(Exception):
    """Vault answers, but cannot serve now: 5xx, 429, or 473 (a standby that cannot serve)."""


TRANSIENT = (_TransientStatusError, requests.RequestException, TimeoutError, OSError)
"""What may be better next time."""


class _Transport(HTTPAdapter):
    """Tell apart, by status, what hvac's exceptions lump together."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send one request.

        Raises:
            _TransientStatusError: Vault cannot serve now.
        """
        response = super().send(request, *args, **kwargs)
        if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR or response.status_code in _TRANSIENT_STATUSES:
            response.close()
            msg = f"status {response.status_code}"
            raise _TransientStatusError(msg)
        return response


class VaultTransit:
    """See `wallets.ports.KeyEncryption`. Use as an asynchronous context manager, which keeps the token alive.

    hvac blocks, so calls run in threads of their own, `max_calls` at most; each ends in at most `deadline_seconds`, retries included.
    """

    def __init__(
        self,
        address: str,
        token: str,
        *,
        key_id: str = "wallet-master-key",
        mount: str = "transit",
        ca_file: Path | None = None,
        deadline_seconds: float = 10,
        max_calls: int = 16,
        breaker: CircuitBreaker | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._key_id = key_id
        self._mount = mount
        self._deadline_seconds = deadline_seconds
        self._breaker = breaker or CircuitBreaker()
        self._sleep = sleep
        self._client = _client(address, token, ca_file, (CONNECT_SECONDS, REQUEST_SECONDS), max_calls)
        self._threads = ThreadPoolExecutor(max_calls, thread_name_prefix="vault")
        self._renewal: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._renewal = asyncio.create_task(self._keep_token_alive())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._renewal is not None:
            self._renewal.cancel()
            with suppress(asyncio.CancelledError):
                await self._renewal
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client.session.close()

    @property
    def circuit_state(self) -> CircuitState:
        """Whether calls are made at all."""
        return self._breaker.state

    async def encrypt(self, mnemonic: Mnemonic, *, associated_data: bytes) -> str:
        """See `KeyEncryption.encrypt`."""

        def call() -> str:
            answer = self._client.secrets.transit.encrypt_data(
                self._key_id,
                plaintext=base64.b64encode(mnemonic.reveal()).decode(),
                associated_data=base64.b64encode(associated_data).decode(),
                mount_point=self._mount,
            )
            return str(answer["data"]["ciphertext"])

        return await self._called(call)

    async def decrypt(self, ciphertext: str, *, associated_data: bytes) -> Mnemonic:
        """See `KeyEncryption.decrypt`."""

        def call() -> Mnemonic:
            answer = self._client.secrets.transit.decrypt_data(
                self._key_id,
                ciphertext=ciphertext,
                associated_data=base64.b64encode(associated_data).decode(),
                mount_point=self._mount,
            )
            return Mnemonic(base64.b64decode(answer["data"]["plaintext"]))

        return await self._called(call, refused=CorruptCiphertextError("the stored ciphertext does not decrypt"))

    async def _called(self, call: Callable[[], T], refused: WalletError | None = None) -> T:
        """Make the call in time, with retries; raise `refused`, if it is given, where Vault says that the request cannot be."""
        try:
            with self._breaker.guard(TRANSIENT):
                async with asyncio.timeout(self._deadline_seconds):
                    return await retried(lambda: self._in_thread(call), on=TRANSIENT, sleep=self._sleep)
        except CircuitOpenError:
            ours: WalletError = KeyEncryptionUnavailableError("the key backend is away, and is not asked for a while")
        except (VaultError, *TRANSIENT) as error:
            _log.warning("vault_unavailable", error=type(error).__name__)
            ours = refused if refused and isinstance(error, InvalidRequest) else KeyEncryptionUnavailableError("the key backend is away")
        # Raised here, without a cause or context: the vendor's exception holds the request, and with it the phrase.
        raise ours

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    async def _keep_token_alive(self) -> None:
        """Renew a token that ends, whenever a third of its time is left."""
        while True:
            try:
                token = (await self._in_thread(self._client.auth.token.lookup_self))["data"]
                if not token.get("renewable") or not token.get("ttl"):
                    return
                await self._sleep(_renewal_wait(token["ttl"]))
                await self._in_thread(self._client.auth.token.renew_self)
            except (VaultError, *TRANSIENT) as error:
                _log.warning("vault_token_not_renewed", error=type(error).__name__)
                await self._sleep(_RENEWAL_RETRY_SECONDS)


class VaultHealth:
    """Say how Vault is: whether it is unsealed and takes our token. See `wallets.ports.Component`.

    An open circuit is `degraded`: what is unlocked signs on, and the service recovers by itself. Use as an asynchronous context manager.
    """

    name = "vault"

    def __init__(self, address: str, token: str, transit: VaultTransit, *, ca_file: Path | None = None) -> None:
        self._transit = transit
        self._client = _client(address, token, ca_file, (_HEALTH_SECONDS, _HEALTH_SECONDS), 1)
        # Threads that wait for a Vault that hangs must not keep us from asking how it is.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="vault-health")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._client.session.close()

    async def check(self) -> ComponentHealth:
        """See `Component.check`."""
        start, circuit = time.monotonic(), self._transit.circuit_state
        if circuit is CircuitState.OPEN:
            return ComponentHealth(HealthStatus.DEGRADED, 0.0, {"circuit_state": circuit.value})
        status, details = await self._ask()
        return ComponentHealth(status, (time.monotonic() - start) * 1000, {"circuit_state": circuit.value, **details})

    async def _ask(self) -> tuple[HealthStatus, Mapping[str, str | int]]:
        try:
            async with asyncio.timeout(_HEALTH_DEADLINE_SECONDS):
                lookup = self._client.auth.token.lookup_self
                answer = await asyncio.get_running_loop().run_in_executor(self._thread, lookup)
        except VaultError:
            return HealthStatus.ERROR, {"reason": "Vault refuses the token"}
        except TRANSIENT:
            return HealthStatus.ERROR, {"reason": "Vault is away"}
        return HealthStatus.OK, {"token_ttl_seconds": int(answer["data"]["ttl"])}


def _renewal_wait(ttl_seconds: float) -> float:
    return min(max(ttl_seconds * 2 / 3, _SHORTEST_RENEWAL_WAIT_SECONDS), LONGEST_RENEWAL_WAIT_SECONDS)


def _client(address: str, token: str, ca_file: Path | None, timeouts: tuple[float, float], connections: int) -> Any:
    session = requests.Session()
    session.trust_env = False  # a proxy of the environment must not see mnemonics
    session.verify = str(ca_file) if ca_file else True
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Transport(pool_maxsize=connections))
    return hvac.Client(url=address, token=token, timeout=timeouts, session=session)
