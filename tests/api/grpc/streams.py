"""Open streams of items to sign, and read how each ended."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest
import rlp

from api.proto.crypto_wallet.v2 import wallet_service_pb2 as v2

PATH = "/crypto_wallet.v2.WalletService/SignTransactions"
RECIPIENT = bytes.fromhex("3535353535353535353535353535353535353535")

Stream = grpc.aio.StreamStreamCall[v2.SignTransactionsRequest, v2.SignTransactionsResponse]
Open = Callable[..., Stream]


def item(wallet_id: str, nonce: int, data: bytes = b"", **changes: Any) -> v2.SignItem:
    """Return a transaction of Ethereum as an item that is called by its nonce."""
    raw = bytes(rlp.encode([nonce, 20 * 10**9, 1_000_000, RECIPIENT, 10**18, data, 1, 0, 0]))
    fields: dict[str, Any] = {"id": str(nonce), "account": {"wallet_id": wallet_id, "network": "eth"}, "transaction": {"raw": raw}}
    return v2.SignItem(**{**fields, **changes})


def of(*items: v2.SignItem) -> v2.SignTransactionsRequest:
    """Return a message with items."""
    return v2.SignTransactionsRequest(items=items)


async def sent(*messages: v2.SignTransactionsRequest) -> AsyncIterator[v2.SignTransactionsRequest]:
    """Send messages, and finish."""
    for message in messages:
        yield message


async def outcomes(call: Stream) -> dict[str, v2.SignOutcome]:
    """Return every outcome of a stream, by the item's name."""
    found: list[v2.SignOutcome] = []
    while isinstance(message := await call.read(), v2.SignTransactionsResponse):
        found += message.outcomes
    assert len({outcome.id for outcome in found}) == len(found)
    return {outcome.id: outcome for outcome in found}


async def failed(call: Stream) -> grpc.aio.AioRpcError:
    """Return how a stream ends that fails."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await outcomes(call)
    return caught.value


async def until(condition: Callable[[], object]) -> None:
    """Let others run until something holds."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.001)
