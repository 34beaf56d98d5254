"""Compose what works on all of the database at once: taking over 1.0.8, and proving that wallets derive what is stored."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from adapters.database import PostgresDatabase
from adapters.kept_wallets import PostgresKeptWallets, open_kept_wallets
from adapters.key_backends import KeyBackends
from adapters.migrations import check_schema
from adapters.postgres import PostgresAuditLog
from adapters.takeover import PostgresTakeover
from adapters.v1_database import open_v1_database
from adapters.vault import UnboundTransit
from deployments.key_wiring import open_backends, transit_key, vault_client
from deployments.setting_types import KeyBackend
from deployments.settings import ConfigurationError, Settings, VaultSettings
from wallets.model import Caller
from wallets.takeover import Report, Summary, Takeover

_STATEMENT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class V1Source:
    """Where 1.0.8 kept its wallets: the database's URL, and the Vault with the key that its phrases are under."""

    database_url: str
    vault: VaultSettings


@asynccontextmanager
async def open_takeover(
    settings: Settings,
    source: V1Source,
    caller: Caller,
    *,
    report: Callable[[Report], None],
    progress: Callable[[Summary], None],
    leave_out_differing: bool,
    batch_size: int,
) -> AsyncIterator[Takeover]:
    """Open both databases and both keys.

    Raises:
        ConfigurationError: The chosen key backend is not configured.
        ConflictError: Another process is taking over.
        StoreUnavailableError: A database is away.
        V1DatabaseError: The source is no database of 1.0.8.
    """
    async with AsyncExitStack() as stack:
        v1 = await stack.enter_async_context(open_v1_database(source.database_url, batch_size))
        database = await stack.enter_async_context(_database(settings))
        target = PostgresTakeover(database)
        await stack.enter_async_context(target.alone())
        yield Takeover(
            source=v1,
            target=target,
            phrases=UnboundTransit(await stack.enter_async_context(vault_client(source.vault)), transit_key(source.vault)),
            encryption=await stack.enter_async_context(_open_encryption(settings)),
            audit=PostgresAuditLog(database),
            caller=caller,
            report=report,
            progress=progress,
            leave_out_differing=leave_out_differing,
        )


@asynccontextmanager
async def open_proof(settings: Settings) -> AsyncIterator[tuple[PostgresKeptWallets, KeyBackends]]:
    """Open the wallets, and what decrypts them.

    Raises:
        ConfigurationError: The chosen key backend is not configured.
        StoreUnavailableError: The database is away.
    """
    async with _open_encryption(settings) as encryption, _database(settings) as database, open_kept_wallets(database) as kept:
        yield kept, encryption


@asynccontextmanager
async def _open_encryption(settings: Settings) -> AsyncIterator[KeyBackends]:
    async with open_backends(settings) as backends:
        chosen = settings.keys.backend
        if chosen not in backends:
            needed = "APP__VAULT__ADDRESS and APP__VAULT__TOKEN" if chosen is KeyBackend.VAULT else "APP__KEYS__FILE"
            msg = f"APP__KEYS__BACKEND: is {chosen.value}, which is not configured here; set {needed}"
            raise ConfigurationError(msg)
        yield KeyBackends(backends, chosen)


def _database(settings: Settings) -> PostgresDatabase:
    url = settings.database.url
    assert url is not None, "the caller has checked it"
    return PostgresDatabase(
        url.get_secret_value(), pool_size=4, min_connections=1, command_timeout_seconds=_STATEMENT_SECONDS, verify=check_schema
    )
