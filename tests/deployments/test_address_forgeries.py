"""Replicas on a real PostgreSQL, Valkey and OpenBao: what somebody writes in the place of an address is never given out."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

import pytest
import redis.asyncio

from adapters.redis import RedisConnections
from api.observability import Metrics
from deployments.settings import Settings
from deployments.wiring import open_custody
from serve_app.embedded import EmbeddedRedis, EmbeddedVault
from tests.deployments.replicas import settings_of
from tests.known_phrase import FIRST_ADDRESSES, PHRASE
from tests.postgres_probes import query
from tests.servers import RunningServer
from wallets.chains import CHAINS
from wallets.custody import Custody
from wallets.derivation import DerivationScheme
from wallets.errors import AddressNotFoundError
from wallets.model import Account, Caller
from wallets.secret import Phrase

RIGHT, OTHERS = FIRST_ADDRESSES["eth"], "0x0000000000000000000000000000000000000001"
CALLER = Caller("request-1", "192.0.2.1", "key-1")

_READ = "SELECT address, seal FROM derived_addresses WHERE wallet_id = $1 AND network = $2 AND address_index = $3"
_WRITE = "UPDATE derived_addresses SET address = $2, seal = $3 WHERE wallet_id = $1 AND network = 'eth' AND address_index = 0"

Row = tuple[str, str]
"""Address and seal."""


@dataclass
class Service:
    """Servers, and a wallet of the known phrase and another, both with addresses. Every replica on them is a new one."""

    settings: Settings
    database_url: str
    redis_url: str
    redis: "redis.asyncio.Redis"
    ours: UUID = field(init=False)
    theirs: UUID = field(init=False)

    @asynccontextmanager
    async def replica(self) -> AsyncIterator[tuple[Custody, Metrics]]:
        """Start a replica, which remembers nothing. It waits for Redis as long as a busy machine needs."""
        metrics = Metrics()
        async with (
            RedisConnections(self.redis_url, longest_seconds=10) as connections,
            open_custody(self.settings, metrics, connections) as custody,
        ):
            yield custody, metrics

    async def prepare(self) -> None:
        """Make the wallets, and have their addresses derived."""
        async with self.replica() as (custody, _):
            self.ours = (await custody.import_wallet("ours", Phrase.of(PHRASE, ""), DerivationScheme.STANDARD, CALLER)).id
            self.theirs = (await custody.create_wallet("theirs", 12, CALLER)).id
            for wallet_id in (self.ours, self.theirs):
                for network, index in (("eth", 0), ("eth", 1), ("bsc", 0), ("tron", 0)):
                    await custody.address(Account(wallet_id, network, index), CALLER)

    def key(self, wallet_id: UUID, place: str = "eth:0") -> str:
        """Return where Redis has an address."""
        return f"wallets:address:{wallet_id}:standard:{place}"

    async def value(self, key: str) -> bytes:
        """Return what Redis has under a key."""
        value = await self.redis.get(key)
        assert isinstance(value, bytes)
        return value

    async def query(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """Ask the database, or write to it as somebody may who must not."""
        return [tuple(row) for row in await query(self.database_url, statement, *values)]

    async def row(self, wallet_id: UUID, network: str = "eth", index: int = 0) -> Row:
        """Return what the database has of an address."""
        ((address, seal),) = await self.query(_READ, wallet_id, network, index)
        return str(address), str(seal)

    async def ask(self, question: "Question") -> tuple[str, str]:
        """Ask a new replica; return the answer with the replica's metrics."""
        async with self.replica() as (custody, metrics):
            return await question(self, custody), metrics.render().decode()


Question = Callable[[Service, Custody], Awaitable[str]]


