"""Remember in this process: wallets, layer one of the address cache, and the limiter that stands in for Redis."""

import time
from collections import OrderedDict
from collections.abc import Callable
from uuid import UUID

from wallets.model import Account, AuditEvent, Page, Position, Stretch, Wallet
from wallets.ports import WalletStore


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


class CachedWalletStore:
    """Remember the wallets asked for last for `ttl_seconds`: they do not change. See `wallets.ports.WalletStore`."""

    def __init__(
        self, store: WalletStore, *, capacity: int = 10_000, ttl_seconds: float = 30, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._capacity = capacity
        self._ttl_seconds = ttl_seconds
        self._clock = clock
        self._wallets: OrderedDict[UUID, tuple[Wallet, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._wallets)

    async def add(self, wallet: Wallet, encrypted_mnemonic: str, event: AuditEvent) -> None:
        """See `WalletStore.add`."""
        await self._store.add(wallet, encrypted_mnemonic, event)

    async def get(self, wallet_id: UUID) -> Wallet:
        """See `WalletStore.get`."""
        known = self._wallets.get(wallet_id)
        if known is not None and known[1] > self._clock():
            self._wallets.move_to_end(wallet_id)
            return known[0]
        wallet = await self._store.get(wallet_id)
        self._wallets[wallet_id] = (wallet, self._clock() + self._ttl_seconds)
        self._wallets.move_to_end(wallet_id)
        if len(self._wallets) > self._capacity:
            self._wallets.popitem(last=False)
        return wallet

    async def encrypted_mnemonic(self, wallet_id: UUID) -> str:
        """See `WalletStore.encrypted_mnemonic`."""
        return await self._store.encrypted_mnemonic(wallet_id)

    async def page(self, number: int, size: int) -> Page:
        """See `WalletStore.page`."""
        return await self._store.page(number, size)

    async def older(self, than: Position | None, size: int) -> Stretch:
        """See `WalletStore.older`."""
        return await self._store.older(than, size)


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

    async def acquire(self, key: str, cost: int = 1) -> float | None:
        """See `api.limits.RateLimiter.acquire`."""
        now = round(self._clock() * 1e9)
        whole_at = max(self._whole_at.get(key, now), now)
        wait = whole_at + min(cost * self._interval_ns, self._tolerance_ns) - self._tolerance_ns - now
        if wait > 0:
            return wait / 1e9
        self._whole_at[key] = whole_at + cost * self._interval_ns
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
