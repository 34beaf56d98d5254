"""The contract of `wallets.ports.AnswerStore`, on every implementation: answered by the audit log, the wallet store and the lock."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

import pytest
import structlog

from adapters.database import PostgresDatabase
from adapters.idempotency import PostgresAnswerStore
from adapters.lock_signal import PostgresLockSignal
from adapters.postgres import PostgresAuditLog, PostgresWalletStore
from tests.adapters.conftest import CALLER, NOWHERE, new_event, new_wallet
from tests.fake_answers import FakeAnswerStore
from tests.fake_journal import Journal
from tests.fakes import FakeAuditLog, FakeLockSignal, FakeWalletStore
from tests.postgres_probes import query
from wallets.errors import IdempotencyKeyReusedError, RequestRunningError, StoreUnavailableError
from wallets.model import AuditEvent
from wallets.once import IdempotentRequest
from wallets.ports import AnswerStore, AuditLog, LockSignal, WalletStore


@dataclass
class Desk:
    """Where requests are claimed and answered."""

    answers: AnswerStore
    audit: AuditLog
    store: WalletStore
    lock: LockSignal
    rows: Callable[[], Awaitable[int]]


@pytest.fixture(params=["fake", "postgres"])
async def desk(request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    """An empty one."""
    if request.param == "fake":
        journal = Journal()

        async def events() -> int:
            return len(journal.events)

        yield Desk(FakeAnswerStore(journal), FakeAuditLog(journal), FakeWalletStore(journal), FakeLockSignal(journal), events)
        return
    url = request.getfixturevalue("database_url")

    async def rows() -> int:
        return int((await query(url, "SELECT count(*) FROM audit_logs"))[0][0])

    async with PostgresDatabase(url, pool_size=8, min_connections=1) as database:
        signal = PostgresLockSignal(database, url)
        yield Desk(PostgresAnswerStore(database), PostgresAuditLog(database), PostgresWalletStore(database), signal, rows)


def attempt(name: int = 1, body: int = 1) -> IdempotentRequest:
    """Return an attempt at a request."""
    return IdempotentRequest(name.to_bytes(32), body.to_bytes(32), uuid.uuid4())


def answered(request: IdempotentRequest, answer: bytes = b"{}") -> AuditEvent:
    """Return the event by which a request is answered."""
    return replace(new_event(), caller=replace(CALLER, idempotency=request), answer=answer)


async def test_a_new_request_is_claimed_and_its_answer_found_again(desk: Desk) -> None:
    """By every attempt that asks for the same."""
    first = attempt()

    claimed = await desk.answers.claim(first)
    await desk.audit.record(answered(first, b"the answer"))

    assert claimed is None
    assert [await desk.answers.claim(attempt()) for _ in range(2)] == [b"the answer"] * 2
    assert await desk.rows() == 1


async def test_a_request_that_is_worked_on_is_not_given_out_again(desk: Desk) -> None:
    """Of many attempts at once one has the claim."""

    async def outcome() -> object:
        try:
            return await desk.answers.claim(attempt())
        except RequestRunningError:
            return "running"

    outcomes = await asyncio.gather(*(outcome() for _ in range(50)))

    assert sorted(outcomes, key=str) == [None] + ["running"] * 49


async def test_another_request_with_the_same_name_is_refused(desk: Desk) -> None:
    """While the first is worked on, and when it has been answered."""
    first = attempt()
    await desk.answers.claim(first)
    with pytest.raises(IdempotencyKeyReusedError):
        await desk.answers.claim(attempt(body=2))
    await desk.audit.record(answered(first))

    with pytest.raises(IdempotencyKeyReusedError):
        await desk.answers.claim(attempt(body=2))

    assert await desk.answers.claim(attempt(name=2, body=2)) is None


async def test_what_was_released_can_be_claimed_again(desk: Desk) -> None:
    """Also by a request that asks for something else; releasing what is another's, or answered, does nothing."""
    first, second = attempt(), attempt(body=2)
    await desk.answers.claim(first)
    await desk.answers.release(first)
    claimed = await desk.answers.claim(second)
    await desk.answers.release(first)
    await desk.audit.record(answered(second, b"second"))
    await desk.answers.release(second)

    assert claimed is None
    assert await desk.answers.claim(attempt(body=2)) == b"second"


@pytest.mark.parametrize("by", ["record", "record_all", "add", "send"])
async def test_without_the_claim_nothing_is_written(desk: Desk, by: str) -> None:
    """Neither the row nor what it tells of: who was too slow must not do again what another has done."""
    slow, quick = attempt(), attempt()
    await desk.answers.claim(slow)
    await desk.answers.release(slow)
    await desk.answers.claim(quick)
    event, wallet = answered(slow), new_wallet()
    writes: dict[str, Callable[[], Awaitable[None]]] = {
        "record": lambda: desk.audit.record(event),
        "record_all": lambda: desk.audit.record_all([event]),
        "add": lambda: desk.store.add(wallet, "vault:v1:x", event),
        "send": lambda: desk.lock.send(event),
    }

    with pytest.raises(RequestRunningError):
        await writes[by]()

    assert await desk.rows() == 0
    assert (await desk.store.page(1, 10)).total == 0
    await desk.audit.record(answered(quick, b"quick"))
    assert await desk.answers.claim(attempt()) == b"quick"