@pytest.fixture
async def service(
    database_url: str, vault_server: RunningServer[EmbeddedVault], redis_server: RunningServer[EmbeddedRedis]
) -> AsyncIterator[Service]:
    """Servers with addresses."""
    url = redis_server.server.url
    settings = settings_of(database_url, vault_server.server, APP__VAULT__SHARE_CIRCUIT="false")
    async with redis.asyncio.from_url(url) as client:
        service = Service(settings, database_url, url, client)
        await service.prepare()
        yield service


async def alone(service: Service, custody: Custody) -> str:
    """Ask for the first address."""
    return (await custody.address(Account(service.ours, "eth", 0), CALLER)).text


async def in_a_range(service: Service, custody: Custody) -> str:
    """Ask for it among others."""
    return (await custody.address_range(Account(service.ours, "eth", 0), 3, CALLER))[0].text


async def of_the_other(_: Service, custody: Custody) -> str:
    """Look for the account of the address that somebody planted."""
    try:
        await custody.accounts(OTHERS, CALLER)
    except AddressNotFoundError:
        return RIGHT
    return OTHERS


def forgeries(metrics: str) -> dict[str, float]:
    """Return how many alarms there are, by store."""
    lines = [line.split() for line in metrics.splitlines() if line.startswith("address_forgeries_total{")]
    return {name.split('"')[1]: float(value) for name, value in lines if float(value)}


REDIS_FORGERIES: dict[str, Callable[[bytes, Mapping[str, bytes]], bytes]] = {
    "another address": lambda good, _: good.replace(RIGHT.encode(), OTHERS.encode()),
    "of another index": lambda _, values: values["eth:1"],
    "of another network": lambda _, values: values["tron:0"],
    "of another wallet": lambda _, values: values["theirs"],
    "with another's seal": lambda good, values: good.split()[0] + b" " + values["bsc:0"].split()[1],
    "truncated": lambda good, _: good[:-1],
    "without a seal": lambda good, _: good.split()[0],
    "as earlier previews wrote it": lambda _, __: OTHERS.encode(),
    "no text": lambda _, __: b"\xff\xfe \x00",
    "empty": lambda _, __: b"",
}


@pytest.mark.parametrize("name", REDIS_FORGERIES)
async def test_what_is_planted_in_redis_is_not_given_out(service: Service, name: str) -> None:
    """It counts as a miss, raises the alarm, and is overwritten by the right one."""
    key = service.key(service.ours)
    good = await service.value(key)
    values = {place: await service.value(service.key(service.ours, place)) for place in ("eth:1", "bsc:0", "tron:0")}
    values["theirs"] = await service.value(service.key(service.theirs))
    forged = REDIS_FORGERIES[name](good, values)
    await service.redis.set(key, forged)

    address, metrics = await service.ask(alone)

    assert (address, forgeries(metrics)) == (RIGHT, {"redis": 1.0})
    assert await service.value(key) == good != forged
    assert 'address_cache_requests_total{cache="redis",result="miss"} 1.0' in metrics
    again, metrics = await service.ask(alone)
    assert (again, forgeries(metrics)) == (RIGHT, {})
    assert 'address_cache_requests_total{cache="redis",result="hit"} 1.0' in metrics


DATABASE_FORGERIES: dict[str, Callable[[Row, Mapping[str, Row]], Row]] = {
    "another address": lambda good, _: (OTHERS, good[1]),
    "of another index": lambda _, rows: rows["eth:1"],
    "of another network": lambda _, rows: rows["tron:0"],
    "of another wallet": lambda _, rows: rows["theirs"],
    "with another's seal": lambda _, rows: (OTHERS, rows["bsc:0"][1]),
    "the right one with another's seal": lambda good, rows: (good[0], rows["bsc:0"][1]),
    "truncated": lambda good, _: (good[0], good[1][:-1]),
    "without a seal": lambda _, __: (OTHERS, ""),
}


