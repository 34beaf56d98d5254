"""Each port's implementations, for the contract that all of them keep."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import hvac
import pytest

from adapters.database import PostgresDatabase
from adapters.key_backends import GatheredDecryption
from adapters.local_keys import LocalKeyFile
from adapters.postgres import PostgresAuditLog, PostgresWalletStore
from adapters.postgres_addresses import PostgresAddressBook, PostgresAddressKeys
from adapters.postgres_keys import PostgresCiphertextStore
from adapters.resilience import CircuitBreaker
from adapters.vault import TransitKey, VaultTransit
from adapters.vault_client import VaultClient
from adapters.vault_login import TokenLogin, VaultLogin
from adapters.vault_rotation import VaultKeyRotation
from adapters.vault_server import VaultServer
from serve_app.embedded import EmbeddedVault
from tests.adapters.takeover_house import FakeV1Phrases, House
from tests.fake_addresses import FakeAddressBook, FakeAddressKeys
from tests.fake_ciphertexts import FakeCiphertextStore
from tests.fake_journal import Journal
from tests.fakes import FakeAuditLog, FakeKeyEncryption, FakeWalletStore
from tests.open_vault import OpenVault
from tests.postgres_probes import query
from tests.servers import RunningServer
from tests.v1_house import V1Database
from wallets.derivation import DerivationScheme
from wallets.model import Account, AuditAction, AuditEvent, AuditStatus, Caller, Wallet
from wallets.ports import AccountKeyStore, AddressBook, AddressKeyStore, AuditLog, CiphertextStore, KeyEncryption, KeyRotation, WalletStore

AT = datetime(2026, 11, 24, 12, 30, 15, 123456, tzinfo=UTC)
CALLER = Caller("request-1", "192.0.2.7", "key-1")
ELSEWHERE = ["VAULT_ADDR"] if os.environ.get("VAULT_ADDR") and os.environ.get("VAULT_TOKEN") else []
"""Whether the contracts shall be tested on a Vault that is there, such as a HashiCorp Vault; its token may do everything."""

NOWHERE = "postgresql://wallets:x@127.0.0.1:1/wallets"


@dataclass(frozen=True)
class Storage:
    """What one database keeps; `events` reads the audit rows back, in the order they were written."""

    store: WalletStore
    book: AddressBook
    audit: AuditLog
    events: Callable[[], Awaitable[Sequence[AuditEvent]]]
    ciphertexts: CiphertextStore
    address_keys: AddressKeyStore
    account_keys: AccountKeyStore


def new_wallet(label: str = "deposits", *, created_at: datetime = AT, wallet_id: UUID | None = None) -> Wallet:
    """Return a wallet that is kept nowhere yet."""
    return Wallet(wallet_id or uuid4(), label, DerivationScheme.STANDARD, created_at)


def new_event(wallet_id: UUID | None = None, action: AuditAction = AuditAction.WALLET_CREATE, **details: object) -> AuditEvent:
    """Return an event that is written nowhere yet."""
    return AuditEvent(action, AuditStatus.OK, wallet_id, CALLER, AT, details)


async def kept_account(storage: Storage, network: str = "eth", index: int = 0) -> Account:
    """Keep a new wallet, and return an account of it."""
    wallet = new_wallet()
    await storage.store.add(wallet, "vault:v1:x", new_event(wallet.id))
    return Account(wallet.id, network, index)


@pytest.fixture(params=["fake", "postgres"])
async def storage(request: pytest.FixtureRequest) -> AsyncIterator[Storage]:
    """An empty storage that is there."""
    if request.param == "fake":
        yield _fakes(away=False)
        return
    url = request.getfixturevalue("database_url")
    async with PostgresDatabase(url, pool_size=4, min_connections=1) as database:
        yield on_postgres(database, url)


@pytest.fixture(params=["fake", "postgres"])
async def storage_away(request: pytest.FixtureRequest) -> AsyncIterator[Storage]:
    """A storage that is away."""
    if request.param == "fake":
        yield _fakes(away=True)
        return
    async with PostgresDatabase(NOWHERE, acquire_timeout_seconds=1) as database:
        yield on_postgres(database, NOWHERE)


@pytest.fixture
def vault(open_vault: RunningServer[OpenVault]) -> OpenVault:
    """An OpenBao that may be administrated."""
    return open_vault.server


@pytest.fixture
def key(vault: OpenVault) -> str:
    """A derived key of the test's own."""
    return vault.make_key()


