"""Say what runs on one machine: which children in which order, by which settings, and what the replicas are told of them."""

import asyncio
import os
import stat
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from deployments.key_wiring import KeysLostError, local_keys, make_key_file, open_ciphertexts, require_backends
from deployments.requirements import key_file, missing_login, require_dependencies
from deployments.setting_types import AuthMethod, KeyBackend
from deployments.settings import PREFIX, ConfigurationError, Settings, load, secret_names
from serve_app.child import Child
from serve_app.cluster import RayCluster
from serve_app.embedded import EmbeddedPostgres, EmbeddedRedis, EmbeddedVault
from serve_app.embedded_vault import TRANSIT_KEY, TRANSIT_MOUNT
from serve_app.local_service import remember_made
from serve_app.migration import CannotMigrateError, bring_up_to_date
from serve_app.ports import PortError, require_free
from serve_app.server_home import EmbeddedServerError, ServerHome
from serve_app.service_client import ServiceClient, ServiceError
from serve_app.supervisor import ChildFailedError, Unit
from wallets.errors import UnavailableError

TITLES = {"postgres": "PostgreSQL", "redis": "Redis (Valkey)", "vault": "Vault (OpenBao)", "ray": "Ray Serve and the service"}

RAY_START_SECONDS = 120.0
READY_SECONDS = 60.0
_POLL_SECONDS = 0.1
_GIVEN = "given-secrets"
_INHERITED = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "SSL_CERT_DIR", "SSL_CERT_FILE", "TMPDIR", "TZ", "USER")
"""What Ray gets of our environment beside `APP__*`: nothing that would lead it elsewhere (RAY_ADDRESS) or that is a secret of others."""


_OPERATORS = ("APP__VAULT__OPERATOR_TOKEN", "APP__VAULT__OPERATOR_TOKEN_FILE")
"""What no replica gets: with it, who takes one over could rotate and retire keys."""


class EmbeddedServer(Protocol):
    """A server of our own: made, then run."""

    def prepare(self) -> None:
        """Make what it needs.

        Raises:
            EmbeddedServerError: It cannot be made.
        """
        ...

    def child(self) -> Child:
        """Say how it runs."""
        ...


