"""Remember in this process: layer one of the address cache, and the limiter that stands in for Redis."""

import time
from collections import OrderedDict
from collections.abc import Callable

from wallets.model import Account
from wallets.ports import AddressCache


class LruAddressCache:
    """Keep the addresses used last. See `wallets.ports.AddressCache`."""

    def __init__(self, capacity: int = 1_000) -> None:
        self.capacity = capacity
        self._addresses: OrderedDict[Account, str] = OrderedDict()

    def __len__(self) -> int:
        return len(self._addresses)

    async def get(self, account: Account) -> str | None:
        """See `AddressCache.get`."""
        address = self._addresses.get(account)
        if address is not None:
            self._addresses.move_to_end(account)
        return address

    async def put(self, account: Account, address: str) -> None:
        """See `AddressCache.put`."""
        self._addresses[account] = address
        self._addresses.move_to_end(account)
        if len(self._addresses) > self.capacity:
            self._addresses.popitem(last=False)


class LayeredAddressCache:
    """Ask the first cache, then the second, and have the first remember what the second knew. See `wallets.ports.AddressCache`."""

    def __init__(self, first: AddressCache, second: AddressCache) -> None:
        self._first = first
        self._second = second

    async def get(self, account: Account) -> str | None:
        """See `AddressCache.get`."""
        address = await self._first.get(account)
        if address is None:
            address = await self._second.get(account)
            if address is not None:
                await self._first.put(account, address)
        return address

    async def put(self, account: Account, address: str) -> None:
        """See `AddressCache.put`."""
        await self._first.put(account, address)
        await self._second.put(account, address)


class MemoryRateLimiter:
    """Allow each key `burst_size` requests at once and `requests_per_second` in the long run, in this process.

    The generic cell rate algorithm (ITU-T I.371): of each key only the time is kept at which its burst will be whole again. Keys whose
    burst is whole are forgotten, and beyond `capacity` keys the one that will be so first.
    """

    def __init__(
        self, requests_per_second: float, burst_size: int, *, capacity: int = 100_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        # In whole nanoseconds, because sums of floats miss a whole burst by a hair.
        self._interval_ns = round(1e9 / requests_per_second)
        self._tolerance_ns = burst_size * self._interval_ns
        self._capacity = capacity
        self._clock = clock
        self._whole_at: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._whole_at)

    async def acquire(self, key: str) -> float | None:
        """Take one request of `key`. Return None if it is allowed, else the seconds until one will be."""
        now = round(self._clock() * 1e9)
        whole_at = max(self._whole_at.get(key, now), now) + self._interval_ns
        wait = whole_at - self._tolerance_ns - now
        if wait > 0:
            return wait / 1e9
        self._whole_at[key] = whole_at
        self._whole_at.move_to_end(key)
        self._forget(now)
        return None

    def _forget(self, now: int) -> None:
        """Drop keys that were used longest ago: those that are whole, and what is too many."""
        while self._whole_at:
            key, whole_at = next(iter(self._whole_at.items()))
            if whole_at > now and len(self._whole_at) <= self._capacity:
                return
            del self._whole_at[key]
