"""Nonces that audit rows use up (`AuditEvent.nonce`), on every implementation of the audit log."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import structlog

from adapters.database import PostgresDatabase
from adapters.postgres import PostgresAuditLog, PostgresWalletStore
from tests.adapters.conftest import new_event, new_wallet
from tests.fakes import FakeAuditLog
from tests.postgres_probes import query
from wallets.errors import AuditUnavailableError, NonceUsedError
from wallets.model import AuditEvent
from wallets.once import NonceUse
from wallets.ports import AuditLog


def using(nonce: int, transaction: int, *, address: str = "0x1", chain: str = "evm:1", replaces: bool = False) -> AuditEvent:
    """Return the event of a transaction that uses up a nonce."""
    return replace(new_event(), nonce=NonceUse(chain, address, str(nonce), transaction.to_bytes(32), replaces))


@pytest.fixture(params=["fake", "postgres"])
async def log(request: pytest.FixtureRequest) -> AsyncIterator[AuditLog]:
    """An empty audit log."""
    if request.param == "fake":
        yield FakeAuditLog()
        return
    async with PostgresDatabase(request.getfixturevalue("database_url"), pool_size=8, min_connections=1) as database:
        yield PostgresAuditLog(database)


async def places_refused(log: AuditLog, *events: AuditEvent) -> tuple[int, ...]:
    """Write events, and return the places of those that are refused."""
    try:
        await log.record_all(events)
    except NonceUsedError as error:
        return error.places
    return ()


async def test_a_nonce_is_one_transactions(log: AuditLog) -> None:
    """Which may come again; another is refused, on this chain and account."""
    await log.record(using(1, 1))
    await log.record(using(1, 1))
    await log.record(using(1, 2, chain="evm:56"))
    await log.record(using(1, 2, address="0x2"))
    await log.record(using(2, 2))

    with pytest.raises(NonceUsedError, match="nonce 1 of 0x1"):
        await log.record(using(1, 2))


async def test_a_replacement_takes_the_nonce(log: AuditLog) -> None:
    """From the transaction that had it."""
    await log.record(using(1, 1))

    await log.record(using(1, 2, replaces=True))

    await log.record(using(1, 2))
    with pytest.raises(NonceUsedError):
        await log.record(using(1, 1))


async def test_of_a_batch_all_are_written_or_none(log: AuditLog) -> None:
    """And every place that is refused is told."""
    await log.record(using(1, 1))

    refused = await places_refused(log, using(1, 2), using(2, 2), using(1, 1), using(1, 3), new_event())
    after = await places_refused(log, using(2, 9))

    assert (refused, after) == ((0, 3), ())


async def test_two_of_a_batch_may_have_one_nonce(log: AuditLog) -> None:
    """If they are the same transaction, or the second replaces the first."""
    assert await places_refused(log, using(1, 1), using(1, 1), using(1, 2, replaces=True), using(1, 2)) == ()
    assert await places_refused(log, using(2, 1), using(2, 2), using(2, 1)) == (1,)


async def test_of_many_at_once_one_has_the_nonce(log: AuditLog) -> None:
    """Whichever connection they come by."""
    outcomes = await asyncio.gather(*(log.record(using(1, number)) for number in range(30)), return_exceptions=True)

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NonceUsedError"] * 29 + ["NoneType"]


async def test_batches_at_once_do_not_wait_for_each_other_for_ever(log: AuditLog) -> None:
    """Though they name the same nonces in different orders."""
    forwards, backwards = [using(number, 1) for number in range(50)], [using(number, 1) for number in reversed(range(50))]

    await asyncio.gather(*(log.record_all(batch) for batch in [forwards, backwards] * 4))


async def test_what_is_refused_leaves_no_row(database: PostgresDatabase, database_url: str) -> None:
    """Neither of the audit nor of the nonce."""
    log = PostgresAuditLog(database)
    await log.record(using(1, 1))
    with pytest.raises(NonceUsedError):
        await log.record_all([using(2, 2), using(1, 2)])

    rows = await query(database_url, "SELECT (SELECT count(*) FROM audit_logs), (SELECT string_agg(nonce, ',') FROM signed_nonces)")

    assert tuple(rows[0]) == (1, "1")


async def test_whoever_writes_the_row_writes_the_nonce(database: PostgresDatabase) -> None:
    """Also where the row goes with something else, as with a new wallet."""
    log, store = PostgresAuditLog(database), PostgresWalletStore(database)
    await store.add(new_wallet(), "vault:v1:x", using(1, 1))

    with pytest.raises(NonceUsedError):
        await log.record(using(1, 2))
    with pytest.raises(NonceUsedError):
        await store.add(new_wallet(), "vault:v1:x", using(1, 3))

    assert (await store.page(1, 10)).total == 1


async def test_what_the_database_refuses_is_logged(database: PostgresDatabase, database_url: str) -> None:
    """The client is told no more than that the audit is away; the log says which request's row it was, and what is wrong."""
    await query(database_url, "ALTER TABLE signed_nonces ADD CHECK (nonce <> '1')")

    with structlog.testing.capture_logs() as logs, pytest.raises(AuditUnavailableError):
        await PostgresAuditLog(database).record(using(1, 1))

    assert logs == [
        {"event": "audit_row_refused", "log_level": "error", "error": "CheckViolationError", "request_id": new_event().caller.request_id}
    ]


async def test_without_the_database_there_is_no_nonce_and_no_row() -> None:
    """It is the audit that is away."""
    async with PostgresDatabase("postgresql://wallets:x@127.0.0.1:1/wallets", acquire_timeout_seconds=1) as database:
        with pytest.raises(AuditUnavailableError):
            await PostgresAuditLog(database).record(using(1, 1))
