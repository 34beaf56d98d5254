"""Tell Prometheus the metrics of a signer, which has no other port that anybody but Ray speaks to."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.observability import METRICS_MEDIA_TYPE, Metrics
from deployments.settings import ConfigurationError

_AT_ONCE = 16
"""Connections beyond which others are refused: Prometheus has one."""


@asynccontextmanager
async def metrics_port(metrics: Metrics, host: str, port: int) -> AsyncIterator[None]:
    """Answer `GET /metrics` on an address, and nothing else, while the block lasts.

    Raises:
        ConfigurationError: It cannot be listened on, as when a second signer of the node wants the same.
    """

    async def tell(_request: Request) -> Response:
        return Response(await asyncio.to_thread(metrics.render), media_type=METRICS_MEDIA_TYPE)

    config = uvicorn.Config(
        Starlette(routes=[Route("/metrics", tell, methods=["GET"])]),
        http="httptools",
        ws="none",
        lifespan="off",
        limit_concurrency=_AT_ONCE,
        log_config=None,  # logging is configured
        log_level=logging.WARNING,
        access_log=False,
        server_header=False,
    )
    with _listening(host, port) as listener:
        server = _Server(config)
        serving = asyncio.create_task(server.serve([listener]))
        try:
            yield
        finally:
            server.should_exit = server.force_exit = True
            await serving


class _Server(uvicorn.Server):
    """One that leaves signals to the process that it is in."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        msg = f"APP__SIGNERS__METRICS_PORT: {host} port {port} cannot be listened on ({error.strerror or error})"
        raise ConfigurationError(msg) from None
    with listener:
        yield listener
