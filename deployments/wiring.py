"""Compose a replica: open what the settings name and hand it to the constructors."""

import ipaddress
import logging
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import structlog
from pydantic import SecretStr

from adapters.memory import LruAddressCache, MemoryRateLimiter
from adapters.postgres import PostgresAddressBook, PostgresAuditLog, PostgresDatabase, PostgresWalletStore
from adapters.vault import VaultTransit
from api.auth import Authenticator
from api.http import Edge
from api.observability import Metrics
from deployments.settings import DatabaseSettings, Settings, VaultSettings
from wallets.custody import LocalCustody
from wallets.errors import StoreUnavailableError
from wallets.keyring import Keyring
from wallets.policy import AllOf, NamesOurAccount

_LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


@asynccontextmanager
async def open_edge(settings: Settings) -> AsyncIterator[Edge]:
    """Open everything that a replica answers with.

    Raises:
        SchemaMismatchError: The database is there, and its schema is too old or too new.
    """
    _configure_log(settings.log.level)
    async with open_custody(settings) as custody:
        server = settings.server
        keys = [key.get_secret_value() for key in (server.api_key, server.previous_api_key) if key is not None]
        limit = server.rate_limit
        limiter = MemoryRateLimiter(limit.requests_per_second, limit.burst_size) if limit.enabled else None
        trusted = [ipaddress.ip_network(part.strip()) for part in server.trusted_proxies.split(",") if part.strip()]
        # HAProxy stands in front of every replica on loopback.
        yield Edge(custody, Authenticator(keys), limiter, _metrics(settings), (*_LOOPBACK, *trusted))


@asynccontextmanager
async def open_custody(settings: Settings) -> AsyncIterator[LocalCustody]:
    """Open the use cases on the real world."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(_database(settings.database))
        vault = await stack.enter_async_context(_vault(settings.vault))
        store = PostgresWalletStore(database)
        keyring = Keyring(store, vault, max_seeds=settings.keyring.max_seeds, ttl_seconds=settings.keyring.ttl_secs)
        try:
            async with database.connection():
                pass
        except StoreUnavailableError:
            structlog.get_logger().warning("database_away_at_start")
        yield LocalCustody(
            store=store,
            addresses=PostgresAddressBook(database),
            cache=LruAddressCache(),
            audit=PostgresAuditLog(database),
            encryption=vault,
            keyring=keyring,
            policy=AllOf(NamesOurAccount()),
            components=(database, vault),
        )


def _database(settings: DatabaseSettings) -> PostgresDatabase:
    return PostgresDatabase(
        _required(settings.url),
        min_size=settings.min_connections,
        max_size=settings.pool_size,
        max_lifetime=settings.max_lifetime_secs,
        idle_timeout=settings.idle_timeout_secs,
        acquire_timeout=settings.acquire_timeout_secs,
    )


def _vault(settings: VaultSettings) -> VaultTransit:
    assert settings.address is not None, "require_dependencies has checked it"
    return VaultTransit(
        settings.address,
        _required(settings.token),
        key_id=settings.key_id,
        mount=settings.mount,
        verify=str(settings.ca_file) if settings.ca_file else True,
        deadline_seconds=settings.deadline_secs,
    )


def _required(secret: SecretStr | None) -> str:
    assert secret is not None, "require_dependencies has checked it"
    return secret.get_secret_value()


def _metrics(settings: Settings) -> Metrics:
    folder = os.fspath(settings.metrics_dir) if settings.metrics_dir else None
    return Metrics(folder)


def _configure_log(level: str) -> None:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
    )
