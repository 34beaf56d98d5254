"""The embedded servers: made once, kept private, and the same again after every restart."""

import asyncio
import os
import socket
import ssl
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import psutil
import pytest
import redis

from serve_app import embedded
from serve_app.certificates import self_signed
from serve_app.embedded import EmbeddedPostgres, EmbeddedServerError, EmbeddedVault
from serve_app.server_home import ServerHome
from tests.postgres_probes import query
from tests.serve_app.processes import IS_ROOT
from tests.serve_app.servers_on_folder import PLAINTEXT, Servers, decrypt, encrypt
from tests.servers import Embedded, RunningServer, spawn, started


@pytest.mark.usefixtures("vault_server", "redis_server")
def test_everything_is_there_again_after_a_restart(folder: Path) -> None:
    """Data, passwords, tokens and addresses; while other servers of ours run beside."""
    servers = Servers(folder)
    with servers.running():
        asyncio.run(query(servers.postgres.url, "CREATE TABLE kept (id integer)"))
        redis.Redis.from_url(servers.redis.url).set("kept", "yes")
        ciphertext = encrypt(servers.vault)
        facts = _facts(servers)

    again = Servers(folder)
    with again.running():
        asyncio.run(query(again.postgres.url, "SELECT id FROM kept"))
        kept = redis.Redis.from_url(again.redis.url).get("kept")
        plaintext = decrypt(again.vault, ciphertext)

        assert _facts(again) == facts
        assert kept == b"yes"
        assert plaintext == PLAINTEXT


def test_servers_are_private(folder: Path) -> None:
    """Secrets in files of their owner alone, on no command line and in no environment; sockets and loopback only; not root."""
    servers = Servers(folder)
    with servers.running() as running:
        processes = {name: psutil.Process(server.pid) for name, server in running.items()}
        shown = {name: " ".join([*process.cmdline(), *process.environ().values()]) for name, process in processes.items()}
        listening = [
            connection
            for process in processes.values()
            for connection in process.net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        ]
        owners = [process.uids().real for process in processes.values()]

    secrets = {path: path.read_text() for path in folder.rglob("*") if path.is_file() and path.name.endswith(("password", "token", "key"))}
    assert {path.name for path in secrets} == {
        *("postgres-password", "wallets-password", "openbao-password", "password"),
        *("seal-key", "tls-key", "service-token", "operator-token"),
    }
    assert {stat.S_IMODE(path.stat().st_mode) for path in (*secrets, folder / "vault/openbao.json", folder / "redis/valkey.conf")} == {
        0o600
    }
    assert {stat.S_IMODE((folder / name).stat().st_mode) for name in processes} == {0o700}
    assert not [(name, path) for name, text in shown.items() for path, secret in secrets.items() if secret in text]
    assert [(connection.laddr.ip, connection.laddr.port) for connection in listening] == [("127.0.0.1", _port(servers.vault))]
    if IS_ROOT:
        assert 0 not in owners
        assert len(set(owners)) == 3
    else:
        assert set(owners) == {os.geteuid()}


