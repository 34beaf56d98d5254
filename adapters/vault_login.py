"""Log in to Vault, by token, AppRole or Kubernetes, and keep the login alive."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import structlog
from hvac.exceptions import VaultError

from adapters.vault_server import TRANSIENT, understood

T = TypeVar("T")

LONGEST_WAIT_SECONDS = 86_400.0
SHORTEST_WAIT_SECONDS = 1.0
RETRY_SECONDS = 30.0
"""How long after a login or a renewal that failed, in the background, it is tried again."""

WATCH_SECONDS = 5.0
"""How often it is looked whether the file of a token has changed."""

LONGEST_PAUSE_SECONDS = 60.0
_EXHAUSTED = 0.5
"""Renewed for less than this part of its first time, a token nears the end that no renewal can put off."""

_log = structlog.get_logger(__name__)


class LoginPausedError(Exception):
    """Fresh logins have been of no use lately, so none is made now. Never leaves this package."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A token and the seconds that it lives; 0 if it does not end."""

    token: str = field(repr=False)
    seconds: float
    is_renewable: bool


class VaultLogin(Protocol):
    """A way to get a token. `watched` is a file whose change asks for a fresh login."""

    watched: Path | None

    def log_in(self, connect: Callable[[str], Any]) -> Lease:
        """Log in, in the thread of the caller; `connect` makes hvac's client with a token, which may be empty.

        Raises:
            VaultError: Vault refuses.
            Exception: One of `TRANSIENT`: a file cannot be read, or Vault is away.
        """
        ...


class TokenLogin:
    """A token that somebody else has made. It may look itself up and renew itself."""

    watched: Path | None = None

    def __init__(self, token: str) -> None:
        self._token = token

    def log_in(self, connect: Callable[[str], Any]) -> Lease:
        """See `VaultLogin.log_in`."""
        return _looked_up(self._token, connect)


class TokenFileLogin:
    """A token in a file that somebody else keeps, such as a Vault Agent."""

    def __init__(self, file: Path) -> None:
        self.watched: Path | None = file
        self._file = file

    def log_in(self, connect: Callable[[str], Any]) -> Lease:
        """See `VaultLogin.log_in`."""
        return _looked_up(_read(self._file), connect)


class AppRoleLogin:
    """A role and a secret id, which stands in a file or is given."""

    watched: Path | None = None

    def __init__(self, role_id: str, secret_id: str | Path, *, mount: str = "approle") -> None:
        self._role_id = role_id
        self._secret_id = secret_id
        self._mount = mount

    def log_in(self, connect: Callable[[str], Any]) -> Lease:
        """See `VaultLogin.log_in`."""
        secret_id = _read(self._secret_id) if isinstance(self._secret_id, Path) else self._secret_id
        answer = connect("").auth.approle.login(self._role_id, secret_id, use_token=False, mount_point=self._mount)
        return _leased(answer)


class KubernetesLogin:
    """The service account of the pod, whose JWT is read anew each time: Kubernetes replaces it about every hour."""

    watched: Path | None = None

    def __init__(self, role: str, jwt_file: Path, *, mount: str = "kubernetes") -> None:
        self._role = role
        self._jwt_file = jwt_file
        self._mount = mount

    def log_in(self, connect: Callable[[str], Any]) -> Lease:
        """See `VaultLogin.log_in`."""
        jwt = _read(self._jwt_file)
        return _leased(connect("").auth.kubernetes.login(self._role, jwt, use_token=False, mount_point=self._mount))


def _read(file: Path) -> str:
    with understood():
        return file.read_text().strip()


def _looked_up(token: str, connect: Callable[[str], Any]) -> Lease:
    answer = connect(token).auth.token.lookup_self()
    with understood():
        return Lease(token, float(answer["data"]["ttl"]), bool(answer["data"]["renewable"]))


def _leased(answer: Any) -> Lease:
    with understood():
        auth = answer["auth"]
        return Lease(str(auth["client_token"]), float(auth["lease_duration"]), bool(auth["renewable"]))


@dataclass(frozen=True, slots=True, eq=False)
class _Login:
    """One login: hvac's client with its token, when it began and how long it lives."""

    client: Any = field(repr=False)
    lease: Lease
    at: float


