"""Settings for a replica in this process, on real servers, and a client of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from api.edge import Edge
from api.http import create_http_app
from deployments.requirements import require_dependencies
from deployments.settings import Settings, load
from serve_app.embedded import EmbeddedVault

API_KEY = "0123456789abcdef"


def settings_of(database_url: str, vault: EmbeddedVault, **more: str) -> Settings:
    """Return settings with which everything is quick, and what `more` sets."""
    environ = {
        "APP__SERVER__API_KEY": API_KEY,
        "APP__DATABASE__URL": database_url,
        "APP__DATABASE__MIN_CONNECTIONS": "1",
        "APP__DATABASE__ACQUIRE_TIMEOUT_SECS": "2",
        "APP__VAULT__ADDRESS": vault.address,
        "APP__VAULT__CA_FILE": str(vault.ca_file),
        "APP__VAULT__TOKEN": vault.token,
    }
    return require_dependencies(load(environ | more))


@asynccontextmanager
async def client_of(edge: Edge) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of a replica that shows its key."""
    transport = httpx.ASGITransport(create_http_app(edge))
    async with httpx.AsyncClient(transport=transport, base_url="http://service", headers={"X-Api-Key": API_KEY}) as client:
        yield client
