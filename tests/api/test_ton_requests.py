"""TON over HTTP: a request in JSON stands for a transaction, for each version of the wallet, alone and in batches."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.api.conftest import World
from tests.wallets.ton_messages import TRANSACTIONS, VECTORS
from wallets.model import AuditAction, AuditStatus

ADDRESSES = VECTORS["accounts"][0]["variants"]
UNTIL = int((datetime.now(UTC) + timedelta(hours=1)).timestamp())


def item(version: str | None, **request: Any) -> dict[str, Any]:
    """Write what signs a request of one message."""
    message = {"to": ADDRESSES["v3r2"], "amount": "5", "comment": "order 7"}
    fields = {"network": "ton", "index": 0, "request": {"seqno": 1, "valid_until": UNTIL, "messages": [message]} | request}
    return fields | ({"version": version} if version else {})


@pytest.mark.parametrize("version", [None, *ADDRESSES])
async def test_a_request_is_signed_for_each_version(client: httpx.AsyncClient, world: World, wallet: str, version: str | None) -> None:
    """Alone and in a batch, from the version's own address, with what the payload says as its intent and in the audit row."""
    alone = await client.post(f"{wallet}/sign", json=item(version))
    batch = await client.post(f"{wallet}/sign-batch", json={"items": [item(version)]})

    document = alone.json()
    assert alone.status_code == 200
    assert batch.json()["results"] == [document]
    assert (document["from"], document["version"]) == (ADDRESSES[version or "v4r2"], version or "v4r2")
    assert document["intent"]["details"]["comment"] == "order 7"
    (transfer,) = document["intent"]["transfers"]
    assert (transfer["recipient"], transfer["amount"], transfer["asset"]) == (ADDRESSES["v3r2"], "5", "native")
    event = world.audit.events[-1]
    assert (event.action, event.status) == (AuditAction.TRANSACTION_SIGN, AuditStatus.OK)


async def test_a_request_is_inspected(client: httpx.AsyncClient) -> None:
    """Without a wallet, it is shown as what it would be signed for."""
    body = item("v5r1")
    del body["index"]

    answer = await client.post("/api/v1/transactions/inspect", json=body)

    assert answer.status_code == 200
    assert answer.json()["intent"]["details"]["wallet"] == "v5r1"


async def test_a_message_is_signed_for_a_version(client: httpx.AsyncClient, wallet: str) -> None:
    """TON Connect's signData, whose digest has the version's address in it."""
    vector = next(each for each in VECTORS["sign_data"] if each["name"] == "v5r1_text")
    body = {"network": "ton", "index": 0, "version": "v5r1", "message": json.dumps(vector["request"])}

    document = (await client.post(f"{wallet}/sign-message", json=body)).json()

    assert (document["signature"], document["digest"]) == (vector["signature"], vector["digest"])
    assert (document["from"], document["version"]) == (ADDRESSES["v5r1"], "v5r1")


def _other_network(body: dict[str, Any]) -> None:
    body["network"] = "eth"


def _both(body: dict[str, Any]) -> None:
    body["unsigned_tx"] = TRANSACTIONS["transfer"]["unsigned_tx"]


def _neither(body: dict[str, Any]) -> None:
    del body["request"]


def _expired(body: dict[str, Any]) -> None:
    body["request"]["valid_until"] = 1


def _no_seqno(body: dict[str, Any]) -> None:
    del body["request"]["seqno"]


@pytest.mark.parametrize(
    ("change", "status", "detail"),
    [
        (_other_network, 400, "the network takes no request"),
        (_both, 422, "one of unsigned_tx and request"),
        (_neither, 422, "one of unsigned_tx and request"),
        (_expired, 400, "the transaction expired at 1 "),
        (_no_seqno, 400, "request.seqno: an integer from 0 to 4294967295 is expected"),
    ],
    ids=["other network", "both", "neither", "expired", "no seqno"],
)
async def test_a_request_that_cannot_be_is_refused(
    client: httpx.AsyncClient, wallet: str, change: Callable[[dict[str, Any]], None], status: int, detail: str
) -> None:
    """The problem says what is wrong, and in which field."""
    body = item(None)
    change(body)

    answer = await client.post(f"{wallet}/sign", json=body)

    assert answer.status_code == status
    assert detail in answer.text