class VaultSession:
    """A login, made when it is first needed, kept alive by `keep`, and made anew when it ends or is refused."""

    def __init__(
        self,
        login: VaultLogin,
        connect: Callable[[str], Any],
        in_thread: Callable[[Callable[[], Any]], Awaitable[Any]],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._way = login
        self._connect = connect
        self._in_thread = in_thread
        self._sleep = sleep
        self._clock = clock
        self._lock = asyncio.Lock()
        self._current: _Login | None = None
        self._stamp: tuple[int, int] | None = None
        self._vain_logins = 0
        self._paused_until = 0.0

    @property
    def token(self) -> str | None:
        """The token of the last login; None before the first."""
        return self._current.lease.token if self._current else None

    async def login(self, *, after: _Login | None = None) -> _Login:
        """Return a login, the one there is if it is not `after`, which has been refused. Everybody who waits shares a fresh one.

        Raises:
            LoginPausedError: Fresh logins have not helped lately: a role without rights must not storm Vault.
            Exception: What `VaultLogin.log_in` raises.
        """
        if self._current is not None and self._current is not after:
            return self._current
        async with self._lock:
            if self._current is not None and self._current is not after:
                return self._current
            if self._clock() < self._paused_until:
                raise LoginPausedError
            try:
                fresh = await self._fresh()
            except VaultError:
                self._pause()
                raise
            if after is not None:
                self._pause()
            return fresh

    def serves(self) -> None:
        """Take note that Vault has done what it was asked."""
        self._vain_logins = 0

    async def keep(self) -> None:
        """Log in, renew the login when a third of its time is left, and log in anew when that cannot be; for ever."""
        while True:
            try:
                await self._tend()
            except (VaultError, LoginPausedError, *TRANSIENT) as error:
                _log.warning("vault_login_not_kept", error=type(error).__name__)
                await self._sleep(RETRY_SECONDS)

    async def _tend(self) -> None:
        login = await self.login()
        wait = _renewal_wait(login.lease) - (self._clock() - login.at)
        if self._way.watched is not None:
            await self._sleep(min(wait, WATCH_SECONDS))
            if await self._in_thread(self._read_stamp) != self._stamp:
                await self._replace(login)
                return
            if wait > WATCH_SECONDS:
                return
        else:
            await self._sleep(max(wait, SHORTEST_WAIT_SECONDS))
        if self._current is login:
            await self._renew(login)

    async def _renew(self, login: _Login) -> None:
        """Renew the login, or replace it where that is refused or would gain little."""
        if not login.lease.seconds:
            return
        if login.lease.is_renewable:
            try:
                answer = await self._in_thread(login.client.auth.token.renew_self)
            except VaultError as error:
                _log.warning("vault_token_not_renewed", error=type(error).__name__)
            else:
                with understood():
                    seconds = float(answer["auth"]["lease_duration"])
                if seconds >= login.lease.seconds * _EXHAUSTED:
                    self._current = _Login(login.client, Lease(login.lease.token, seconds, is_renewable=True), self._clock())
                    return
        await self._replace(login)

    async def _replace(self, login: _Login) -> None:
        async with self._lock:
            if self._current is login:
                await self._fresh()

    async def _fresh(self) -> _Login:
        self._stamp = await self._in_thread(self._read_stamp)
        lease = await self._in_thread(lambda: self._way.log_in(self._connect))
        self._current = _Login(self._connect(lease.token), lease, self._clock())
        return self._current

    def _pause(self) -> None:
        self._paused_until = self._clock() + min(2.0**self._vain_logins, LONGEST_PAUSE_SECONDS)
        self._vain_logins += 1

    def _read_stamp(self) -> tuple[int, int] | None:
        """Tell one state of the watched file from another, in a thread; a file that is not there is a state too."""
        if self._way.watched is None:
            return None
        try:
            status = self._way.watched.stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns


def _renewal_wait(lease: Lease) -> float:
    if not lease.seconds:
        return LONGEST_WAIT_SECONDS
    return min(max(lease.seconds * 2 / 3, SHORTEST_WAIT_SECONDS), LONGEST_WAIT_SECONDS)
