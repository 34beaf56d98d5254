"""Compose a replica: open what the settings name and hand it to the constructors."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NoReturn

import structlog

from adapters.audit_partitions import keep_partitions, make_partitions
from adapters.database import PostgresDatabase
from adapters.idempotency import PostgresAnswerStore
from adapters.key_backends import GatheredDecryption, KeyBackends
from adapters.limits import CallKind, Limit, Limits
from adapters.local_keys import LocalKeyFile, LocalKeyHealth
from adapters.lock_signal import PostgresLockSignal
from adapters.memory import CachedWalletStore, LruAddressCache, MemoryRateLimiter
from adapters.migrations import SchemaMismatchError, check_schema
from adapters.postgres import PostgresAuditLog, PostgresHealth, PostgresWalletStore
from adapters.postgres_addresses import PostgresAddressBook, PostgresAddressKeys
from adapters.redis import RedisAddressCache, RedisConnections, RedisHealth
from adapters.redis_limiter import LiveReplicas, RedisRateLimiter
from adapters.resilience import CircuitBreaker
from adapters.shared_circuit import SharedCircuit
from adapters.vault import VaultTransit
from adapters.vault_health import VaultHealth
from adapters.vault_server import TRANSIENT
from api.access_log import AccessLog
from api.auth import LOOPBACK, ApiKeys, Authenticator, ClientAddresses, Everybody
from api.edge import Edge
from api.idempotency import answer
from api.limits import RateLimiter, Unlimited
from api.observability import Metrics, configure_logging
from deployments.key_wiring import transit_key, vault_client
from deployments.limit_settings import RateLimitSettings
from deployments.measured import AddressAlarm, MeasuredAddressCache, MeasuredKeyEncryption
from deployments.requirements import key_file, required
from deployments.setting_types import KeyBackend, WithoutRedis
from deployments.settings import DatabaseSettings, ServerSettings, Settings, SigningSettings
from wallets.account_keys import AccountKeys
from wallets.address_keyring import AddressKeyring
from wallets.addresses import Addresses
from wallets.auditing import Auditor
from wallets.custody import Custody, LocalCustody
from wallets.errors import StoreUnavailableError, WalletError
from wallets.keyring import Keyring
from wallets.policy import AllOf, NamesItsChain, NamesOurAccount, Policy
from wallets.ports import Component, KeyEncryption, LockSignal, SharedAddressCache, WalletStore

if TYPE_CHECKING:  # generic in the stubs alone
    from adapters.database import type_connection

EXPIRY_PERIOD_SECONDS = 1.0
CIRCUIT_PERIOD_SECONDS = 1.0


OpenCustody = Callable[[Settings, Metrics, RedisConnections | None], AbstractAsyncContextManager[Custody]]


@asynccontextmanager
async def open_edge(settings: Settings, open_custody: OpenCustody) -> AsyncIterator[Edge]:
    """Open everything that a replica answers with; `open_custody` says where the keys are.

    Raises:
        SchemaMismatchError: The custody is of this process, the database is there, and its schema is too old or too new.
    """
    configure_logging(settings.log.level)
    metrics = Metrics(settings.metrics_dir)
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(_redis(settings))
        custody = await stack.enter_async_context(open_custody(settings, metrics, redis))
        limiter = await stack.enter_async_context(_limiter(settings, redis, metrics))
        access_log = AccessLog(settings.log.level, sys.stdout.buffer)
        stack.callback(access_log.flush)
        yield Edge(
            custody,
            _authenticator(settings.server),
            limiter,
            metrics,
            ClientAddresses(_trusted(settings.server), ingress=LOOPBACK),
            access_log,
            version("crypto-wallets-service"),
        )


@asynccontextmanager
async def open_signer(settings: Settings) -> AsyncIterator[tuple[LocalCustody, Metrics]]:
    """Open the use cases for gateways in other processes.

    Raises:
        SchemaMismatchError: The database is there, and its schema is too old or too new.
    """
    configure_logging(settings.log.level)
    metrics = Metrics(settings.metrics_dir)
    async with _redis(settings) as redis, open_custody(settings, metrics, redis) as custody:
        yield custody, metrics


@asynccontextmanager
async def _redis(settings: Settings) -> AsyncIterator[RedisConnections | None]:
    if not settings.redis.enabled:
        yield None
        return
    async with RedisConnections(required(settings.redis.url), settings.redis.ca_file) as redis:
        yield redis


@asynccontextmanager
async def open_custody(settings: Settings, metrics: Metrics, redis: RedisConnections | None) -> AsyncIterator[LocalCustody]:
    """Open the use cases on the real world; dependencies may be away, and come back."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(_database(settings.database))
        await _refuse_another_schema(database)
        await stack.enter_async_context(_background(keep_partitions(database)))
        keys = await stack.enter_async_context(_open_keys(settings, metrics, redis))
        store = CachedWalletStore(PostgresWalletStore(database))
        components: list[Component] = [PostgresHealth(database), keys.health]
        shared: SharedAddressCache | None = None
        if redis is not None:
            components.append(RedisHealth(redis))
            shared = RedisAddressCache(redis, ttl_seconds=settings.redis.ttl_secs)
        bounds = settings.keyring
        keyring = Keyring(store, keys.encryption, max_seeds=bounds.max_seeds, ttl_seconds=bounds.ttl_secs, watcher=metrics)
        stack.enter_context(_expiring(keyring))
        auditor = Auditor(PostgresAuditLog(database))
        addresses = _addresses(database, shared, keyring, keys.encryption, store, auditor, metrics)
        lock_signal = PostgresLockSignal(database, required(settings.database.url))
        await stack.enter_async_context(_following(lock_signal, keyring, addresses))
        answers = PostgresAnswerStore(database, keep_seconds=settings.idempotency.ttl_secs)
        await stack.enter_async_context(_background(answers.keep_pruned()))
        yield LocalCustody(
            store=store,
            addresses=addresses,
            auditor=auditor,
            encryption=keys.encryption,
            keyring=keyring,
            lock_signal=lock_signal,
            answers=answers,
            answer_of=answer,
            policy=signing_policy(settings.signing),
            components=components,
            guards_nonces=settings.signing.nonce_guard,
        )


