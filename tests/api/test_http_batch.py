"""Batches of signatures and ranges of addresses over HTTP."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
import rlp
from eth_account import Account as EthAccount

from api.schemas import MAX_BATCH
from tests.api.conftest import World
from wallets.model import AuditAction, AuditStatus

RECIPIENT = bytes.fromhex("3535353535353535353535353535353535353535")


def unsigned(nonce: int) -> str:
    """Return a legacy transfer of Ethereum."""
    return bytes(rlp.encode([nonce, 20 * 10**9, 21000, RECIPIENT, 10**18, b"", 1, 0, 0])).hex()


def item(nonce: int, **changes: object) -> dict[str, object]:
    """Return one item of a batch."""
    return {"network": "eth", "index": 0, "unsigned_tx": unsigned(nonce), **changes}


async def new_wallet(client: httpx.AsyncClient) -> str:
    """Create a wallet, and return its id."""
    return str((await client.post("/api/v1/wallets", json={"label": "a"})).json()["id"])


def counted(world: World, metric: str) -> bool:
    """Tell whether the metrics have this line."""
    return metric in world.metrics.render().decode()


async def test_a_batch_is_signed_in_order(client: httpx.AsyncClient, world: World) -> None:
    """Each result is what the single call answers, each is audited, and the whole is charged by its items."""
    wallet_id = await new_wallet(client)
    single = await client.post(f"/api/v1/wallets/{wallet_id}/sign", json=item(7))
    left, rows = world.limiter.left, len(world.audit.events)

    answer = await client.post(f"/api/v1/wallets/{wallet_id}/sign-batch", json={"items": [item(nonce) for nonce in range(10)]})

    results = answer.json()["results"]
    assert answer.status_code == 200
    assert results[7] == single.json()
    assert [result["intent"]["details"]["nonce"] for result in results] == list(range(10))
    assert {EthAccount.recover_transaction(result["signed_tx"]) for result in results} == {single.json()["from"]}
    assert left - world.limiter.left == 10
    assert [event.details["tx_id"] for event in world.audit.events[rows:]] == [result["tx_id"] for result in results]
    assert counted(world, 'sign_operations_total{network="eth",status="ok"} 11.0')


async def test_one_item_that_is_refused_does_not_stop_the_others(client: httpx.AsyncClient, world: World) -> None:
    """In its place stands what the single call would have answered; it is audited as that would be."""
    wallet_id = await new_wallet(client)
    items = [item(0), item(1, unsigned_tx="zz"), item(2, network="no such network"), item(3)]

    answer = await client.post(f"/api/v1/wallets/{wallet_id}/sign-batch", json={"items": items})
    single = await client.post(f"/api/v1/wallets/{wallet_id}/sign", json=items[1])

    first, malformed, unknown, last = answer.json()["results"]
    assert (first["tx_id"], last["tx_id"]) != (None, None)
    assert malformed == {"error": {name: single.json()[name] for name in ("type", "title", "status", "detail")}}
    assert (unknown["error"]["status"], unknown["error"]["type"]) == (400, "urn:crypto-wallets:problem:unsupported-network")
    ok, refused = AuditStatus.OK, AuditStatus.REFUSED
    assert [event.status for event in world.audit.events[-5:-1]] == [ok, refused, refused, ok]


async def test_a_batch_of_several_wallets(client: httpx.AsyncClient) -> None:
    """Each item names its wallet; one that is not there is an error in its place."""
    one, other = await new_wallet(client), await new_wallet(client)
    items = [item(0, wallet_id=one), item(0, wallet_id=str(uuid4())), item(0, wallet_id=other), item(1, wallet_id=one)]

    answer = await client.post("/api/v1/sign-batch", json={"items": items})

    results = answer.json()["results"]
    assert results[1]["error"]["type"] == "urn:crypto-wallets:problem:wallet-not-found"
    assert results[0]["from"] == results[3]["from"] != results[2]["from"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"items": []}, 422),
        ({}, 422),
        ([], 422),
        ({"items": [item(0)], "more": 1}, 422),
        ({"items": [item(0, more=1)]}, 422),
        ({"items": [item(0, index=-1)]}, 422),
        ({"items": [item(0, wallet_id="no uuid")]}, 422),
        ({"items": [item(0, wallet_id=7)]}, 422),
        ({"items": [item(0, unsigned_tx="")] * (MAX_BATCH + 1)}, 422),
    ],
)
async def test_a_batch_that_does_not_fit_the_schema_is_refused_as_a_whole(
    client: httpx.AsyncClient, world: World, body: Any, status: int
) -> None:
    """Nothing of it is signed; it costs as one request."""
    left, rows = world.limiter.left, len(world.audit.events)

    answer = await client.post("/api/v1/sign-batch", json=body)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert left - world.limiter.left in {1, len(body["items"]) if "items" in body and len(body["items"]) <= MAX_BATCH else 1}
    assert len(world.audit.events) == rows


async def test_a_batch_beyond_the_limit_is_refused(client: httpx.AsyncClient, world: World) -> None:
    """As a whole, before anything is signed."""
    wallet_id = await new_wallet(client)
    world.limiter.left = 2
    rows = len(world.audit.events)

    answer = await client.post(f"/api/v1/wallets/{wallet_id}/sign-batch", json={"items": [item(nonce) for nonce in range(3)]})

    assert answer.status_code == 429
    assert len(world.audit.events) == rows


async def test_strangers_batches_are_not_read(client: httpx.AsyncClient, world: World) -> None:
    """Without a valid key nothing is charged."""
    left = world.limiter.left

    answer = await client.post("/api/v1/sign-batch", content=b"{", headers={"X-Api-Key": "wrong"})

    assert answer.status_code == 401
    assert world.limiter.left == left


async def test_without_an_audit_nothing_of_a_batch_is_released(client: httpx.AsyncClient, world: World) -> None:
    """The whole is 503."""
    wallet_id = await new_wallet(client)
    world.audit.away = True

    answer = await client.post(f"/api/v1/wallets/{wallet_id}/sign-batch", json={"items": [item(0)]})

    assert answer.status_code == 503
    assert "signed_tx" not in answer.text


async def test_a_range_of_addresses(client: httpx.AsyncClient, world: World) -> None:
    """They are those of the single call, in order, audited when they are new and charged by their number."""
    wallet_id = await new_wallet(client)
    third = (await client.get(f"/api/v1/wallets/{wallet_id}/address/ton?index=2")).json()
    left, rows = world.limiter.left, len(world.audit.events)

    body = {"network": "ton", "from_index": 1, "count": 5}
    answer = await client.post(f"/api/v1/wallets/{wallet_id}/addresses", json=body)
    again = await client.post(f"/api/v1/wallets/{wallet_id}/addresses", json=body)

    content = answer.json()
    assert answer.status_code == 200
    assert again.json() == content
    assert [entry["index"] for entry in content["addresses"]] == [1, 2, 3, 4, 5]
    assert content["addresses"][1] == {name: third[name] for name in ("index", "address", "forms")}
    assert left - world.limiter.left == 10
    assert [(event.action, event.details["index"]) for event in world.audit.events[rows:]] == [
        (AuditAction.ADDRESS_DERIVE, index) for index in (1, 3, 4, 5)
    ]


@pytest.mark.parametrize(
    ("body", "status", "problem"),
    [
        ({"network": "eth", "count": 0}, 422, "unprocessable-request"),
        ({"network": "eth", "count": 1001}, 422, "unprocessable-request"),
        ({"network": "eth", "count": "10"}, 422, "unprocessable-request"),
        ({"network": "eth", "count": 2.0}, 422, "unprocessable-request"),
        ({"network": "eth", "count": True}, 422, "unprocessable-request"),
        ({"network": "eth", "from_index": -1}, 422, "unprocessable-request"),
        ({"network": "eth", "index": 1}, 422, "unprocessable-request"),
        ({"from_index": 1}, 422, "unprocessable-request"),
        ([], 422, "unprocessable-request"),
        ({"network": "eth", "from_index": 2147483647, "count": 2}, 400, "invalid-request"),
        ({"network": "no_such_network"}, 400, "unsupported-network"),
    ],
)
async def test_a_range_that_cannot_be_is_refused(client: httpx.AsyncClient, world: World, body: object, status: int, problem: str) -> None:
    """With a reason, like the single call, and with nothing changed."""
    wallet_id = await new_wallet(client)

    answer = await client.post(f"/api/v1/wallets/{wallet_id}/addresses", json=body)

    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:crypto-wallets:problem:{problem}")
    assert world.book.addresses == {}


@pytest.mark.parametrize(("body", "cost"), [({"network": "eth", "count": 1001}, 1), ({"network": "eth", "count": "10"}, 1), ([], 1)])
async def test_a_range_that_is_none_is_charged_as_one_request(client: httpx.AsyncClient, world: World, body: object, cost: int) -> None:
    """Whatever it says instead of a number."""
    wallet_id = await new_wallet(client)
    left = world.limiter.left

    await client.post(f"/api/v1/wallets/{wallet_id}/addresses", json=body)

    assert left - world.limiter.left == cost


async def test_there_is_no_range_by_get(client: httpx.AsyncClient) -> None:
    """One way to ask, which is charged by what is in the body."""
    answer = await client.get(f"/api/v1/wallets/{await new_wallet(client)}/addresses/eth")

    assert answer.status_code == 404


async def test_a_range_of_an_unknown_wallet_is_not_found(client: httpx.AsyncClient) -> None:
    """Like the single call."""
    answer = await client.post(f"/api/v1/wallets/{uuid4()}/addresses", json={"network": "eth"})

    assert (answer.status_code, answer.json()["type"]) == (404, "urn:crypto-wallets:problem:wallet-not-found")


async def test_the_default_range_has_twenty(client: httpx.AsyncClient, world: World) -> None:
    """And is charged as that."""
    wallet_id = await new_wallet(client)
    left = world.limiter.left

    answer = await client.post(f"/api/v1/wallets/{wallet_id}/addresses", json={"network": "eth"})

    assert len(answer.json()["addresses"]) == 20 == left - world.limiter.left
