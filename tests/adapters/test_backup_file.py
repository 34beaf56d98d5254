"""The file of a backup: what was written is read, and nothing else is taken for it."""

import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import backup_file
from adapters.backup_file import BackupFileError, BackupReader, BackupWriter, Contents, Header, Table, verify

HEADER = Header("2026-11-24T12:00:00+00:00", "2.0.0", 2, {1: "aa", 2: "bb"}, {"vault:v1": 2}, {"backend": "vault", "name": "key"})
ROWS = {"master_wallets": ['{"id": 1}', '{"id": 2, "label": "ä\\n"}'], "audit_logs": []}


def written(tables: dict[str, list[str]], header: Header = HEADER) -> bytes:
    """Return a backup of these rows."""
    file = io.BytesIO()
    writer = BackupWriter(file)
    writer.header(header)
    for name, rows in tables.items():
        writer.table(Table(name, {"id": "bigint", "label": "text"}, len(rows)))
        for row in rows:
            writer.row(row)
    writer.close()
    return file.getvalue()


def read(data: bytes) -> tuple[Header, dict[str, list[str]]]:
    """Read a backup whole."""
    with BackupReader(io.BytesIO(data)) as reader:
        return reader.header(), {table.name: list(rows) for table, rows in reader.tables()}


def forged(change: Callable[[list[str]], Sequence[str]]) -> bytes:
    """Return a backup whose lines somebody has changed and whose seal fits them: what damage never makes, and a mistake may."""
    lines = list(change(gzip.decompress(written(ROWS)).decode().splitlines()[:-1]))
    body = gzip.compress("".join(f"{line}\n" for line in lines).encode())
    return body + backup_file._seal(hashlib.sha256(body).hexdigest())


def refusal(data: bytes) -> str:
    """Return why a file is refused."""
    with pytest.raises(BackupFileError) as raised:
        verify(io.BytesIO(data))
    return str(raised.value)


@given(
    st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True), st.lists(st.text(max_size=50).map(lambda text: json.dumps({"x": text})))
    )
)
def test_what_was_written_is_read(tables: dict[str, list[str]]) -> None:
    """Header, tables and rows come back as they were, in their order."""
    header, found = read(written(tables))

    assert header == HEADER
    assert list(found.items()) == list(tables.items())


def test_verifying_says_what_is_in_it() -> None:
    """The counts and checksums of each table, without keeping a row."""
    contents = verify(io.BytesIO(written(ROWS)))

    checksums = {name: hashlib.sha256("".join(f"{row}\n" for row in rows).encode()).hexdigest() for name, rows in ROWS.items()}
    tables = tuple(Table(name, {"id": "bigint", "label": "text"}, len(rows)) for name, rows in ROWS.items())
    assert contents == Contents(HEADER, tables, checksums)


def test_every_flipped_bit_is_found() -> None:
    """There is no bit in the file, gzip's headers and the seal included, that can be another."""
    data = written(ROWS)

    for bit in range(len(data) * 8):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        assert "damaged" in refusal(bytes(damaged)) or "no backup" in refusal(bytes(damaged))


def test_every_cut_and_everything_added_is_found() -> None:
    """A file that ends too early, anywhere, or too late, is refused."""
    data = written(ROWS)

    for length in range(len(data)):
        refusal(data[:length])
    for addition in (b"\0", b"x", data, gzip.compress(b"{}\n"), data[-10:]):
        assert "damaged" in refusal(data + addition)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04" * 99, b"\x7fELF" * 99, b'{"format": "crypto-wallets backup"}\n' * 9])
def test_foreign_files_are_refused(data: bytes) -> None:
    """What is no gzip file is no backup."""
    assert refusal(data) == "this is no backup of this service"


@pytest.mark.parametrize("text", [b"", b"hello\n", b"[]\n", b'{"format": "other"}\n', b"\xff\n", b"[" * 100_000 + b"\n"])
def test_foreign_gzip_files_are_refused(text: bytes) -> None:
    """Somebody else's gzip file is told apart, also one that ends as ours do."""
    body = gzip.compress(text)

    refusal(body)
    refusal(body + backup_file._seal(hashlib.sha256(body).hexdigest()))


def test_a_format_of_the_future_is_named() -> None:
    """A newer format is no damage: the message says which one it is."""
    data = forged(lambda lines: [lines[0].replace('"format_version": 1', '"format_version": 2'), *lines[1:]])

    assert "has format 2" in refusal(data)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda lines: lines[:-1], "cut off"),
        (lambda lines: [*lines, "{}"], "behind its end"),
        (lambda lines: [line.replace('"id": 2', '"id": 3') for line in lines], "checksum of master_wallets"),
        (lambda lines: [line for line in lines if line != '{"id": 1}'], "end of master_wallets is not|checksum of master_wallets"),
        (lambda lines: [line.replace('"rows": 2', '"rows": 1') for line in lines], "checksum of master_wallets"),
        (lambda lines: [line.replace('"rows": 2', '"rows": 10000000000') for line in lines], "cut off"),
        (lambda lines: [line.replace('"rows": 2', '"rows": -1') for line in lines], "table's line"),
        (lambda lines: [line.replace('"table": "master', '"table": "x; drop') for line in lines], "table's line"),
        (lambda lines: [line.replace('"label": "text"', '"la bel": "text"') for line in lines], "table's line"),
        (lambda lines: [*lines[:5], *lines[1:5], *lines[5:]], "twice"),
        (lambda lines: [line.replace('"created_at"', '"made_at"') for line in lines], "first line"),
        (lambda lines: [line.replace('"migrations": [', '"migrations": [7, ') for line in lines], "first line"),
        (lambda lines: [line.replace('"sha256": "aa"', '"sha256": "cc"') for line in lines], "table"),
    ],
)
def test_lines_that_do_not_fit_are_found(change: Callable[[list[str]], Sequence[str]], reason: str) -> None:
    """Missing, added and changed lines are found by the checksums inside, whatever the seal says."""
    with pytest.raises(BackupFileError, match=reason):
        verify(io.BytesIO(forged(change)))


def test_long_lines_are_refused_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that would not fit into the memory is neither written nor read."""
    data = written({"audit_logs": ["x" * 500]})
    monkeypatch.setattr(backup_file, "MAX_LINE_BYTES", 400)

    with pytest.raises(BackupFileError, match="row of audit_logs"):
        written({"audit_logs": ["x" * 500]})
    assert "cut off" in refusal(data)


def test_zcat_reads_it() -> None:
    """The file is plain gzip of text: anybody's tools read it, and find the checksums as they are described."""
    data = written(ROWS)

    text = zlib.decompressobj(wbits=31)
    lines = gzip.decompress(data).decode().splitlines(keepends=True)
    body = text.decompress(data).decode()
    assert "".join(lines[:-1]) == body
    assert json.loads(lines[-1]) == {"file_sha256": hashlib.sha256(data[: -len(text.unused_data)]).hexdigest()}
    assert json.loads(lines[-2])["sha256"] == hashlib.sha256("".join(lines[:-2]).encode()).hexdigest()
