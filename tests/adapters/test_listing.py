"""A list that is read while wallets are added loses none and repeats none, and PostgreSQL knows how many there are."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.database import PostgresDatabase
from adapters.memory import CachedWalletStore
from adapters.migrations import all_migrations, migrate
from adapters.postgres import PostgresWalletStore
from tests.adapters.conftest import AT, new_event, new_wallet
from tests.fakes import FakeWalletStore
from tests.postgres_probes import query
from wallets.model import MAX_LISTED, Wallet
from wallets.ports import WalletStore

MOMENTS = st.integers(0, 8)
"""Few, so that wallets of one instant are many."""


async def counted(url: str) -> tuple[int, int]:
    """Return how many wallets there are, as the database keeps it and as it counts them."""
    statement = "SELECT (SELECT coalesce(sum(wallets), 0) FROM wallet_counts) AS kept, (SELECT count(*) FROM master_wallets) AS there"
    (row,) = await query(url, statement)
    return int(row["kept"]), int(row["there"])


async def listed_while_adding(store: WalletStore, first: list[int], size: int, later: list[list[int]]) -> None:
    """Read everything in stretches, add wallets of these moments after each, and check what was seen."""

    async def added(moment: int) -> Wallet:
        wallet = new_wallet(created_at=AT + timedelta(microseconds=moment))
        await store.add(wallet, "vault:v1:x", new_event(wallet.id))
        return wallet

    there, seen, position, waves = [await added(moment) for moment in first], list[Wallet](), None, iter(later)
    while True:
        stretch = await store.older(position, size)
        seen += stretch.wallets
        if not stretch.has_older:
            break
        position = stretch.wallets[-1].position
        for moment in next(waves, []):
            await added(moment)

    places = [(wallet.created_at, wallet.id) for wallet in seen]
    assert places == sorted(set(places), reverse=True)
    assert {wallet.id for wallet in there} <= {wallet.id for wallet in seen}


@given(st.lists(MOMENTS, max_size=12), st.integers(1, 5), st.lists(st.lists(MOMENTS, max_size=3), max_size=6))
def test_a_list_loses_and_repeats_nothing(first: list[int], size: int, later: list[list[int]]) -> None:
    """Whatever is added meanwhile, also wallets that are older than what was seen, as a clock that is slow makes them."""
    asyncio.run(listed_while_adding(CachedWalletStore(FakeWalletStore()), first, size, later))


def test_a_list_on_postgres_loses_and_repeats_nothing(database_url: str) -> None:
    """The same on the real store, which has an order of its own for ids."""

    @settings(max_examples=25)
    @given(st.lists(MOMENTS, max_size=12), st.integers(1, 5), st.lists(st.lists(MOMENTS, max_size=3), max_size=6))
    def check(first: list[int], size: int, later: list[list[int]]) -> None:
        async def run() -> None:
            async with PostgresDatabase(database_url, pool_size=1, min_connections=1) as database:
                await query(database_url, "TRUNCATE master_wallets CASCADE")
                await listed_while_adding(PostgresWalletStore(database), first, size, later)
                assert await counted(database_url) == (len((await PostgresWalletStore(database).older(None, MAX_LISTED)).wallets),) * 2

        asyncio.run(run())

    check()


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO master_wallets SELECT gen_random_uuid(), 'x', 'standard', 'vault:v1:x', now() FROM generate_series(1, 7)",
        "DELETE FROM master_wallets WHERE label = 'first'",
        "TRUNCATE master_wallets CASCADE",
        "UPDATE master_wallets SET label = 'another'",
        "DELETE FROM master_wallets WHERE label = 'nobody'",
    ],
)
async def test_the_number_of_wallets_is_kept(database: PostgresDatabase, database_url: str, change: str) -> None:
    """In whichever way they come and go, by whichever connection; what is taken back counts nothing."""
    store = PostgresWalletStore(database)
    for label in ("first", "second"):
        await store.add(new_wallet(label), "vault:v1:x", new_event())
    taken_back = await asyncpg.connect(database_url)
    await taken_back.execute(f"BEGIN; {change}; ROLLBACK")

    await query(database_url, change)

    kept, there = await counted(database_url)
    assert kept == there == (await store.page(1, 1)).total
    await taken_back.close()


async def test_a_full_answer_knows_of_more(database: PostgresDatabase, database_url: str) -> None:
    """Also the largest that can be asked for, with one wallet behind it."""
    await query(
        database_url,
        "INSERT INTO master_wallets SELECT gen_random_uuid(), 'x', 'standard', 'x', now() FROM generate_series(0, $1::integer)",
        MAX_LISTED,
    )

    stretch = await PostgresWalletStore(database).older(None, MAX_LISTED)
    rest = await PostgresWalletStore(database).older(stretch.wallets[-1].position, MAX_LISTED)

    assert (len(stretch.wallets), stretch.has_older) == (MAX_LISTED, True)
    assert (len(rest.wallets), rest.has_older) == (1, False)


async def test_wallets_from_before_are_counted(empty_database_url: str) -> None:
    """The migration counts once."""
    number = next(each.version for each in all_migrations() if each.name == "wallet_counts")
    await migrate(empty_database_url, migrations=all_migrations()[: number - 1])
    await query(
        empty_database_url,
        "INSERT INTO master_wallets SELECT gen_random_uuid(), 'x', 'standard', 'vault:v1:x', now() FROM generate_series(1, 7)",
    )

    await migrate(empty_database_url)

    assert await counted(empty_database_url) == (7, 7)