class Machine:
    """Everything that `up` runs, in one data folder: servers for what `settings` do not name, then Ray with the service.

    `environ` is our environment, `tell` is called with a line for people.
    """

    def __init__(self, settings: Settings, environ: Mapping[str, str], folder: Path, tell: Callable[[str], None]) -> None:
        _check(settings)
        self._settings = settings
        self._environ = environ
        self._folder = folder
        self._tell = tell
        self._was_ready = False
        self._home = ServerHome(folder)
        self._postgres = EmbeddedPostgres(folder / "postgres") if _needs_postgres(settings) else None
        self._redis = EmbeddedRedis(folder / "redis") if _needs_redis(settings, environ) else None
        self._vault = EmbeddedVault(folder / "vault", self._postgres) if self._postgres and _needs_vault(settings) else None

    @property
    def url(self) -> str:
        """Where clients on this machine reach the service."""
        host = self._settings.server.host
        reachable = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104  # compared with
        return f"http://{reachable}:{self._settings.server.port}"

    @property
    def grpc_target(self) -> str:
        """Where clients of gRPC on this machine reach it, as they write it."""
        return f"{self.url.removeprefix('http://').rpartition(':')[0]}:{self._settings.server.effective_grpc_port}"

    def api_key(self) -> str | None:
        """Return the key clients send: the configured one, else one made at the first start; None where none is needed.

        Raises:
            EmbeddedServerError: The file of the key cannot be read or made.
        """
        server = self._settings.server
        if server.api_key is not None:
            return server.api_key.get_secret_value()
        return None if server.allow_unauthenticated else self._home.secret("api-key")

    def facts(self) -> Mapping[str, str]:
        """Return what other processes may want to know, none of it secret."""
        made_key = self._settings.server.api_key is None and not self._settings.server.allow_unauthenticated
        return {
            "url": self.url,
            "grpc": self.grpc_target,
            "folder": str(self._folder),
            "logs": str(self._folder / "logs"),
            **({"api_key_file": str(self._folder / "api-key")} if made_key else {}),
        }

    def require_ports(self) -> None:
        """See that the service can listen where it shall.

        Raises:
            PortError: It cannot; the message says who holds the port.
        """
        server = self._settings.server
        for port in (server.port, server.effective_grpc_port):
            require_free(server.host, port)

    def units(self) -> list[Unit]:
        """Return the children, in the order in which they are started."""
        servers: dict[str, EmbeddedServer | None] = {"postgres": self._postgres, "redis": self._redis, "vault": self._vault}
        units = [_unit(name, server) for name, server in servers.items() if server is not None]
        return [*units, Unit(name="ray", make=self._make_ray, after_ready=self._until_ready, start_timeout_seconds=RAY_START_SECONDS)]

    async def _make_ray(self) -> Child:
        """Migrate the database, once, and prepare the cluster."""
        try:
            await asyncio.to_thread(self.require_ports)
            environ = await asyncio.to_thread(self._replica_environ)
            settings = require_dependencies(load(environ))
            if not self._was_ready:
                assert settings.database.url is not None
                await bring_up_to_date(settings.database.url.get_secret_value(), self._tell)
                await self._check_keys(settings)
            return await asyncio.to_thread(self._prepare_cluster, environ)
        except (PortError, ConfigurationError, EmbeddedServerError, CannotMigrateError, KeysLostError, UnavailableError) as error:
            raise ChildFailedError(str(error)) from error
        except OSError as error:
            msg = f"Ray cannot be prepared: {error.filename or self._folder}: {error.strerror}"
            raise ChildFailedError(msg) from error

    async def _check_keys(self, settings: Settings) -> None:
        """See that every wallet's key is there, and make the local one at the first start."""
        async with open_ciphertexts(settings) as ciphertexts:
            await require_backends(settings, ciphertexts)
            if settings.keys.backend is KeyBackend.LOCAL and await make_key_file(local_keys(settings), ciphertexts):
                self._tell(f"made the key file {key_file(settings)}; keep a copy of it apart from the database: without it no wallet opens")

    def _prepare_cluster(self, environ: Mapping[str, str]) -> Child:
        server = self._settings.server
        folders = (self._folder / "ray", _runtime_folder(self._home), self._folder / "logs")
        cluster = RayCluster(*folders, server.host, server.port, server.effective_grpc_port)
        cluster.prepare()
        return cluster.child({**environ, "APP__METRICS_DIR": str(cluster.metrics_folder)}, self.url)

    def forget_given(self) -> None:
        """Remove the files in which the replicas were told the secrets of our own environment."""
        for file in self._home.make_folder(_GIVEN).iterdir():
            file.unlink()

    def _replica_environ(self) -> dict[str, str]:
        """Return the replicas' environment. Every secret is named by a file: all of Ray's processes have this environment."""
        environ = {name: value for name, value in self._environ.items() if value and (name.startswith(PREFIX) or name in _INHERITED)}
        environ = {name: value for name, value in environ.items() if name not in _OPERATORS}
        self.forget_given()
        given = ServerHome(self._home.make_folder(_GIVEN))
        for name in secret_names():
            value = environ.pop(name, None)
            if value is not None:
                environ[f"{name}_FILE"] = str(given.write(name.lower(), value))
        environ |= self._made()
        remember_made(self._home, {name: value for name, value in environ.items() if name.startswith(PREFIX)} | self._made_for_operator())
        return environ

    def _made(self) -> dict[str, str]:
        """Return the variables that name what we made ourselves."""
        environ = {"APP__DATA_DIR": str(self._folder)}
        if self.api_key() is not None and self._settings.server.api_key is None:
            environ["APP__SERVER__API_KEY_FILE"] = str(self._folder / "api-key")
        if self._postgres is not None and self._settings.database.url is None:
            environ["APP__DATABASE__URL_FILE"] = str(self._home.write("database-url", self._postgres.url))
        if self._redis is not None:
            environ["APP__REDIS__URL_FILE"] = str(self._home.write("redis-url", self._redis.url))
        if (self._redis is not None or self._settings.redis.url is not None) and not self._environ.get("APP__REDIS__ENABLED"):
            environ["APP__REDIS__ENABLED"] = "true"
        if self._vault is not None:
            environ["APP__VAULT__ADDRESS"] = self._vault.address
            environ["APP__VAULT__CA_FILE"] = str(self._vault.ca_file)
            environ["APP__VAULT__TOKEN_FILE"] = str(self._vault.token_file)
        return environ

    def _made_for_operator(self) -> dict[str, str]:
        """Return what the operator's commands may use, and no replica."""
        return {} if self._vault is None else {"APP__VAULT__OPERATOR_TOKEN_FILE": str(self._vault.operator_token_file)}

    async def _until_ready(self) -> None:
        """Wait until the service says it is ready; only at the first start: later a dependency may be away, which is no fault of Ray's."""
        if self._was_ready:
            return
        client = ServiceClient(self.url)
        answer = "nothing"
        try:
            async with asyncio.timeout(READY_SECONDS):
                while not self._was_ready:
                    self._was_ready, answer = await asyncio.to_thread(_readiness, client)
                    await asyncio.sleep(0 if self._was_ready else _POLL_SECONDS)
        except TimeoutError:
            msg = f"the service runs but was not ready within {READY_SECONDS:g} s: {answer}"
            raise ChildFailedError(msg) from None


