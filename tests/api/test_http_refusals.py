"""What cannot be is refused clearly, changes nothing, and repeats nothing of what was sent."""

import uuid
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api.http import create_http_app
from tests.api.conftest import API_KEY, BrokenEncryption, World, client_of, problem
from tests.known_phrase import ANOTHER_PHRASE as PHRASE

NOBODYS = "3f1f1c0a-8c5e-4a53-9d55-0d2f3f0a7f11"
"""The id of no wallet. Fixed, so that a test has the same name in every run."""


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
        ("GET", f"/api/v1/wallets/{NOBODYS}/sign", "POST"),
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
    "path", ["/api/v1/wallets", f"/api/v1/wallets/{NOBODYS}", f"/api/v1/wallets/{NOBODYS}/address/eth", "/api/v1/addresses/x"]
)
@pytest.mark.parametrize("key", [None, "", "wrong", API_KEY + " x"])
async def test_without_a_valid_key(app: FastAPI, world: World, path: str, key: str | None) -> None:
    """Everything of wallets needs a key; the answer says how to send one, and the limiter is not asked."""
    async with client_of(app, key=key) as stranger:
        answer = await stranger.get(path)

    assert problem(answer) == (401, "authentication-required")
    assert "X-Api-Key" in answer.headers["WWW-Authenticate"]
    assert world.limiter.keys == []


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
