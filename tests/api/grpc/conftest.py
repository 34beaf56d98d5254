"""The whole service behind gRPC, in this process: the real server on a port, the real edge and domain, on ports in memory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest

from api.grpc.server import GrpcServer
from api.proto.crypto_wallet.v2 import wallet_service_pb2 as v2
from tests.api.conftest import World
from tests.api.grpc.streams import PATH, Open, Stream
from tests.doors import unary

KEY = (("x-api-key", "a-key-for-the-tests-only"),)


def _free() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass
class CountedSlots:
    """Places for requests: how many are taken, were at most, and are waited for. Serve's own stand here in a replica."""

    taken: int = 0
    most: int = 0
    waiting: int = 0
    free: asyncio.Event = field(default_factory=_free)
    error: Exception | None = field(default=None)

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[None]:
        """Take one, unless there is an error to raise."""
        if self.error is not None:
            raise self.error
        self.waiting += 1
        await self.free.wait()
        self.waiting -= 1
        self.taken += 1
        self.most = max(self.most, self.taken)
        try:
            yield
        finally:
            self.taken -= 1


@pytest.fixture
def slots() -> CountedSlots:
    """Places without end."""
    return CountedSlots()


@pytest.fixture
async def server(world: World, slots: CountedSlots) -> AsyncIterator[tuple[GrpcServer, str]]:
    """A server of the world, and where it is."""
    server = GrpcServer(world.edge(), slots)
    yield server, f"127.0.0.1:{await server.start('127.0.0.1', 0)}"
    await server.stop(0)


@pytest.fixture
async def channel(server: tuple[GrpcServer, str]) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to it."""
    async with grpc.aio.insecure_channel(server[1]) as opened:
        yield opened


@pytest.fixture(name="wallet_id")
async def _wallet_id(channel: grpc.aio.Channel) -> str:
    return str((await unary(channel, "CreateWallet")(v2.CreateWalletRequest(label="a"), metadata=KEY)).wallet.id)


@pytest.fixture(name="open_stream")
def _open_stream(channel: grpc.aio.Channel) -> Open:
    def opened(messages: AsyncIterator[v2.SignTransactionsRequest] | None = None, metadata: Any = KEY) -> Stream:
        call: grpc.aio.StreamStreamMultiCallable[v2.SignTransactionsRequest, v2.SignTransactionsResponse] = channel.stream_stream(
            PATH, lambda message: message.SerializeToString(), v2.SignTransactionsResponse.FromString
        )
        return call(messages, metadata=metadata)

    return opened
