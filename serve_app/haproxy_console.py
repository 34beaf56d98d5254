"""Speak with a running HAProxy by its admin socket, also while it ends."""

import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

_ANSWER_SECONDS = 2.0
_CHUNK = 65_536
_PROMPT = b"\n> "


class Console:
    """A conversation with one HAProxy, in whose place empty answers stand where it is gone.

    HAProxy that is told to end closes its admin socket to others, but goes on with a conversation; and it does not end before that has.
    """

    def __init__(self, admin: Path) -> None:
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.settimeout(_ANSWER_SECONDS)
        self._admin = admin

    def __enter__(self) -> Self:
        """Begin it."""
        try:
            self._connection.connect(str(self._admin))
        except OSError:
            return self
        self.ask("prompt")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """End it."""
        self._connection.close()

    def ask(self, command: str) -> str:
        """Send one command, and return its answer. Several at once would each be answered, and the next one with what is left of that."""
        answer = b""
        try:
            self._connection.sendall(command.encode() + b"\n")
            while not answer.endswith(_PROMPT):
                chunk = self._connection.recv(_CHUNK)
                if not chunk:
                    return ""
                answer += chunk
        except OSError:
            # What is late would be taken for the next answer; and a conversation that is of no use would keep HAProxy from ending.
            self._connection.close()
            return ""
        return answer.removesuffix(_PROMPT).decode(errors="replace")

    def pid(self) -> int:
        """Return the process that answers; 0 where there is none."""
        return next((int(line.removeprefix("Pid:")) for line in self.ask("show info").splitlines() if line.startswith("Pid:")), 0)

    def connections(self) -> int:
        """Count the connections of HTTP's clients."""
        return sum(int(current) for name, kind, _, current in self._sessions() if (name, kind) == ("http_frontend", "FRONTEND"))

    def in_flight(self) -> int:
        """Count the requests that replicas work on, or that wait for one."""
        return sum(int(waiting) + int(current) for _, kind, waiting, current in self._sessions() if kind == "BACKEND")

    def _sessions(self) -> Iterator[Sequence[str]]:
        """Return each proxy's name and kind, what waits in its queue and what it works on."""
        for line in self.ask("show stat").splitlines():
            fields = line.split(",")
            if len(fields) > 4 and not line.startswith("#"):
                yield fields[0], fields[1], fields[2] or "0", fields[4] or "0"
