"""Requests that break off, are cancelled or fail on the way, and the start and stop of a server."""

import asyncio
from typing import Any

import pytest
from fastapi import FastAPI

from api.http import create_http_app
from tests.api.asgi_calls import call, scope_of
from tests.api.conftest import StuckEncryption, World


async def test_a_client_that_goes_away_is_no_error(app: FastAPI) -> None:
    """A connection that ends in the middle of the body ends the request quietly."""
    messages, _ = await call(app, "POST", "/api/v1/wallets", [(b"content-type", b"application/json")], body=None)

    assert messages == []


async def test_a_cancelled_request_stays_cancelled() -> None:
    """Serve cancels the request of a client that left; that is passed on, and counted as 499."""
    encryption = StuckEncryption()
    world = World(encryption=encryption)
    app = create_http_app(world.edge())
    headers = [(b"content-type", b"application/json")]
    task = asyncio.create_task(call(app, "POST", "/api/v1/wallets", headers, body=b'{"label": "a"}'))
    await encryption.asked.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task

    assert 'http_requests_total{method="POST",route="/api/v1/wallets",status="499"} 1.0' in world.metrics.render().decode()


async def test_an_answer_that_breaks_off_ends_the_connection(app: FastAPI) -> None:
    """When the status has been sent nothing else can be said: the server is told, and closes."""
    sent: list[str] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message["type"])
        if message["type"] == "http.response.body":
            msg = "the connection is gone"
            raise OSError(msg)

    with pytest.raises(OSError, match="the connection is gone"):
        await app(scope_of("GET", "/api/v1/health/live", []), receive, send)

    assert sent == ["http.response.start", "http.response.body"]


async def test_start_and_stop_are_passed_on(app: FastAPI) -> None:
    """The messages with which a server starts and stops an application reach it."""
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    sent: list[str] = []

    async def receive() -> dict[str, Any]:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)

    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
