"""Say what may be counted of addresses, and by whom."""

from enum import StrEnum
from typing import Protocol
from uuid import UUID


class Source(StrEnum):
    """Where an address, or what it is derived from, was found."""

    MEMORY = "memory"
    SHARED = "redis"
    BOOK = "database"
    ACCOUNT_KEYS = "account_keys"


class AddressWatcher(Protocol):
    """Who counts what becomes of addresses that are looked for."""

    def address_looked_up(self, source: Source, *, is_found: bool) -> None:
        """Count that an address was looked for in a cache. What is not authentic is not found."""
        ...

    def address_forged(self, source: Source, wallet_id: UUID) -> None:
        """Count what is kept of a wallet there and was never made by us for that place: an alarm."""
        ...

    def address_unsealed(self, wallet_id: UUID, /) -> None:
        """Count an address of a wallet that the book has without a seal: it is from before there were any, or somebody took it off."""
        ...


class Unwatched:
    """Nobody counts."""

    def address_looked_up(self, source: Source, *, is_found: bool) -> None:
        """See `AddressWatcher.address_looked_up`."""

    def address_forged(self, source: Source, wallet_id: UUID) -> None:
        """See `AddressWatcher.address_forged`."""

    def address_unsealed(self, wallet_id: UUID, /) -> None:
        """See `AddressWatcher.address_unsealed`."""
