"""What is PostgreSQL's own in what is kept, and what its health tells."""

from uuid import uuid4

import pytest

from adapters.database import PostgresDatabase
from adapters.migrations import all_migrations
from adapters.postgres import PostgresHealth, PostgresWalletStore
from adapters.postgres_addresses import PostgresAddressBook
from serve_app.embedded import EmbeddedPostgres
from tests.adapters.conftest import AT, NOWHERE, new_event, new_wallet
from tests.postgres_probes import query
from tests.servers import RunningServer
from wallets.errors import WalletNotFoundError
from wallets.model import Account, HealthStatus, SealedAddress


async def test_an_address_of_an_unknown_wallet_is_refused(database: PostgresDatabase) -> None:
    """The book keeps no address without its wallet."""
    with pytest.raises(WalletNotFoundError):
        await PostgresAddressBook(database).add_all([(Account(uuid4(), "eth", 0), SealedAddress("0xabc"), new_event())])


async def test_health_tells_the_schema(database: PostgresDatabase) -> None:
    """A database that is well answers with its version."""
    health = await PostgresHealth(database).check()

    assert health.status is HealthStatus.OK
    assert health.details["schema_version"] == all_migrations()[-1].version


async def test_health_tells_a_schema_that_is_missing(empty_database_url: str) -> None:
    """A database that was not migrated is no database for us."""
    async with PostgresDatabase(empty_database_url, min_connections=1) as database:
        health = await PostgresHealth(database).check()

    assert health.status is HealthStatus.ERROR
    assert "crypto-wallets migrate" in str(health.details["reason"])


async def test_health_tells_that_the_database_refuses(database: PostgresDatabase, database_url: str) -> None:
    """A role without its rights is told, not raised."""
    await query(database_url, "REVOKE ALL ON schema_migrations FROM wallets")

    health = await PostgresHealth(database).check()

    assert health.status is HealthStatus.ERROR
    assert health.details["reason"] == "the database refuses: InsufficientPrivilegeError"


async def test_health_tells_that_it_is_away() -> None:
    """Without raising."""
    async with PostgresDatabase(NOWHERE) as database:
        health = await PostgresHealth(database).check()

    assert health.status is HealthStatus.ERROR
    assert health.details["reason"] == "the database is away"


async def test_health_of_a_server_that_hangs_answers_in_time(
    postgres_server: RunningServer[EmbeddedPostgres], database: PostgresDatabase
) -> None:
    """In two seconds, whatever the pool's timeouts are."""
    await PostgresHealth(database).check()
    with postgres_server.held() as duration:
        health = await PostgresHealth(database).check()

    assert health.status is HealthStatus.ERROR
    assert duration.seconds < 2.5


async def test_times_are_kept_with_their_zone(database: PostgresDatabase) -> None:
    """A wallet's creation is an instant."""
    wallet = new_wallet(created_at=AT)
    store = PostgresWalletStore(database)
    await store.add(wallet, "vault:v1:x", new_event(wallet.id))

    found = await store.get(wallet.id)

    assert found.created_at.utcoffset() is not None
    assert found.created_at == AT
