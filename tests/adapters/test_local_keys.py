"""What is the key file's own: who may read it, how it is replaced, several processes that use it."""

import asyncio
import base64
import json
import multiprocessing
import os
import random
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.local_keys import LocalKeyFile, LocalKeyHealth
from tests.adapters.conftest import local_keys
from tests.adapters.test_key_encryption_contract import PHRASE
from wallets.errors import CorruptCiphertextError, KeyEncryptionUnavailableError
from wallets.model import EncryptedMnemonic, HealthStatus, KeyVersions
from wallets.secret import Mnemonic


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the key file is, in a folder of its own."""
    return tmp_path / "keys.json"


async def test_the_file_is_made_once_and_for_its_owner_alone(path: Path) -> None:
    """A second call changes nothing, whatever the umask is."""
    before = os.umask(0)
    try:
        made = await LocalKeyFile(path).create()
        content = path.read_bytes()
        again = await LocalKeyFile(path).create()
    finally:
        os.umask(before)

    assert (made, again) == (True, False)
    assert content == path.read_bytes()
    assert {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == {0o600}
    assert [len(base64.b64decode(key)) for key in json.loads(content)["keys"]] == [32]


async def test_every_ciphertext_has_a_nonce_of_its_own(path: Path) -> None:
    """96 random bits in front of it."""
    keys = await local_keys(path.parent)

    ciphertexts = await keys.encrypt_many([(Mnemonic(PHRASE), b"a")] * 1000)

    nonces = {base64.b64decode(each.removeprefix("local:v1:"))[:12] for each in ciphertexts}
    assert len(nonces) == 1000


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o660, 0o644])
async def test_a_file_that_others_may_touch_is_refused(path: Path, mode: int) -> None:
    """Also when its mode changes while it is in use, and taken again when that is mended."""
    keys = await local_keys(path.parent)
    ciphertext = await keys.encrypt(Mnemonic(PHRASE), associated_data=b"a")
    path.chmod(mode)

    for user in (keys, LocalKeyFile(path)):
        with pytest.raises(KeyEncryptionUnavailableError, match="its mode must be 0600"):
            await user.decrypt(ciphertext, associated_data=b"a")

    path.chmod(0o600)
    assert await keys.decrypt(ciphertext, associated_data=b"a") == Mnemonic(PHRASE)


def _link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def _second_name(path: Path) -> None:
    path.with_name("second").hardlink_to(path)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir(mode=0o700)


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


@pytest.mark.parametrize("change", [_link, _second_name, _folder, _fifo, Path.unlink])
async def test_what_is_not_our_file_is_refused(path: Path, change: Callable[[Path], None]) -> None:
    """By who has not read it yet and by who has, with an error that does not name it; also for a rotation."""
    keys = await local_keys(path.parent)
    await keys.versions()
    change(path)

    for call in (keys.versions(), LocalKeyFile(path).versions(), keys.rotate()):
        with pytest.raises(KeyEncryptionUnavailableError, match="the local key file cannot be used: ") as refusal:
            await call
        assert str(path) not in str(refusal.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
async def test_a_file_of_another_user_is_refused(path: Path) -> None:
    """Root does not use it either, and does not take it away from its owner by rotating."""
    await local_keys(path.parent)
    os.chown(path, 65534, -1)

    for call in (LocalKeyFile(path).versions(), LocalKeyFile(path).rotate()):
        with pytest.raises(KeyEncryptionUnavailableError, match="another user"):
            await call

    assert path.stat().st_uid == 65534


@pytest.mark.parametrize(
    "content",
    [
        "",
        "not json",
        "[]",
        "{}",
        '{"format": 2, "oldest_usable": 1, "keys": ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]}',
        '{"format": 1, "oldest_usable": 2, "keys": ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]}',
        '{"format": 1, "oldest_usable": 0, "keys": ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]}',
        '{"format": 1, "oldest_usable": "1", "keys": ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]}',
        '{"format": 1, "oldest_usable": 1, "keys": ["AAAA"]}',
        '{"format": 1, "oldest_usable": 1, "keys": ["s3cr3t!"]}',
        '{"format": 1, "oldest_usable": 1, "keys": []}',
        '{"format": 1, "oldest_usable": 1, "keys": [7]}',
    ],
)
async def test_a_damaged_file_is_refused(path: Path, content: str) -> None:
    """It is neither used nor changed, and nothing of it is said."""
    path.write_text(content)
    path.chmod(0o600)
    keys = LocalKeyFile(path)

    for call in (keys.create(), keys.versions(), keys.rotate(), keys.set_oldest_usable(1)):
        with pytest.raises(KeyEncryptionUnavailableError, match="damaged") as refusal:
            await call
        assert "s3cr3t" not in f"{refusal.value} {refusal.value.__cause__}"

    assert path.read_text() == content


async def test_a_file_that_is_replaced_while_it_is_opened_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has opened it has the one before, which is whole; the next use finds its successor."""
    keys = LocalKeyFile(path)
    await keys.create()
    user, before = LocalKeyFile(path), path.read_bytes()
    opened = os.open

    def replaced(name: Path, flags: int, *rest: int) -> int:
        descriptor = opened(name, flags, *rest)
        if name == path:
            monkeypatch.setattr(os, "open", opened)
            successor = path.with_name("successor")
            successor.touch(0o600)
            successor.write_bytes(before)
            successor.replace(path)
        return descriptor

    monkeypatch.setattr(os, "open", replaced)
    ciphertext = await user.encrypt(Mnemonic(PHRASE), associated_data=b"a")

    assert os.open is opened
    assert (await keys.decrypt(ciphertext, associated_data=b"a")).reveal() == PHRASE


