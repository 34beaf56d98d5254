"""Health and reflection answer without a key, and are bounded."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from api.grpc import operations
from api.grpc.server import REFLECTION, SERVICES
from tests.api.conftest import World
from tests.doors import problem_of
from wallets.model import ComponentHealth, HealthStatus

HEALTH = "/grpc.health.v1.Health"
Response = health_pb2.HealthCheckResponse


def check(channel: grpc.aio.Channel, service: str = "") -> Any:
    """Ask how a service is."""
    call: Any = channel.unary_unary(f"{HEALTH}/Check", lambda message: message.SerializeToString(), Response.FromString)
    return call(health_pb2.HealthCheckRequest(service=service))


def watch(channel: grpc.aio.Channel, service: str = "") -> Any:
    """Watch how a service is."""
    call: Any = channel.unary_stream(f"{HEALTH}/Watch", lambda message: message.SerializeToString(), Response.FromString)
    return call(health_pb2.HealthCheckRequest(service=service))


@pytest.mark.parametrize("service", ["", *SERVICES])
@pytest.mark.parametrize(("status", "answer"), [(HealthStatus.OK, Response.SERVING), (HealthStatus.ERROR, Response.NOT_SERVING)])
async def test_health_is_what_http_calls_ready(
    channel: grpc.aio.Channel, world: World, service: str, status: HealthStatus, answer: int
) -> None:
    """Of all services together, and of each by its name."""
    world.database.answer = ComponentHealth(status, 0.1)

    assert (await check(channel, service)).status == answer


async def test_an_unknown_service_is_not_found(channel: grpc.aio.Channel) -> None:
    """Health says so by its status; a watch, as the protocol has it, in its answer."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await check(channel, "no.such.Service")
    watched = watch(channel, "no.such.Service")

    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    assert (await watched.read()).status == Response.SERVICE_UNKNOWN
    watched.cancel()


async def test_all_services_are_listed(channel: grpc.aio.Channel) -> None:
    """With how each is."""
    call: Any = channel.unary_unary(f"{HEALTH}/List", lambda message: message.SerializeToString(), health_pb2.HealthListResponse.FromString)

    answer = await call(health_pb2.HealthListRequest())

    assert {name: each.status for name, each in answer.statuses.items()} == dict.fromkeys(("", *SERVICES), Response.SERVING)


async def test_a_watch_tells_what_changes(channel: grpc.aio.Channel, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once how it is, and then only what is new."""
    monkeypatch.setattr(operations, "WATCH_PERIOD_SECONDS", 0.01)
    monkeypatch.setattr("api.health._FRESH_SECONDS", 0.0)
    watched = watch(channel)
    first = await watched.read()

    world.database.answer = ComponentHealth(HealthStatus.ERROR, 0.1)
    second = await watched.read()
    watched.cancel()

    assert (first.status, second.status) == (Response.SERVING, Response.NOT_SERVING)


async def test_watches_are_bounded(channel: grpc.aio.Channel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who needs no key must not be able to open any number."""
    monkeypatch.setattr(operations, "WATCH_PERIOD_SECONDS", 60)
    watches = [watch(channel) for _ in range(operations.WATCHERS)]
    await asyncio.gather(*(each.read() for each in watches))

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await watch(channel).read()

    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    for each in watches:
        each.cancel()


def reflect(channel: grpc.aio.Channel, service: str, questions: AsyncIterator[bytes]) -> Any:
    """Ask a server what it serves."""
    call: Any = channel.stream_stream(f"/{service}/ServerReflectionInfo", None, reflection_pb2.ServerReflectionResponse.FromString)
    return call(questions)


@pytest.mark.parametrize("service", REFLECTION)
async def test_a_client_learns_what_is_served(channel: grpc.aio.Channel, service: str) -> None:
    """The services by name, and the file that says what is in one."""

    async def questions() -> AsyncIterator[bytes]:
        yield reflection_pb2.ServerReflectionRequest(list_services="").SerializeToString()
        yield reflection_pb2.ServerReflectionRequest(file_containing_symbol=SERVICES[1]).SerializeToString()

    listed, described = [answer async for answer in reflect(channel, service, questions())]

    assert {each.name for each in listed.list_services_response.service} == {*SERVICES, *REFLECTION}
    assert any(b"SignTransactions" in proto for proto in described.file_descriptor_response.file_descriptor_proto)


async def test_what_is_no_question_is_refused(channel: grpc.aio.Channel) -> None:
    """By a status of ours."""

    async def garbage() -> AsyncIterator[bytes]:
        yield b"\xff\xff"

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await reflect(channel, REFLECTION[0], garbage()).read()

    assert problem_of(refused.value) == "unprocessable-request"


async def test_a_stream_of_reflection_ends(channel: grpc.aio.Channel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one on which nothing is asked."""
    monkeypatch.setattr(operations, "REFLECTION_SECONDS", 0.05)

    async def nothing() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await reflect(channel, REFLECTION[0], nothing()).read()

    assert refused.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
