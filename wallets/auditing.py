"""Write down what callers do, and how it ends."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from wallets.errors import ConflictError, InvalidRequestError, NotFoundError, WalletError
from wallets.model import AuditAction, AuditEvent, AuditStatus, Caller
from wallets.ports import AuditLog


@dataclass(frozen=True, slots=True)
class Auditor:
    """Make the rows of an audit log."""

    log: AuditLog
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def event(
        self, action: AuditAction, status: AuditStatus, wallet_id: UUID | None, caller: Caller, details: Mapping[str, object]
    ) -> AuditEvent:
        """Return a row of this moment."""
        return AuditEvent(action, status, wallet_id, caller, self.now(), details)

    @asynccontextmanager
    async def audited(
        self, action: AuditAction, wallet_id: UUID | None, caller: Caller, details: Mapping[str, object]
    ) -> AsyncIterator[None]:
        """Leave an audit row of whatever ends the block other than success, before the error goes on to the client.

        Raises:
            AuditUnavailableError: The row could not be written.
        """
        try:
            yield
        except Exception as error:
            status, details = failure(error, details)
            await self.log.record(self.event(action, status, wallet_id, caller, details))
            raise


def failure(error: Exception, details: Mapping[str, object]) -> tuple[AuditStatus, Mapping[str, object]]:
    """Return the status and the details of the row of what ended with an error."""
    refused = isinstance(error, InvalidRequestError | NotFoundError | ConflictError)
    reason = str(error) if isinstance(error, WalletError) else "internal error"
    return AuditStatus.REFUSED if refused else AuditStatus.FAILED, {**details, "reason": reason}
