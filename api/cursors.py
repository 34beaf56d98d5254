"""Write a position in the list of wallets as text that a client hands back as it is: a cursor.

It is the time of creation in microseconds since 1970 (64 bits, signed, big-endian) and the wallet's id, in base64url (RFC 4648, section 5).
It holds nothing but what the list itself shows, so a client that makes one up learns nothing.
"""

import struct
from base64 import b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from uuid import UUID

from api.errors import UnprocessableError
from wallets.model import Position

_FORM = struct.Struct(">q16s")
MAX_CURSOR_LENGTH = 4 * _FORM.size // 3

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def cursor_of(position: Position) -> str:
    """Return the cursor that leads to what is behind a position."""
    return urlsafe_b64encode(_FORM.pack((position.created_at - _EPOCH) // _MICROSECOND, position.wallet_id.bytes)).decode()


def position_of(cursor: str) -> Position | None:
    """Return the position that a cursor stands for; None for the empty one, which stands before all wallets.

    Raises:
        UnprocessableError: It is no cursor.
    """
    if not cursor:
        return None
    try:
        microseconds, wallet_id = _FORM.unpack(b64decode(cursor, b"-_", validate=True))
        position = Position(_EPOCH + microseconds * _MICROSECOND, UUID(bytes=wallet_id))
    except (ValueError, struct.error, OverflowError):  # binascii's is a ValueError
        position = None
    if position is None or cursor_of(position) != cursor:
        msg = "cursor: is not what a next_cursor was, to the letter"
        raise UnprocessableError(msg)
    return position
