"""Call the application as a server does, message by message, where a client would hide what matters."""

from typing import Any

from fastapi import FastAPI

from tests.api.conftest import API_KEY


def scope_of(method: str, path: str, headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    """Describe a request as a server does."""
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"wallets.test"), *headers],
        "client": ("127.0.0.1", 5000),
        "server": ("127.0.0.1", 3000),
    }


async def call(
    app: FastAPI, method: str, path: str, headers: list[tuple[bytes, bytes]], *, body: bytes | None = b"{}", key: bytes = API_KEY.encode()
) -> tuple[list[Any], int]:
    """Call the application as a server does; return what it sent, and how often it asked for the body. None for a body breaks off."""
    sent: list[Any] = []
    read = 0

    async def receive() -> dict[str, Any]:
        nonlocal read
        read += 1
        return {"type": "http.disconnect"} if body is None else {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope_of(method, path, [(b"x-api-key", key), *headers]), receive, send)
    return sent, read
