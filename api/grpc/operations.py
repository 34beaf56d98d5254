"""Answer how the service is (`grpc.health.v1.Health`) and what it serves (`grpc.reflection`): no API key is needed, as over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection import aio
from starlette.types import Scope

from api.errors import DeadlineExceededError
from api.grpc.call import Context, Requests, Sleep, begin, parse, read, write
from api.grpc.open_streams import OpenStreams
from api.health import HealthMonitor
from wallets.errors import NotFoundError

WATCH_PERIOD_SECONDS = 1.0
"""How often a watched health is looked at."""

WATCHERS = 64
"""Watches, and streams of reflection, that are open at once in one replica."""

REFLECTION_SECONDS = 30.0
"""How long a stream of reflection may last."""

Status = int
"""A number of `grpc.health.v1.HealthCheckResponse.ServingStatus`."""


class Health:
    """`grpc.health.v1.Health`: serving while `/api/v1/health/ready` says so."""

    def __init__(self, monitor: HealthMonitor, services: Sequence[str], sleep: Sleep = asyncio.sleep) -> None:
        """Tell of `services`, and of all together under the empty name."""
        self._monitor = monitor
        self._services = ("", *services)
        self._sleep = sleep
        self._open = OpenStreams(of_client=WATCHERS, of_all=WATCHERS)

    async def check(self, requests: Requests, _context: Context, _scope: Scope) -> bytes:
        """Tell how a service is.

        Raises:
            NotFoundError: There is no such service.
        """
        request = await read(requests, health_pb2.HealthCheckRequest)
        self._require(request.service)
        return bytes(health_pb2.HealthCheckResponse(status=await self._status()).SerializeToString())

    async def list(self, requests: Requests, _context: Context, _scope: Scope) -> bytes:
        """Tell how every service is."""
        await read(requests, health_pb2.HealthListRequest)
        answer = health_pb2.HealthCheckResponse(status=await self._status())
        return bytes(health_pb2.HealthListResponse(statuses=dict.fromkeys(self._services, answer)).SerializeToString())

    async def watch(self, requests: Requests, context: Context, _scope: Scope) -> None:
        """Tell how a service is now, and whenever that changes."""
        request = await read(requests, health_pb2.HealthCheckRequest)
        told = None
        async with self._open.opened_until_closed("watches"):
            await begin(context)
            while True:
                status = await self._status() if request.service in self._services else health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
                if status != told:
                    await write(context, health_pb2.HealthCheckResponse(status=status))
                    told = status
                await self._sleep(WATCH_PERIOD_SECONDS)

    def close(self) -> None:
        """Have every watch end with `UNAVAILABLE`, and open no more."""
        self._open.close()

    def _require(self, service: str) -> None:
        if service not in self._services:
            msg = "there is no such service"
            raise NotFoundError(msg)

    async def _status(self) -> Status:
        report = await self._monitor.report()
        return int(health_pb2.HealthCheckResponse.SERVING if report.is_ready else health_pb2.HealthCheckResponse.NOT_SERVING)


class Reflection:
    """`grpc.reflection.v1.ServerReflection`, and the same as `v1alpha`: the messages are the same."""

    def __init__(self, services: Sequence[str]) -> None:
        self._servicer = aio.ReflectionServicer(services)
        self._open = OpenStreams(of_client=WATCHERS, of_all=WATCHERS)

    async def info(self, requests: Requests, context: Context, _scope: Scope) -> None:
        """Answer questions about services, messages and files."""
        async with self._open.opened_until_closed("reflection"):
            await begin(context)
            try:
                async with asyncio.timeout(REFLECTION_SECONDS):
                    async for answer in self._servicer.ServerReflectionInfo(_parsed(requests), context):
                        await write(context, answer)
            except TimeoutError:
                msg = f"a stream of reflection lasts {REFLECTION_SECONDS:g} s at most"
                raise DeadlineExceededError(msg) from None

    def close(self) -> None:
        """Have every stream end with `UNAVAILABLE`, and open no more."""
        self._open.close()


async def _parsed(requests: Requests) -> AsyncIterator[reflection_pb2.ServerReflectionRequest]:
    async for raw in requests:
        yield parse(raw, reflection_pb2.ServerReflectionRequest)
