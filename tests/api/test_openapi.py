"""The document says what is true, and is shown without anything from elsewhere."""

import re
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from api import schemas
from tests.api.conftest import World, client_of
from tests.known_phrase import PHRASE
from tests.samples import EIP_155_EXAMPLE
from wallets.chains import CHAINS

# EIP-155's example.
UNSIGNED = f"0x{EIP_155_EXAMPLE}"
OPERATIONS = {
    ("post", "/api/v1/wallets"),
    ("get", "/api/v1/wallets"),
    ("post", "/api/v1/wallets/import"),
    ("get", "/api/v1/wallets/{wallet_id}"),
    ("get", "/api/v1/wallets/{wallet_id}/address/{network}"),
    ("post", "/api/v1/wallets/{wallet_id}/addresses"),
    ("post", "/api/v1/wallets/{wallet_id}/sign"),
    ("post", "/api/v1/wallets/{wallet_id}/sign-message"),
    ("post", "/api/v1/wallets/{wallet_id}/sign-typed-data"),
    ("post", "/api/v1/wallets/{wallet_id}/sign-batch"),
    ("post", "/api/v1/sign-batch"),
    ("post", "/api/v1/transactions/inspect"),
    ("get", "/api/v1/addresses/{address}"),
    ("post", "/api/v1/admin/lock"),
    ("get", "/api/v1/health"),
    ("get", "/api/v1/health/live"),
    ("get", "/api/v1/health/ready"),
    ("get", "/metrics"),
}


@pytest.fixture
async def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, asked for without a key."""
    async with client_of(app, key=None) as client:
        answer = await client.get("/api-docs/openapi.json")
    loaded: dict[str, Any] = answer.json()
    return loaded


def template_of(path: str, document: dict[str, Any]) -> str:
    """Return the path template of the document that fits a path, the one with fewest parameters first."""
    templates: list[str] = sorted(document["paths"], key=lambda template: template.count("{"))
    return next(template for template in templates if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path))


def check(answer: httpx.Response, document: dict[str, Any]) -> None:
    """Fail if an answer is not what the document says of its call and status."""
    operation = document["paths"][template_of(answer.request.url.path, document)][answer.request.method.lower()]
    content = operation["responses"][str(answer.status_code)]["content"]
    schema = content[answer.headers["content-type"].partition(";")[0]]["schema"]
    registry: Registry[Any] = Registry().with_resource("urn:document", DRAFT202012.create_resource(document))
    reference = {"$ref": f"urn:document{schema['$ref']}", "unevaluatedProperties": False}
    Draft202012Validator(reference, registry=registry).validate(answer.json())


async def test_every_call_is_described(document: dict[str, Any]) -> None:
    """The document lists the calls of the contract, no more and no fewer."""
    described = {(method, path) for path, operations in document["paths"].items() for method in operations}

    assert described == OPERATIONS
    assert document["openapi"].startswith("3.1")


async def test_each_call_of_wallets_asks_for_the_key(document: dict[str, Any]) -> None:
    """The security scheme is on what needs a key, and on nothing else."""
    assert document["components"]["securitySchemes"] == {"ApiKey": {"type": "apiKey", "in": "header", "name": "X-Api-Key"}}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            asks = ("/api/v1/wallets", "/api/v1/addresses", "/api/v1/sign-batch", "/api/v1/transactions", "/api/v1/admin")
            assert ("security" in operation) == path.startswith(asks)


async def test_problems_are_described(document: dict[str, Any]) -> None:
    """Every refusal is a problem document, and FastAPI's own kind of 422 is nowhere."""
    for path, operations in document["paths"].items():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if int(status) >= 400 and "/health" not in path:
                    assert list(response["content"]) == ["application/problem+json"]
    assert "HTTPValidationError" not in document["components"]["schemas"]
    assert document["components"]["schemas"]["Problem"]["required"] == ["type", "title", "status", "detail", "request_id"]


async def test_networks_come_from_the_table(document: dict[str, Any]) -> None:
    """The networks of the document are those of the service."""
    assert document["components"]["schemas"]["SignTransaction"]["properties"]["network"]["anyOf"][0]["enum"] == list(CHAINS)


async def test_secrets_are_marked(document: dict[str, Any]) -> None:
    """Clients and pages know that the phrase and the passphrase are secrets, and never show defaults or examples of them."""
    fields = document["components"]["schemas"]["ImportWallet"]["properties"]

    for name in ("mnemonic", "passphrase"):
        assert (fields[name]["format"], fields[name]["writeOnly"]) == ("password", True)
        assert "examples" not in fields[name]


async def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    """No schema is named that is not there."""
    references = set(re.findall(r"#/components/schemas/(\w+)", str(document)))

    assert {"Problem", "SignTransaction"} < references <= set(document["components"]["schemas"])


