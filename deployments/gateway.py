"""Serve wallets of another process: the ingress of the isolated topology, which knows neither database nor Vault."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import cast

import structlog
from ray.exceptions import RayError
from ray.serve.exceptions import RayServeException
from ray.serve.handle import DeploymentHandle, DeploymentResponseGenerator

from adapters.memory import LruAddressCache
from adapters.redis import RedisConnections, RedisHealth
from api.observability import Metrics, describe_exception
from deployments.ingress import Ingress
from deployments.measured import MeasuredAddressCache
from deployments.remote import Answers, Call, RemoteCustody, SignersUnavailableError
from deployments.requirements import require_edge, without_custody
from deployments.settings import Settings
from deployments.signer import Signer


class Gateway(Ingress):
    """Authenticate and limit; have a `Signer` do the rest. One hop carries all requests that come together."""

    async def open(self, signers: DeploymentHandle[Signer]) -> None:
        """See `HardenedReplica.open`. Of the settings only what the edge needs is read, and nothing of what custody needs."""

        @asynccontextmanager
        async def open_custody(_settings: Settings, metrics: Metrics, redis: RedisConnections | None) -> AsyncIterator[RemoteCustody]:
            components = [] if redis is None else [RedisHealth(redis)]
            yield RemoteCustody(HandleSigners(signers), MeasuredAddressCache(LruAddressCache(), metrics), components)

        await self.open_app(require_edge(self.read_settings(without_custody(os.environ))), open_custody)


class HandleSigners:
    """`Signers` behind a handle of Serve's."""

    def __init__(self, handle: DeploymentHandle[Signer]) -> None:
        self._handle = handle.options(method_name="answer", stream=True)
        self._log = structlog.get_logger(__name__)

    async def answer(self, calls: Sequence[Call]) -> AsyncIterator[Answers]:
        """See `Signers.answer`."""
        try:
            async for piece in cast("DeploymentResponseGenerator[Answers]", self._handle.remote(calls)):
                yield piece
        except (RayError, RayServeException) as error:
            self._log.warning("signer_lost", **describe_exception(error))
            msg = "no signer answers, or the one that was asked has ended; whether the request was carried out is not known"
            raise SignersUnavailableError(msg) from error
