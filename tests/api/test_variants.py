"""A request names the kind of address in the field that its network has for it, and the answer says which it is."""

from dataclasses import replace

import httpx
import pytest
from fastapi import FastAPI

from tests.api.conftest import client_of
from tests.samples import EIP_155_EXAMPLE
from wallets.chains import CHAINS
from wallets.chains.evm import Evm, evm

UNSIGNED = f"0x{EIP_155_EXAMPLE}"
KINDS: Evm = replace(evm("kinds", title="Kinds", symbol="KND", chain_id=1), variant_name="type", variants=("plain", "fancy"))


@pytest.fixture(autouse=True)
def kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network with two kinds of address, in the table."""
    monkeypatch.setitem(CHAINS, "kinds", KINDS)


@pytest.mark.parametrize(("query", "kind"), [("", "plain"), ("type=plain", "plain"), ("type=fancy", "fancy")])
async def test_an_address_says_its_kind(client: httpx.AsyncClient, wallet: str, query: str, kind: str) -> None:
    """Alone, in a range, and found by the address."""
    alone = (await client.get(f"{wallet}/address/kinds?{query}")).json()
    chosen = dict(pair.split("=") for pair in query.split("&") if pair)
    ranged = (await client.post(f"{wallet}/addresses", json={"network": "kinds", **chosen})).json()
    found = (await client.get(f"/api/v1/addresses/{alone['address']}")).json()

    assert alone["type"] == ranged["type"] == kind
    assert {"network": "kinds", "index": 0, "type": kind, "wallet_id": alone["wallet_id"]} in found["accounts"]


@pytest.mark.parametrize("kind", [None, "plain", "fancy"])
async def test_a_signature_says_its_kind(client: httpx.AsyncClient, wallet: str, kind: str | None) -> None:
    """Alone and in both batches."""
    item = {"network": "kinds", "index": 0, "unsigned_tx": UNSIGNED} | ({"type": kind} if kind else {})

    alone = (await client.post(f"{wallet}/sign", json=item)).json()
    batch = (await client.post(f"{wallet}/sign-batch", json={"items": [item]})).json()
    named = item | {"wallet_id": wallet.removeprefix("/api/v1/wallets/")}
    wallets = (await client.post("/api/v1/sign-batch", json={"items": [named]})).json()

    assert alone["type"] == (kind or "plain")
    assert [alone] == batch["results"] == wallets["results"]


@pytest.mark.parametrize(
    ("network", "field", "status", "reason"),
    [
        ("kinds", "version=plain", 422, "kinds has `type`: plain, fancy"),
        ("eth", "type=plain", 422, "eth has no choice between kinds of address"),
        ("kinds", "type=other", 400, "unknown type; kinds has plain, fancy"),
        ("mars", "type=plain", 400, "unknown network"),
        ("kinds", "type=", 422, "type"),
        ("kinds", "type=plain&version=plain", 422, "kinds has `type`: plain, fancy"),
    ],
    ids=["other field", "no field", "unknown kind", "unknown network", "empty", "both"],
)
async def test_a_kind_that_cannot_be_is_refused(
    client: httpx.AsyncClient, wallet: str, network: str, field: str, status: int, reason: str
) -> None:
    """Addresses and signatures alike, with what there is to choose from."""
    fields = dict(pair.split("=") for pair in field.split("&"))
    answers = [
        await client.get(f"{wallet}/address/{network}?{field}"),
        await client.post(f"{wallet}/addresses", json={"network": network, **fields}),
        await client.post(f"{wallet}/sign", json={"network": network, "index": 0, "unsigned_tx": UNSIGNED, **fields}),
    ]

    assert [answer.status_code for answer in answers] == [status] * 3
    assert all(reason in answer.json()["detail"] for answer in answers)


async def test_every_choice_has_a_field(app: FastAPI) -> None:
    """What a chain calls its choice is a field of the document."""
    async with client_of(app, key=None) as client:
        document = (await client.get("/api-docs/openapi.json")).json()

    fields = set(document["components"]["schemas"]["SignTransaction"]["properties"])

    assert {chain.variant_name for chain in CHAINS.values()} - {""} <= fields & {"type", "version"}