@pytest.mark.parametrize("by", ["record_all", "add", "send"])
async def test_whoever_writes_the_row_writes_the_answer(desk: Desk, by: str) -> None:
    """A batch, a new wallet and a lock as well as a signature."""
    request = attempt()
    await desk.answers.claim(request)
    event = answered(request, b"done")
    writes: dict[str, Callable[[], Awaitable[None]]] = {
        "record_all": lambda: desk.audit.record_all([new_event(), event]),
        "add": lambda: desk.store.add(new_wallet(), "vault:v1:x", event),
        "send": lambda: desk.lock.send(event),
    }

    await writes[by]()

    assert await desk.answers.claim(attempt()) == b"done"


async def test_of_two_answers_one_is_kept(desk: Desk) -> None:
    """And one row."""
    request = attempt()
    await desk.answers.claim(request)

    outcomes = await asyncio.gather(*(desk.audit.record(answered(request, b"%d" % n)) for n in range(5)), return_exceptions=True)

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType"] + ["RequestRunningError"] * 4
    assert await desk.rows() == 1


async def test_a_store_that_is_away_says_so() -> None:
    """In bounded time."""
    away = FakeAnswerStore()
    away.away = True
    async with PostgresDatabase(NOWHERE, acquire_timeout_seconds=1) as database:
        stores: Sequence[AnswerStore] = (away, PostgresAnswerStore(database))
        for store in stores:
            with pytest.raises(StoreUnavailableError):
                await store.claim(attempt())
            with pytest.raises(StoreUnavailableError):
                await store.release(attempt())


async def test_an_attempt_that_ended_without_a_word_is_given_out_again(database: PostgresDatabase) -> None:
    """When its time is over; should it still live, it comes too late."""
    answers, audit = PostgresAnswerStore(database, lease_seconds=0), PostgresAuditLog(database)
    dead, next_one = attempt(), attempt()
    await answers.claim(dead)

    claimed = await answers.claim(next_one)

    assert claimed is None
    with pytest.raises(RequestRunningError):
        await audit.record(answered(dead))
    await audit.record(answered(next_one, b"next"))
    assert await answers.claim(attempt()) == b"next"


async def test_answers_end(database: PostgresDatabase, database_url: str) -> None:
    """After the time that is set a name is free, and what is older is deleted."""
    short, usual = PostgresAnswerStore(database, keep_seconds=0), PostgresAnswerStore(database)
    request = attempt()
    await usual.claim(request)
    await PostgresAuditLog(database).record(answered(request))
    await usual.claim(attempt(name=2))
    await usual.prune()
    kept = len(await query(database_url, "SELECT FROM idempotent_requests"))

    freed = await short.claim(attempt(body=2))
    await short.prune()

    assert (kept, freed) == (2, None)
    assert await query(database_url, "SELECT FROM idempotent_requests") == []


async def test_many_are_pruned_in_steps(database: PostgresDatabase, database_url: str) -> None:
    """All of them in the end."""
    values = "sha256(n::text::bytea), sha256(''), gen_random_uuid(), now() FROM generate_series(1, 2500) n"
    await query(database_url, f"INSERT INTO idempotent_requests SELECT {values}")

    await PostgresAnswerStore(database, keep_seconds=0).prune()

    assert await query(database_url, "SELECT FROM idempotent_requests") == []


async def test_pruning_goes_on_though_the_database_was_away(database: PostgresDatabase, database_url: str) -> None:
    """It is tried again after each pause, until the process ends."""
    await PostgresAnswerStore(database).claim(attempt())
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) > 2:
            raise asyncio.CancelledError

    async with PostgresDatabase(NOWHERE, acquire_timeout_seconds=0.1) as away:
        for where in (away, database):
            with pytest.raises(asyncio.CancelledError):
                await PostgresAnswerStore(where, keep_seconds=0).keep_pruned(pause)
            pauses.clear()

    assert await query(database_url, "SELECT FROM idempotent_requests") == []


async def test_answers_that_cannot_be_pruned_are_told_of(database: PostgresDatabase, database_url: str) -> None:
    """Where rights are missing, say: it is tried again, and each time the log says so."""
    await query(database_url, "ALTER TABLE idempotent_requests RENAME TO elsewhere")
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) > 2:
            raise asyncio.CancelledError

    with structlog.testing.capture_logs() as logs, pytest.raises(asyncio.CancelledError):
        await PostgresAnswerStore(database).keep_pruned(pause)

    assert logs == [{"event": "answers_not_pruned", "log_level": "error", "error": "UndefinedTableError"}] * 2