async def test_real_answers_are_as_described(client: httpx.AsyncClient, world: World, document: dict[str, Any]) -> None:
    """Each answer, good or bad, validates against the schema of its call and status."""
    created = await client.post("/api/v1/wallets", json={"label": "a"})
    imported = await client.post("/api/v1/wallets/import", json={"label": "b", "mnemonic": PHRASE})
    wallet = f"/api/v1/wallets/{imported.json()['id']}"
    answers = [created, imported, await client.get("/api/v1/wallets"), await client.get(wallet)]
    answers += [await client.get(f"/api/v1/wallets?{query}") for query in ("cursor=", "per_page=1", "cursor=&per_page=1", "cursor=x")]
    for network in CHAINS:
        address = await client.get(f"{wallet}/address/{network}")
        answers += [address, await client.get(f"/api/v1/addresses/{address.json()['address']}")]
        answers.append(await client.post(f"{wallet}/addresses", json={"network": network, "count": 2}))
        assert answers[-1].status_code == 200
    signed = await client.post(f"{wallet}/sign", json={"network": "eth", "index": 0, "unsigned_tx": UNSIGNED})
    assert signed.status_code == 200
    answers.append(signed)
    answers.append(await client.post("/api/v1/transactions/inspect", json={"network": "eth", "unsigned_tx": UNSIGNED}))
    assert answers[-1].status_code == 200
    for path, content in (("sign-message", {"message": "hello"}), ("sign-typed-data", {"typed_data": schemas.EXAMPLE_TYPED_DATA})):
        answers.append(await client.post(f"{wallet}/{path}", json={"network": "eth", "index": 0, **content}))
        assert answers[-1].status_code == 200
    answers += [
        await client.post("/api/v1/wallets", json={}),
        await client.post("/api/v1/wallets", content=b"{"),
        await client.post("/api/v1/wallets", content=b"{", headers={"Content-Type": "application/json"}),
        await client.get("/api/v1/wallets", headers={"X-Api-Key": "x"}),
        await client.get(f"/api/v1/wallets/{'0' * 8}-0000-0000-0000-{'0' * 12}"),
        *[await client.get(f"/api/v1/health{path}") for path in ("", "/live", "/ready")],
    ]
    world.limiter.left = 0
    answers.append(await client.get("/api/v1/wallets"))

    for answer in answers:
        check(answer, document)


async def test_an_answer_that_is_not_as_described_is_found(client: httpx.AsyncClient, document: dict[str, Any]) -> None:
    """The check of the test before fails on an answer with a field too many."""
    answer = await client.get("/api/v1/wallets")
    answer._content = b'{"data": [], "page": 1, "per_page": 20, "total": 0, "total_pages": 0, "next_cursor": null, "more": 1}'

    with pytest.raises(Exception, match="more"):
        check(answer, document)


async def test_examples_are_valid(document: dict[str, Any]) -> None:
    """What the document shows as an example fits the schema beside it."""
    for schema in document["components"]["schemas"].values():
        for name, field in schema.get("properties", {}).items():
            for example in field.get("examples", []):
                kept = {key: value for key, value in field.items() if "$ref" not in str(value)}
                assert Draft202012Validator(kept).is_valid(example), name
    assert schemas.SignTransaction(network="eth", index=0, unsigned_tx=UNSIGNED).text in str(document)


@pytest.mark.parametrize("path", ["/swagger-ui", "/swagger-ui/"])
async def test_the_page_needs_nothing_from_elsewhere(app: FastAPI, path: str) -> None:
    """Every script, style and picture of the page is served by this process, and the policy allows no other."""
    async with client_of(app, key=None) as client:
        page = await client.get(path)
        links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        loaded = {link: await client.get(link) for link in links}

    assert page.status_code == 200
    assert len(links) == 4
    assert all(link.startswith("/swagger-ui/") for link in links)
    assert all(answer.status_code == 200 and answer.content for answer in loaded.values())
    assert b"SwaggerUIBundle" in loaded["/swagger-ui/swagger-ui-bundle.js"].content
    assert "/api-docs/openapi.json" in loaded["/swagger-ui/start.js"].text
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "http" not in policy
    assert not re.search(r"<script>|onload=|style=", page.text)


async def test_assets_may_be_kept_by_browsers(client: httpx.AsyncClient) -> None:
    """The megabyte of Swagger UI is not fetched anew each time, and each file has its type."""
    types = {}
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png", "start.js"):
        answer = await client.get(f"/swagger-ui/{name}")
        types[name] = answer.headers["content-type"].partition(";")[0]
        assert answer.headers["Cache-Control"].startswith("public")

    assert types == {
        "swagger-ui-bundle.js": "text/javascript",
        "swagger-ui.css": "text/css",
        "favicon.png": "image/png",
        "start.js": "text/javascript",
    }
