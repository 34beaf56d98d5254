"""The calls that are answered straight from ASGI are answered as FastAPI's routes of the same paths answer them."""

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from api.direct import DirectRoutes
from api.http import create_http_app
from api.routes import WalletRoutes
from tests.api.conftest import API_KEY, World, client_of
from tests.samples import EIP_155_EXAMPLE

PLAIN = {"Content-Type": "application/json"}
RARE = {"Content-Type": "application/json; charset=utf-8"}
"""Says the same, and is left to FastAPI."""

VALID = {"network": "eth", "index": 0, "unsigned_tx": f"0x{EIP_155_EXAMPLE}"}
BODIES = [
    json.dumps(VALID),
    json.dumps(VALID, indent=2),
    json.dumps(VALID | {"index": 2**31 - 1}),
    json.dumps(VALID).replace("network", "n\\u0065twork"),
    json.dumps(VALID).replace("eth", "\\u0065th"),
    json.dumps(VALID)[:-1] + ', "index": 1}',
    json.dumps(VALID | {"replace": True}),
    json.dumps(VALID | {"index": -1}),
    json.dumps(VALID | {"index": 2**31}),
    json.dumps(VALID | {"index": True}),
    json.dumps(VALID | {"index": 0.0}),
    json.dumps(VALID | {"index": "0"}),
    json.dumps(VALID | {"network": "no such network"}),
    json.dumps(VALID | {"network": "e" * 33}),
    json.dumps(VALID | {"network": ""}),
    json.dumps(VALID | {"network": "\u200b"}, ensure_ascii=False),
    json.dumps(VALID | {"network": None}),
    json.dumps(VALID | {"unsigned_tx": "0x"}),
    json.dumps(VALID | {"unsigned_tx": "zz"}),
    json.dumps(VALID | {"unsigned_tx": 7}),
    json.dumps({"network": "eth", "index": 0}),
    json.dumps([VALID]),
    json.dumps(VALID) + json.dumps(VALID),
    '"' * 10,
    "{",
    "null",
    " ",
]


@pytest.fixture
async def wallet_id(client: httpx.AsyncClient) -> str:
    """A wallet of the service."""
    return str((await client.post("/api/v1/wallets", json={"label": "a"})).json()["id"])


def content(answer: httpx.Response) -> dict[str, Any]:
    """Return a body without what is another with each request."""
    return {name: value for name, value in answer.json().items() if name != "request_id"}


@pytest.mark.parametrize("body", BODIES)
async def test_a_body_is_answered_as_fastapi_does(client: httpx.AsyncClient, wallet_id: str, body: str) -> None:
    """Status, headers and content are the same, whichever way a request takes."""
    path = f"/api/v1/wallets/{wallet_id}/sign"

    direct = await client.post(path, content=body, headers=PLAIN)
    framework = await client.post(path, content=body, headers=RARE)

    assert (direct.status_code, content(direct)) == (framework.status_code, content(framework))
    assert set(direct.headers) == set(framework.headers)
    assert direct.headers["content-type"] == framework.headers["content-type"]


@given(
    st.dictionaries(
        st.sampled_from([*VALID, "x"]), st.one_of(st.none(), st.integers(), st.text(max_size=40), st.sampled_from(["eth", "sol"]))
    )
)
@settings(max_examples=60)
async def test_any_body_is_answered_as_fastapi_does(body: dict[str, Any]) -> None:
    """Also the bodies that nobody thought of."""
    async with client_of(create_http_app(World().edge())) as client:
        path = f"/api/v1/wallets/{uuid4()}/sign"
        text = json.dumps(body, ensure_ascii=False)

        direct = await client.post(path, content=text, headers=PLAIN)
        framework = await client.post(path, content=text, headers=RARE)

    assert (direct.status_code, content(direct)) == (framework.status_code, content(framework))


@pytest.mark.parametrize(
    ("usual", "rare"),
    [
        ("address/eth", "address/eth?&"),
        ("address/eth?index=3", "address/eth?&index=3"),
        ("address/no_such_network", "address/no_such_network?&"),
    ],
)
async def test_an_address_is_answered_as_fastapi_does(client: httpx.AsyncClient, wallet_id: str, usual: str, rare: str) -> None:
    """Status and content are the same, whichever way a request takes."""
    direct = await client.get(f"/api/v1/wallets/{wallet_id}/{usual}")
    framework = await client.get(f"/api/v1/wallets/{wallet_id}/{rare}")

    assert (direct.status_code, content(direct)) == (framework.status_code, content(framework))


