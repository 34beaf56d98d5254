"""The whole service in this process: the real edge on the real domain, on ports in memory."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import NoReturn
from uuid import UUID

import httpx
import pytest
import structlog
from fastapi import FastAPI

from adapters.limits import CallKind, Client, Limit, Verdict
from api.access_log import AccessLog
from api.auth import LOOPBACK, ApiKeys, ClientAddresses
from api.http import Edge, create_http_app
from api.observability import Metrics
from tests.fake_journal import Journal
from tests.fakes import FakeComponent, FakeKeyEncryption
from tests.known_phrase import ANOTHER_PHRASE, PHRASE
from tests.records_in_memory import Records
from wallets.keyring import Keyring
from wallets.secret import Mnemonic

API_KEY = "a-key-for-the-tests-only"
OLD_KEY = "the-key-before-that-one"
LIMIT = Limit("client", 10, 25)


class CountingLimiter:
    """Allow `left` requests, then say when to come back; remember who asked, and for which kind of call."""

    def __init__(self) -> None:
        self.left = 1_000_000
        self.wait_seconds = 2.3
        self.keys: list[Client] = []
        self.kinds: list[CallKind] = []

    async def acquire(self, client: Client, kind: CallKind, cost: int = 1) -> Verdict:
        """See `api.limits.RateLimiter.acquire`."""
        self.keys.append(client)
        self.kinds.append(kind)
        self.left -= cost
        wait = None if self.left >= 0 else self.wait_seconds
        return Verdict((LIMIT,), LIMIT, wait, max(0, self.left), 4.2)


class BrokenEncryption(FakeKeyEncryption):
    """A key backend with a bug that quotes a secret."""

    async def encrypt(self, mnemonic: Mnemonic, *, associated_data: bytes) -> str:
        """Fail as no error of ours does."""
        raise KeyError(ANOTHER_PHRASE, mnemonic, associated_data)


class StuckEncryption(FakeKeyEncryption):
    """A key backend that never answers; `asked` tells that somebody waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()

    async def encrypt(self, mnemonic: Mnemonic, *, associated_data: bytes) -> str:
        """Wait for ever."""
        self.asked.set()
        await asyncio.get_running_loop().create_future()
        return await super().encrypt(mnemonic, associated_data=associated_data)


@dataclass
class World:
    """Everything behind one application, at hand for a test to look at or send away."""

    journal: Journal = field(default_factory=Journal)
    encryption: FakeKeyEncryption = field(default_factory=FakeKeyEncryption)
    limiter: CountingLimiter = field(default_factory=CountingLimiter)
    metrics: Metrics = field(default_factory=Metrics)
    database: FakeComponent = field(default_factory=lambda: FakeComponent("database"))
    vault: FakeComponent = field(default_factory=lambda: FakeComponent("vault"))
    redis: FakeComponent = field(default_factory=lambda: FakeComponent("redis"))
    access_log: AccessLog = field(default_factory=AccessLog)

    def __post_init__(self) -> None:
        self.records = records = Records(self.journal)
        self.store, self.book, self.audit, self.lock_signal = records.store, records.addresses, records.audit, records.lock_signal
        keyring = Keyring(self.store, self.encryption, watcher=self.metrics)
        self.custody = records.custody(self.encryption, keyring, [self.database, self.vault, self.redis])

    async def corrupt(self, wallet_id: str) -> None:
        """Tamper with a wallet's ciphertext."""
        ciphertext = await self.store.encrypted_mnemonic(UUID(wallet_id))
        other = "A" if ciphertext[20] != "A" else "B"
        self.store.replace_ciphertext(UUID(wallet_id), ciphertext[:20] + other + ciphertext[21:])

    def edge(self) -> Edge:
        """The edge in front of it, behind a proxy on loopback."""
        clients = ClientAddresses(["10.0.0.0/8"], LOOPBACK)
        return Edge(self.custody, ApiKeys([API_KEY, OLD_KEY]), self.limiter, self.metrics, clients, self.access_log)


def client_of(app: FastAPI, *, key: str | None = API_KEY) -> httpx.AsyncClient:
    """A client of `app` that shows `key`; an error that escapes the application fails the test."""
    headers = {} if key is None else {"X-Api-Key": key}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://wallets.test", headers=headers)


def problem(answer: httpx.Response) -> tuple[int, str]:
    """Return the status and the problem's name of an answer that is a whole problem document."""
    document = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(document) == {"type", "title", "status", "detail", "request_id"}
    assert document["status"] == answer.status_code
    assert document["request_id"] == answer.headers["X-Request-ID"]
    return answer.status_code, document["type"].removeprefix("urn:crypto-wallets:problem:")


@pytest.fixture
def world() -> World:
    """A new, empty service."""
    return World()


@pytest.fixture
def app(world: World) -> FastAPI:
    """Its application."""
    return create_http_app(world.edge())


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client with a valid key."""
    async with client_of(app) as opened:
        yield opened


@pytest.fixture
async def account(client: httpx.AsyncClient) -> tuple[str, str]:
    """A new wallet and its first Ethereum address."""
    wallet_id: str = (await client.post("/api/v1/wallets", json={"label": "a"})).json()["id"]
    address: str = (await client.get(f"/api/v1/wallets/{wallet_id}/address/eth")).json()["address"]
    return wallet_id, address


@pytest.fixture
async def wallet(client: httpx.AsyncClient) -> str:
    """The known phrase's wallet, as a path."""
    answer = await client.post("/api/v1/wallets/import", json={"label": "a", "mnemonic": PHRASE})
    return f"/api/v1/wallets/{answer.json()['id']}"


@pytest.fixture(autouse=True)
def _quiet_log() -> Iterator[None]:
    """Keep what one test configures away from the next, and requests off the terminal."""
    structlog.configure(processors=[_drop])
    yield
    structlog.reset_defaults()


def _drop(*_: object) -> NoReturn:
    raise structlog.DropEvent
