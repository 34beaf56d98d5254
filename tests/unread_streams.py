"""Open streams, send as much as they take, and read nothing: `python -m tests.unread_streams TARGET KEY WALLET_ID COUNT`.

A process of its own, whose library waits by itself. It says `begun` when no stream takes any more for some time, and is ended from outside.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

import grpc

from api.proto.crypto_wallet.v2 import wallet_service_pb2 as v2
from tests.samples import EIP_155_EXAMPLE

FULL_SECONDS = 2.0
"""After so long without having taken a message, a stream is full."""


async def main(target: str, key: str, wallet_id: str, count: str) -> None:
    """Run until it is ended."""
    taken = asyncio.Event()

    async def endless() -> AsyncIterator[v2.SignTransactionsRequest]:
        item: Any = {"account": {"wallet_id": wallet_id, "network": "eth"}, "transaction": {"unsigned_tx": EIP_155_EXAMPLE}}
        message = v2.SignTransactionsRequest(items=[v2.SignItem(id=str(place), **item) for place in range(100)])
        while True:
            taken.set()
            yield message

    async with grpc.aio.insecure_channel(target) as channel:
        path = "/crypto_wallet.v2.WalletService/SignTransactions"
        call: Any = channel.stream_stream(path, lambda message: message.SerializeToString())
        streams = [call(endless(), metadata=(("x-api-key", key),)) for _ in range(int(count))]
        while not any(stream.done() for stream in streams):
            taken.clear()
            try:
                await asyncio.wait_for(taken.wait(), FULL_SECONDS)
            except TimeoutError:
                sys.stdout.write("begun\n")
                sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