@pytest.mark.parametrize("question", [alone, in_a_range, of_the_other])
@pytest.mark.parametrize("name", DATABASE_FORGERIES)
async def test_what_is_planted_in_the_table_is_not_given_out(service: Service, name: str, question: Question) -> None:
    """Neither alone, nor in a range, nor by who looks for its account; it raises the alarm, and is overwritten by the right one."""
    await service.redis.flushdb()
    good = await service.row(service.ours)
    places = (("eth", 1), ("bsc", 0), ("tron", 0))
    rows = {f"{network}:{index}": await service.row(service.ours, network, index) for network, index in places}
    planted = DATABASE_FORGERIES[name](good, {**rows, "theirs": await service.row(service.theirs)})
    await service.query(_WRITE, service.ours, *planted)

    answer, metrics = await service.ask(question)

    assert answer == RIGHT
    assert planted != good
    if question is not of_the_other or planted[0] == OTHERS:  # else it is not what was looked for, and nobody has met it
        assert forgeries(metrics) == {"database": 1.0}
        assert await service.row(service.ours) == good


async def test_rows_without_seals_are_sealed_as_they_are_asked_for(service: Service) -> None:
    """As import-v1 and earlier previews left them; they are no alarm, and are derived again once."""
    await service.redis.flushdb()
    await service.query("UPDATE derived_addresses SET seal = ''")

    async with service.replica() as (custody, metrics):
        found = await custody.accounts(RIGHT, CALLER)
        text = metrics.render().decode()

    assert {account.network for account in found} == {"eth", "bsc"}
    assert "addresses_without_seal_total 2.0" in text
    assert forgeries(text) == {}
    sealed = await service.query("SELECT network FROM derived_addresses WHERE seal <> '' ORDER BY network")
    assert sealed == [("bsc",), ("eth",)]


async def test_an_account_key_of_another_wallet_is_noticed(service: Service) -> None:
    """Addresses go on to be the wallet's own, the alarm is raised, and the right one is put back."""
    kept = "SELECT sealed FROM account_keys WHERE wallet_id = $1 AND path = $2"
    path = "m/44'/60'/0'"
    ((theirs,),) = await service.query(kept, service.theirs, path)
    await service.query("UPDATE account_keys SET sealed = $3 WHERE wallet_id = $1 AND path = $2", service.ours, path, theirs)

    async with service.replica() as (custody, metrics):
        address = await custody.address(Account(service.ours, "polygon", 0), CALLER)
        text = metrics.render().decode()

    assert address.text == RIGHT
    assert forgeries(text) == {"account_keys": 1.0}
    assert await service.query(kept, service.ours, path) != [(theirs,)]


async def test_ranges_need_no_mnemonic(service: Service) -> None:
    """A new replica derives 1,000 addresses of each family's kinds; Vault decrypts the address key, and no mnemonic."""
    kinds = [(CHAINS[network], kind) for network in ("eth", "tron", "btc", "doge") for kind in (CHAINS[network].variants or ("",))]
    async with service.replica() as (custody, _):
        for chain, kind in kinds:
            await custody.address(Account(service.ours, chain.network, 0, kind), CALLER)
    # A mnemonic that was decrypted now would not be one.
    await service.query("UPDATE master_wallets SET encrypted_phrase = 'vault:v1:AAAA'")

    async with service.replica() as (custody, metrics):
        for chain, kind in kinds:
            addresses = await custody.address_range(Account(service.ours, chain.network, 0, kind), 1_000, CALLER)
            assert len({address.text for address in addresses}) == 1_000
        text = metrics.render().decode()

    # That of the address key, and once more if it was opened before the replica had heard of the last lock.
    assert decryptions(text) in {1.0, 2.0}
    assert 'operation="decrypt",status="refused"' not in text


def decryptions(metrics: str) -> float:
    """Return how many calls Vault has answered with what was decrypted."""
    name = 'vault_operations_duration_seconds_count{operation="decrypt",status="ok"} '
    return next(float(line.removeprefix(name)) for line in metrics.splitlines() if line.startswith(name))
