"""Count the work of decoders: in calls of and from our code, so that no clock decides."""

import sys
from collections.abc import Callable
from types import FrameType

from wallets.errors import MalformedMessageError, MalformedTransactionError

MIB = 1 << 20
MOST_CALLS = 300_000
"""What the addresses of 1,660 permission keys take, and more than the largest bag of cells does: some 20 to 35 milliseconds of one core."""

MOST_SHOWN_BYTES = 64 * 1024
MOST_SHOWN_BYTES_OF_V5R1 = 160 * 1024
"""Twice 255 transfers are listed whoever sends them: no recipient may be left out."""


def calls_of(action: Callable[[], object]) -> tuple[int, str]:
    """Count the calls of functions in `wallets`, and of builtins by them, while `action` runs or until it refuses; return its outcome."""
    count = 0

    def profile(frame: FrameType, event: str, _: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"} and frame.f_globals["__name__"].startswith("wallets.")

    previous = sys.getprofile()
    sys.setprofile(profile)
    try:
        outcome = outcome_of(action)
    finally:
        sys.setprofile(previous)
    return count, outcome


def outcome_of(action: Callable[[], object]) -> str:
    """Return the reason of the refusal, or `accepted`."""
    try:
        action()
    except (MalformedTransactionError, MalformedMessageError) as error:
        return str(error)
    return "accepted"
