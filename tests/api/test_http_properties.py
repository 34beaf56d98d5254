"""Whatever is sent, the answer is a clear one: never 5xx, never an exception."""

import json
import uuid
from functools import cache
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st

from api.errors import EdgeError
from api.http import create_http_app
from api.json_body import parse
from tests.api.conftest import World, client_of
from wallets.chains import CHAINS

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
fields = st.sampled_from(["label", "mnemonic_length", "mnemonic", "passphrase", "scheme", "network", "index", "unsigned_tx", "extra"])
networks = st.sampled_from([*CHAINS, "other"])
hexes = st.binary(max_size=200).map(bytes.hex)
likely = st.dictionaries(fields, values | networks | hexes | st.integers(0, 2**31), max_size=9)
bodies = likely | st.fixed_dictionaries({"network": networks, "index": st.integers(0, 5), "unsigned_tx": hexes | st.text(max_size=40)})
raw = st.binary(max_size=300) | st.one_of(values, bodies).map(lambda value: json.dumps(value).encode())
known = ["api", "v1", "wallets", "import", "addresses", "address", "sign", "eth", "health", str(uuid.UUID(int=7))]
segments = st.sampled_from(known) | st.text(st.characters(codec="utf-8"), max_size=12)
paths = st.lists(segments, max_size=7).map(lambda parts: "/" + "/".join(parts))
methods = st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"])
headers = st.dictionaries(
    st.sampled_from(["X-Forwarded-For", "X-Request-ID", "Content-Type", "Content-Length-X", "Accept"]),
    st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=30).map(lambda text: text.encode("latin-1")),
    max_size=3,
)

many = settings(max_examples=80)


@cache
def service() -> FastAPI:
    """Return one service for all examples: what one leaves behind is input for the next."""
    return create_http_app(World().edge())


@many
@given(methods, paths, st.text(max_size=20), raw, headers)
async def test_any_request_is_answered(method: str, path: str, query: str, body: bytes, sent: dict[str, bytes]) -> None:
    """Any method, path, query, body and headers give an answer below 500."""
    async with client_of(service()) as client:
        url = f"http://wallets.test{quote(path)}?{quote(query, safe='=&')}"
        answer = await client.request(method, url, content=body, headers=[(name.encode(), value) for name, value in sent.items()])

    assert answer.status_code < 500


@many
@given(st.sampled_from(["", "/import", "/{id}/sign", f"/{uuid.UUID(int=7)}/sign"]), bodies | values)
async def test_any_json_is_answered(call: str, body: Any) -> None:
    """Any JSON in any body gives an answer below 500, and what is signed was asked for."""
    async with client_of(service()) as client:
        wallet_id = (await client.post("/api/v1/wallets", json={"label": "a"})).json()["id"]
        content = json.dumps(body).encode()
        path = f"/api/v1/wallets{call}".replace("{id}", wallet_id)
        answer = await client.post(path, content=content, headers={"Content-Type": "application/json"})

    assert answer.status_code < 500
    if answer.status_code != 200:
        assert answer.headers["content-type"] == "application/problem+json"


@given(st.binary(max_size=400))
def test_any_bytes_parse_or_are_refused(body: bytes) -> None:
    """The parser raises nothing but our own error."""
    try:
        parse(body)
    except EdgeError:
        return


@given(values)
def test_json_means_what_it_means_to_everybody(value: Any) -> None:
    """What another parser reads is what ours reads."""
    text = json.dumps(value)

    try:
        parsed = parse(text.encode("utf-8", "surrogatepass"))
    except EdgeError:
        # Numbers beyond a double and halves of surrogate pairs are read differently by different parsers.
        return

    assert parsed == json.loads(text)
