"""A server that stands for a Vault in trouble: it answers with the statuses it is told, which a real one cannot be asked for."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.local_http import Answer, answering

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
    with answering(vault.next_answer) as vault.address:
        yield vault
