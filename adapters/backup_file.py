"""Write and read a backup: one gzip file of JSON lines, in which any change of any bit is found.

The lines are, from first to last::

    {"format": "crypto-wallets backup", "format_version": 1, "created_at": ..., "schema_version": 4, "migrations": [...], ...}
    {"table": "master_wallets", "columns": {"id": "uuid", ...}, "rows": 2}      for each table:
    {"id": "3f0c...", "label": ...}                                             as many rows as it says, as PostgreSQL writes them
    {"end": "master_wallets", "sha256": "..."}                                  of the rows' lines, line ends included
    {"end": "crypto-wallets backup", "sha256": "..."}                           of all lines before
    {"file_sha256": "..."}                                                      of all bytes of the file before this line's gzip member

The last line is a gzip member of its own with nothing in it that could be otherwise, so that also a bit of the gzip headers, which gzip
does not check itself, cannot change without being found. To read such a file in ten years, `zcat` and `sha256sum` are enough. The checksums
find damage, not forgery: whoever can write the file can make new ones.
"""

import gzip
import hashlib
import io
import json
import os
import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, NoReturn, Self

FORMAT = "crypto-wallets backup"
FORMAT_VERSION = 1
MAX_LINE_BYTES = 64 * 1024 * 1024
"""More than any row that the service writes; a longer line is refused on both sides, which bounds the memory."""

_MOST_BRACKETS = 1_000
"""In lines of ours. Where a library has raised Python's limit of recursion, deep nesting ends the process (Python 3.11)."""

_CHUNK_BYTES = 1024 * 1024
_GZIP_MAGIC = b"\x1f\x8b"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


class BackupFileError(Exception):
    """The file cannot be written, or is no backup that is whole; the message is for the operator."""


@dataclass(frozen=True, slots=True)
class Header:
    """What the first line says. `migrations` are checksums by version, `key_versions` counts of ciphertexts by key version."""

    created_at: str
    service_version: str
    schema_version: int
    migrations: Mapping[int, str]
    key_versions: Mapping[str, int]
    key: Mapping[str, str]
    """Where the key is that the ciphertexts are under: backend, mount, name."""


@dataclass(frozen=True, slots=True)
class Table:
    """What stands before a table's rows: the type of each column by its name, and how many rows follow."""

    name: str
    columns: Mapping[str, str]
    rows: int


@dataclass(frozen=True, slots=True)
class Contents:
    """What a whole backup holds. `checksums` are SHA-256 in hex by table."""

    header: Header
    tables: tuple[Table, ...]
    checksums: Mapping[str, str]


class BackupWriter:
    """Write the lines into `file`, in their order: `header`, each table with its rows, `close`."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = _Hashing(file)
        self._gzip = gzip.GzipFile(filename="", fileobj=self._file, mode="wb", compresslevel=6, mtime=0)
        self._all = hashlib.sha256()
        self._table: tuple[Table, Any] | None = None
        self._rows = 0

    def header(self, header: Header) -> None:
        """Write the first line."""
        migrations = [{"version": version, "sha256": checksum} for version, checksum in sorted(header.migrations.items())]
        self._line(
            {
                "format": FORMAT,
                "format_version": FORMAT_VERSION,
                "created_at": header.created_at,
                "service_version": header.service_version,
                "schema_version": header.schema_version,
                "migrations": migrations,
                "key_versions": dict(header.key_versions),
                "key": dict(header.key),
            }
        )

    def table(self, table: Table) -> None:
        """Begin a table, and end the one before."""
        self._end_table()
        self._line({"table": table.name, "columns": dict(table.columns), "rows": table.rows})
        self._table, self._rows = (table, hashlib.sha256()), 0

    def row(self, row: str) -> None:
        """Write a row, JSON on one line.

        Raises:
            BackupFileError: It is too long.
        """
        assert self._table is not None
        line = row.encode() + b"\n"
        if len(line) > MAX_LINE_BYTES or b"\n" in line[:-1]:
            msg = f"a row of {self._table[0].name} is no JSON on one line of at most {MAX_LINE_BYTES // 1024**2} MiB"
            raise BackupFileError(msg)
        self._table[1].update(line)
        self._rows += 1
        self._raw(line)

    def close(self) -> None:
        """Write what ends the file."""
        self._end_table()
        self._line({"end": FORMAT, "sha256": self._all.hexdigest()})
        self._gzip.close()
        self._file.write(_seal(self._file.digest.hexdigest()))

    def _end_table(self) -> None:
        if self._table is not None:
            table, digest = self._table
            assert self._rows == table.rows, "the same snapshot counted them"
            self._line({"end": table.name, "sha256": digest.hexdigest()})

    def _line(self, value: Mapping[str, object]) -> None:
        self._raw(json.dumps(value, ensure_ascii=False).encode() + b"\n")

    def _raw(self, line: bytes) -> None:
        self._all.update(line)
        self._gzip.write(line)


class BackupReader:
    """Read the lines out of `file`, which can seek, in their order: `header`, then the `tables` with their rows.

    When `tables` has ended, the whole file has been checked. Everything raises `BackupFileError` for what is no whole backup. Use as a
    context manager.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._gzip = gzip.GzipFile(fileobj=_Body(file), mode="rb")
        self._all = hashlib.sha256()
        self.checksums: dict[str, str] = {}
        """SHA-256 in hex of the rows of each table that has been read."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._gzip.close()

    def header(self) -> Header:
        """Read the first line."""
        value = self._object("the first line")
        if value.get("format") != FORMAT:
            raise _foreign()
        if value.get("format_version") != FORMAT_VERSION:
            found = value.get("format_version")
            raise BackupFileError(f"the backup has format {found}, and this version knows {FORMAT_VERSION}; use the version that made it")
        try:
            return Header(
                created_at=str(value["created_at"]),
                service_version=str(value["service_version"]),
                schema_version=int(value["schema_version"]),
                migrations={int(each["version"]): str(each["sha256"]) for each in value["migrations"]},
                key_versions={str(name): int(count) for name, count in value["key_versions"].items()},
                key={str(name): str(text) for name, text in value["key"].items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise _damaged("its first line is incomplete") from None

    def tables(self) -> Iterator[tuple[Table, Iterator[str]]]:
        """Yield each table with its rows; rows that are not asked for are read over."""
        while (before := self._all.hexdigest()) and (value := self._object("a table")) != {"end": FORMAT, "sha256": before}:
            table = _table(value)
            if table.name in self.checksums:
                raise _damaged(f"{table.name} comes twice")
            rows = self._rows(table)
            yield table, rows
            for _ in rows:
                pass
        with _undamaged():
            if self._gzip.read(1):
                raise _damaged("there is more behind its end")

    def _rows(self, table: Table) -> Iterator[str]:
        digest = hashlib.sha256()
        for number in range(1, table.rows + 1):
            line = self._line(f"row {number} of {table.name}")
            digest.update(line)
            try:
                yield line[:-1].decode()
            except UnicodeDecodeError:
                raise _damaged(f"row {number} of {table.name} is not text") from None
        if self._object(f"the end of {table.name}") != {"end": table.name, "sha256": digest.hexdigest()}:
            raise _damaged(f"the checksum of {table.name} does not fit")
        self.checksums[table.name] = digest.hexdigest()

    def _object(self, what: str) -> dict[str, Any]:
        line = self._line(what)
        if line.count(b"[") + line.count(b"{") > _MOST_BRACKETS:
            raise _damaged(f"{what} is none of ours")
        try:
            value = json.loads(line)
        except ValueError:
            raise _damaged(f"{what} is not JSON") from None
        if not isinstance(value, dict):
            raise _damaged(f"{what} is not an object")
        return value

    def _line(self, what: str) -> bytes:
        with _undamaged():
            line: bytes = self._gzip.readline(MAX_LINE_BYTES + 1)
        if not line.endswith(b"\n") or len(line) > MAX_LINE_BYTES:
            raise _damaged(f"{what} is cut off")
        self._all.update(line)
        return line


def verify(file: BinaryIO) -> Contents:
    """Read a backup from beginning to end, and say what it holds.

    Raises:
        BackupFileError: It is no backup, or not whole.
    """
    with BackupReader(file) as reader:
        header = reader.header()
        tables = tuple(table for table, _ in reader.tables())
        return Contents(header, tables, reader.checksums)


class _Hashing:
    """Write through to a file and hash what is written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()