async def test_users_learn_of_a_rotation_at_once(path: Path) -> None:
    """Without being told: the next encryption is under the new version, and what the new version encrypted decrypts."""
    user, operator = await local_keys(path.parent), await local_keys(path.parent)
    assert (await user.versions()).latest == 1

    await operator.rotate()
    ciphertext = await operator.encrypt(Mnemonic(PHRASE), associated_data=b"a")

    assert await user.decrypt(ciphertext, associated_data=b"a") == Mnemonic(PHRASE)
    assert (await user.encrypt(Mnemonic(PHRASE), associated_data=b"a")).startswith("local:v2:")


async def test_a_version_is_looked_for_in_the_file_though_it_seems_unchanged(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file system's clock is too coarse to show a change, an unknown version shows it."""
    user, operator = await local_keys(path.parent), await local_keys(path.parent)
    monkeypatch.setattr("adapters.local_keys._stamp", lambda _status: (0,))
    await user.versions()
    await operator.rotate()
    await operator.versions()
    operator._refresh(force=True)
    ciphertext = await operator.encrypt(Mnemonic(PHRASE), associated_data=b"a")

    assert ciphertext.startswith("local:v2:")
    assert await user.decrypt(ciphertext, associated_data=b"a") == Mnemonic(PHRASE)


def _rotate(path: Path, times: int) -> None:
    for _ in range(times):
        asyncio.run(LocalKeyFile(path).rotate())


async def test_processes_that_rotate_at_once_lose_no_version(path: Path) -> None:
    """Each rotation makes one, while another process reads the file all the time."""
    keys = await local_keys(path.parent)
    context = multiprocessing.get_context("spawn")
    rotating = [context.Process(target=_rotate, args=(path, 25)) for _ in range(2)]
    first = await keys.encrypt(Mnemonic(PHRASE), associated_data=b"a")
    for process in rotating:
        process.start()

    while any(process.is_alive() for process in rotating):
        ciphertext = await keys.encrypt(Mnemonic(PHRASE), associated_data=b"a")
        assert await keys.decrypt(ciphertext, associated_data=b"a") == Mnemonic(PHRASE)
        await asyncio.sleep(0)

    assert [process.exitcode for process in rotating] == [0, 0]
    assert await keys.versions() == KeyVersions(latest=51, oldest_usable=1)
    assert await keys.decrypt(first, associated_data=b"a") == Mnemonic(PHRASE)


async def test_killed_while_it_rotates(path: Path) -> None:
    """Wherever it is killed, the file is whole, the lock is free, no version is lost, and nothing stays beside the file."""
    keys = await local_keys(path.parent)
    first = await keys.encrypt(Mnemonic(PHRASE), associated_data=b"a")
    context = multiprocessing.get_context("spawn")
    for _ in range(5):
        before = (await keys.versions()).latest
        process = context.Process(target=_rotate, args=(path, 10_000))
        process.start()
        while (await keys.versions()).latest == before:
            await asyncio.sleep(0)
        await asyncio.sleep(random.uniform(0, 0.02))
        process.kill()
        process.join()

        left = (await keys.versions()).latest
        assert left > before
        assert await keys.rotate() == left + 1
        assert await keys.decrypt(first, associated_data=b"a") == Mnemonic(PHRASE)
        assert sorted(each.name for each in path.parent.iterdir()) == ["keys.json", "keys.json.lock"]


async def test_who_holds_the_lock_for_too_long_is_not_waited_for(path: Path) -> None:
    """A process that hangs while it rotates does not hang others."""
    await local_keys(path.parent)
    holder = LocalKeyFile(path)
    with holder._locked(), pytest.raises(KeyEncryptionUnavailableError, match="another process"):
        await LocalKeyFile(path, lock_timeout_seconds=0.1).rotate()

    assert await holder.rotate() == 2


async def test_what_a_killed_process_left_is_removed(path: Path) -> None:
    """A file beside ours with keys in it goes at the next change, and is never taken for ours."""
    keys = await local_keys(path.parent)
    leftover = path.with_name(".keys.json-half")
    leftover.write_text('{"format": 1')

    await keys.rotate()

    assert not leftover.exists()
    assert sorted(each.name for each in path.parent.iterdir()) == ["keys.json", "keys.json.lock"]


async def test_a_full_disk_leaves_the_file_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rotation that cannot be written did not happen."""
    keys = await local_keys(path.parent)

    def fails(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(KeyEncryptionUnavailableError, match="No space left"):
        await keys.rotate()
    monkeypatch.undo()

    assert (await keys.versions()).latest == 1
    assert await keys.rotate() == 2


@pytest.mark.parametrize("text", ["local:v1:", "local:v1:AAAA", "local:v01:AAAA", "local:v999999999:AAAA", "vault:v1:AAAA", "local:v1:\n"])
async def test_what_it_did_not_write_does_not_decrypt(path: Path, text: str) -> None:
    """Alone or among others."""
    keys = await local_keys(path.parent)

    (answer,) = await keys.decrypt_many([EncryptedMnemonic(text, b"a")])

    assert isinstance(answer, CorruptCiphertextError)


async def test_a_ciphertext_is_written_in_one_way_alone(path: Path) -> None:
    """Base64 has several spellings of the same bytes; the others are tampered with."""
    keys = await local_keys(path.parent)
    ciphertext = await keys.encrypt(Mnemonic(b"x" * 40), associated_data=b"a")
    assert ciphertext.endswith("=")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    place = len(ciphertext.rstrip("=")) - 1
    other = ciphertext[:place] + alphabet[alphabet.index(ciphertext[place]) ^ 1] + ciphertext[place + 1 :]
    payload, other_payload = (base64.b64decode(each.removeprefix("local:v1:")) for each in (ciphertext, other))

    assert payload == other_payload
    with pytest.raises(CorruptCiphertextError):
        await keys.decrypt(other, associated_data=b"a")


async def test_its_health_says_what_is_wrong(path: Path) -> None:
    """With the version in use where nothing is."""
    keys = await local_keys(path.parent)
    health = LocalKeyHealth(keys)

    well = await health.check()
    path.chmod(0o644)
    ill = await health.check()

    assert (well.status, dict(well.details)) == (HealthStatus.OK, {"key_version": 1})
    assert ill.status is HealthStatus.ERROR
    assert "0600" in str(ill.details["reason"])
