"""What replicas do about limits while Redis is away, full, slow or emptied."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from adapters.limits import CallKind
from adapters.redis import LONGEST_SECONDS, RedisConnections, RedisHealth
from adapters.redis_limiter import LiveReplicas, RedisRateLimiter
from adapters.resilience import CircuitBreaker
from serve_app.embedded import EmbeddedRedis
from tests.adapters.conftest import no_sleep
from tests.adapters.limits_house import Watching, decided, limiter_on, limits, somebody, wait_of
from tests.fault_proxy import Fault, FaultProxy
from tests.servers import RunningServer, eventually
from tests.valkeys import Valkey, valkey
from wallets.errors import LimiterUnavailableError
from wallets.model import HealthStatus

RARELY = 1 / 60


@pytest.fixture
async def connections(redis_server: RunningServer[EmbeddedRedis]) -> AsyncIterator[RedisConnections]:
    """Connections that are patient with a busy machine, and always tried."""
    async with RedisConnections(
        redis_server.server.url, longest_seconds=5, breaker=CircuitBreaker(failures_to_open=1_000_000)
    ) as connections:
        await connections._client.flushall()
        yield connections


@pytest.fixture(scope="module")
def tcp_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer[Valkey]]:
    """A Valkey that can be reached through a proxy."""
    with valkey(tmp_path_factory.mktemp("valkey")) as running:
        yield running


@pytest.fixture
async def nowhere() -> AsyncIterator[RedisConnections]:
    """Connections to a Redis that is not there."""
    async with RedisConnections("redis://127.0.0.1:1/0") as connections:
        yield connections


async def test_replicas_count_each_other(connections: RedisConnections) -> None:
    """Those that beat are counted, and those that leave are not; without a beat for five seconds one is gone."""
    replicas = [LiveReplicas(connections, 1) for _ in range(3)]
    for replica in (*replicas, *replicas):
        await replica.beat()
    counts = [replica.count for replica in replicas]
    await replicas[0].leave()
    await replicas[1].beat()
    after_leaving = replicas[1].count
    await connections._client.zincrby("wallets:replicas", -6, replicas[2]._id)
    await replicas[1].beat()

    assert counts == [3, 3, 3]
    assert (after_leaving, replicas[1].count) == (2, 1)


async def test_a_replica_beats_while_it_runs(connections: RedisConnections) -> None:
    """And is heard of until it ends."""
    replica, other = LiveReplicas(connections, 1, sleep=no_sleep), LiveReplicas(connections, 1)

    async def both() -> None:
        await other.beat()
        if other.count != 2:
            raise LookupError

    async with replica.beating():
        await eventually(both, LookupError)
    await other.beat()

    assert other.count == 1


async def test_without_redis_the_number_heard_last_holds(nowhere: RedisConnections) -> None:
    """Or that which the replica began with."""
    replica = LiveReplicas(nowhere, 3)

    await replica.beat()
    await replica.leave()

    assert replica.count == 3


async def test_while_redis_is_away_each_replica_keeps_its_share(nowhere: RedisConnections) -> None:
    """Two of a burst of eight, where there are four; the metrics are told how many requests were decided so."""
    watching, client = Watching(), somebody()
    limiter = RedisRateLimiter(nowhere, limits(RARELY, 8), LiveReplicas(nowhere, 4), watching)

    verdicts = [await decided(limiter, client) for _ in range(4)]

    assert [verdict.wait_seconds is None for verdict in verdicts] == [True, True, False, False]
    assert [verdict.remaining for verdict in verdicts] == [1, 0, 0, 0]
    assert watching.alone == 4


async def test_a_client_gets_no_new_burst_when_redis_goes_away(redis_server: RunningServer[EmbeddedRedis]) -> None:
    """What it has used by then is known to the replica."""
    client = somebody()
    async with RedisConnections(redis_server.server.url) as connections:
        limiter = limiter_on(connections, RARELY, 3)
        used = [await wait_of(limiter, client) for _ in range(3)]
        with redis_server.held():
            alone = [await wait_of(limiter, client), await wait_of(limiter, somebody())]

    assert used == [None] * 3
    assert alone[0] is not None
    assert alone[1] is None


async def test_a_replica_may_refuse_what_it_cannot_count_with_others(nowhere: RedisConnections) -> None:
    """If the settings say so."""
    watching = Watching()
    limiter = RedisRateLimiter(nowhere, limits(1, 1), LiveReplicas(nowhere, 1), watching, refuses_alone=True)

    with pytest.raises(LimiterUnavailableError, match="cannot be kept"):
        await wait_of(limiter, somebody())

    assert watching.alone == 1


async def test_a_bucket_that_holds_nonsense_is_an_empty_one(connections: RedisConnections) -> None:
    """Whoever wrote it: the limit goes on from there."""
    client = somebody()
    limiter = limiter_on(connections, RARELY, 2)
    (bucket,) = limits(RARELY, 2).buckets(client, CallKind.READ)
    await connections._client.set(bucket.key, "nonsense")

    answers = [await wait_of(limiter, client) for _ in range(3)]

    assert [answer is None for answer in answers] == [True, True, False]


async def test_clients_that_go_away_leave_nothing(redis_server: RunningServer[EmbeddedRedis], connections: RedisConnections) -> None:
    """As RPCs whose deadline passes do: clients that are never heard of again do not fill the memory."""
    limiter = limiter_on(connections, 1, 1)
    with redis_server.held():
        asking = [asyncio.create_task(wait_of(limiter, somebody())) for _ in range(20)]
        await asyncio.sleep(0.1)  # all of them wait for Redis, which does not answer
        for task in asking:
            task.cancel()
        outcomes = await asyncio.gather(*asking, return_exceptions=True)

    async def nothing_left() -> None:
        if limiter._steps:
            raise LookupError

    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
    await eventually(nothing_left, LookupError)


async def test_what_is_kept_ends_by_itself(connections: RedisConnections) -> None:
    """A bucket is forgotten when its burst is whole, and holds no name of a client."""
    client = somebody()
    await wait_of(limiter_on(connections, 1, 5), client, 3)

    (key,) = await connections._client.keys("wallets:limit:*")

    assert 2000 < await connections._client.pttl(key) <= 3000
    assert client.api_key_id.encode() not in key
    assert client.address.encode() not in key


async def test_an_emptied_redis_lifts_no_limit(connections: RedisConnections) -> None:
    """A client has its burst once more, and not more than that."""
    client, limiter = somebody(), limiter_on(connections, RARELY, 3)
    before = [await wait_of(limiter, client) for _ in range(5)]
    await connections._client.flushall()
    await connections._client.script_flush()

    after = [await wait_of(limiter, client) for _ in range(5)]

    assert [before.count(None), after.count(None)] == [3, 3]


async def test_a_full_redis_is_one_that_does_not_serve(redis_server: RunningServer[EmbeddedRedis], connections: RedisConnections) -> None:
    """Requests are limited here, health says degraded although it answers; with memory again, everything is as before."""
    administrator = connections._client
    async with RedisConnections(redis_server.server.url, longest_seconds=5) as ours:
        limiter, client = limiter_on(ours, RARELY, 2), somebody()
        await administrator.config_set("maxmemory-policy", "noeviction")
        await administrator.config_set("maxmemory", "1")
        try:
            full = [await wait_of(limiter, client) for _ in range(4)]
            health = await RedisHealth(ours).check()
        finally:
            await administrator.config_set("maxmemory", "256mb")
        await eventually(lambda: _serves(ours), LookupError)
        well = await RedisHealth(ours).check()

    assert [wait is None for wait in full] == [True, True, False, False]
    assert (health.status, "does not serve" in str(health.details)) == (HealthStatus.DEGRADED, True)
    assert well.status is HealthStatus.OK


@pytest.mark.parametrize("fault", [Fault.CUT, Fault.CUT_ANSWERS, Fault.HANG, Fault.DELAY, Fault.NONSENSE])
async def test_a_broken_way_to_redis_costs_a_moment(tcp_redis: RunningServer[Valkey], fault: Fault) -> None:
    """A few times 50 ms at most, then nothing; no request fails, no limit is lifted, and all is as before when the way is mended."""
    proxy = FaultProxy(tcp_redis.server.url, delay_seconds=0.5)
    async with (
        proxy.listening(),
        RedisConnections(tcp_redis.server.url.replace(str(tcp_redis.server.port), proxy.address.rpartition(":")[2])) as connections,
    ):
        limiter, client = limiter_on(connections, RARELY, 3), somebody()
        await eventually(lambda: _serves(connections), LookupError)
        proxy.fault = fault
        start = time.monotonic()
        answers = [await wait_of(limiter, client) for _ in range(100)]
        elapsed = time.monotonic() - start
        broken = await RedisHealth(connections).check()
        proxy.fault = Fault.NONE
        await eventually(lambda: _beats(LiveReplicas(connections, 1), connections), LookupError)
        mended = await RedisHealth(connections).check()

    assert answers.count(None) <= 6
    assert elapsed < len(answers) * LONGEST_SECONDS / 2  # if each waited, it would take twice as long at least
    assert (broken.status, mended.status) == (HealthStatus.DEGRADED, HealthStatus.OK)


async def test_a_redis_that_starts_again_is_used_again(tcp_redis: RunningServer[Valkey]) -> None:
    """By itself, though nobody asks: the replica's own beat makes the connection."""
    async with RedisConnections(tcp_redis.server.url) as connections:
        limiter, replicas = limiter_on(connections, RARELY, 3), LiveReplicas(connections, 1)
        with tcp_redis.killed():
            for _ in range(5):
                await wait_of(limiter, somebody())
            await replicas.beat()
            given_up = connections.is_given_up
        await eventually(lambda: _beats(replicas, connections), LookupError)

    assert given_up


async def _serves(connections: RedisConnections) -> None:
    """Raise `LookupError` unless a request is counted by Redis."""
    watching = Watching()
    await wait_of(RedisRateLimiter(connections, limits(RARELY, 3), LiveReplicas(connections, 1), watching), somebody())
    if watching.alone:
        raise LookupError


async def _beats(replicas: LiveReplicas, connections: RedisConnections) -> None:
    """Raise `LookupError` unless Redis is asked again."""
    await replicas.beat()
    await _serves(connections)
