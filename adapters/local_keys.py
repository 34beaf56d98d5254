"""Encrypt mnemonics with a key file on this machine, for who has no Vault. Refused in production: the key lies beside what it protects.

AES-256-GCM (NIST SP 800-38D) with a random nonce of 96 bits; ciphertexts are `local:v<version>:<base64 of nonce, ciphertext, tag>`. One key
may encrypt 2^32 times at most, so that two nonces meet with a probability of 2^-32 (section 8.3). A version encrypts once for each new
wallet and once for each that is rewrapped or migrated, which stays far below: a hundred wallets a second would take a year and four months.

The file holds all versions, is its owner's alone (mode 0600), and is replaced whole: there is always an old one or a new one. Python cannot
wipe the copies of the keys that reading the file makes.
"""

import asyncio
import base64
import binascii
import fcntl
import json
import os
import re
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.files import sync_folder
from wallets.errors import CorruptCiphertextError, InvalidRequestError, KeyEncryptionUnavailableError
from wallets.model import ComponentHealth, EncryptedMnemonic, HealthStatus, KeyVersions
from wallets.secret import Mnemonic

T = TypeVar("T")

BACKEND = "local"

_FORMAT = 1
_KEY_BYTES = 32
_NONCE_BYTES = 12
_MAX_FILE_BYTES = 1_000_000
_LOCK_POLL_SECONDS = 0.02
_CIPHERTEXT = re.compile(r"local:v([1-9][0-9]{0,8}):([A-Za-z0-9+/]+={0,2})")

_log = structlog.get_logger(__name__)

Stamp = tuple[int, ...]
"""What changes when the file does: device, inode, mode, owner, size, and both times in nanoseconds."""


@dataclass(frozen=True, slots=True, repr=False)
class _Keys:
    """What the file says. `values` are the keys in the order of their versions, from 1."""

    values: tuple[bytes, ...]
    oldest_usable: int

    @property
    def latest(self) -> int:
        return len(self.values)