def test_openbao_has_a_certificate_of_its_own_from_each_start_on(folder: Path) -> None:
    """It stays while the service runs that knows it, and is another at the next start; another one on OpenBao's port is not believed."""
    postgres = EmbeddedPostgres(folder / "postgres")
    postgres.prepare()
    vault = EmbeddedVault(folder / "vault", postgres)
    vault.prepare()
    first = vault.ca_file.read_text()
    vault.prepare()
    kept = vault.ca_file.read_text()
    next_start = EmbeddedVault(folder / "vault", postgres)
    next_start.prepare()
    another = self_signed(datetime.now(UTC))
    (folder / "key.pem").write_text(another.key)
    (folder / "cert.pem").write_text(another.certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")

    with socket.create_server(("127.0.0.1", _port(next_start))) as listener, ThreadPoolExecutor(1) as pool:
        heard = pool.submit(_hear, listener, context)
        is_believed = next_start.child().ready()

    assert kept == first != next_start.ca_file.read_text()
    assert not is_believed
    assert heard.result() == b""


def _hear(listener: socket.socket, context: ssl.SSLContext) -> bytes:
    """Take one connection, and return what is said on it in confidence."""
    connection, _ = listener.accept()
    try:
        with context.wrap_socket(connection, server_side=True) as private:
            return private.recv(1000)
    except OSError:
        return b""


def test_the_wallets_role_reaches_its_database_alone(folder: Path) -> None:
    """It is no superuser and does not read what OpenBao keeps; a wrong password reaches nothing."""
    postgres = EmbeddedPostgres(folder / "postgres")
    with started(postgres, folder / "postgres.log"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            asyncio.run(query(postgres.url, "CREATE ROLE another"))
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            asyncio.run(query(postgres.url_of("wallets", "openbao"), "SELECT 1"))
        with pytest.raises(asyncpg.InvalidPasswordError):
            asyncio.run(query(postgres.url.replace("wallets:", "wallets:x"), "SELECT 1"))


def test_a_first_start_that_was_cut_off_begins_anew(folder: Path) -> None:
    """Whatever a crash left: half a PostgreSQL, an OpenBao that has initialized itself half."""
    servers = Servers(folder)
    servers.postgres.prepare()
    (folder / "postgres/data").rename(folder / "postgres/unfinished")
    servers.postgres.prepare()
    with started(servers.postgres, folder / "postgres.log"):
        for seconds in (0.05, 0.15):
            servers.vault.prepare()
            _run_for(servers.vault, seconds)
        with started(servers.vault, folder / "vault.log"):
            plaintext = decrypt(servers.vault, encrypt(servers.vault))

    assert plaintext == PLAINTEXT


def test_a_lock_that_names_another_process_is_forgotten(folder: Path) -> None:
    """After a crash of the machine PostgreSQL's old process id may be anybody's."""
    postgres = EmbeddedPostgres(folder / "postgres")
    postgres.prepare()
    lock = folder / "postgres/data/postmaster.pid"
    lock.write_text(f"{os.getpid()}\n")

    postgres.prepare()

    assert not lock.exists()


def test_a_second_server_on_one_folder_is_refused(postgres_server: RunningServer[EmbeddedPostgres]) -> None:
    """Whoever started the first."""
    with pytest.raises(EmbeddedServerError, match=f"another PostgreSQL runs on .*, process {postgres_server.pid}"):
        postgres_server.server.prepare()


def test_data_of_another_version_is_refused(folder: Path) -> None:
    """With both versions, and what to do."""
    postgres = EmbeddedPostgres(folder / "postgres")
    postgres.prepare()
    (folder / "postgres/data/PG_VERSION").write_text("13\n")

    with pytest.raises(EmbeddedServerError, match=r"data of PostgreSQL 13, but .* brings PostgreSQL 18"):
        postgres.prepare()


def test_openbao_of_a_development_version_is_refused(folder: Path) -> None:
    """Its key binds nothing: that is said at once, and nothing of it is changed."""
    vault = EmbeddedVault(folder / "vault", EmbeddedPostgres(folder / "postgres"))
    (folder / "vault").mkdir()
    (folder / "vault" / "initialized").write_text("yes")

    with pytest.raises(EmbeddedServerError, match="use another folder"):
        vault.prepare()

    assert [path.name for path in (folder / "vault").iterdir()] == ["initialized"]


def test_a_port_that_was_taken_is_replaced(folder: Path) -> None:
    """By one that is free when the service is started the next time; otherwise it stays."""
    first, second, third = (EmbeddedVault(folder / "vault", EmbeddedPostgres(folder / "postgres")) for _ in range(3))
    ServerHome(folder / "postgres").create()
    first.prepare()
    port = _port(first)
    second.prepare()

    assert _port(second) == port
    with socket.create_server(("127.0.0.1", port)):
        third.prepare()
    assert _port(third) != port


def test_a_port_that_the_service_was_told_is_kept(folder: Path) -> None:
    """Taken by somebody while OpenBao was down, it is waited for: the replicas would go on sending their token there."""
    vault = EmbeddedVault(folder / "vault", EmbeddedPostgres(folder / "postgres"))
    ServerHome(folder / "postgres").create()
    vault.prepare()

    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", _port(vault)))
        squatter.listen()
        with pytest.raises(EmbeddedServerError, match=r"which the service was told, is taken by .*pid"):
            vault.prepare()
    vault.prepare()


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("initdb: error: could not write: No space left on device\n", "the disk with /data is full"),
        ("initdb: error: could not look up effective user ID 4711: user does not exist", "needs a user with a name"),
        ("LOG:  starting\nFATAL:  something else\n", "initdb says FATAL:  something else"),
        ("", "initdb says nothing"),
    ],
)
def test_what_initdb_says_is_put_into_words(output: str, message: str) -> None:
    """Whatever goes wrong in the middle of making the data."""
    assert message in embedded._reason("initdb", output, Path("/data"))


def _facts(servers: Servers) -> tuple[str, ...]:
    return (servers.postgres.url, servers.redis.url, servers.vault.address, servers.vault.token, servers.vault.operator_token)


def _port(vault: EmbeddedVault) -> int:
    return int(vault.address.rsplit(":", 1)[1])


def _run_for(server: Embedded, seconds: float) -> None:
    """Start a server and kill it after this time, wherever it is then."""
    process = spawn(server.child(), subprocess.DEVNULL)
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
