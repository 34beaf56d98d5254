"""What is corrected in Ray Serve is corrected there where Serve looks."""

import pytest
from ray.serve._private import http_util, replica
from starlette.types import Message, Receive, Scope, Send

from deployments.serve_corrections import OwnRequests, close_handle_port, own_requests

UNWATCHED = (b"x-request-disconnect-disabled", b"?1")


async def _headers_of(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    seen: list[tuple[bytes, bytes]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.extend(scope["headers"])

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    await OwnRequests(app)({"type": "http", "headers": headers}, receive, send)
    return seen


async def test_a_well_formed_request_id_is_kept() -> None:
    """The client's id goes through, and so do its other headers."""
    headers = await _headers_of([(b"a", b"b"), (b"x-request-id", b"mine-1")])

    assert headers == [(b"a", b"b"), (b"x-request-id", b"mine-1"), UNWATCHED]


async def test_clients_do_not_choose_how_serve_treats_them() -> None:
    """Whatever they send, their requests are finished though they go away, and not cut off after a time of their choice."""
    headers = await _headers_of(
        [(b"x-request-disconnect-disabled", b"?0"), (b"x-request-timeout-seconds", b"0.001"), (b"x-request-id", b"a")]
    )

    assert headers == [(b"x-request-id", b"a"), UNWATCHED]
    assert http_util.parse_disconnect_disabled_header(dict(headers))
    assert http_util.parse_request_timeout_header(dict(headers), None) is None


@pytest.mark.parametrize("given", [[], [b"\xff\xfe"], [b"two words"], [b"one", b"two"], [b"x" * 129]])
async def test_any_other_is_replaced(given: list[bytes]) -> None:
    """None, several, or one that is no id becomes exactly one new id."""
    headers = await _headers_of([(b"x-request-id", value) for value in given])

    assert len(headers) == 2
    assert headers[0][0] == b"x-request-id"
    assert headers[0][1] not in given
    assert headers[0][1].isascii()


def test_serve_is_given_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """The replica's port opener opens nothing, and Serve's own request ids are ours."""
    monkeypatch.setattr(replica, "add_port_to_grpc_server", vars(replica)["add_port_to_grpc_server"])
    monkeypatch.setattr(http_util, "RequestIdMiddleware", http_util.RequestIdMiddleware)

    close_handle_port()
    own_requests()

    assert vars(replica)["add_port_to_grpc_server"](None, "[::]:0") == 0
    assert vars(http_util)["RequestIdMiddleware"] is OwnRequests


@pytest.mark.parametrize(
    ("module", "name", "correct"),
    [(replica, "add_port_to_grpc_server", close_handle_port), (http_util, "RequestIdMiddleware", own_requests)],
)
def test_an_unknown_version_of_ray_is_refused(monkeypatch: pytest.MonkeyPatch, module: object, name: str, correct: object) -> None:
    """Where Serve no longer has what is corrected, the replica does not start with the port open."""
    monkeypatch.delattr(module, name)
    assert callable(correct)

    with pytest.raises(RuntimeError, match="locked version"):
        correct()


@pytest.mark.parametrize(("from_edge", "expected"), [(False, b"urn:crypto-wallets:problem:overloaded"), (True, b"as it was")])
async def test_what_serve_refuses_becomes_a_problem_document(*, from_edge: bool, expected: bytes) -> None:
    """A 503 that the edge has not made is answered in its way; the edge's own goes through."""
    sent: list[Message] = []

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"x-request-id", b"mine")] if from_edge else []
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        await send({"type": "http.response.body", "body": b"as it was"})

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    await OwnRequests(app)({"type": "http", "headers": []}, receive, send)

    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert sent[0]["status"] == 503
    assert expected in sent[1]["body"]
