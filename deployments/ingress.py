"""Be the ingress of a topology: what Serve's HAProxy sends requests to."""

import os
from contextlib import AsyncExitStack
from dataclasses import asdict

import structlog
from fastapi import FastAPI

from api.http import create_http_app
from deployments.hardening import harden
from deployments.serve_corrections import answer_directly, close_handle_port
from deployments.settings import Settings, forget_secrets
from deployments.wiring import OpenCustody, open_edge


class Ingress:
    """Authenticate and limit requests, and answer them by a custody. Phrases come by here, so the process is hardened."""

    async def open(self, settings: Settings, open_custody: OpenCustody) -> None:
        """Open everything that requests are answered with. Serve opens the replica's port after it.

        Raises:
            SchemaMismatchError: The custody is of this process, and the database's schema is too old or too new for this version.
        """
        hardening = asdict(harden())
        close_handle_port()
        answer_directly()
        forget_secrets(os.environ)
        self._resources = AsyncExitStack()
        edge = await self._resources.enter_async_context(open_edge(settings, open_custody))
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

    async def __del__(self) -> None:
        await self._resources.aclose()
