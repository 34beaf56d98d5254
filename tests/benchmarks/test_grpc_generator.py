"""What the load generator of gRPC tells of a load is counted in requests: single calls, or messages of a stream."""

from pathlib import Path
from uuid import UUID

import pytest

from api.grpc.server import GrpcServer
from benchmarks.grpc_generator import send
from tests.api.conftest import API_KEY, World
from tests.api.grpc.conftest import CountedSlots
from tests.samples import EIP_155_EXAMPLE


@pytest.mark.parametrize("batch", [1, 4])
async def test_what_fails_is_counted_as_what_is_sent(tmp_path: Path, batch: int) -> None:
    """Where everything is refused, as many failed as were sent, whether one by one or many at a time."""
    requests = tmp_path / "requests"
    requests.write_text("\n".join([API_KEY, str(UUID(int=1)), *[EIP_155_EXAMPLE] * batch]) + "\n")
    server = GrpcServer(World().edge(), CountedSlots())
    port = await server.start("127.0.0.1", 0)

    told = await send(f"127.0.0.1:{port}", requests, batch, 1, 0.2)
    await server.stop(0)

    assert isinstance(told["requests"], int)
    assert told["requests"] > 0
    assert told["failed"] == told["requests"]
