"""What cannot be is refused clearly, changes nothing, and repeats nothing of what was sent."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api.http import create_http_app
from api.limits import MAX_BODY_BYTES, MAX_DISCARDED_BYTES, Unlimited
from tests.api.conftest import API_KEY, BrokenEncryption, StuckEncryption, World, client_of

PHRASE = "legal winner thank year wave sausage worth useful legal winner thank yellow"
JSON = {"Content-Type": "application/json"}


def problem(answer: httpx.Response) -> tuple[int, str]:
    """Return the status and the problem's name of an answer that is a whole problem document."""
    document = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(document) == {"type", "title", "status", "detail", "request_id"}
    assert document["status"] == answer.status_code
    assert document["request_id"] == answer.headers["X-Request-ID"]
    return answer.status_code, document["type"].removeprefix("urn:crypto-wallets:problem:")


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


@pytest.mark.parametrize("index", ["-1", "2147483648", "1.5", "1.0", "1_0", "+1", " 1", "0x1", "", "99999999999999999999999999", "one"])
async def test_indexes_out_of_range(client: httpx.AsyncClient, index: str) -> None:
    """An account's index is 0 to 2^31-1, in the query and in the body."""
    wallet_id = uuid.uuid4()
    body = {"network": "eth", "index": int(index) if index.lstrip("-").isdigit() else index, "unsigned_tx": "00"}

    address = await client.get(f"/api/v1/wallets/{wallet_id}/address/eth", params={"index": index})
    signed = await client.post(f"/api/v1/wallets/{wallet_id}/sign", json=body)

    assert problem(address) == problem(signed) == (422, "unprocessable-request")
    assert address.json()["detail"].startswith("index: ")


@pytest.mark.parametrize(
    "query", ["page=0", "page=-1", "per_page=0", "per_page=101", "page=x", "page=9999999999", "pages=1", "page=1&page=2", "x"]
)
async def test_pages_that_cannot_be(client: httpx.AsyncClient, query: str) -> None:
    """Unknown, repeated and impossible query parameters are refused."""
    assert problem(await client.get(f"/api/v1/wallets?{query}")) == (422, "unprocessable-request")


async def test_a_misspelt_index_is_not_taken_for_zero(client: httpx.AsyncClient) -> None:
    """A deposit address of another account than the one meant would lose money to confusion."""
    answer = await client.get(f"/api/v1/wallets/{uuid.uuid4()}/address/eth?idx=5")

    assert problem(answer) == (422, "unprocessable-request")
    assert "index" in answer.json()["detail"]


@pytest.mark.parametrize("wallet_id", ["7", "not-a-uuid", "00000000-0000-0000-0000-00000000000g", "import", "%00", "..%2f"])
async def test_ids_that_are_no_uuid(client: httpx.AsyncClient, wallet_id: str) -> None:
    """A wallet id that is no UUID is 400."""
    for answer in (
        await client.get(f"/api/v1/wallets/{wallet_id}/address/eth"),
        await client.post(f"/api/v1/wallets/{wallet_id}/sign", json={"network": "eth", "index": 0, "unsigned_tx": "00"}),
    ):
        assert problem(answer)[0] in {400, 404}  # an encoded slash is another path


async def test_a_mnemonic_is_never_repeated(client: httpx.AsyncClient, world: World) -> None:
    """However an import is refused, no word of what was sent comes back or is written down."""
    words = PHRASE.split()
    bodies: list[Any] = [
        {"label": "a", "mnemonic": PHRASE + " yellow"},
        {"label": "a", "mnemonic": PHRASE.replace("yellow", "winner")},
        {"label": "a", "mnemonic": "sausages " + PHRASE},
        {"label": "a", "mnemonic": words},
        {"label": "a", "mnemonic": {"sausage": PHRASE}},
        {"label": "a", "mnemonic": PHRASE * 100},
        {"label": "a", "mnemonic": PHRASE, "passphrase": "sausage\n"},
        {"label": "a", "mnemonic": PHRASE, "passphrase": "sausage" * 100},
        {"label": "a", "mnemonic": PHRASE, "scheme": "sausage"},
        {"label": "a", "mnemonik": PHRASE},
        {"label": PHRASE * 3, "mnemonic": PHRASE},
        {PHRASE: 1},
        PHRASE,
        words,
    ]

    for body in bodies:
        answer = await client.post("/api/v1/wallets/import", json=body)

        assert answer.status_code in {400, 422}
        assert "sausage" not in answer.text
        assert "winner" not in answer.text
    assert len(world.store) == 0
    assert "sausage" not in repr(world.audit.events)