def _addresses(
    database: PostgresDatabase,
    shared: SharedAddressCache | None,
    keyring: Keyring,
    encryption: KeyEncryption,
    store: WalletStore,
    auditor: Auditor,
    metrics: Metrics,
) -> Addresses:
    """Return what gives out addresses."""
    address_keys, alarm = PostgresAddressKeys(database), AddressAlarm(metrics)
    address_keyring = AddressKeyring(address_keys, encryption, refused=metrics.ciphertext_refused)
    return Addresses(
        store=store,
        book=PostgresAddressBook(database),
        cache=MeasuredAddressCache(LruAddressCache(), metrics),
        shared=shared,
        address_keyring=address_keyring,
        account_keys=AccountKeys(address_keys, keyring, address_keyring, watcher=alarm),
        auditor=auditor,
        watcher=alarm,
    )


def signing_policy(signing: SigningSettings) -> Policy:
    """Return what decides over signatures."""
    return AllOf(NamesOurAccount()) if signing.allow_legacy_without_chain_id else AllOf(NamesOurAccount(), NamesItsChain())


@dataclass(frozen=True, slots=True)
class _Keys:
    """What encrypts and decrypts, and the health of the backend that encrypts."""

    encryption: KeyEncryption
    health: Component


@asynccontextmanager
async def _open_keys(settings: Settings, metrics: Metrics, redis: RedisConnections | None) -> AsyncIterator[_Keys]:
    """Open every backend that is configured; each may be away, and comes back. The key file may also be made later."""
    async with AsyncExitStack() as stack:
        backends: dict[str, KeyEncryption] = {}
        healths: dict[str, Component] = {}
        path = key_file(settings)
        if path is not None:
            file = LocalKeyFile(path)
            backends[KeyBackend.LOCAL], healths[KeyBackend.LOCAL] = file, LocalKeyHealth(file)
        if settings.vault.address is not None:
            vault = await stack.enter_async_context(vault_client(settings.vault))
            key = transit_key(settings.vault)
            stack.enter_context(_observed(vault.breaker, metrics))
            if redis is not None and settings.vault.share_circuit:
                await stack.enter_async_context(SharedCircuit("vault", vault.breaker, redis, vault.probe, TRANSIENT))
            backends[KeyBackend.VAULT] = MeasuredKeyEncryption(VaultTransit(vault, key), metrics)
            healths[KeyBackend.VAULT] = await stack.enter_async_context(VaultHealth(vault, key))
        chosen = settings.keys.backend
        encryption = GatheredDecryption(KeyBackends(backends, chosen), deadline_seconds=settings.vault.deadline_secs)
        yield _Keys(encryption, healths[chosen])