def _unit(name: str, server: EmbeddedServer) -> Unit:
    def prepared() -> Child:
        try:
            server.prepare()
            return server.child()
        except EmbeddedServerError as error:
            raise ChildFailedError(str(error)) from error
        except ImportError as error:
            msg = f"the package {error.name} is not installed; install crypto-wallets-service[embedded], or configure a server that exists"
            raise ChildFailedError(msg) from error

    async def make() -> Child:
        return await asyncio.to_thread(prepared)

    return Unit(name=name, make=make)


def _check(settings: Settings) -> None:
    """Refuse what cannot be composed, before anything is started."""
    vault = settings.vault
    missing = list(missing_login(vault)) if vault.address is not None else []
    if missing:
        msg = "\n".join(missing)
    elif vault.address is None and (vault.token is not None or vault.auth_method is not AuthMethod.TOKEN or vault.namespace):
        msg = "APP__VAULT__ADDRESS: is not set, but how to log in to it is"
    elif _needs_vault(settings) and (vault.key_id, vault.mount) != (TRANSIT_KEY, TRANSIT_MOUNT):
        msg = (
            f"APP__VAULT__KEY_ID, APP__VAULT__MOUNT: the OpenBao that `up` starts has the key {TRANSIT_KEY} at {TRANSIT_MOUNT} and no other"
        )
    else:
        return
    raise ConfigurationError(msg)


def _needs_postgres(settings: Settings) -> bool:
    """An OpenBao of ours keeps its data in a PostgreSQL of ours, also where the service's own database is elsewhere."""
    return settings.database.url is None or _needs_vault(settings)


def _needs_vault(settings: Settings) -> bool:
    return settings.vault.address is None and settings.keys.backend is KeyBackend.VAULT


def _needs_redis(settings: Settings, environ: Mapping[str, str]) -> bool:
    return settings.redis.url is None and (settings.redis.enabled or not environ.get("APP__REDIS__ENABLED"))


def _readiness(client: ServiceClient) -> tuple[bool, str]:
    try:
        status, answer = client.get("/api/v1/health/ready")
    except ServiceError as error:
        return False, str(error)
    told = (f"{name} is {health.get('status')}{_reason(health)}" for name, health in answer.get("components", {}).items())
    return status == 200, ", ".join(told) or f"status {status}"


def _reason(health: Mapping[str, object]) -> str:
    return f" ({health['reason']})" if "reason" in health else ""


def _runtime_folder(home: ServerHome) -> Path:
    """Return a folder of ours for Ray's sockets, which lie deep in it: its name is short, because a socket's path has at most 107 bytes."""
    remembered = home.read("runtime-folder")
    if remembered is None or not _is_ours_alone(Path(remembered)):
        remembered = tempfile.mkdtemp(prefix="cw-", dir="/tmp")
        home.write("runtime-folder", remembered)
    return Path(remembered)


def _is_ours_alone(folder: Path) -> bool:
    try:
        status = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077
