"""What has a form of its own over gRPC is the same to the domain: requests of TON, and fields with types."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import httpx
import pytest

from api.errors import UnprocessableError
from api.grpc import requests
from api.proto.crypto_wallet.v2 import wallet_service_pb2 as v2
from tests.api.grpc.conftest import KEY
from tests.doors import problem_of, unary
from tests.wallets.ton_messages import VECTORS

TO = VECTORS["accounts"][0]["variants"]["v3r2"]
UNTIL = int((datetime.now(UTC) + timedelta(hours=1)).timestamp())
EMPTY_BAG = bytes.fromhex("b5ee9c72010101010002000000")
"""One cell without data."""


@pytest.mark.parametrize(
    ("fields", "written"),
    [
        ({}, {}),
        ({"comment": "order 7"}, {"comment": "order 7"}),
        ({"comment": ""}, {"comment": ""}),
        ({"payload": EMPTY_BAG, "bounce": False, "mode": 0}, {"payload": EMPTY_BAG.hex(), "bounce": False, "mode": 0}),
        ({"bounce": True, "mode": 128, "state_init": EMPTY_BAG}, {"bounce": True, "mode": 128, "state_init": EMPTY_BAG.hex()}),
    ],
)
def test_a_request_of_ton_says_what_its_json_does(fields: dict[str, Any], written: dict[str, Any]) -> None:
    """Every field that is given stands there, one that is not given does not, also where its value would be the usual one."""
    message = v2.TonMessage(to=TO, amount="5", **fields)

    text = requests.transaction(v2.Transaction(ton=v2.TonTransfer(seqno=1, valid_until=UNTIL, messages=[message])))

    assert json.loads(text) == {"seqno": 1, "valid_until": UNTIL, "messages": [{"to": TO, "amount": "5", **written}]}


async def test_a_request_of_ton_is_inspected_as_over_http(channel: grpc.aio.Channel, client: httpx.AsyncClient) -> None:
    """The intent says the same."""
    message = v2.TonMessage(to=TO, amount="5", comment="order 7")
    ton = v2.TonTransfer(seqno=1, valid_until=UNTIL, messages=[message])
    body = {"seqno": 1, "valid_until": UNTIL, "messages": [{"to": TO, "amount": "5", "comment": "order 7"}]}

    over_grpc = await unary(channel, "InspectTransaction")(
        v2.InspectTransactionRequest(network="ton", transaction=v2.Transaction(ton=ton)), metadata=KEY
    )
    over_http = (await client.post("/api/v1/transactions/inspect", json={"network": "ton", "request": body})).json()["intent"]

    assert over_grpc.intent.kind == over_http["kind"]
    assert [(each.recipient, each.amount) for each in over_grpc.intent.transfers] == [(TO, "5")]
    assert [(each["recipient"], each["amount"]) for each in over_http["transfers"]] == [(TO, "5")]


@pytest.mark.parametrize(
    ("typed_data", "problem", "reason"),
    [
        ("{", "unprocessable-request", "typed_data is not"),
        ("[]", "unprocessable-request", "typed_data: must be a JSON object"),
    ],
)
async def test_fields_with_types_must_be_an_object(channel: grpc.aio.Channel, typed_data: str, problem: str, reason: str) -> None:
    """What is no JSON, and JSON that is no object, is refused by the field's name."""
    created = await unary(channel, "CreateWallet")(v2.CreateWalletRequest(label="a"), metadata=KEY)
    account = v2.Account(wallet_id=created.wallet.id, network="eth")

    with pytest.raises(grpc.aio.AioRpcError, match=reason) as caught:
        await unary(channel, "SignTypedData")(v2.SignTypedDataRequest(account=account, typed_data=typed_data), metadata=KEY)

    assert problem_of(caught.value) == problem


def test_a_transaction_has_a_form() -> None:
    """One without any is refused by name."""
    with pytest.raises(UnprocessableError, match="one of unsigned_tx, raw and ton"):
        requests.transaction(v2.Transaction())
