"""The open loop charges a request from the time it was meant to be sent, and loses none."""

import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, pairwise
from pathlib import Path

import pytest

from benchmarks import generator
from benchmarks.generator import Connection, OpenLoop, address_of, poisson, read_requests
from benchmarks.house import Target
from benchmarks.load import opened, write_requests

_REQUEST = b"GET /x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """Answers each request, on whichever connection, with the next of `answers` after its pause in seconds; an empty one closes."""

    def __init__(self, *answers: tuple[float, bytes]) -> None:
        self.requests: list[bytes] = []
        self._answers = cycle(answers)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            while request := connection.recv(65_536):
                self.requests.append(request)
                pause, answer = next(self._answers)
                time.sleep(pause)
                if not answer:
                    return
                connection.sendall(answer)

    def close(self) -> None:
        """Take no more connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@contextmanager
def _server(*answers: tuple[float, bytes]) -> Iterator[Server]:
    server = Server(*answers)
    try:
        yield server
    finally:
        server.close()


def _loop(server: Server) -> OpenLoop:
    return OpenLoop(lambda: Connection(server.address), cycle([_REQUEST]))


def test_a_stall_is_charged_to_every_request_that_was_due_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one connection and a server that once takes 0.3 s, ten requests due at once take as long; a closed loop would report one."""
    monkeypatch.setattr(generator, "MAX_CONNECTIONS", 1)
    with _server((0.3, _OK), *[(0, _OK)] * 10) as server:
        loop = _loop(server)

        loop.run([number / 1_000 for number in range(10)])

    assert (len(loop.latencies), loop.failed) == (10, 0)
    assert all(latency > 0.28 for latency in loop.latencies)
    assert loop.seconds >= 0.3


def test_requests_do_not_wait_for_answers() -> None:
    """While a server takes its time for each, others are sent when they are due, on further connections."""
    with _server((0.2, _OK)) as server:
        loop = _loop(server)

        loop.run([0.0] * 8)

    assert len(loop.latencies) == 8
    assert max(loop.latencies) < 0.2 * 4


def test_refusals_and_lost_answers_are_failures() -> None:
    """What is not answered with 200, or not answered, is counted and has no latency."""
    refusal = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with _server((0, _OK), (0, refusal), (0, b"")) as server:
        loop = _loop(server)

        loop.run([0.0, 0.05, 0.1, 0.15])

    assert (len(loop.latencies), len(loop.refusals), loop.failed) == (2, 1, 2)


def test_an_answer_may_come_in_parts() -> None:
    """An answer is whole when its body is, however it arrives."""
    ours, theirs = socket.socketpair()
    connection = Connection(("", 0))
    connection._socket = ours
    parts = []

    connection.send(_REQUEST, 0.0)
    for part in (_OK[:10], _OK[10:-1], _OK[-1:]):
        theirs.sendall(part)
        parts.append(connection.receive())

    assert parts == [None, None, 200]
    ours.close()
    theirs.close()


def test_arrivals_are_independent_and_repeatable() -> None:
    """The rate is kept on average, gaps vary as an exponential's do, and the same seed gives the same times."""
    times = poisson(1_000, 20, random.Random(1))

    gaps = [later - earlier for earlier, later in pairwise(times)]
    mean = sum(gaps) / len(gaps)
    deviation = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert times == sorted(times)
    assert 19_000 < len(times) < 21_000
    assert 0.9 < deviation / mean < 1.1
    assert times == poisson(1_000, 20, random.Random(1))


def test_the_program_sends_what_the_file_says(tmp_path: Path) -> None:
    """As a process of its own it sends the bodies in turn with key and path, and tells its cost."""
    with _server((0, _OK)) as server:
        target = Target("x", f"http://127.0.0.1:{server.address[1]}", "secret", 0)
        requests = write_requests(tmp_path / "requests", target, "/sign", ['{"a": 1}', '{"a": 2}'])

        outcome = opened(target, requests, per_second=100, seconds=0.5, seed=3)

    assert outcome.failed == 0
    assert outcome.requests == len(server.requests) > 10
    assert outcome.generator_cpu_seconds > 0
    assert 0 < outcome.latencies[0.5] <= outcome.latencies[0.99] <= outcome.latencies[1.0]
    assert server.requests[0].startswith(b"POST /sign HTTP/1.1\r\n")
    assert b"X-Api-Key: secret\r\n" in server.requests[0]
    assert {request.rpartition(b"\r\n\r\n")[2] for request in server.requests} == {b'{"a": 1}', b'{"a": 2}'}


def test_a_file_without_bodies_is_of_gets(tmp_path: Path) -> None:
    """Its one request is sent over and over, and nobody else can read the key in it."""
    target = Target("x", "http://127.0.0.1:1", "secret", 0)
    file = write_requests(tmp_path / "requests", target, "/address")

    requests = read_requests(file, address_of(target.url))

    first, second = next(requests), next(requests)
    assert first == second
    assert first.startswith(b"GET /address HTTP/1.1\r\nHost: 127.0.0.1:1\r\n")
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_server_that_is_away_fails_requests_and_ends_nothing() -> None:
    """Where nobody listens, each request fails, and the load goes on to its end."""
    with _server((0, _OK)) as server:
        loop = _loop(server)

    loop.run([0.0, 0.01, 0.02])

    assert (loop.latencies, loop.failed) == ([], 3)
