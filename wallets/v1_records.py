"""Say what a database of crypto-wallets-service 1.0.8 holds, and what becomes of it here."""

import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from wallets.encoding import legible
from wallets.model import MAX_LABEL_LENGTH, AuditAction, AuditStatus
from wallets.proof import StoredAddress

NETWORKS = frozenset({"eth", "tron", "sol", "ton"})
"""1.0.8 knew no other."""

_ACTIONS = {
    "create_wallet": AuditAction.WALLET_CREATE,
    "wallet_create": AuditAction.WALLET_CREATE,
    "wallet_created": AuditAction.WALLET_CREATE,
    "derive_address": AuditAction.ADDRESS_DERIVE,
    "get_address": AuditAction.ADDRESS_DERIVE,
    "address_derived": AuditAction.ADDRESS_DERIVE,
    "sign": AuditAction.TRANSACTION_SIGN,
    "sign_transaction": AuditAction.TRANSACTION_SIGN,
    "transaction_signed": AuditAction.TRANSACTION_SIGN,
}
_STATUSES = {
    "ok": AuditStatus.OK,
    "success": AuditStatus.OK,
    "succeeded": AuditStatus.OK,
    "denied": AuditStatus.REFUSED,
    "refused": AuditStatus.REFUSED,
    "rejected": AuditStatus.REFUSED,
    "error": AuditStatus.FAILED,
    "failed": AuditStatus.FAILED,
    "failure": AuditStatus.FAILED,
}
_PREFIX = "v1_0_8:"


@dataclass(frozen=True, slots=True)
class V1Wallet:
    """A row of `master_wallets`. The ciphertext is Transit's, `vault:v1:...`, bound to nothing."""

    id: UUID
    label: str
    ciphertext: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class V1AuditRow:
    """A row of `audit_logs`. `details` is JSON as the database writes it; `created_at` is 1970 where the row has no time."""

    id: str
    action: str
    wallet_id: UUID | None
    status: str
    ip_address: str | None
    details: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class AuditRow:
    """A row of our own audit log, made of one of 1.0.8. `digest` names the original for ever: 32 bytes, SHA-256 of all its fields."""

    digest: bytes
    action: str
    status: str
    wallet_id: UUID | None
    ip_address: str
    details: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class V1Counts:
    """How many rows there are."""

    wallets: int
    addresses: int
    audit_rows: int


class V1Records(Protocol):
    """Read one unchanging picture of the database, a bounded number of rows at a time.

    Every method raises `StoreUnavailableError` when the database is away.
    """

    async def counts(self) -> V1Counts:
        """Count the rows."""
        ...

    def wallets(self) -> AsyncIterator[Sequence[V1Wallet]]:
        """Read the wallets in the order of their ids, a hundred or so at a time."""
        ...

    def addresses(self, wallet_id: UUID) -> AsyncIterator[Sequence[StoredAddress]]:
        """Read a wallet's addresses, a thousand or so at a time, while `wallets` is being read."""
        ...

    def audit_rows(self) -> AsyncIterator[Sequence[V1AuditRow]]:
        """Read the audit rows, the oldest first, a thousand or so at a time."""
        ...


def label_here(label: str) -> str:
    """Return a label as we allow it: what is not printable becomes U+FFFD, and at most 100 characters are kept; never empty."""
    return (
        legible(label).replace("\n", "\N{REPLACEMENT CHARACTER}").replace("\u200d", "\N{REPLACEMENT CHARACTER}")[:MAX_LABEL_LENGTH] or "?"
    )


def audit_row_here(row: V1AuditRow) -> AuditRow:
    """Return the row as ours: its time and wallet stay, actions and statuses that we know get our names, `details` holds the original.

    What we do not know by name keeps it, with `v1_0_8:` before it.
    """
    original = {"id": row.id, "action": row.action, "status": row.status, "ip_address": row.ip_address}
    wallet_id = None if row.wallet_id is None else str(row.wallet_id)
    identity = json.dumps([*original.values(), wallet_id, row.details, row.created_at.isoformat()])
    # The original's JSON is put in as it is: read and written again, a long number would become another one.
    details = f'{{"v1_0_8": {json.dumps(original, ensure_ascii=False)[:-1]}, "details": {row.details or "null"}}}}}'
    return AuditRow(
        digest=hashlib.sha256(identity.encode()).digest(),
        action=_ACTIONS.get(row.action.lower(), _PREFIX + row.action),
        status=_STATUSES.get(row.status.lower(), _PREFIX + row.status),
        wallet_id=row.wallet_id,
        ip_address=row.ip_address or "",
        details=details,
        created_at=row.created_at,
    )
