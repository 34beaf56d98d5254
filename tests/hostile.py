"""Speak HTTP/2 by hand, as no library would: for what a hostile client of gRPC may send (RFC 9113, RFC 7541)."""

import contextlib
import socket
import struct
from collections.abc import Iterator, Mapping

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS = 0, 1, 3, 4
END_STREAM, END_HEADERS = 1, 4


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Write one frame."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def fields(values: Mapping[str, str]) -> bytes:
    """Write header fields as literals that are not indexed."""
    return b"".join(b"\0" + _text(name) + _text(value) for name, value in values.items())


def _text(text: str) -> bytes:
    encoded = text.encode()
    assert len(encoded) < 127
    return bytes([len(encoded)]) + encoded


def begun(path: str, key: str, stream: int) -> bytes:
    """Write the headers of an RPC whose message is yet to come."""
    head = {":method": "POST", ":scheme": "http", ":path": path, ":authority": "x", "content-type": "application/grpc", "te": "trailers"}
    return frame(HEADERS, END_HEADERS, stream, fields(head | {"x-api-key": key}))


@contextlib.contextmanager
def connected(target: str) -> Iterator[socket.socket]:
    """Open a connection on which the preface has been said."""
    host, _, port = target.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(PREFACE + frame(SETTINGS, 0, 0))
        yield connection


def answered(connection: socket.socket, seconds: float = 20) -> bytes:
    """Return what comes until the other side has closed, or has said nothing for some time."""
    connection.settimeout(seconds)
    answer = b""
    with contextlib.suppress(OSError):
        while chunk := connection.recv(65_536):
            answer += chunk
    return answer
