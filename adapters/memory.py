"""Remember in this process: wallets, layer one of the address cache, and the limiter that stands in for Redis."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from uuid import UUID

from adapters.limits import Bucket, CallKind, Client, Limit, Limits, Verdict, verdict
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
    """Limit clients in this process alone. See `api.limits.RateLimiter`.

    Buckets whose burst is whole are forgotten, and beyond `capacity` buckets the one that was used longest ago.
    """

    def __init__(self, limits: Limits, *, capacity: int = 100_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._capacity = capacity
        self._clock = clock
        self._whole_at: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._whole_at)

    async def acquire(self, client: Client, kind: CallKind, cost: int = 1) -> Verdict:
        """See `api.limits.RateLimiter.acquire`."""
        return self.decide(self._limits.buckets(client, kind), cost)

    def decide(self, buckets: Sequence[Bucket], cost: int, *, share: int = 1) -> Verdict:
        """Take what a request costs from all buckets or none. Of `share` replicas that limit apart, each has its part."""
        # In whole nanoseconds, because sums of floats miss a whole burst by a hair.
        now = round(self._clock() * 1e9)
        whole_at = [max(self._whole_at.get(bucket.key, now), now) for bucket in buckets]
        prices = [cost * round(bucket.limit.interval_us * 1e3) * share for bucket in buckets]
        wait = max(
            whole + min(price, tolerance) - tolerance - now
            for whole, price, tolerance in zip(whole_at, prices, (_tolerance_ns(bucket.limit, share) for bucket in buckets), strict=True)
        )
        if wait <= 0:
            whole_at = [whole + price for whole, price in zip(whole_at, prices, strict=True)]
            for bucket, whole in zip(buckets, whole_at, strict=True):
                self._whole_at[bucket.key] = whole
                self._whole_at.move_to_end(bucket.key)
            self._forget(now)
        return verdict(buckets, max(wait, 0) / 1e3, [(whole - now) / 1e3 for whole in whole_at], share=share)

    def learn(self, buckets: Sequence[Bucket], debts_us: Sequence[int]) -> None:
        """Take over the debts that others have reckoned, so as to go on from there."""
        now = round(self._clock() * 1e9)
        for bucket, debt in zip(buckets, debts_us, strict=True):
            self._whole_at[bucket.key] = now + 1_000 * debt
            self._whole_at.move_to_end(bucket.key)
        self._forget(now)

    def _forget(self, now: int) -> None:
        """Drop buckets that were used longest ago: those that are whole, and what is too many."""
        while self._whole_at:
            key, whole_at = next(iter(self._whole_at.items()))
            if whole_at > now and len(self._whole_at) <= self._capacity:
                return
            del self._whole_at[key]


def _tolerance_ns(limit: Limit, share: int) -> int:
    return max(limit.burst_size, share) * round(limit.interval_us * 1e3)
