"""The search for secrets finds each form of one, wherever it was planted, and nothing where there is none."""

import base64
import mmap
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis

from serve_app.embedded import EmbeddedRedis
from tests.postgres_probes import query
from tests.serve_app.leaks import Place, Search, command_lines, database_dump, environments, files, forms, memory, open_files, redis_values
from tests.serve_app.leaks import texts as texts_of
from tests.servers import RunningServer
from wallets.encoding import base58

SECRET = bytes(range(1, 33))
"""32 bytes without a zero, which neither an environment nor a command line can have."""

PHRASE = "ozone drill grab fiber curtain grace pudding thank cruise elder eight picnic"
FORMS = {
    "raw": SECRET,
    "hex": SECRET.hex().encode(),
    "upper-case hex": SECRET.hex().upper().encode(),
    "base64": base64.b64encode(SECRET),
    "base64 after one byte": base64.b64encode(b"x" + SECRET + b"y"),
    "base64 after two bytes": base64.b64encode(b"xx" + SECRET + b"y"),
    "url-safe base64": base64.urlsafe_b64encode(SECRET),
    "url-safe base64 after one byte": base64.urlsafe_b64encode(b"x" + SECRET + b"y"),
    "url-safe base64 after two bytes": base64.urlsafe_b64encode(b"xx" + SECRET + b"y"),
    "base58": base58(SECRET).encode(),
    "escaped bytes": repr(SECRET).encode(),
    "list of numbers": str(list(SECRET)).encode(),
    "number": str(int.from_bytes(SECRET)).encode(),
    "first half": SECRET[:16].hex().encode(),
    "second half": SECRET[16:],
}
every_form = pytest.mark.parametrize("form", FORMS)
SEARCH = Search({"key": SECRET}, {"phrase": PHRASE})


def only_key(places: Iterator[Place]) -> bool:
    """Tell whether the key is found in one of the places, and the phrase in none."""
    found = SEARCH.found(places)
    return bool(found) and all(": key as " in each for each in found)


@contextmanager
def sleeping(*arguments: bytes, **environment: bytes) -> Iterator[list[psutil.Process]]:
    """Run a process that does nothing, with these arguments and this environment."""
    command = [b"sh", b"-c", b"echo; read line", b"sh", *arguments]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield [psutil.Process(process.pid)]
        process.communicate()


@every_form
@pytest.mark.parametrize("name", ["file", "logs/ray-processes/worker.out", ".hidden"])
def test_it_is_found_in_files(tmp_path: Path, form: str, name: str) -> None:
    """In the middle of any file below the folder."""
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(5000) + b'{"event": "' + FORMS[form] + b'"}' + os.urandom(5000))

    assert only_key(files(tmp_path))


@every_form
def test_it_is_found_in_redis(redis_server: RunningServer[EmbeddedRedis], form: str) -> None:
    """In values of every type, and in keys."""
    content = FORMS[form]
    client: Any = redis.Redis.from_url(redis_server.server.url)
    plants: dict[str, Callable[[], object]] = {
        "string": lambda: client.set("planted", content),
        "hash": lambda: client.hset("planted", "field", content),
        "list": lambda: client.rpush("planted", b"x", content),
        "set": lambda: client.sadd("planted", content),
        "zset": lambda: client.zadd("planted", {content: 1.0}),
        "stream": lambda: client.xadd("planted", {"field": content}),
        "key": lambda: client.set(b"planted:" + content, "x"),
    }
    with client:
        for kind, plant in plants.items():
            client.flushall()
            plant()

            assert only_key(redis_values(redis_server.server.url)), kind
        client.flushall()


@every_form
async def test_it_is_found_in_a_database(database_url: str, form: str) -> None:
    """In a column of text, or of bytes, as the dump writes it."""
    content = FORMS[form]
    is_text = content.isascii() and content.decode().isprintable()
    value = "'" + content.decode().replace("'", "''") + "'::text" if is_text else f"'\\x{content.hex()}'::bytea"
    await query(database_url, f"CREATE TABLE planted AS SELECT {value} AS content")

    assert only_key(database_dump(database_url))


