"""The contract of `wallets.ports.AuditLog`, on the fake and on PostgreSQL."""

import asyncio
from dataclasses import replace
from uuid import uuid4

import pytest

from tests.adapters.conftest import Storage, new_event
from wallets.errors import AuditUnavailableError
from wallets.model import AuditAction, AuditStatus


async def test_an_event_is_written_as_it_happened(storage: Storage) -> None:
    """Every field, and details of any depth and size of number."""
    details = {
        "network": "eth",
        "index": 7,
        "intent": {"amount": 2**255, "transfers": [{"recipient": "0xabc"}], "memo": 'a "b" \\ {c},NULL'},
    }
    event = replace(new_event(uuid4(), AuditAction.TRANSACTION_SIGN, **details), status=AuditStatus.REFUSED)

    await storage.audit.record(event)

    assert list(await storage.events()) == [event]


async def test_an_event_may_name_no_wallet(storage: Storage) -> None:
    """A wallet that could not be created has no id."""
    event = new_event(None, reason="a label has 1 to 100 printable characters")

    await storage.audit.record(event)

    assert list(await storage.events()) == [event]


async def test_events_at_once_are_all_written(storage: Storage) -> None:
    """None is lost, none is written twice."""
    events = [new_event(uuid4()) for _ in range(300)]

    await asyncio.gather(*(storage.audit.record(event) for event in events))

    assert {event.wallet_id for event in events} == {event.wallet_id for event in await storage.events()}
    assert len(await storage.events()) == len(events)


async def test_an_audit_log_that_is_away_says_so(storage_away: Storage) -> None:
    """To every request that waits, with the port's error."""
    answers = await asyncio.gather(*(storage_away.audit.record(new_event(uuid4())) for _ in range(5)), return_exceptions=True)

    assert [type(answer) for answer in answers] == [AuditUnavailableError] * 5


async def test_its_error_tells_nothing_of_the_inside(storage_away: Storage) -> None:
    """The client reads the message."""
    with pytest.raises(AuditUnavailableError) as error:
        await storage_away.audit.record(new_event(uuid4()))

    assert not {"127.0.0.1", "postgres", "INSERT"} & set(str(error.value).split())


async def test_several_events_are_written_in_their_order(storage: Storage) -> None:
    """All of a batch, and nothing for an empty one."""
    events = [new_event(uuid4(), number=number) for number in range(50)]

    await storage.audit.record_all(events)
    await storage.audit.record_all([])

    assert list(await storage.events()) == events


async def test_several_events_that_cannot_be_written_fail_together(storage_away: Storage) -> None:
    """With the port's error."""
    with pytest.raises(AuditUnavailableError):
        await storage_away.audit.record_all([new_event(uuid4()), new_event(uuid4())])
