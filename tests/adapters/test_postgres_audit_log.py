"""The audit's group commit: rows that arrive together are written together, each fails alone, and none waits for ever."""

import asyncio
import json
from dataclasses import replace

import pytest

from adapters.database import PostgresDatabase
from adapters.postgres import PostgresAuditLog
from tests.adapters.conftest import new_event
from tests.postgres_probes import locked, query, waiting_for_lock
from wallets.errors import AuditUnavailableError
from wallets.model import Caller


async def test_events_that_arrive_meanwhile_are_committed_together(database: PostgresDatabase, database_url: str) -> None:
    """The first event is written at once; those that come while it is being written share one transaction."""
    audit = PostgresAuditLog(database)
    async with locked(database_url, "audit_logs"):
        first = asyncio.create_task(audit.record(new_event()))
        await waiting_for_lock(database_url)
        rest = [asyncio.create_task(audit.record(new_event())) for _ in range(50)]
        await asyncio.sleep(0)

    await asyncio.gather(first, *rest)

    transactions = await query(database_url, "SELECT count(*) AS events FROM audit_logs GROUP BY xmin ORDER BY 1")
    assert [row["events"] for row in transactions] == [1, 50]


async def test_a_row_that_is_refused_fails_alone(database: PostgresDatabase, database_url: str) -> None:
    """Events that travel with it are written."""
    audit = PostgresAuditLog(database)
    poisoned = replace(new_event(), caller=Caller("poison", "192.0.2.7", "key-1"))
    await query(database_url, "ALTER TABLE audit_logs ADD CHECK (request_id <> 'poison')")
    async with locked(database_url, "audit_logs"):
        first = asyncio.create_task(audit.record(new_event()))
        await waiting_for_lock(database_url)
        rest = [asyncio.create_task(audit.record(event)) for event in (new_event(), poisoned, new_event())]
        await asyncio.sleep(0)

    answers = await asyncio.gather(first, *rest, return_exceptions=True)

    assert [type(answer) for answer in answers] == [type(None), type(None), AuditUnavailableError, type(None)]
    assert len(await query(database_url, "SELECT 1 FROM audit_logs")) == 3


async def test_the_queue_is_bounded(database: PostgresDatabase, database_url: str) -> None:
    """A database that is slower than the requests makes them fail, not the memory grow."""
    audit = PostgresAuditLog(database, max_waiting=2)
    async with locked(database_url, "audit_logs"):
        waiting = [asyncio.create_task(audit.record(new_event()))]
        await waiting_for_lock(database_url)
        waiting += [asyncio.create_task(audit.record(new_event())) for _ in range(2)]
        await asyncio.sleep(0)

        with pytest.raises(AuditUnavailableError):
            await audit.record(new_event())

    await asyncio.gather(*waiting)


async def test_a_waiter_that_leaves_does_not_disturb_the_others(database: PostgresDatabase, database_url: str) -> None:
    """Its row is written all the same."""
    audit = PostgresAuditLog(database)
    async with locked(database_url, "audit_logs"):
        tasks = [asyncio.create_task(audit.record(new_event()))]
        await waiting_for_lock(database_url)
        tasks += [asyncio.create_task(audit.record(new_event())) for _ in range(3)]
        await asyncio.sleep(0)
        tasks[2].cancel()

    answers = await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(answer) for answer in answers] == [type(None), type(None), asyncio.CancelledError, type(None)]
    assert len(await query(database_url, "SELECT 1 FROM audit_logs")) == 4


async def test_an_event_that_cannot_be_written_in_time_fails(database: PostgresDatabase, database_url: str) -> None:
    """Whatever holds the table."""
    audit = PostgresAuditLog(database, deadline_seconds=0.2)
    async with locked(database_url, "audit_logs"):
        with pytest.raises(AuditUnavailableError):
            await audit.record(new_event())


async def test_what_text_cannot_hold_is_replaced(database: PostgresDatabase, database_url: str) -> None:
    """A refused label with a NUL or half a character still leaves its audit row."""
    await PostgresAuditLog(database).record(new_event(label="a\0b", nested={"k\0": ["\ud800"]}))

    details = json.loads((await query(database_url, "SELECT details FROM audit_logs"))[0]["details"])

    assert details == {"label": "a\N{REPLACEMENT CHARACTER}b", "nested": {"k\N{REPLACEMENT CHARACTER}": ["?"]}}


async def test_details_that_are_no_json_are_a_bug(database: PostgresDatabase) -> None:
    """A number that is none is refused before it reaches others."""
    with pytest.raises(ValueError, match="Out of range float values"):
        await PostgresAuditLog(database).record(new_event(amount=float("nan")))