class LocalKeyFile:
    """See `wallets.ports.KeyEncryption` and `wallets.ports.KeyRotation`.

    Any number of processes may use the file, rotate it included: each sees that it was changed, and changes are made one at a time.
    """

    backend = BACKEND

    def __init__(self, path: Path, *, lock_timeout_seconds: float = 10) -> None:
        self._path = path
        self._lock_timeout_seconds = lock_timeout_seconds
        self._stamp: Stamp | None = None
        self._ciphers: Mapping[int, AESGCM] = {}
        self._versions = KeyVersions(0, 0)

    @property
    def exists(self) -> bool:
        """Whether something is in its place."""
        return os.path.lexists(self._path)

    async def create(self) -> bool:
        """Make the file with a first key, if there is none; return whether it was made.

        Raises:
            KeyEncryptionUnavailableError: There is one that cannot be used, or it cannot be made.
        """
        return await self._in_thread(self._create)

    async def encrypt(self, mnemonic: Mnemonic, *, associated_data: bytes) -> str:
        """See `KeyEncryption.encrypt`."""
        self._refresh()
        return self._sealed(mnemonic, associated_data)

    async def decrypt(self, ciphertext: str, *, associated_data: bytes) -> Mnemonic:
        """See `KeyEncryption.decrypt`."""
        self._refresh()
        return self._opened(EncryptedMnemonic(ciphertext, associated_data))

    async def encrypt_many(self, items: Sequence[tuple[Mnemonic, bytes]]) -> Sequence[str]:
        """See `KeyEncryption.encrypt_many`."""
        self._refresh()
        return [self._sealed(mnemonic, associated_data) for mnemonic, associated_data in items]

    async def decrypt_many(self, items: Sequence[EncryptedMnemonic]) -> Sequence[Mnemonic | CorruptCiphertextError]:
        """See `KeyEncryption.decrypt_many`."""
        self._refresh()
        return [_or_corrupt(self._opened, item) for item in items]

    async def versions(self) -> KeyVersions:
        """See `KeyRotation.versions`."""
        self._refresh()
        return self._versions

    async def rotate(self) -> int:
        """See `KeyRotation.rotate`."""

        def rotated(keys: _Keys) -> _Keys:
            return _Keys((*keys.values, os.urandom(_KEY_BYTES)), keys.oldest_usable)

        return (await self._in_thread(lambda: self._change(rotated))).latest

    async def rewrap_many(self, items: Sequence[EncryptedMnemonic]) -> Sequence[str | CorruptCiphertextError]:
        """See `KeyRotation.rewrap_many`."""
        self._refresh()
        return [_or_corrupt(self._rewrapped, item) for item in items]

    async def set_oldest_usable(self, number: int) -> None:
        """See `KeyRotation.set_oldest_usable`."""

        def limited(keys: _Keys) -> _Keys:
            if not 1 <= number <= keys.latest:
                msg = f"the key has no version {number}"
                raise InvalidRequestError(msg)
            return _Keys(keys.values, number)

        await self._in_thread(lambda: self._change(limited))

    def _sealed(self, mnemonic: Mnemonic, associated_data: bytes) -> str:
        latest, nonce = self._versions.latest, os.urandom(_NONCE_BYTES)
        sealed = nonce + self._ciphers[latest].encrypt(nonce, mnemonic.reveal(), associated_data)
        return f"{BACKEND}:v{latest}:{base64.b64encode(sealed).decode()}"

    def _opened(self, item: EncryptedMnemonic) -> Mnemonic:
        try:
            number, sealed = _parsed(item.ciphertext)
            return Mnemonic(self._usable(number).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], item.associated_data))
        except (InvalidTag, ValueError, KeyError) as error:
            msg = "the stored ciphertext does not decrypt"
            raise CorruptCiphertextError(msg) from error

    def _rewrapped(self, item: EncryptedMnemonic) -> str:
        with self._opened(item) as mnemonic:
            return self._sealed(mnemonic, item.associated_data)

    def _usable(self, number: int) -> AESGCM:
        if number < self._versions.oldest_usable:
            raise KeyError(number)
        if number not in self._ciphers:
            self._refresh(force=True)
        return self._ciphers[number]

    def _refresh(self, *, force: bool = False) -> None:
        """Read the file again if it is not the one that was read: another process may have rotated it.

        Raises:
            KeyEncryptionUnavailableError: It cannot be used.
        """
        with _told():
            if self._stamp is not None and not force and _stamp(self._path.lstat()) == self._stamp:
                return
            keys, stamp = _read(self._path)
        self._ciphers = {number: AESGCM(value) for number, value in enumerate(keys.values, start=1)}
        self._versions = KeyVersions(keys.latest, keys.oldest_usable)
        self._stamp = stamp

    def _create(self) -> bool:
        with self._locked():
            if self.exists:
                _read(self._path)
                return False
            self._write(_Keys((os.urandom(_KEY_BYTES),), 1))
            return True

    def _change(self, change: Callable[[_Keys], _Keys]) -> _Keys:
        with self._locked():
            keys = change(_read(self._path)[0])
            self._write(keys)
            return keys

    def _write(self, keys: _Keys) -> None:
        """Replace the file, durably. What a killed process left beside it, with keys in it, goes as well."""
        folder, prefix = self._path.parent, f".{self._path.name}-"
        for leftover in folder.iterdir():
            if leftover.name.startswith(prefix):
                leftover.unlink()
        descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=prefix)  # of mode 0600
        with os.fdopen(descriptor, "w") as file:
            file.write(_rendered(keys))
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(self._path)
        sync_folder(folder)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Be the only one who changes the file: an flock(2), which ends with the process, on a file beside it that is never replaced."""
        lock = self._path.with_name(f"{self._path.name}.lock")
        with _told():
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                _wait_for_lock(descriptor, time.monotonic() + self._lock_timeout_seconds)
                yield
            finally:
                os.close(descriptor)

    @staticmethod
    async def _in_thread(call: Callable[[], T]) -> T:
        return await asyncio.to_thread(call)


class LocalKeyHealth:
    """Say whether the key file can be used. See `wallets.ports.Component`."""

    name = "local_keys"

    def __init__(self, keys: LocalKeyFile) -> None:
        self._keys = keys

    async def check(self) -> ComponentHealth:
        """See `Component.check`."""
        start = time.monotonic()
        status, details = await self._ask()
        return ComponentHealth(status, (time.monotonic() - start) * 1000, details)

    async def _ask(self) -> tuple[HealthStatus, Mapping[str, str | int]]:
        try:
            versions = await self._keys.versions()
        except KeyEncryptionUnavailableError as error:
            return HealthStatus.ERROR, {"reason": str(error)}
        return HealthStatus.OK, {"key_version": versions.latest}


def _or_corrupt(call: Callable[[EncryptedMnemonic], T], item: EncryptedMnemonic) -> T | CorruptCiphertextError:
    try:
        return call(item)
    except CorruptCiphertextError as error:
        return error


def _parsed(ciphertext: str) -> tuple[int, bytes]:
    """Return the version and what was sealed.

    Raises:
        ValueError: It is not written as we write it, to the letter: base64 can say the same in several ways.
    """
    match = _CIPHERTEXT.fullmatch(ciphertext)
    if match is None:
        raise ValueError(BACKEND)
    sealed = base64.b64decode(match[2], validate=True)
    if base64.b64encode(sealed).decode() != match[2]:
        raise ValueError(BACKEND)
    return int(match[1]), sealed


@contextmanager
def _told() -> Iterator[None]:
    """Turn what the system says about the file into our error, without its name."""
    try:
        yield
    except FileNotFoundError as error:
        raise _unusable("it is missing") from error
    except OSError as error:
        _log.warning("local_key_file_unusable", error=error.strerror)
        raise _unusable(f"the system says: {error.strerror}") from error


def _unusable(why: str) -> KeyEncryptionUnavailableError:
    return KeyEncryptionUnavailableError(f"the local key file cannot be used: {why}")


def _read(path: Path) -> tuple[_Keys, Stamp]:
    """Read the file, if nobody else can.

    Raises:
        KeyEncryptionUnavailableError: It is a link, another user's, open to others, or not written by us.
        OSError: It cannot be read.
    """
    # A FIFO in its place must not make us wait.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
        status = os.fstat(file.fileno())
        _refuse_unsafe(status)
        content = file.read(_MAX_FILE_BYTES)
    return _parsed_keys(content), _stamp(status)


def _refuse_unsafe(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _unusable("it is no regular file")
    if status.st_uid != os.geteuid():
        raise _unusable("it belongs to another user")
    if status.st_mode & 0o077:
        raise _unusable("others than its owner may read or write it; its mode must be 0600")
    # One that was replaced since it was opened has no name left. It is whole, and the next use finds its successor.
    if status.st_nlink > 1:
        raise _unusable("it has several names")


def _parsed_keys(content: bytes) -> _Keys:
    try:
        document = json.loads(content)
        values = tuple(base64.b64decode(text, validate=True) for text in document["keys"])
        oldest = document["oldest_usable"]
        is_ours = document["format"] == _FORMAT and 1 <= oldest <= len(values) and {len(value) for value in values} == {_KEY_BYTES}
    except (ValueError, KeyError, TypeError, binascii.Error):
        is_ours = False
    if not is_ours:
        # Without a cause: what could not be read may be a key.
        raise _unusable("its contents are damaged; restore it from a copy")
    return _Keys(values, oldest)


def _rendered(keys: _Keys) -> str:
    values = [base64.b64encode(value).decode() for value in keys.values]
    return json.dumps({"format": _FORMAT, "oldest_usable": keys.oldest_usable, "keys": values}, indent=1)


def _stamp(status: os.stat_result) -> Stamp:
    changes = (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return (status.st_dev, status.st_ino, status.st_mode, status.st_uid, status.st_nlink, *changes)


def _wait_for_lock(descriptor: int, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise _unusable("another process has been changing it for too long") from None
            time.sleep(_LOCK_POLL_SECONDS)
        else:
            return