@pytest.fixture(params=["fake", "gathered", "local", "vault", *ELSEWHERE])
async def encryption(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[KeyEncryption]:
    """A key encryption that is there."""
    if request.param in {"fake", "gathered"}:
        fake = FakeKeyEncryption()
        yield fake if request.param == "fake" else GatheredDecryption(fake)
        return
    if request.param == "VAULT_ADDR":
        async with elsewhere() as (client, key):
            yield VaultTransit(client, key)
        return
    if request.param == "local":
        yield await local_keys(tmp_path)
        return
    vault: RunningServer[EmbeddedVault] = request.getfixturevalue("vault_server")
    async with vault_client(vault.server) as client:
        yield VaultTransit(client, TransitKey())


@pytest.fixture(params=["fake", "gathered", "local", "vault"])
async def encryption_away(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[KeyEncryption]:
    """A key encryption that is away."""
    if request.param in {"fake", "gathered"}:
        fake = FakeKeyEncryption()
        fake.away = True
        yield fake if request.param == "fake" else GatheredDecryption(fake)
        return
    if request.param == "local":
        yield LocalKeyFile(tmp_path / "none.json")
        return
    async with client_of("http://127.0.0.1:1") as client:
        yield VaultTransit(client, TransitKey())


def vault_client(
    vault: EmbeddedVault, token: str | None = None, *, deadline_seconds: float = 10, breaker: CircuitBreaker | None = None
) -> VaultClient:
    """Return a client of the embedded OpenBao with the service's token, or another."""
    login = TokenLogin(token or vault.token)
    return VaultClient(VaultServer(vault.address, vault.ca_file), login, deadline_seconds=deadline_seconds, breaker=breaker)


@asynccontextmanager
async def elsewhere() -> AsyncIterator[tuple[VaultClient, TransitKey]]:
    """Lend a key of a new name in the Vault that VAULT_ADDR and VAULT_TOKEN name."""
    address, token = os.environ["VAULT_ADDR"], os.environ["VAULT_TOKEN"]
    key, root = TransitKey(f"test-{uuid4().hex}"), hvac.Client(address, token=token)
    if "transit/" not in root.sys.list_mounted_secrets_engines()["data"]:
        root.sys.enable_secrets_engine("transit")
    root.secrets.transit.create_key(key.name, derived=True)
    try:
        async with VaultClient(VaultServer(address), TokenLogin(token)) as client:
            yield client, key
    finally:
        root.secrets.transit.update_key_configuration(key.name, deletion_allowed=True)
        root.secrets.transit.delete_key(key.name)


@asynccontextmanager
async def client_of(address: str, login: VaultLogin | None = None, breaker: CircuitBreaker | None = None) -> AsyncIterator[VaultClient]:
    """Lend a client that waits for nothing, and whose login nobody keeps alive, so that each request is one of the test's own."""
    client = VaultClient(VaultServer(address), login or TokenLogin("x"), breaker=breaker, sleep=no_sleep)
    try:
        yield client
    finally:
        await client.__aexit__()


@dataclass(frozen=True)
class RotatingKeys:
    """Both sides of a backend: who uses its key, and who renews it."""

    encryption: KeyEncryption
    rotation: KeyRotation


@pytest.fixture(params=["fake", "local", "vault", *ELSEWHERE])
async def rotating(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RotatingKeys]:
    """A backend that is there. Its two sides are two objects, as they are two processes."""
    if request.param == "fake":
        fake = FakeKeyEncryption()
        yield RotatingKeys(fake, fake)
        return
    if request.param == "local":
        yield RotatingKeys(await local_keys(tmp_path), await local_keys(tmp_path))
        return
    if request.param == "VAULT_ADDR":
        async with elsewhere() as (client, key):
            yield RotatingKeys(VaultTransit(client, key), VaultKeyRotation(client, key))
        return
    vault: EmbeddedVault = request.getfixturevalue("vault_server").server
    async with vault_client(vault) as service, vault_client(vault, vault.operator_token) as operator:
        yield RotatingKeys(VaultTransit(service, TransitKey()), VaultKeyRotation(operator, TransitKey()))


@pytest.fixture(params=["fake", "local", "vault"])
async def rotation_away(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[KeyRotation]:
    """The operator's side of a backend that is away."""
    if request.param == "fake":
        fake = FakeKeyEncryption()
        fake.away = True
        yield fake
        return
    if request.param == "local":
        yield LocalKeyFile(tmp_path / "none.json")
        return
    async with client_of("http://127.0.0.1:1") as client:
        yield VaultKeyRotation(client, TransitKey())


async def local_keys(folder: Path) -> LocalKeyFile:
    """Return the key file of a folder, made at the first call."""
    keys = LocalKeyFile(folder / "keys.json")
    await keys.create()
    return keys


async def no_sleep(_seconds: float) -> None:
    """Let others run instead of waiting."""
    await asyncio.sleep(0)


def _fakes(*, away: bool) -> Storage:
    journal = Journal(away=away)
    store, book, audit = FakeWalletStore(journal), FakeAddressBook(journal), FakeAuditLog(journal)
    store.away = book.away = away

    async def events() -> Sequence[AuditEvent]:
        return audit.events

    keys = FakeAddressKeys(lambda wallet_id: any(row.wallet.id == wallet_id for row in store.rows()))
    ciphertexts = FakeCiphertextStore(store, keys)
    ciphertexts.away = keys.away = away
    return Storage(store, book, audit, events, ciphertexts, keys, keys)


def on_postgres(database: PostgresDatabase, url: str) -> Storage:
    """Return what a database keeps."""

    async def events() -> Sequence[AuditEvent]:
        return [_event(record) for record in await query(url, "SELECT * FROM audit_logs ORDER BY id")]

    store, book, audit = PostgresWalletStore(database), PostgresAddressBook(database), PostgresAuditLog(database)
    keys = PostgresAddressKeys(database)
    return Storage(store, book, audit, events, PostgresCiphertextStore(database), keys, keys)


def _event(record: "asyncpg.Record") -> AuditEvent:
    caller = Caller(record["request_id"], record["ip_address"], record["api_key_id"])
    details = json.loads(record["details"])
    return AuditEvent(
        AuditAction(record["action"]), AuditStatus(record["status"]), record["wallet_id"], caller, record["created_at"], details
    )


@pytest.fixture
async def house(database: PostgresDatabase, database_url: str, empty_database_url: str, reader_url: str) -> House:
    """A house with an empty database of 1.0.8."""
    phrases = FakeV1Phrases()
    v1 = V1Database(empty_database_url, phrases.encrypt)
    await v1.create()
    return House(v1, reader_url, database, database_url, phrases)