async def test_a_misspelt_passphrase_makes_no_wallet(client: httpx.AsyncClient, world: World) -> None:
    """An unknown field is refused: it might have been the passphrase."""
    answer = await client.post("/api/v1/wallets/import", json={"label": "a", "mnemonic": PHRASE, "passphrse": "TREZOR"})

    assert problem(answer) == (422, "unprocessable-request")
    assert answer.json()["detail"] == "passphrse: is not known here"
    assert len(world.store) == 0


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/api/v1/wallets", "GET, POST"),
        ("PUT", "/api/v1/wallets/import", "GET, POST"),
        ("GET", f"/api/v1/wallets/{uuid.uuid4()}/sign", "POST"),
        ("POST", "/api/v1/health", "GET"),
        ("BREW", "/metrics", "GET"),
    ],
)
async def test_other_methods(client: httpx.AsyncClient, method: str, path: str, allowed: str) -> None:
    """A path that is served with other methods names all of them."""
    answer = await client.request(method, path)

    assert problem(answer) == (405, "method-not-allowed")
    assert answer.headers["Allow"] == allowed


@pytest.mark.parametrize("path", ["/", "/api/v1", "/api/v1/wallets/", "/api/v2/wallets", "/docs", "/openapi.json", "/redoc", "//", "/%00"])
async def test_other_paths(client: httpx.AsyncClient, path: str) -> None:
    """What is not served is 404: no redirect, no framework's own pages."""
    assert problem(await client.get(path)) == (404, "unknown-route")


@pytest.mark.parametrize(
    "path", ["/api/v1/wallets", f"/api/v1/wallets/{uuid.uuid4()}", f"/api/v1/wallets/{uuid.uuid4()}/address/eth", "/api/v1/addresses/x"]
)
@pytest.mark.parametrize("key", [None, "", "wrong", API_KEY + " x"])
async def test_without_a_valid_key(app: FastAPI, world: World, path: str, key: str | None) -> None:
    """Everything of wallets needs a key; the answer says how to send one, and the limiter is not asked."""
    async with client_of(app, key=key) as stranger:
        answer = await stranger.get(path)

    assert problem(answer) == (401, "authentication-required")
    assert "X-Api-Key" in answer.headers["WWW-Authenticate"]
    assert world.limiter.keys == []


async def test_a_client_that_asks_too_often(client: httpx.AsyncClient, world: World) -> None:
    """Beyond the limit it is 429, with the whole seconds to wait."""
    world.limiter.left = 1

    first = await client.get("/api/v1/wallets")
    second = await client.get("/api/v1/wallets")

    assert first.status_code == 200
    assert problem(second) == (429, "rate-limited")
    assert second.headers["Retry-After"] == "3"


async def test_limits_count_the_client_behind_the_proxy(client: httpx.AsyncClient, world: World) -> None:
    """Two clients behind our proxy are two, and one cannot pass for many."""
    for forwarded in ("198.51.100.1", "198.51.100.2", "1.1.1.1, 198.51.100.2", "2.2.2.2, 198.51.100.2"):
        await client.get("/api/v1/wallets", headers={"X-Forwarded-For": forwarded})

    assert len(set(world.limiter.keys)) == 2


@pytest.mark.parametrize("given", ["abc", "A.b_c-1", "x" * 128])
async def test_a_request_id_is_taken_over(client: httpx.AsyncClient, given: str) -> None:
    """The client's own id comes back."""
    assert (await client.get("/api/v1/wallets", headers={"X-Request-ID": given})).headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "a\tb", "<script>", 'a"b', "ä"])
async def test_a_request_id_that_is_none_is_replaced(client: httpx.AsyncClient, given: str) -> None:
    """What could do harm in a log or a page is not taken over."""
    answer = await client.get("/api/v1/wallets", headers=[(b"X-Request-ID", given.encode())])

    assert answer.headers["X-Request-ID"] != given
    assert str(uuid.UUID(answer.headers["X-Request-ID"])) == answer.headers["X-Request-ID"]


async def test_a_bug_is_500_without_its_cause() -> None:
    """What nobody foresaw is a problem document like any other, and says nothing."""
    world = World(encryption=BrokenEncryption())

    async with client_of(create_http_app(world.edge())) as client:
        answer = await client.post("/api/v1/wallets", json={"label": "a"})

    assert problem(answer) == (500, "internal-error")
    assert "winner" not in answer.text
    assert "KeyError" not in answer.text


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


async def test_without_limits_everything_passes() -> None:
    """Limits that are switched off refuse nobody."""
    assert await Unlimited().acquire("anybody") is None


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


@pytest.mark.parametrize("depth", [40, 500, 900, 960, 990, 1000, 1020, 1030, 100_000])
async def test_nested_bodies_are_refused(client: httpx.AsyncClient, depth: int) -> None:
    """However deep a body is nested, it is a bad request."""
    body = '{"label":' * depth + '"x"' + "}" * depth

    answer = await client.post("/api/v1/wallets", content=body, headers=JSON)

    assert answer.status_code in {400, 422}
