"""Hold the keys: the deployment behind the gateways of the isolated topology, in the only processes that see a seed."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict

import structlog

from deployments.hardening import harden
from deployments.remote import Answers, Call, CallAnswerer
from deployments.requirements import require_custody
from deployments.serve_corrections import close_handle_port
from deployments.settings import forget_secrets, load
from deployments.wiring import open_signer


class Signer:
    """Decode, sign and audit what gateways are asked. It is called through Ray, which knows who calls, and has no port of its own."""

    async def __init__(self) -> None:  # type: ignore[misc]  # Serve awaits the constructor of a deployment
        """Read the settings from this replica's environment and open what they name.

        Raises:
            ConfigurationError: The settings cannot be right.
            SchemaMismatchError: The database's schema is too old or too new for this version.
        """
        hardening = asdict(harden())
        close_handle_port()
        settings = require_custody(load())
        forget_secrets(os.environ)
        self._resources = AsyncExitStack()
        custody, metrics = await self._resources.enter_async_context(open_signer(settings))
        metrics.process_hardened(**hardening)
        structlog.get_logger(__name__).info("process_hardened", **hardening)
        self._answerer = CallAnswerer(custody)

    async def answer(self, calls: Sequence[Call]) -> AsyncIterator[Answers]:
        """Answer the calls of a gateway, in pieces."""
        async for piece in self._answerer.answer(calls):
            yield piece

    async def check_health(self) -> None:
        """Answer Serve that the event loop runs. Never fails because a dependency is away, as `Ingress.check_health` does not."""

    async def __del__(self) -> None:
        await self._resources.aclose()
