"""Replicas learn of each other's circuits through a real Valkey, and are never worse off for it."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from adapters.redis import RedisAwayError, RedisConnections
from adapters.resilience import CircuitBreaker, CircuitState
from adapters.shared_circuit import SharedCircuit
from serve_app.embedded import EmbeddedRedis
from tests.servers import RunningServer

FAILURES = (TimeoutError,)


@dataclass
class OtherSide:
    """What the circuits lead to, as long as it is there."""

    is_there: bool = True
    asked: int = 0

    async def probe(self) -> None:
        """Ask it."""
        self.asked += 1
        if not self.is_there:
            raise TimeoutError


@dataclass
class Replica:
    """A breaker with its way to the others."""

    circuit: SharedCircuit
    breaker: CircuitBreaker

    def fail(self) -> None:
        """Make five calls that fail."""
        for _ in range(5):
            with pytest.raises(TimeoutError), self.breaker.guard(FAILURES):
                raise TimeoutError


@dataclass
class Replicas:
    """Two of them, with one clock and one other side."""

    other_side: OtherSide = field(default_factory=OtherSide)
    now: float = 0.0

    def make(self, board: "RedisConnections | Board") -> Replica:
        """Start a replica."""
        breaker = CircuitBreaker(clock=lambda: self.now)
        return Replica(SharedCircuit("vault", breaker, board, self.other_side.probe, FAILURES), breaker)

    def make_failed(self, board: "RedisConnections | Board") -> Replica:
        """Take the other side away, and start a replica that finds that out."""
        self.other_side.is_there = False
        replica = self.make(board)
        replica.fail()
        return replica


class Board:
    """A Redis that says whatever the test says."""

    def __init__(self, says: str | None = None) -> None:
        self.says = says
        self.is_away = False

    async def get(self, _key: str) -> str | None:
        """See `RedisConnections.get`."""
        if self.is_away:
            raise RedisAwayError
        return self.says

    async def put(self, _key: str, value: str, _ttl_seconds: int) -> None:
        """See `RedisConnections.put`."""
        if self.is_away:
            raise RedisAwayError
        self.says = value


@pytest.fixture
async def board(redis_server: RunningServer[EmbeddedRedis]) -> AsyncIterator[RedisConnections]:
    """A Valkey in which nobody has said anything yet."""
    patient = CircuitBreaker(failures_to_open=1_000_000)
    async with RedisConnections(redis_server.server.url, longest_seconds=5, breaker=patient) as connections:
        await connections._client.flushdb()
        yield connections


async def test_what_one_learns_the_other_finds_out(board: RedisConnections) -> None:
    """It opens without having failed once, and closes as soon as the first has closed."""
    replicas = Replicas()
    first, second = replicas.make_failed(board), replicas.make(board)

    await first.circuit.exchange()
    await second.circuit.exchange()
    opened = second.breaker.state

    replicas.other_side.is_there = True
    replicas.now += 30
    for _ in range(3):
        with first.breaker.guard(FAILURES):
            await replicas.other_side.probe()
    second.breaker.trip()
    second.circuit._told = second.breaker.changes
    await first.circuit.exchange()
    await second.circuit.exchange()

    assert opened is CircuitState.OPEN
    assert second.breaker.state is CircuitState.CLOSED


async def test_a_replica_that_starts_finds_out_as_well(board: RedisConnections) -> None:
    """News are kept for a minute."""
    replicas = Replicas()
    first = replicas.make_failed(board)
    await first.circuit.exchange()

    late = replicas.make(board)
    await late.circuit.exchange()

    assert late.breaker.state is CircuitState.OPEN
    assert 0 < await board._client.ttl("wallets:circuit:vault") <= 60


async def test_news_are_told_and_heard_once(board: RedisConnections) -> None:
    """What was heard is not told again, so that two do not talk for ever."""
    replicas = Replicas()
    first, second = replicas.make_failed(board), replicas.make(board)
    await first.circuit.exchange()
    told = await board.get("wallets:circuit:vault")

    for _ in range(3):
        await second.circuit.exchange()
        await first.circuit.exchange()

    assert await board.get("wallets:circuit:vault") == told
    assert replicas.other_side.asked == 1


@pytest.mark.parametrize(
    "news", ["open:0123456789abcdef", "open:", "", "half_open:0123456789abcdef", "open:0123456789abcdef:", "\x00" * 1000]
)
async def test_a_lie_that_it_is_open_changes_nothing(news: str) -> None:
    """Who hears it asks for himself: no request fails."""
    replicas = Replicas()
    replica = replicas.make(Board(news))

    for _ in range(3):
        await replica.circuit.exchange()

    assert replica.breaker.state is CircuitState.CLOSED
    assert replicas.other_side.asked <= 1


async def test_a_lie_that_it_is_closed_changes_nothing() -> None:
    """One trial finds out."""
    replicas, board = Replicas(), Board()
    replica = replicas.make_failed(board)
    await replica.circuit.exchange()

    board.says = "closed:0123456789abcdef"
    await replica.circuit.exchange()

    assert replica.breaker.state is CircuitState.OPEN
    assert replicas.other_side.asked == 1


async def test_what_could_not_be_told_is_told_later() -> None:
    """Redis away keeps nothing from the circuit itself."""
    replicas, board = Replicas(), Board()
    board.is_away = True
    replica = replicas.make_failed(board)
    with pytest.raises(RedisAwayError):
        await replica.circuit.exchange()
    board.is_away = False
    await replica.circuit.exchange()

    assert replica.breaker.state is CircuitState.OPEN
    assert board.says is not None
    assert board.says.startswith("open:")


async def test_a_redis_that_hangs_makes_no_call_wait(redis_server: RunningServer[EmbeddedRedis]) -> None:
    """The exchange is in the background; it ends by itself, too."""
    replicas = Replicas()
    async with RedisConnections(redis_server.server.url) as connections:
        replica = replicas.make(connections)
        async with replica.circuit:
            redis_server.hold()
            try:
                start = time.monotonic()
                with replica.breaker.guard(FAILURES):
                    await replicas.other_side.probe()
                elapsed = time.monotonic() - start
                with pytest.raises(RedisAwayError):
                    await replica.circuit.exchange()
                waited = time.monotonic() - start
            finally:
                redis_server.release()

    assert elapsed < 0.02
    assert waited < 0.5
