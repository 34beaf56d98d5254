"""A request with an `idempotency-key` is carried out once, however often it is sent."""

import json
from typing import Any

import grpc
import pytest

from api.proto.crypto_wallet.v1 import wallet_service_pb2 as v1
from api.proto.crypto_wallet.v2 import wallet_service_pb2 as v2
from api.schemas import EXAMPLE_TYPED_DATA
from tests.api.conftest import World
from tests.api.grpc.conftest import KEY
from tests.doors import problem_of, unary
from tests.known_phrase import PHRASE
from tests.samples import EIP_155_EXAMPLE

ONCE = (*KEY, ("idempotency-key", "order-7"))
TYPED = json.dumps(EXAMPLE_TYPED_DATA)


async def twice(channel: grpc.aio.Channel, call: str, request: Any, *, old: bool = False, key: str = "order-7") -> Any:
    """Send a request twice under one key; return the answer, which must be the same, and the second told for a repetition."""
    metadata = (*KEY, ("idempotency-key", key))
    first = await unary(channel, call, old=old)(request, metadata=metadata)
    again = unary(channel, call, old=old)(request, metadata=metadata)
    assert await again == first
    assert dict(await again.trailing_metadata())["idempotency-replayed"] == "true"
    return first


@pytest.fixture(name="place")
async def _place(channel: grpc.aio.Channel) -> dict[str, Any]:
    wallet = await unary(channel, "ImportWallet")(v2.ImportWalletRequest(label="a", mnemonic=PHRASE), metadata=KEY)
    return {"wallet_id": wallet.wallet.id, "network": "eth"}


async def test_what_is_made_is_made_once(channel: grpc.aio.Channel, world: World) -> None:
    """In both versions, and of a phrase that exists; each of the three is one wallet."""
    await twice(channel, "CreateWallet", v2.CreateWalletRequest(label="a"), key="1")
    await twice(channel, "CreateWallet", v1.CreateWalletRequest(label="b"), old=True, key="2")
    await twice(channel, "ImportWallet", v2.ImportWalletRequest(label="c", mnemonic=PHRASE), key="3")

    assert [event.details["label"] for event in world.audit.events] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("call", "kind", "fields"),
    [
        ("SignTransaction", v2.SignTransactionRequest, {"transaction": {"unsigned_tx": EIP_155_EXAMPLE}}),
        ("SignMessage", v2.SignMessageRequest, {"text": "hello"}),
        ("SignTypedData", v2.SignTypedDataRequest, {"typed_data": TYPED}),
    ],
)
async def test_what_is_signed_is_signed_once(
    channel: grpc.aio.Channel, world: World, place: dict[str, Any], call: str, kind: Any, fields: dict[str, Any]
) -> None:
    """The second answer is the first, and no row is added for it."""
    rows = len(world.audit.events)

    answer = await twice(channel, call, kind(account=place, **fields))

    assert answer.signed.signature
    assert len(world.audit.events) == rows + 1


async def test_what_is_locked_is_locked_once(channel: grpc.aio.Channel, world: World) -> None:
    """As over HTTP: the second answer tells of the first lock."""
    answer = await twice(channel, "LockKeyring", v2.LockKeyringRequest())

    assert answer.locked_at.seconds
    assert len(world.audit.events) == 1


async def test_version_1_signs_once(channel: grpc.aio.Channel, place: dict[str, Any]) -> None:
    """As version 2 does."""
    answer = await twice(channel, "SignTransaction", v1.SignRequest(**place, unsigned_tx=EIP_155_EXAMPLE), old=True)

    assert answer.signed_tx


async def test_a_key_is_of_one_request(channel: grpc.aio.Channel) -> None:
    """With another request it is refused, and a refused one leaves it to be used again."""
    create = unary(channel, "CreateWallet")
    with pytest.raises(grpc.aio.AioRpcError):
        await create(v2.CreateWalletRequest(label=""), metadata=ONCE)
    await create(v2.CreateWalletRequest(label="a"), metadata=ONCE)

    with pytest.raises(grpc.aio.AioRpcError) as reused:
        await create(v2.CreateWalletRequest(label="b"), metadata=ONCE)
    with pytest.raises(grpc.aio.AioRpcError) as invalid:
        await create(v2.CreateWalletRequest(label="b"), metadata=(*KEY, ("idempotency-key", "")))

    assert problem_of(reused.value) == "idempotency-key-reused"
    assert problem_of(invalid.value) == "invalid-idempotency-key"
