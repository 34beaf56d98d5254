"""Sign over gRPC as fast as it is answered: `python -m benchmarks.grpc_generator TARGET REQUESTS_FILE BATCH CONNECTIONS SECONDS`.

A batch of 1 is the single call, made by as many callers at once as there are connections, on four channels. A larger one is a stream of
messages with so many items on each connection, two of them unanswered at any time. One process with asyncio, whose CPU time is reported
beside what it measures: it costs more than wrk does, and shares the cores with the service.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

import grpc

from api.proto.crypto_wallet.v2 import wallet_service_pb2 as v2
from benchmarks.generator import quantiles

CHANNELS = 4
UNANSWERED = 2
"""Messages of a stream."""

_SERVICE = "/crypto_wallet.v2.WalletService"


@dataclass
class Load:
    """What is sent until `end`, and what becomes of it: requests are single calls, or messages of a stream."""

    key: str
    requests: Iterator[Any]
    end: float
    latencies: list[float] = field(default_factory=list)
    failed: int = 0

    async def call(self, channel: grpc.aio.Channel) -> None:
        """Sign one after the other."""
        sign: Any = channel.unary_unary(f"{_SERVICE}/SignTransaction")
        while time.perf_counter() < self.end:
            begun = time.perf_counter()
            try:
                await sign(next(self.requests), metadata=(("x-api-key", self.key),))
                self.latencies.append(time.perf_counter() - begun)
            except grpc.aio.AioRpcError:
                self.failed += 1

    async def stream(self, channel: grpc.aio.Channel, batch: int) -> None:
        """Sign in one stream. A message is answered when as many outcomes have come as it had items."""
        open_stream: Any = channel.stream_stream(f"{_SERVICE}/SignTransactions")
        call = open_stream(metadata=(("x-api-key", self.key),))
        sent: list[float] = []
        outcomes = 0
        for _ in range(UNANSWERED):
            sent.append(time.perf_counter())
            await call.write(next(self.requests))
        while len(self.latencies) < len(sent) or outcomes < batch * len(sent):
            answer = v2.SignTransactionsResponse.FromString(await call.read())
            before, outcomes = outcomes // batch, outcomes + len(answer.outcomes)
            self.failed += sum(each.HasField("error") for each in answer.outcomes)
            for place in range(before, outcomes // batch):
                self.latencies.append(time.perf_counter() - sent[place])
                if time.perf_counter() < self.end:
                    sent.append(time.perf_counter())
                    await call.write(next(self.requests))
            if outcomes == batch * len(sent):
                break
        await call.done_writing()


def read_requests(file: Path, batch: int) -> tuple[str, list[bytes]]:
    """Return the key, and the requests of a file with the key, the wallet's id and the transactions in hex, one a line."""
    key, wallet_id, *texts = file.read_text().splitlines()
    place, raw = {"wallet_id": wallet_id, "network": "eth"}, [bytes.fromhex(text) for text in texts]
    if batch == 1:
        return key, [v2.SignTransactionRequest(account=place, transaction={"raw": each}).SerializeToString() for each in raw]
    items = [v2.SignItem(id=str(number), account=place, transaction={"raw": each}) for number, each in enumerate(raw)]
    starts = range(0, len(items) - batch + 1, batch)
    return key, [v2.SignTransactionsRequest(items=items[start : start + batch]).SerializeToString() for start in starts]


async def send(target: str, file: Path, batch: int, connections: int, seconds: float) -> dict[str, object]:
    """Send, and return what became of it."""
    key, requests = read_requests(file, batch)
    # A channel of its own each: channels to one place share their connection otherwise.
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.insecure_channel(target, options) for _ in range(min(CHANNELS, connections))]
    begun = time.perf_counter()
    load = Load(key, cycle(requests), begun + seconds)
    if batch == 1:
        await asyncio.gather(*(load.call(channels[each % len(channels)]) for each in range(connections)))
    else:
        await asyncio.gather(*(load.stream(channels[each % len(channels)], batch) for each in range(connections)))
    taken = time.perf_counter() - begun
    await asyncio.gather(*(channel.close() for channel in channels))
    if batch == 1:
        done, failed = len(load.latencies) + load.failed, load.failed
    else:  # a message of a stream is answered whatever became of its items
        done, failed = len(load.latencies), -(-load.failed // batch)
    return {"requests": done, "failed": failed, "seconds": taken, "latencies": quantiles(load.latencies)}


def main(target: str, file: str, batch: str, connections: str, seconds: str) -> None:
    """Send, and write what became of it to standard output as one JSON object."""
    sys.stdout.write(json.dumps(asyncio.run(send(target, Path(file), int(batch), int(connections), float(seconds)))) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
