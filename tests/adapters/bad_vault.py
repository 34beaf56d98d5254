"""A server that stands for a Vault in trouble: it answers with the statuses it is told, which a real one cannot be asked for."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

Answer = tuple[int, dict[str, Any] | str]
"""A status and a body: JSON, or text that is none."""

TOKEN: Answer = (200, {"data": {"ttl": 0, "renewable": False}})
NO_CONTEXT: Answer = (400, {"data": {"batch_results": [{"error": "missing 'context' for key derivation"}]}})
ENCRYPTED: Answer = (200, {"data": {"batch_results": [{"ciphertext": "vault:v1:AAAA", "key_version": 1}]}})


class BadVault:
    """What it will answer, request by request; the last answer is repeated. `paths` are those it was asked for.

    Where it `greets`, who looks a token up or examines the key is answered well, beside those answers.
    """

    def __init__(self, *answers: Answer, greets: bool = False) -> None:
        self._answers = list(answers)
        self._greets = greets
        self.paths: list[str] = []
        self.address = ""

    def next_answer(self, path: str, body: bytes) -> Answer:
        """Take down a request, and return its answer."""
        if self._greets and path.endswith("/lookup-self"):
            return TOKEN
        if self._greets and b"batch_input" in body and b"context" not in body:
            return NO_CONTEXT
        self.paths.append(path)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def answer_from_now_on(self, answer: Answer) -> None:
        """Forget what it would have answered."""
        self._answers[:] = [answer]


@contextmanager
def serving(vault: BadVault) -> Iterator[BadVault]:
    """Have it listen on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer()

        do_POST = do_PUT = do_GET  # noqa: N815  # names that http.server looks for

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

        def _answer(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, body = vault.next_answer(self.path, sent)
            payload = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        vault.address = f"http://127.0.0.1:{server.server_port}"
        try:
            yield vault
        finally:
            server.shutdown()
            thread.join()
