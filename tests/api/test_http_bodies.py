"""Bodies that cannot be are refused: by media type, size, syntax and schema, and no more of them is read than needed."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from api.limits import MAX_BODY_BYTES, MAX_DISCARDED_BYTES
from tests.api.asgi_calls import call
from tests.api.conftest import World, problem

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("body", "status", "name"),
    [
        (b"", 400, "malformed-body"),
        (b"{", 400, "malformed-body"),
        (b'{"label": "a"} x', 400, "malformed-body"),
        (b"\xef\xbb\xbf{}", 400, "malformed-body"),
        (b'{"label": "\xff"}', 400, "malformed-body"),
        ('{"label": "a"}'.encode("utf-16"), 400, "malformed-body"),
        (b'{"label": "a", "label": "b"}', 400, "malformed-body"),
        (b'{"label": "a", "mnemonic_length": NaN}', 400, "malformed-body"),
        (b"[" * 200_000, 400, "malformed-body"),
        (b"9" * 5_000, 400, "malformed-body"),
        (b"null", 422, "unprocessable-request"),
        (b"[]", 422, "unprocessable-request"),
        (b'"label"', 422, "unprocessable-request"),
        (b"{}", 422, "unprocessable-request"),
        (b'{"label": null}', 422, "unprocessable-request"),
        (b'{"label": 7}', 422, "unprocessable-request"),
        (b'{"label": ""}', 422, "unprocessable-request"),
        (b'{"label": "\\ud800"}', 400, "malformed-body"),
        (json.dumps({"label": "a" * 101}).encode(), 422, "unprocessable-request"),
        (json.dumps({"label": "a\nb"}).encode(), 422, "unprocessable-request"),
        (json.dumps({"label": "a\x00"}).encode(), 422, "unprocessable-request"),
        (json.dumps({"label": "a\u202eb"}).encode(), 422, "unprocessable-request"),
        (b'{"label": "a", "mnemonic_length": 13}', 422, "unprocessable-request"),
        (b'{"label": "a", "mnemonic_length": "12"}', 422, "unprocessable-request"),
        (b'{"label": "a", "mnemonic_length": true}', 422, "unprocessable-request"),
        (b'{"label": "a", "mnemonic_lenght": 24}', 422, "unprocessable-request"),
    ],
)
async def test_bodies_that_cannot_be(client: httpx.AsyncClient, world: World, body: bytes, status: int, name: str) -> None:
    """What is no JSON is 400, what does not fit the schema 422, and no wallet is made."""
    answer = await client.post("/api/v1/wallets", content=body, headers=JSON)

    assert problem(answer) == (status, name)
    assert len(world.store) == 0


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": ""},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/jsonp"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
async def test_other_media_types(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    """Only plain JSON is read."""
    answer = await client.post("/api/v1/wallets", content=b'{"label": "a"}', headers=headers)

    assert problem(answer) == (415, "unsupported-media-type")


@pytest.mark.parametrize(
    "media_type", ["application/json", "Application/JSON", "application/json; charset=utf-8", 'application/json;charset="UTF-8"']
)
async def test_json_is_recognised_however_it_is_written(client: httpx.AsyncClient, media_type: str) -> None:
    """Case and charset of the media type do not matter."""
    answer = await client.post("/api/v1/wallets", content=b'{"label": "a"}', headers={"Content-Type": media_type})

    assert answer.status_code == 200


async def test_a_body_that_is_just_small_enough(client: httpx.AsyncClient) -> None:
    """One MiB is read, white space and all."""
    body = b'{"label": "a"}'.ljust(MAX_BODY_BYTES)

    assert (await client.post("/api/v1/wallets", content=body, headers=JSON)).status_code == 200


async def test_a_body_that_is_too_large(client: httpx.AsyncClient) -> None:
    """One byte more than a MiB is 413, and the connection is not used again."""
    answer = await client.post("/api/v1/wallets", content=b'{"label": "a"}'.ljust(MAX_BODY_BYTES + 1), headers=JSON)

    assert problem(answer) == (413, "body-too-large")
    assert answer.headers["Connection"] == "close"


async def test_a_body_without_length_is_given_up_while_it_arrives(client: httpx.AsyncClient) -> None:
    """An endless body is refused a bounded number of bytes after its first MiB, not when it ends."""
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 65_536
            yield bytes(65_536)

    answer = await client.post("/api/v1/wallets", content=endless(), headers=JSON)

    assert problem(answer) == (413, "body-too-large")
    assert sent <= MAX_BODY_BYTES + MAX_DISCARDED_BYTES + 2 * 65_536


async def test_the_declared_length_is_enough_to_refuse(app: FastAPI) -> None:
    """A body that says it is too large is refused before a byte of it is read."""
    messages, read = await call(app, "POST", "/api/v1/wallets", [(b"content-length", b"99999999"), (b"content-type", b"application/json")])

    assert messages[0]["status"] == 413
    assert read == 0


async def test_what_is_somewhat_too_large_is_read_so_that_the_answer_arrives(app: FastAPI) -> None:
    """A body a little over a MiB is taken off the connection before it is refused."""
    headers = [(b"content-length", b"1048577"), (b"content-type", b"application/json")]

    messages, read = await call(app, "POST", "/api/v1/wallets", headers)

    assert messages[0]["status"] == 413
    assert read > 0


async def test_the_key_is_checked_before_the_body_is_read(app: FastAPI) -> None:
    """Who has no key cannot make us read a megabyte."""
    messages, read = await call(app, "POST", "/api/v1/wallets", [(b"content-type", b"application/json")], key=b"wrong")

    assert messages[0]["status"] == 401
    assert read == 0


@pytest.mark.parametrize("depth", [40, 500, 900, 960, 990, 1000, 1020, 1030, 100_000])
async def test_nested_bodies_are_refused(client: httpx.AsyncClient, depth: int) -> None:
    """However deep a body is nested, it is a bad request."""
    body = '{"label":' * depth + '"x"' + "}" * depth

    answer = await client.post("/api/v1/wallets", content=body, headers=JSON)

    assert answer.status_code in {400, 422}
