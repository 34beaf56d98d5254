"""What is corrected in Ray Serve is corrected there where Serve looks."""

import pytest
from ray.serve._private import http_util, replica
from starlette.types import Message, Receive, Scope, Send

from deployments.serve_corrections import OneRequestId, close_handle_port, own_request_ids


async def _headers_of(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    seen: list[tuple[bytes, bytes]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.extend(scope["headers"])

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    await OneRequestId(app)({"type": "http", "headers": headers}, receive, send)
    return seen


async def test_a_well_formed_request_id_is_kept() -> None:
    """The client's id goes through, and so do its other headers."""
    assert await _headers_of([(b"a", b"b"), (b"x-request-id", b"mine-1")]) == [(b"a", b"b"), (b"x-request-id", b"mine-1")]


@pytest.mark.parametrize("given", [[], [b"\xff\xfe"], [b"two words"], [b"one", b"two"], [b"x" * 129]])
async def test_any_other_is_replaced(given: list[bytes]) -> None:
    """None, several, or one that is no id becomes exactly one new id."""
    headers = await _headers_of([(b"x-request-id", value) for value in given])

    assert len(headers) == 1
    assert headers[0][0] == b"x-request-id"
    assert headers[0][1] not in given
    assert headers[0][1].isascii()


def test_serve_is_given_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """The replica's port opener opens nothing, and Serve's own request ids are ours."""
    monkeypatch.setattr(replica, "add_port_to_grpc_server", vars(replica)["add_port_to_grpc_server"])
    monkeypatch.setattr(http_util, "RequestIdMiddleware", http_util.RequestIdMiddleware)

    close_handle_port()
    own_request_ids()

    assert vars(replica)["add_port_to_grpc_server"](None, "[::]:0") == 0
    assert vars(http_util)["RequestIdMiddleware"] is OneRequestId


@pytest.mark.parametrize(
    ("module", "name", "correct"),
    [(replica, "add_port_to_grpc_server", close_handle_port), (http_util, "RequestIdMiddleware", own_request_ids)],
)
def test_an_unknown_version_of_ray_is_refused(monkeypatch: pytest.MonkeyPatch, module: object, name: str, correct: object) -> None:
    """Where Serve no longer has what is corrected, the replica does not start with the port open."""
    monkeypatch.delattr(module, name)
    assert callable(correct)

    with pytest.raises(RuntimeError, match="locked version"):
        correct()
