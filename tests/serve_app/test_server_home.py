"""A server's folder: made with its owner and modes, no link in it followed, and what is wrong with it put into words."""

import errno
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from serve_app import server_home
from serve_app.embedded import EmbeddedPostgres, EmbeddedRedis, EmbeddedServerError
from serve_app.server_home import ServerHome, data_folder, open_data_folder, told
from tests.serve_app.processes import IS_ROOT
from tests.servers import Embedded


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

    assert stat.S_IMODE(made.stat().st_mode) == (0o711 if IS_ROOT else 0o700)


def test_the_default_data_folder_is_in_the_data_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ordinary user's is where XDG_DATA_HOME says."""
    monkeypatch.setenv("XDG_DATA_HOME", "/srv/data")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    assert data_folder(None) == Path("/srv/data/crypto-wallets")
