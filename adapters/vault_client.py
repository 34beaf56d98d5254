"""Call Vault: threads, deadlines, retries, a circuit, and a login that is looked after."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Self, TypeVar

import structlog
from hvac.exceptions import Forbidden, VaultError

from adapters.resilience import CircuitBreaker, CircuitOpenError, retried
from adapters.vault_login import LoginPausedError, VaultLogin, VaultSession
from adapters.vault_server import TRANSIENT, VaultServer, understood
from wallets.errors import KeyEncryptionUnavailableError

T = TypeVar("T")

CONNECT_SECONDS = 5.0
REQUEST_SECONDS = 10.0
PROBE_SECONDS = 2.0

_log = structlog.get_logger(__name__)


class VaultRefusedError(Exception):
    """Vault answers that the request cannot be (4xx), also after a fresh login. Never leaves this package."""


class VaultClient:
    """Call one Vault as one who has logged in. Use as an asynchronous context manager, which keeps the token alive.

    hvac blocks, so calls run in threads of their own, `max_calls` at most; each ends in at most `deadline_seconds`, retries included.
    """

    def __init__(
        self,
        server: VaultServer,
        login: VaultLogin,
        *,
        deadline_seconds: float = 10,
        max_calls: int = 16,
        breaker: CircuitBreaker | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.server = server
        self.breaker = breaker or CircuitBreaker()
        self._deadline_seconds = deadline_seconds
        self._sleep = sleep
        self._connections = server.session(max_calls)
        self._threads = ThreadPoolExecutor(max_calls, thread_name_prefix="vault")
        self.session = VaultSession(login, self._with_token, self._in_thread, sleep=sleep)
        self._keeping: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._keeping = asyncio.create_task(self.session.keep())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeping
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._connections.close()

    async def call(self, request: Callable[[Any], Any], read: Callable[[Any], T], *, retries: int = 3) -> T:
        """Make a request of hvac's client in time, with retries, and read the answer.

        Args:
            request: Makes the request, in a thread, perhaps several times.
            read: Reads the answer; whatever `LookupError`, `TypeError` or `ValueError` it raises means that it is garbled.
            retries: How often it may be made again; 0 for what must not be done twice.

        Raises:
            KeyEncryptionUnavailableError: Vault is away, or is not asked for a while.
            VaultRefusedError: Vault says that the request cannot be.
        """
        try:
            with self.breaker.guard(TRANSIENT):
                async with asyncio.timeout(self._deadline_seconds):
                    return await retried(lambda: self._attempt(request, read), on=TRANSIENT, retries=retries, sleep=self._sleep)
        except CircuitOpenError as error:
            msg = "the key backend is away, and is not asked for a while"
            ours: Exception = KeyEncryptionUnavailableError(msg, error.retry_after_seconds)
        except TRANSIENT as error:
            _log.warning("vault_away", error=type(error).__name__)
            ours = KeyEncryptionUnavailableError("the key backend is away")
        except (VaultError, LoginPausedError) as error:
            _log.warning("vault_refuses", error=type(error).__name__)
            ours = VaultRefusedError(type(error).__name__)
        # Raised here, without a cause or context: the vendor's exception holds the request, and with it the phrase.
        raise ours

    async def probe(self) -> None:
        """See whether Vault serves, with one small request beside the circuit. Being refused is being served.

        Raises:
            Exception: One of `TRANSIENT`.
        """
        async with asyncio.timeout(PROBE_SECONDS):
            with suppress(VaultError, LoginPausedError):
                login = await self.session.login()
                await self._in_thread(login.client.auth.token.lookup_self)

    async def _attempt(self, request: Callable[[Any], Any], read: Callable[[Any], T]) -> T:
        """Make the request once, and once more after a fresh login where Vault forbids it: the token may have been revoked."""
        login = await self.session.login()
        try:
            answer = await self._in_thread(lambda: request(login.client))
        except Forbidden:
            login = await self.session.login(after=login)
            answer = await self._in_thread(lambda: request(login.client))
        self.session.serves()
        with understood():
            return read(answer)

    def _with_token(self, token: str) -> Any:
        return self.server.client(self._connections, token, (CONNECT_SECONDS, REQUEST_SECONDS))

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)