@pytest.mark.parametrize("headers", [PLAIN, RARE])
async def test_a_request_is_let_in_once(world: World, client: httpx.AsyncClient, wallet_id: str, headers: dict[str, str]) -> None:
    """Its costs are charged once and its refusals audited once, also when it is handed on."""
    asked, written = len(world.limiter.keys), len(world.journal.events)

    await client.post(f"/api/v1/wallets/{wallet_id}/sign", content="{}", headers=headers)
    await client.post(f"/api/v1/wallets/{wallet_id}/sign", content=json.dumps(VALID | {"unsigned_tx": "zz"}), headers=headers)

    assert len(world.limiter.keys) == asked + 2
    assert len(world.journal.events) == written + 1


@pytest.mark.parametrize("headers", [{}, {"X-Api-Key": "wrong"}])
async def test_strangers_are_refused(world: World, headers: dict[str, str]) -> None:
    """Without a key, or with a wrong one, nothing of the request is looked at."""
    async with client_of(create_http_app(world.edge()), key=None) as client:
        signing = await client.post(f"/api/v1/wallets/{uuid4()}/sign", json=VALID, headers=headers)
        address = await client.get(f"/api/v1/wallets/{uuid4()}/address/eth", headers=headers)

    assert (signing.status_code, address.status_code) == (401, 401)
    assert world.journal.events == []


async def test_a_limit_is_kept(world: World, client: httpx.AsyncClient, wallet_id: str) -> None:
    """A client that asks too often is told when to come back."""
    world.limiter.left = 0

    answer = await client.post(f"/api/v1/wallets/{wallet_id}/sign", json=VALID)

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")


async def _way(path: str, method: str, headers: list[tuple[bytes, bytes]], query: bytes = b"", chunks: int = 1) -> str:
    """Return who answers a request with the key and a body in `chunks` parts: `direct` or `framework`."""
    way = "direct"
    body = json.dumps(VALID).encode()
    parts = [body[: len(body) // 2], body[len(body) // 2 :]] if chunks == 2 else [body]

    async def framework(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal way
        way = "framework"

    async def receive() -> Message:
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

    async def send(message: Message) -> None:
        assert message.get("status", 404) == 404

    edge = World().edge()
    scope: Scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query,
        "headers": [(b"x-api-key", API_KEY.encode()), (b"content-length", str(len(body)).encode()), *headers],
        "request_id": "r",
    }
    await DirectRoutes(framework, edge, WalletRoutes(edge), sign_route=None, address_route=None)(scope, receive, send)
    return way


WALLET = f"/api/v1/wallets/{uuid4()}"
JSON = (b"content-type", b"application/json")


@pytest.mark.parametrize("chunks", [1, 2])
async def test_the_usual_requests_take_the_direct_way(chunks: int) -> None:
    """Those of the README, and those of most clients, whether their body comes at once or not."""
    assert await _way(f"{WALLET}/sign", "POST", [JSON], chunks=chunks) == "direct"
    assert await _way(f"{WALLET}/address/eth", "GET", []) == "direct"
    assert await _way(f"{WALLET}/address/eth", "GET", [], b"index=2147483647") == "direct"


@pytest.mark.parametrize(
    ("path", "method", "headers", "query"),
    [
        ("/sign", "POST", [], b""),
        ("/sign", "POST", [JSON], b"a=b"),
        ("/sign", "POST", [JSON, JSON], b""),
        ("/sign", "POST", [JSON, (b"content-encoding", b"gzip")], b""),
        ("/sign", "POST", [JSON, (b"transfer-encoding", b"chunked")], b""),
        ("/sign", "GET", [JSON], b""),
        ("/address/eth", "GET", [], b"index=01"),
        ("/address/eth", "GET", [], b"index=2147483648"),
        ("/address/eth", "GET", [], b"index=+1"),
        ("/address/eth", "HEAD", [], b""),
        ("/address/ETH", "GET", [], b""),
        ("", "GET", [], b""),
    ],
)
async def test_unusual_requests_are_left_to_fastapi(path: str, method: str, headers: list[tuple[bytes, bytes]], query: bytes) -> None:
    """It knows what is wrong with them, if anything is."""
    assert await _way(WALLET + path, method, headers, query) == "framework"


async def test_a_client_that_goes_away_before_its_body_is_no_error(world: World) -> None:
    """Nothing is answered, and nothing done."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"x-api-key", API_KEY.encode()), JSON, (b"content-length", b"100")]
    scope = {"type": "http", "method": "POST", "path": f"{WALLET}/sign", "query_string": b"", "headers": headers}
    await create_http_app(world.edge())(scope, receive, send)

    assert sent == []
    assert world.journal.events == []
