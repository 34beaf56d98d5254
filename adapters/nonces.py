"""Keep which transaction was signed with which nonce, in the transaction of the audit rows."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import asyncpg

from wallets.errors import NonceUsedError
from wallets.model import AuditEvent
from wallets.nonces import refusal
from wallets.once import NonceUse

if TYPE_CHECKING:  # generic in the stubs alone
    from asyncpg.pool import PoolConnectionProxy

    type_connection = PoolConnectionProxy[asyncpg.Record]

Key = tuple[str, str, str]
"""Chain, address and nonce."""

_USE = """\
INSERT INTO signed_nonces AS kept (chain, address, nonce, digest, is_replacement, signed_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::boolean[], $6::timestamptz[])
ON CONFLICT (chain, address, nonce) DO UPDATE
SET digest = excluded.digest, is_replacement = excluded.is_replacement, signed_at = excluded.signed_at
WHERE kept.digest = excluded.digest OR excluded.is_replacement
RETURNING chain, address, nonce"""


async def write_nonces(connection: "type_connection", events: Sequence[AuditEvent]) -> None:
    """Write the nonces that events use up into the connection's transaction.

    Whoever would use one of them in another transaction waits until this one has ended.

    Raises:
        NonceUsedError: Others have used some (its `places` in `events`), so the transaction must not be committed.
    """
    left = [(place, event.nonce, event.at) for place, event in enumerate(events) if event.nonce is not None]
    refused: dict[int, NonceUse] = {}
    while left:
        # A statement may touch a row once: what is behind another use of the same nonce comes after it.
        first: dict[Key, tuple[int, NonceUse, datetime]] = {}
        for each in left:
            first.setdefault(_key(each[1]), each)
        left = [each for each in left if first[_key(each[1])] is not each]
        # In one order everywhere, so that no two wait for each other.
        rows = [(*key, use.digest, use.is_replacement, at) for key, (_, use, at) in sorted(first.items())]
        used = {tuple(record) for record in await connection.fetch(_USE, *(list(column) for column in zip(*rows, strict=True)))}
        refused |= {place: use for key, (place, use, _) in first.items() if key not in used}
    if refused:
        raise _refusal(refused)


def _key(use: NonceUse) -> Key:
    return use.chain, use.address, use.nonce


def _refusal(refused: dict[int, NonceUse]) -> NonceUsedError:
    places = tuple(sorted(refused))
    return refusal(refused[places[0]], places)