class _Body:
    """Read a file from its beginning up to its seal, once everything in it has been found to be as it was sealed."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        length = file.seek(0, os.SEEK_END) - _SEAL_BYTES
        file.seek(max(0, length))
        seal = file.read(_SEAL_BYTES)
        file.seek(0)
        if file.read(len(_GZIP_MAGIC)) != _GZIP_MAGIC:
            raise _foreign()
        if length <= 0 or seal != _seal(seal[_SEALED].decode("ascii", "replace")):
            raise _damaged("it does not end as a backup does: it is cut off, something was added, or it is another file")
        self._rewind(length)
        digest = hashlib.sha256()
        while data := self.read(_CHUNK_BYTES):
            digest.update(data)
        if seal != _seal(digest.hexdigest()):
            raise _damaged("its checksum does not fit")
        self._rewind(length)

    def read(self, size: int) -> bytes:
        data = self._file.read(min(size, self._left))
        self._left -= len(data)
        return data

    def seek(self, position: int) -> NoReturn:
        raise io.UnsupportedOperation(str(position))

    def _rewind(self, length: int) -> None:
        self._file.seek(0)
        self._left = length


def _seal(digest: str) -> bytes:
    """Make a gzip member (RFC 1952) of one line, stored as it is (RFC 1951, 3.2.4): every byte of it follows from the digest."""
    line = f'{{"file_sha256": "{digest}"}}\n'.encode()
    header = _GZIP_MAGIC + b"\x08\x00\x00\x00\x00\x00\x00\xff"
    block = b"\x01" + struct.pack("<HH", len(line), len(line) ^ 0xFFFF) + line
    return header + block + struct.pack("<II", zlib.crc32(line), len(line))


_SEAL_BYTES = len(_seal("0" * 64))
_SEALED = slice(_seal("0" * 64).index(b"0" * 64), _seal("0" * 64).index(b"0" * 64) + 64)
"""Where in the seal the digest is."""


def _table(value: Mapping[str, Any]) -> Table:
    try:
        table = Table(str(value["table"]), {str(name): str(kind) for name, kind in value["columns"].items()}, int(value["rows"]))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise _damaged("a table's line is incomplete") from None
    if not all(_NAME.fullmatch(name) for name in (table.name, *table.columns)) or table.rows < 0:
        raise _damaged("a table's line is wrong")
    return table


@contextmanager
def _undamaged() -> Iterator[None]:
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise _damaged(str(error)) from None


def _damaged(what: str) -> BackupFileError:
    return BackupFileError(f"the backup is damaged: {what}")


def _foreign() -> BackupFileError:
    return BackupFileError("this is no backup of this service")
