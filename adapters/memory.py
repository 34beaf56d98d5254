"""Remember in this process: addresses and the pace of clients."""

import time
from collections import OrderedDict
from collections.abc import Callable

from wallets.model import Account


class LruAddressCache:
    """`AddressCache` of the most recently used addresses."""

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


class MemoryRateLimiter:
    """Limit each key to `rate` a second with bursts of `burst` (GCRA), in this process alone."""

    def __init__(self, rate: float, burst: int, *, max_keys: int = 100_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = 1 / rate
        self._tolerance = burst / rate
        self._max_keys = max_keys
        self._clock = clock
        self._arrivals: OrderedDict[str, float] = OrderedDict()

    async def acquire(self, key: str) -> float | None:
        """Take one from the key's allowance: None if there was one, else the seconds until there will be."""
        now = self._clock()
        arrival = max(self._arrivals.get(key, now), now) + self._interval
        if arrival - now > self._tolerance + 1e-9:
            return arrival - now - self._tolerance
        self._arrivals[key] = arrival
        self._arrivals.move_to_end(key)
        if len(self._arrivals) > self._max_keys:
            self._arrivals.popitem(last=False)
        return None
