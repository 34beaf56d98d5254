"""Send requests at random times: `python -m benchmarks.generator URL REQUESTS_FILE PER_SECOND SECONDS SEED`.

The times are fixed before (a Poisson process, as many independent clients make one). A request's latency counts from the time it was meant
to be sent, so whoever makes requests wait before they are sent is charged for that too (no coordinated omission). One thread, sockets
and select(2), which unlike epoll waits to the microsecond: its own CPU time, start included, is reported beside what it measures.
"""

import gc
import json
import random
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from itertools import cycle
from pathlib import Path

from benchmarks.confidence import quantile

QUANTILES = (*(percent / 100 for percent in range(1, 100)), 0.995, 0.999, 0.9995, 0.9999, 1.0)
MAX_CONNECTIONS = 500
"""Below what select(2) can watch. Beyond it requests wait here, at their own cost."""

LAST_ANSWER_SECONDS = 10.0
"""How long after the last request answers are waited for; what is not answered by then has failed."""


LOST = 0
"""In the place of a status: the connection ended before the answer did."""


class Connection:
    """A connection that carries one request at a time. `due` is when the one it carries should have been sent."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._socket: socket.socket | None = None
        self._answer = b""
        self.due = 0.0

    def close(self) -> None:
        """Close it; to send opens it again."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def send(self, request: bytes, due: float) -> int:
        """Send a request; connect first where there is no connection. Return the descriptor that select(2) can watch.

        Raises:
            OSError: It cannot be sent.
        """
        self.due, self._answer = due, b""
        if self._socket is None:
            self._socket = socket.create_connection(self._address, timeout=5)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(request)
        return self._socket.fileno()

    def receive(self) -> int | None:
        """Take in what has come; return None while the answer is not whole, else its status, or `LOST`."""
        assert self._socket is not None
        try:
            chunk = self._socket.recv(65_536)
        except OSError:
            chunk = b""
        self._answer += chunk
        head, blank, body = self._answer.partition(b"\r\n\r\n")
        if chunk and (not blank or len(body) < _content_length(head)):
            return None
        if not chunk or b"\r\nconnection: close" in head.lower():
            self.close()
        return int(head.split(b" ", 2)[1]) if chunk else LOST


class OpenLoop:
    """Send each request when it is due.

    `latencies` are of the answered ones, `refusals` of those refused with 503; `failed` counts these and whatever else was no success, and
    `seconds` is how long it all took.
    """

    def __init__(self, connect: Callable[[], Connection], requests: Iterator[bytes]) -> None:
        self._connect = connect
        self._requests = requests
        self._idle: list[Connection] = []
        self._busy: dict[int, Connection] = {}
        self._waiting: deque[float] = deque()
        self.latencies: list[float] = []
        self.refusals: list[float] = []
        self.failed = 0
        self.seconds = 0.0

    def run(self, due: Sequence[float]) -> None:
        """Send as many requests as there are times, which count from now and ascend; return when all are answered or given up."""
        start = time.perf_counter()
        end = start + (due[-1] if due else 0.0) + LAST_ANSWER_SECONDS
        coming = deque(start + each for each in due)
        while coming or self._waiting or self._busy:
            now = time.perf_counter()
            if now > end:
                break
            while coming and coming[0] <= now:
                self._waiting.append(coming.popleft())
            self._send()
            if coming or self._busy:
                self._receive(max(0.0, (coming[0] if coming else end) - time.perf_counter()))
        self.failed += len(coming) + len(self._waiting) + len(self._busy)
        self.seconds = time.perf_counter() - start
        for connection in (*self._idle, *self._busy.values()):
            connection.close()

    def _send(self) -> None:
        while self._waiting and (self._idle or len(self._busy) < MAX_CONNECTIONS):
            connection = self._idle.pop() if self._idle else self._connect()
            try:
                descriptor = connection.send(next(self._requests), self._waiting.popleft())
            except OSError:
                connection.close()
                self._idle.append(connection)
                self.failed += 1
            else:
                self._busy[descriptor] = connection

    def _receive(self, seconds: float) -> None:
        for descriptor in select.select(list(self._busy), [], [], seconds)[0]:
            connection = self._busy[descriptor]
            status = connection.receive()
            if status is None:
                continue
            del self._busy[descriptor]
            self._idle.append(connection)
            latency = time.perf_counter() - connection.due
            if status == HTTPStatus.OK:
                self.latencies.append(latency)
                continue
            self.failed += 1
            if status == HTTPStatus.SERVICE_UNAVAILABLE:
                self.refusals.append(latency)


def poisson(per_second: float, seconds: float, rng: random.Random) -> list[float]:
    """Return the times of requests that come independently of each other, `per_second` on average."""
    times, now = [], rng.expovariate(per_second)
    while now < seconds:
        times.append(now)
        now += rng.expovariate(per_second)
    return times


def read_requests(file: Path, address: tuple[str, int]) -> Iterator[bytes]:
    """Return the requests of a file that `benchmarks.load.write_requests` wrote, over and over."""
    method, path, api_key, *bodies = file.read_text().splitlines()
    head = f"{method} {path} HTTP/1.1\r\nHost: {address[0]}:{address[1]}\r\nX-Api-Key: {api_key}\r\nContent-Type: application/json\r\n"
    return cycle([f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode() for body in bodies or [""]])


def address_of(url: str) -> tuple[str, int]:
    """Return host and port of a `http://` URL that names both."""
    host, _, port = url.removeprefix("http://").partition(":")
    return host, int(port)


def _content_length(head: bytes) -> int:
    return int(head.lower().partition(b"\r\ncontent-length:")[2].split(b"\r\n", 1)[0])


def main(url: str, file: str, per_second: str, seconds: str, seed: str) -> None:
    """Send, and write what became of it to standard output as one JSON object."""
    address = address_of(url)
    rng = random.Random(seed)  # noqa: S311  # nothing secret is drawn, and a run must be repeatable by its seed: only this has one
    due = poisson(float(per_second), float(seconds), rng)
    loop = OpenLoop(lambda: Connection(address), read_requests(Path(file), address))
    gc.disable()
    loop.run(due)
    times = {"latencies": quantiles(loop.latencies), "refusals": quantiles(loop.refusals)}
    sys.stdout.write(json.dumps({"requests": len(due), "failed": loop.failed, "seconds": loop.seconds, **times}) + "\n")


def quantiles(latencies: Sequence[float]) -> dict[float, float]:
    """Return latencies by the fraction that took no longer; nothing of none."""
    ordered = sorted(latencies)
    return {fraction: quantile(ordered, fraction) for fraction in QUANTILES} if ordered else {}


if __name__ == "__main__":
    main(*sys.argv[1:])
