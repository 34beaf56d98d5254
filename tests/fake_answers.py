"""Implement `wallets.ports.AnswerStore` in memory."""

import asyncio

from tests.fake_journal import Journal
from wallets.errors import IdempotencyKeyReusedError, RequestRunningError, StoreUnavailableError
from wallets.once import IdempotentRequest


class FakeAnswerStore:
    """Keep claims in a dictionary; answers come in by the journal."""

    def __init__(self, journal: Journal | None = None) -> None:
        self.journal = journal or Journal()
        self.away = False

    async def claim(self, request: IdempotentRequest) -> bytes | None:
        """See `wallets.ports.AnswerStore.claim`."""
        await self._reach()
        kept = self.journal.claims.setdefault(request.name, request)
        answer = self.journal.answers.get(request.name)
        if kept is not request and kept.fingerprint != request.fingerprint:
            msg = "another request had this key"
            raise IdempotencyKeyReusedError(msg)
        if kept is not request and answer is None:
            raise RequestRunningError(request.name)
        return answer

    async def release(self, request: IdempotentRequest) -> None:
        """See `wallets.ports.AnswerStore.release`."""
        await self._reach()
        if self.journal.claims.get(request.name) == request and request.name not in self.journal.answers:
            del self.journal.claims[request.name]

    async def _reach(self) -> None:
        await asyncio.sleep(0)
        if self.away:
            msg = "the database is away"
            raise StoreUnavailableError(msg)
