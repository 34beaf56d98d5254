"""Streams end when the service does: what was read is answered, and the client is told to go on elsewhere."""

import asyncio
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2

from api.grpc.open_streams import Closing, OpenStreams
from api.grpc.server import REFLECTION, GrpcServer
from api.proto.crypto_wallet.v2 import wallet_service_pb2 as v2
from tests.api.conftest import World
from tests.api.grpc.conftest import KEY, CountedSlots
from tests.api.grpc.streams import Open, failed, item, of, until
from tests.doors import problem_of, unary


async def answer_of(call: Any) -> v2.SignOutcome:
    """Return the one outcome of the next message."""
    answer = await call.read()
    assert isinstance(answer, v2.SignTransactionsResponse), answer
    (outcome,) = answer.outcomes
    return outcome


def _has_read(server: GrpcServer, count: int) -> bool:
    """Tell whether so many items were read of all streams, and are not answered yet."""
    read: int = sum(vars(inbox)["_under_way"] for inbox in server._stream._streams._open)
    return read == count


async def test_what_is_under_way_is_answered(
    open_stream: Open, wallet_id: str, server: tuple[GrpcServer, str], slots: CountedSlots
) -> None:
    """Items that are being signed, and those that were read behind them; then the client is told to go on elsewhere."""
    call = open_stream()
    slots.free.clear()
    for nonce in range(4):
        await call.write(of(item(wallet_id, nonce)))
        await until(partial(_has_read, server[0], nonce + 1))

    stopping = asyncio.create_task(server[0].stop(20))
    await asyncio.sleep(0)
    slots.free.set()
    signed: set[str] = set()
    while len(signed) < 4:
        answer = await call.read()
        assert isinstance(answer, v2.SignTransactionsResponse), answer
        signed |= {outcome.id for outcome in answer.outcomes if outcome.signed.tx_id}
    error = await failed(call)
    await stopping

    assert signed == {"0", "1", "2", "3"}
    assert (error.code(), problem_of(error)) == (grpc.StatusCode.UNAVAILABLE, "unavailable")
    assert error.details() == "the service ends; send what was not answered on another stream"


async def test_a_stream_on_which_nothing_comes_is_ended_at_once(open_stream: Open, wallet_id: str, server: tuple[GrpcServer, str]) -> None:
    """Single calls go on, and no stream is opened any more."""
    call = open_stream()
    await call.write(of(item(wallet_id, 0)))
    answered = await answer_of(call)

    server[0].end_streams()
    server[0].end_streams()
    errors = [await failed(call), await failed(open_stream())]
    async with grpc.aio.insecure_channel(server[1]) as channel:
        wallet = await unary(channel, "GetWallet")(v2.GetWalletRequest(wallet_id=wallet_id), metadata=KEY)

    assert answered.signed.tx_id
    assert [problem_of(error) for error in errors] == ["unavailable"] * 2
    assert wallet.wallet.id == wallet_id


async def test_what_waits_for_its_rate_is_told_so(open_stream: Open, wallet_id: str, world: World, server: tuple[GrpcServer, str]) -> None:
    """Nobody waits for a limit of minutes: it is told of each item, which was not signed."""
    call = open_stream()
    await call.write(of(item(wallet_id, 0)))
    await answer_of(call)
    world.limiter.left, world.limiter.wait_seconds = 0, 600
    asked, rows = len(world.limiter.keys), len(world.audit.events)
    await call.write(of(item(wallet_id, 1)))
    await until(lambda: len(world.limiter.keys) > asked)

    server[0].end_streams()
    async with asyncio.timeout(10):
        outcome, error = await answer_of(call), await failed(call)

    assert (outcome.id, outcome.error.reason) == ("1", "RATE_LIMITED")
    assert problem_of(error) == "unavailable"
    assert len(world.audit.events) == rows


@pytest.mark.parametrize("path", ["/grpc.health.v1.Health/Watch", *(f"/{name}/ServerReflectionInfo" for name in REFLECTION)])
async def test_watches_and_reflection_end_too(channel: grpc.aio.Channel, server: tuple[GrpcServer, str], path: str) -> None:
    """Else one that anybody may open would keep the service for as long as it is given."""

    def opened() -> Any:
        call: Any = channel.stream_stream(path)
        return call()

    call = opened()
    await call.write(health_pb2.HealthCheckRequest().SerializeToString())
    await call.read()

    async with asyncio.timeout(10):
        await server[0].stop(60)
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await call.read()

    assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
    assert problem_of(ended.value) == "unavailable"


async def test_a_write_that_is_cut_off_does_not_keep_the_status_back(
    channel: grpc.aio.Channel, server: tuple[GrpcServer, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service ends while the first message is being written, with which the initial metadata would have gone."""

    async def ends() -> int:
        asyncio.get_running_loop().call_soon(server[0].end_streams)
        return int(health_pb2.HealthCheckResponse.SERVING)

    monkeypatch.setattr(server[0]._health, "_status", ends)
    watch: Any = channel.stream_stream("/grpc.health.v1.Health/Watch")
    call = watch()
    await call.write(health_pb2.HealthCheckRequest().SerializeToString())

    async with asyncio.timeout(10):
        first = await call.read()
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await call.read()

    assert health_pb2.HealthCheckResponse.FromString(first).status == health_pb2.HealthCheckResponse.SERVING
    assert (ended.value.code(), problem_of(ended.value)) == (grpc.StatusCode.UNAVAILABLE, "unavailable")


async def test_a_stream_may_be_closed_in_the_moment_in_which_it_is_opened(
    open_stream: Open, server: tuple[GrpcServer, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything was read of it."""
    opened = OpenStreams.opened

    @contextmanager
    def closing(self: OpenStreams, key: Hashable, stream: Closing) -> Iterator[None]:
        with opened(self, key, stream):
            asyncio.get_running_loop().call_soon(server[0].end_streams)
            yield

    monkeypatch.setattr(OpenStreams, "opened", closing)
    async with asyncio.timeout(10):
        error = await failed(open_stream())

    assert problem_of(error) == "unavailable"


async def test_who_was_let_in_when_the_service_ends_has_no_stream(
    open_stream: Open, world: World, server: tuple[GrpcServer, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream that was begun before, and is looked at only afterwards, is not forgotten."""
    asked, go_on = asyncio.Event(), asyncio.Event()
    acquire = world.limiter.acquire

    async def slow(*arguments: Any) -> Any:
        asked.set()
        await go_on.wait()
        return await acquire(*arguments)

    monkeypatch.setattr(world.limiter, "acquire", slow)
    call = open_stream()
    await asked.wait()

    stopping = asyncio.create_task(server[0].stop(60))
    await asyncio.sleep(0)
    go_on.set()
    async with asyncio.timeout(10):
        error = await failed(call)
        await stopping

    assert problem_of(error) == "unavailable"
