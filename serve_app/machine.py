"""Run the whole service on one machine: which children, in which order, with which settings."""

import asyncio
import hashlib
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from adapters import schema
from deployments.settings import Settings
from serve_app.cluster import RayCluster
from serve_app.embedded import EmbeddedPostgres, EmbeddedVault, secret_file
from serve_app.supervisor import Lock, Supervisor, SupervisorError


def data_folder(settings: Settings) -> Path:
    """Return `APP__DATA_DIR`, or a folder in the user's data home; root's is the system's, which PostgreSQL's user can reach."""
    if settings.data_dir is not None:
        return settings.data_dir.absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/crypto-wallets")
    home = os.environ.get("XDG_DATA_HOME")
    return (Path(home) if home else Path.home() / ".local" / "share") / "crypto-wallets"


class Machine:
    """One installation: everything in one data folder."""

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._say = say
        self.folder = data_folder(settings)
        self.log_folder = self.folder / "logs"
        self._supervisor = Supervisor(self.log_folder, say)

    @property
    def url(self) -> str:
        """Where the API answers."""
        host = self._settings.server.host
        return f"http://{'127.0.0.1' if host in {'0.0.0.0', '::'} else host}:{self._settings.server.port}"  # noqa: S104  # compared with

    @property
    def api_key(self) -> str:
        """The key clients send: the configured one, or one made at the first start."""
        configured = self._settings.server.api_key
        return configured.get_secret_value() if configured else secret_file(self.folder / "api-key")

    async def run(self, when_ready: Callable[["Machine"], None]) -> None:
        """Start everything, call `when_ready`, and run until SIGTERM or SIGINT.

        Raises:
            SupervisorError: It could not be started, or a child keeps dying.
            EmbeddedServerError: A server cannot be made.
        """
        self._make_folders()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        with Lock(self.folder):
            starting = asyncio.create_task(self._start())
            stopping = asyncio.create_task(stop.wait())
            try:
                await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
                if starting.done():
                    starting.result()
                    when_ready(self)
                    await self._supervisor.watch(stop)
            finally:
                for task in (starting, stopping):
                    task.cancel()
                    with suppress(asyncio.CancelledError, SupervisorError):
                        await task
                await self._supervisor.stop()

    def _make_folders(self) -> None:
        try:
            self.folder.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
            self.log_folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise SupervisorError(f"the data folder {self.folder} cannot be made: {error.strerror}") from error

    async def _start(self) -> None:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("APP__") or value}
        await self._start_database(environ)
        await self._start_vault(environ)
        if self._settings.server.api_key is None and not self._settings.server.allow_unauthenticated:
            assert self.api_key
            environ["APP__SERVER__API_KEY_FILE"] = str(self.folder / "api-key")
        await self._start_cluster(environ)

    async def _start_database(self, environ: dict[str, str]) -> None:
        configured = self._settings.database.url
        if configured is None:
            self._postgres = EmbeddedPostgres(self.folder / "postgresql")
            await asyncio.to_thread(self._postgres.prepare)
            await self._supervisor.start(self._postgres.child())
            await self._postgres.create_databases("wallets", "openbao")
            url = self._postgres.url("wallets")
            file = self.folder / "postgresql" / "url"
            file.unlink(missing_ok=True)
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as text:
                text.write(url)
            environ["APP__DATABASE__URL_FILE"] = str(file)
        else:
            url = configured.get_secret_value()
        for name in await schema.migrate(url):
            self._say(f"migrated the database: {name}")

    async def _start_vault(self, environ: dict[str, str]) -> None:
        if self._settings.vault.address is not None:
            return
        if self._settings.database.url is not None:
            raise SupervisorError("APP__DATABASE__URL is set but APP__VAULT__ADDRESS is not; set both or neither")
        vault = EmbeddedVault(self.folder / "openbao")
        vault.prepare(self._postgres.url("openbao"))
        await self._supervisor.start(vault.child())
        await asyncio.to_thread(vault.initialize, self._settings.vault.key_id)
        environ["APP__VAULT__ADDRESS"] = vault.address
        environ["APP__VAULT__TOKEN_FILE"] = str(vault.token_file)

    async def _start_cluster(self, environ: Mapping[str, str]) -> None:
        server = self._settings.server
        cluster = RayCluster(self.folder / "ray", self._runtime_folder(), server.host, server.port, server.effective_grpc_port)
        cluster.prepare()
        await self._supervisor.start(cluster.child({**environ, "APP__METRICS_DIR": str(cluster.metrics_folder)}))

    def _runtime_folder(self) -> Path:
        """Return a folder of ours with a short path, since unix sockets of Ray lie deep in it."""
        name = hashlib.sha256(str(self.folder).encode()).hexdigest()[:8]
        folder = Path("/tmp") / f"cw-{os.geteuid()}-{name}"  # noqa: S108  # checked below; a longer name is too long for HAProxy's sockets
        folder.mkdir(mode=0o700, exist_ok=True)
        owner = folder.lstat()
        if owner.st_uid != os.geteuid() or folder.is_symlink() or owner.st_mode & 0o077:
            raise SupervisorError(f"{folder} is not ours alone; remove it")
        return folder
