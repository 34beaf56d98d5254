"""Limit clients over all replicas together, through Redis; while it is away each replica keeps its share of the limits by itself."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Protocol

from adapters.gathering import Gathered
from adapters.limits import Bucket, CallKind, Client, Limits, Verdict, tolerance_us, verdict
from adapters.memory import MemoryRateLimiter
from adapters.redis import RedisAwayError, RedisConnections, Script
from wallets.errors import LimiterUnavailableError

BEAT_SECONDS = 1.0
GONE_SECONDS = 5
"""Without a beat for so long, a replica is counted no more."""

_TAKE = Script.of("""\
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, tolerance, whole_at, answers, is_taken = {}, {}, {}, {}, false
for i, key in ipairs(KEYS) do
  interval[i], tolerance[i] = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  whole_at[i] = math.max(tonumber(redis.call('GET', key) or now) or now, now)
end
for i = 2 * #KEYS + 1, #ARGV do
  local units, wait = tonumber(ARGV[i]), 0
  for k = 1, #KEYS do
    wait = math.max(wait, whole_at[k] + math.min(units * interval[k], tolerance[k]) - tolerance[k] - now)
  end
  if wait < 1 then
    wait, is_taken = 0, true
    for k = 1, #KEYS do whole_at[k] = whole_at[k] + units * interval[k] end
  end
  answers[#answers + 1] = math.ceil(wait)
  for k = 1, #KEYS do answers[#answers + 1] = math.ceil(whole_at[k] - now) end
end
if is_taken then
  for k, key in ipairs(KEYS) do
    redis.call('SET', key, string.format('%.0f', whole_at[k]), 'PX', math.max(1, math.ceil((whole_at[k] - now) / 1000)))
  end
end
return answers
""")
"""The algorithm of `MemoryRateLimiter` for several requests of one client, in microseconds of Redis' clock, which is one for all replicas.

For each request it answers the wait, and behind it every bucket's debt. Lua's numbers are doubles: at today's date they err by a quarter of
a microsecond, so that a wait of less than one is none.
"""

_BEAT = Script.of("""\
local now = tonumber(redis.call('TIME')[1])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))
redis.call('EXPIRE', KEYS[1], ARGV[2])
return redis.call('ZCARD', KEYS[1])
""")
_LEAVE = Script.of("return redis.call('ZREM', KEYS[1], ARGV[1])")
_REPLICAS = "wallets:replicas"


class Watcher(Protocol):
    """Who wants to know that limits are not shared at present."""

    def limited_alone(self, requests: int) -> None:
        """Hear that requests were decided on without Redis."""
        ...


class LiveReplicas:
    """Count the replicas that limit together, by a beat of each in Redis. What was counted last holds while Redis is away."""

    def __init__(self, connections: RedisConnections, at_first: int, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Take `at_first` for their number until Redis has told it."""
        self._connections = connections
        self._sleep = sleep
        self._id = secrets.token_hex(8)
        self.count = at_first

    async def beat(self) -> None:
        """Be counted, and count. Never raises: without Redis it changes nothing."""
        with suppress(RedisAwayError):
            self.count = max(1, int(await self._connections.run_patiently(_BEAT, [_REPLICAS], [self._id, GONE_SECONDS])))

    async def leave(self) -> None:
        """Be counted no more."""
        with suppress(RedisAwayError):
            await self._connections.run_patiently(_LEAVE, [_REPLICAS], [self._id])

    @asynccontextmanager
    async def beating(self) -> AsyncIterator[None]:
        """Beat while the block runs, and leave after it."""
        is_over = False

        async def follow() -> None:
            # Not for ever: a library that is cancelled in the middle of a call may take it for a fault of the connection.
            while not is_over:
                await self.beat()
                await self._sleep(BEAT_SECONDS)

        task = asyncio.create_task(follow())
        try:
            yield
        finally:
            is_over = True
            task.cancel()
            await asyncio.wait([task])
            await self.leave()


class RedisRateLimiter:
    """See `api.limits.RateLimiter`. Requests of one client that come together are asked for in one step."""

    def __init__(
        self, connections: RedisConnections, limits: Limits, replicas: LiveReplicas, watcher: Watcher, *, refuses_alone: bool = False
    ) -> None:
        """Share limits with other replicas. `refuses_alone`: without Redis refuse requests, instead of limiting them alone."""
        self._connections = connections
        self._limits = limits
        self._replicas = replicas
        self._watcher = watcher
        self._refuses_alone = refuses_alone
        self._alone = MemoryRateLimiter(limits)
        self._steps: dict[str, Gathered[int, Verdict]] = {}

    async def acquire(self, client: Client, kind: CallKind, cost: int = 1) -> Verdict:
        """See `api.limits.RateLimiter.acquire`."""
        buckets = self._limits.buckets(client, kind)
        name = buckets[0].key
        step = self._steps.get(name)
        if step is None:
            step = self._steps[name] = Gathered(partial(self._step, buckets))
        return await step.ask(cost)

    async def _step(self, buckets: Sequence[Bucket], costs: Sequence[int]) -> Sequence[Verdict]:
        try:
            return await self._take(buckets, costs)
        finally:
            # Here, and not by who asked: all of them may have gone away. Nobody asks between this and the end of the step.
            if not len(self._steps[buckets[0].key]):
                del self._steps[buckets[0].key]

    async def _take(self, buckets: Sequence[Bucket], costs: Sequence[int]) -> Sequence[Verdict]:
        rates = [text for each in buckets for text in (f"{each.limit.interval_us:.3f}", f"{tolerance_us(each.limit):.3f}")]
        try:
            answers = await self._connections.run(_TAKE, [bucket.key for bucket in buckets], [*rates, *costs])
        except RedisAwayError as error:
            self._watcher.limited_alone(len(costs))
            if self._refuses_alone:
                msg = "the limits of requests cannot be kept at present"
                raise LimiterUnavailableError(msg) from error
            return [self._alone.decide(buckets, cost, share=self._replicas.count) for cost in costs]
        width = len(buckets) + 1
        rows = [answers[start : start + width] for start in range(0, len(answers), width)]
        # Should Redis be away next, nobody shall have a new burst.
        self._alone.learn(buckets, rows[-1][1:])
        return [verdict(buckets, row[0], row[1:]) for row in rows]
