"""Signing messages over HTTP, each signature checked by a library that the service does not use for it."""

from typing import Any

import httpx
import pytest
from eth_account import Account as EthAccount
from eth_account.messages import encode_defunct, encode_typed_data

from tests.api.conftest import World, problem
from tests.samples import typed_mail
from wallets.model import AuditAction, AuditStatus


@pytest.mark.parametrize("content", [{"message": "hello"}, {"message_hex": "0x68656c6c6f"}, {"message": "hello", "message_hex": None}])
async def test_a_message(client: httpx.AsyncClient, world: World, account: tuple[str, str], content: dict[str, Any]) -> None:
    """A text, or its bytes as hex, comes back signed by the account, with its digest, intent and audit row."""
    wallet_id, address = account

    answer = await client.post(f"/api/v1/wallets/{wallet_id}/sign-message", json={"network": "eth", "index": 0, **content})

    document = answer.json()
    assert answer.status_code == 200
    assert EthAccount.recover_message(encode_defunct(text="hello"), signature=document["signature"]) == address == document["from"]
    assert set(document) == {"signature", "digest", "from", "network", "index", "intent"}
    assert document["digest"] == "0x50b2c43fd39106bafbba0da34fc430e1f91e3c96ea2acee2bc34119f92b37750"
    event = world.audit.events[-1]
    assert (event.action, event.status) == (AuditAction.MESSAGE_SIGN, AuditStatus.OK)
    assert "0x" + str(event.details["digest"]) == document["digest"]
    assert 'sign_operations_total{network="eth",status="ok"} 1.0' in world.metrics.render().decode()


async def test_typed_data(client: httpx.AsyncClient, account: tuple[str, str]) -> None:
    """EIP-712's example comes back signed by the account, with the fields in its intent."""
    wallet_id, address = account
    body = {"network": "eth", "index": 0, "typed_data": typed_mail()}

    answer = await client.post(f"/api/v1/wallets/{wallet_id}/sign-typed-data", json=body)

    document = answer.json()
    assert answer.status_code == 200
    assert EthAccount.recover_message(encode_typed_data(full_message=typed_mail()), signature=document["signature"]) == address
    assert document["digest"] == "0xbe609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2"
    assert document["intent"]["details"]["message.to.name"] == "Bob"


async def test_numbers_of_typed_data_are_exact(client: httpx.AsyncClient, account: tuple[str, str]) -> None:
    """A number that no double holds is signed to the last digit, written as a number or as a text."""
    wallet_id, _ = account
    types = {"EIP712Domain": [{"name": "name", "type": "string"}], "A": [{"name": "n", "type": "uint256"}]}
    digests = set()

    for number in (2**256 - 1, str(2**256 - 1), hex(2**256 - 1)):
        typed_data = {"types": types, "primaryType": "A", "domain": {"name": "x"}, "message": {"n": number}}
        body = {"network": "eth", "index": 0, "typed_data": typed_data}
        answer = await client.post(f"/api/v1/wallets/{wallet_id}/sign-typed-data", json=body)
        digests.add(answer.json()["digest"])
        assert answer.json()["intent"]["details"]["message.n"] == str(2**256 - 1)

    assert len(digests) == 1


@pytest.mark.parametrize(
    ("path", "content", "expected"),
    [
        ("sign-message", {}, (422, "unprocessable-request")),
        ("sign-message", {"message": "a", "message_hex": "00"}, (422, "unprocessable-request")),
        ("sign-message", {"message": 7}, (422, "unprocessable-request")),
        ("sign-message", {"message": "a", "version": 1}, (422, "unprocessable-request")),
        ("sign-message", {"message": ""}, (400, "malformed-message")),
        ("sign-message", {"message_hex": "zz"}, (400, "malformed-message")),
        ("sign-message", {"network": "xrp", "message": "a"}, (400, "unsupported-network")),
        ("sign-typed-data", {"typed_data": []}, (422, "unprocessable-request")),
        ("sign-typed-data", {"typed_data": {}}, (400, "malformed-message")),
        ("sign-typed-data", {"typed_data": typed_mail(domain={})}, (400, "malformed-message")),
        ("sign-typed-data", {"network": "bsc", "typed_data": typed_mail()}, (400, "malformed-message")),
    ],
    ids=lambda value: None if isinstance(value, str) else str(value)[:60],
)
async def test_what_cannot_be_signed(
    client: httpx.AsyncClient, account: tuple[str, str], path: str, content: dict[str, Any], expected: tuple[int, str]
) -> None:
    """What does not fit the schema is 422, what the network does not sign is 400, and neither has a signature."""
    wallet_id, _ = account

    answer = await client.post(f"/api/v1/wallets/{wallet_id}/{path}", json={"network": "eth", "index": 0, **content})

    assert problem(answer) == expected


async def test_one_of_two_fields_is_asked_for(client: httpx.AsyncClient, account: tuple[str, str]) -> None:
    """The refusal says which fields there are."""
    answer = await client.post(f"/api/v1/wallets/{account[0]}/sign-message", json={"network": "eth", "index": 0})

    assert "one of message and message_hex is needed" in answer.json()["detail"]
