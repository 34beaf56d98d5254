"""Count the work of decoders: calls of and from our code, bytes that are hashed, and texts of addresses, so that no clock decides."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType

from wallets import encoding, hashes
from wallets.chains.evm import address
from wallets.errors import MalformedMessageError, MalformedTransactionError

MIB = 1 << 20
MOST_CALLS = 300_000
"""What the addresses of 1,660 permission keys take, and more than the largest bag of cells does: some 20 to 35 milliseconds of one core."""

MOST_SHOWN_BYTES = 64 * 1024
MOST_SHOWN_BYTES_OF_V5R1 = 160 * 1024
"""Twice 255 transfers are listed whoever sends them: no recipient may be left out."""


MOST_HASHED_BYTES = 13_000_000
"""What SHA-256 takes some 10 milliseconds for; Keccak-256 is slower, and hashes no input more than twice."""

MOST_ADDRESS_TEXTS = 2_500
"""Addresses that are written or read as text: Keccak-256 and SHA-256 of little, and base58, which its calls alone do not show."""

_HASHES = {each.__code__ for each in (hashes.sha256, hashes.keccak256, hashes.tagged_hash, hashes.double_sha256_from)}
_ADDRESS_TEXTS = {each.__code__ for each in (address.checksummed.__wrapped__, encoding.base58check, encoding.unbase58check)}


@dataclass(slots=True)
class Work:
    """What an action took, and how it ended."""

    calls: int = 0
    hashed_bytes: int = 0
    address_texts: int = 0
    outcome: str = ""

    @property
    def excess(self) -> str:
        """Say what is more than any input may take; nothing where nothing is."""
        bounds = {
            "calls": (self.calls, MOST_CALLS),
            "hashed bytes": (self.hashed_bytes, MOST_HASHED_BYTES),
            "texts of addresses": (self.address_texts, MOST_ADDRESS_TEXTS),
        }
        return ", ".join(f"{count} {name}" for name, (count, most) in bounds.items() if count > most)


def work_of(action: Callable[[], object]) -> Work:
    """Count what `action` takes until it is done or refuses: calls of functions in `wallets`, of builtins by them, and what they hash."""
    work = Work()
    # What was written before is not written again, and would not be counted.
    address.checksummed.cache_clear()

    def profile(frame: FrameType, event: str, _: object) -> None:
        if event in {"call", "c_call"} and frame.f_globals["__name__"].startswith("wallets."):
            work.calls += 1
            if event == "call" and frame.f_code in _HASHES:
                work.hashed_bytes += len(frame.f_locals["data"])
            work.address_texts += event == "call" and frame.f_code in _ADDRESS_TEXTS

    previous = sys.getprofile()
    sys.setprofile(profile)
    try:
        work.outcome = outcome_of(action)
    finally:
        sys.setprofile(previous)
    return work


def calls_of(action: Callable[[], object]) -> tuple[int, str]:
    """Count the calls alone; return the outcome, too."""
    work = work_of(action)
    return work.calls, work.outcome


def outcome_of(action: Callable[[], object]) -> str:
    """Return the reason of the refusal, or `accepted`."""
    try:
        action()
    except (MalformedTransactionError, MalformedMessageError) as error:
        return str(error)
    return "accepted"