@contextmanager
def _expiring(keyring: Keyring) -> Iterator[None]:
    """Have seeds forgotten on time also when nobody asks, and all of them at the end."""

    async def expire() -> None:
        while True:
            await asyncio.sleep(EXPIRY_PERIOD_SECONDS)
            keyring.expire()

    task = asyncio.create_task(expire())
    try:
        yield
    finally:
        task.cancel()
        keyring.lock()


@contextmanager
def _observed(breaker: CircuitBreaker, metrics: Metrics) -> Iterator[None]:
    """Have the metrics tell the state of Vault's circuit, which changes with time alone."""

    async def observe() -> None:
        while True:
            metrics.observe_circuit(breaker.state)
            await asyncio.sleep(CIRCUIT_PERIOD_SECONDS)

    task = asyncio.create_task(observe())
    try:
        yield
    finally:
        task.cancel()


@asynccontextmanager
async def _following(signal: LockSignal, keyring: Keyring, addresses: Addresses) -> AsyncIterator[None]:
    """Have everything locked whenever a replica, this one or another, was told to lock."""
    tasks: list[asyncio.Task[None]] = []

    async def prepare() -> None:
        with suppress(WalletError):  # then the first request opens it
            await addresses.address_keyring.prepare()

    def lock() -> None:
        addresses.forget()
        structlog.get_logger(__name__).info("keyring_locked", forgotten=keyring.lock())
        if len(tasks) == 1:
            # The first call comes at once, and is no lock: from now on the address key may be there before it is needed.
            tasks.append(asyncio.create_task(prepare()))

    tasks.append(asyncio.create_task(signal.follow(lock)))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        addresses.forget()


@asynccontextmanager
async def _background(work: Coroutine[Any, Any, NoReturn]) -> AsyncIterator[None]:
    """Have something go on for as long as the process runs."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _refuse_another_schema(database: PostgresDatabase) -> None:
    """Raise `SchemaMismatchError` where the database can say so now; if it can only later, requests are refused until it is mended."""
    try:
        async with database.connection():
            pass
    except SchemaMismatchError:
        raise
    except StoreUnavailableError:
        structlog.get_logger(__name__).warning("database_away_at_start")


async def _prepared(connection: "type_connection") -> None:
    """See that the schema is the one needed, and that the audit rows of this month have their partition before the first comes."""
    await check_schema(connection)
    await make_partitions(connection)


def _database(settings: DatabaseSettings) -> PostgresDatabase:
    return PostgresDatabase(
        required(settings.url),
        pool_size=settings.pool_size,
        min_connections=settings.min_connections,
        max_lifetime_seconds=settings.max_lifetime_secs,
        idle_timeout_seconds=settings.idle_timeout_secs,
        acquire_timeout_seconds=settings.acquire_timeout_secs,
        verify=_prepared,
    )


def _authenticator(server: ServerSettings) -> Authenticator:
    keys = [key.get_secret_value() for key in (server.api_key, server.previous_api_key) if key is not None]
    return ApiKeys(keys) if keys else Everybody()


@asynccontextmanager
async def _limiter(settings: Settings, redis: RedisConnections | None, metrics: Metrics) -> AsyncIterator[RateLimiter]:
    limit = settings.server.rate_limit
    if not limit.enabled:
        yield Unlimited()
    elif redis is None:
        yield MemoryRateLimiter(_limits(limit))
    else:
        replicas = LiveReplicas(redis, settings.replicas.min)
        async with replicas.beating():
            refuses = limit.without_redis is WithoutRedis.REFUSE
            yield RedisRateLimiter(redis, _limits(limit), replicas, metrics, refuses_alone=refuses)


def _limits(settings: RateLimitSettings) -> Limits:
    def limit(name: str) -> Limit | None:
        rate, burst = getattr(settings, f"{name}_requests_per_second"), getattr(settings, f"{name}_burst_size")
        return None if rate is None else Limit(name, rate, burst)

    kinds = {kind: own for kind in CallKind if (own := limit(kind.value)) is not None}
    return Limits(Limit("client", settings.requests_per_second, settings.burst_size), kinds, limit("key"))


def _trusted(server: ServerSettings) -> list[str]:
    return [network for part in server.trusted_proxies.split(",") if (network := part.strip())]
