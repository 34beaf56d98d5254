"""The whole service behind gRPC, in this process: the real server on a port, the real edge and domain, on ports in memory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
import pytest

from api.grpc.server import GrpcServer
from tests.api.conftest import World

KEY = (("x-api-key", "a-key-for-the-tests-only"),)


@dataclass
class CountedSlots:
    """Places for requests: how many are taken, and how many were at most. Serve's own stand here in a replica."""

    taken: int = 0
    most: int = 0
    error: Exception | None = field(default=None)

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[None]:
        """Take one, unless there is an error to raise."""
        if self.error is not None:
            raise self.error
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
