"""Answer requests that come again as the first time: claims and answers in PostgreSQL, each answer written with what it tells of."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

import asyncpg
import structlog

from adapters.database import PostgresDatabase
from wallets.errors import IdempotencyKeyReusedError, RequestRunningError, StoreUnavailableError
from wallets.model import AuditEvent
from wallets.once import IdempotentRequest

if TYPE_CHECKING:  # generic in the stubs alone
    from asyncpg.pool import PoolConnectionProxy

    type_connection = PoolConnectionProxy[asyncpg.Record]

LEASE_SECONDS = 30.0
"""How long an attempt may take: more than the deadlines of all that it waits for. After it its replica has ended, and another may try."""

PRUNE_SECONDS = 600.0
MAX_PRUNED = 1_000
"""Rows that are deleted in one statement, so that none of them takes long."""

_ATTEMPTS = 3

_CLAIM = """\
INSERT INTO idempotent_requests AS kept (name, fingerprint, claim, claimed_at) VALUES ($1, $2, $3, now())
ON CONFLICT (name) DO UPDATE SET fingerprint = excluded.fingerprint, claim = excluded.claim, claimed_at = now(), answer = NULL
WHERE kept.claimed_at < now() - $4::float8 * interval '1 s' OR kept.answer IS NULL AND kept.claimed_at < now() - $5::float8 * interval '1 s'
RETURNING claim"""
_KEPT = "SELECT fingerprint, answer FROM idempotent_requests WHERE name = $1"
_RELEASE = "DELETE FROM idempotent_requests WHERE name = $1 AND claim = $2 AND answer IS NULL"
_ANSWER = "UPDATE idempotent_requests SET answer = $3 WHERE name = $1 AND claim = $2 AND answer IS NULL RETURNING name"
_PRUNE = """\
DELETE FROM idempotent_requests WHERE name = ANY(ARRAY(
    SELECT name FROM idempotent_requests WHERE claimed_at < now() - $1::float8 * interval '1 s' ORDER BY claimed_at LIMIT $2
    FOR UPDATE SKIP LOCKED
))"""

_log = structlog.get_logger(__name__)


class PostgresAnswerStore:
    """See `wallets.ports.AnswerStore`. Answers are kept for `keep_seconds`, an attempt without one for `lease_seconds`."""

    def __init__(self, database: PostgresDatabase, *, keep_seconds: float = 86_400, lease_seconds: float = LEASE_SECONDS) -> None:
        self._database = database
        self._keep_seconds = keep_seconds
        self._lease_seconds = lease_seconds

    async def claim(self, request: IdempotentRequest) -> bytes | None:
        """See `AnswerStore.claim`."""
        values = (request.name, request.fingerprint, request.claim, self._keep_seconds, self._lease_seconds)
        async with self._database.connection() as connection:
            for _ in range(_ATTEMPTS):
                if await connection.fetchval(_CLAIM, *values) is not None:
                    return None
                kept = await connection.fetchrow(_KEPT, request.name)
                if kept is not None:  # else it was released between the two
                    return _answer_of(request, kept["fingerprint"], kept["answer"])
        raise RequestRunningError(RUNNING)

    async def release(self, request: IdempotentRequest) -> None:
        """See `AnswerStore.release`."""
        async with self._database.connection() as connection:
            await connection.execute(_RELEASE, request.name, request.claim)

    async def prune(self) -> None:
        """Forget what is older than it has to be kept."""
        async with self._database.connection() as connection:
            while (await connection.execute(_PRUNE, self._keep_seconds, MAX_PRUNED)).endswith(f" {MAX_PRUNED}"):
                pass

    async def keep_pruned(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> NoReturn:
        """Prune every few minutes, as long as the process lives."""
        while True:
            await sleep(PRUNE_SECONDS)
            with suppress(StoreUnavailableError):  # which is logged where it is found
                try:
                    await self.prune()
                except asyncpg.PostgresError as error:
                    # Nobody waits for it, and the table would grow without a word.
                    _log.error("answers_not_pruned", error=type(error).__name__)


RUNNING = "a request with this Idempotency-Key is being worked on; try again shortly"


async def write_answers(connection: "type_connection", events: Sequence[AuditEvent]) -> None:
    """Write the answers that go with audit rows into the connection's transaction.

    Raises:
        RequestRunningError: Another attempt has taken one's place meanwhile, so the transaction must not be committed.
    """
    for event in events:
        request = event.caller.idempotency
        if request is None or event.answer is None:
            continue
        if await connection.fetchval(_ANSWER, request.name, request.claim, event.answer) is None:
            raise RequestRunningError(RUNNING)


def _answer_of(request: IdempotentRequest, fingerprint: bytes, answer: bytes | None) -> bytes:
    if fingerprint != request.fingerprint:
        msg = "this Idempotency-Key was sent with another request before; use a new one"
        raise IdempotencyKeyReusedError(msg)
    if answer is None:
        raise RequestRunningError(RUNNING)
    return answer
