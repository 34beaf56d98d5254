"""Serve wallets from one process: the ingress of the inline topology."""

import os
from contextlib import AsyncExitStack
from dataclasses import asdict

import structlog
from fastapi import FastAPI

from api.http import create_http_app
from deployments.autoscaling import MEMORY_SHARE, memory_share
from deployments.hardening import harden
from deployments.serve_corrections import answer_directly, close_handle_port
from deployments.settings import forget_secrets, load, require_dependencies
from deployments.wiring import open_edge


class WalletService:
    """Authenticate, limit, decode, sign and audit, all in this process: no Ray call stands in a request's way."""

    async def __init__(self) -> None:  # type: ignore[misc]  # Serve awaits the constructor of a deployment
        """Read the settings from this replica's environment and open what they name.

        Raises:
            ConfigurationError: The settings cannot be right.
            SchemaMismatchError: The database's schema is too old or too new for this version.
        """
        hardening = asdict(harden())
        close_handle_port()
        answer_directly()
        settings = require_dependencies(load())
        forget_secrets(os.environ)
        self._resources = AsyncExitStack()
        edge = await self._resources.enter_async_context(open_edge(settings))
        edge.metrics.process_hardened(**hardening)
        structlog.get_logger(__name__).info("process_hardened", **hardening)
        self._app = create_http_app(edge)

    def __serve_build_asgi_app__(self) -> FastAPI:
        """Give Serve the application to call; built here, so that nothing of it is pickled."""
        return self._app

    async def check_health(self) -> None:
        """Answer Serve that the event loop runs, which is all that `/api/v1/health/live` says.

        Never fails because a dependency is away: Serve would replace a replica that is well by one that is no better off.
        """

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """Tell Serve what `deployments.autoscaling` looks at beside the requests."""
        share = memory_share()
        return {} if share is None else {MEMORY_SHARE: share}

    async def __del__(self) -> None:
        await self._resources.aclose()