@every_form
def test_it_is_found_in_an_environment_and_on_a_command_line(form: str) -> None:
    """Of any process that runs."""
    with sleeping(b"--key=" + FORMS[form]) as processes:
        assert only_key(command_lines(processes))
        assert SEARCH.found(environments(processes)) == []
    with sleeping(KEY=b"x" + FORMS[form]) as processes:
        assert only_key(environments(processes))
        assert SEARCH.found(command_lines(processes)) == []


@every_form
def test_it_is_found_in_memory_and_in_files_without_a_name(form: str) -> None:
    """In what a process has mapped, and in a file that was removed while it is open, as Ray's object store is."""
    script = "import sys; content = sys.stdin.buffer.read(int(sys.argv[1])); print(flush=True); sys.stdin.read()"
    with tempfile.TemporaryFile() as unnamed:
        unnamed.write(bytes(10_000) + FORMS[form])
        unnamed.flush()
        command = (sys.executable, "-c", script, str(len(FORMS[form])))
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(FORMS[form])
            process.stdout.readline()

            found_in_memory = only_key(memory([psutil.Process(process.pid)]))
            process.communicate()

        assert found_in_memory
        assert only_key(open_files([psutil.Process()]))


def test_it_is_found_in_shared_memory() -> None:
    """Memory that was made as a file in /dev/shm and removed, and memory that never had a name."""
    descriptor = os.memfd_create("planted")
    os.write(descriptor, SECRET)
    with mmap.mmap(descriptor, 0):
        assert only_key(open_files([psutil.Process()]))
    os.close(descriptor)


@pytest.mark.parametrize(
    "text",
    [
        PHRASE,
        PHRASE.upper(),
        "\n".join(PHRASE.split()),
        str(PHRASE.split()),
        PHRASE.replace(" ", "%20"),
        PHRASE.replace(" ", '", "'),
        " ".join(PHRASE.split()[:6]),
        f"word wrong {' '.join(PHRASE.split()[6:])}",
        PHRASE.encode().hex(),
        base64.b64encode(f"{PHRASE}\npassphrase".encode()).decode(),
    ],
)
def test_a_phrase_is_found_however_it_is_written(text: str) -> None:
    """Whatever separates the words, in any case, encoded, and half of it."""
    found = SEARCH.found([("log", b"..." + text.encode() + b"...")])

    assert found
    assert all(each.startswith("log: phrase as ") for each in found)


@pytest.mark.parametrize("data", [b"", os.urandom(100_000), b"fiber grab drill ozone", PHRASE.split(maxsplit=1)[0].encode(), SECRET[:15]])
def test_nothing_is_found_where_nothing_is(data: bytes) -> None:
    """Other bytes, words in another order, and less than half of a secret are none."""
    assert SEARCH.found([("place", data)]) == []


def test_what_is_found_is_not_repeated() -> None:
    """The report has the place, the name and the form, once each, and nothing of the secret."""
    found = SEARCH.found([("a", SECRET + SECRET), ("b", SECRET.hex().encode())])

    assert found == ["a: key as raw", "b: key as hex"]


def test_texts_are_found_as_they_are() -> None:
    """For secrets that are text."""
    assert texts_of({"token": "s.1234"}).found([("log", b"X-Vault-Token: s.1234")]) == ["log: token as raw"]


def test_every_form_is_one_that_is_searched() -> None:
    """No form is planted twice under another name: each of them is found by a needle that is its own."""
    names = {name for name, _ in forms(SECRET)}

    assert {"raw", "hex", "upper-case hex", "base58", "number", "list of numbers", "escaped bytes"} <= names
    assert sum("base64" in name for name in names) == 6
