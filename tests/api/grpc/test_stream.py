"""The stream signs what comes, tells each outcome under its name, and keeps within its bounds."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from random import Random
from typing import Any, NoReturn
from uuid import uuid4

import grpc
import pytest
from eth_account import Account as EthAccount

from api.errors import OverloadedError
from api.grpc import stream
from api.grpc.server import GrpcServer
from api.proto.crypto_wallet.v2 import wallet_service_pb2 as v2
from tests.api.conftest import World
from tests.api.grpc.conftest import KEY, CountedSlots
from tests.api.grpc.streams import Open, failed, item, of, outcomes, sent, until
from tests.doors import problem_of
from wallets.errors import LimiterUnavailableError
from wallets.model import AuditAction, AuditStatus, Caller


async def test_each_item_is_signed_audited_and_charged(open_stream: Open, wallet_id: str, world: World) -> None:
    """Whether items come one by one or many at a time; each outcome is what the single call answers."""
    single = await unary_sign(open_stream, wallet_id)
    left, rows = world.limiter.left, len(world.audit.events)
    messages = [of(*(item(wallet_id, nonce) for nonce in range(300))), *(of(item(wallet_id, nonce)) for nonce in range(300, 320))]

    found = await outcomes(open_stream(sent(*messages)))

    assert found.keys() == {str(nonce) for nonce in range(320)}
    assert found["7"].signed == single
    assert {EthAccount.recover_transaction(outcome.signed.signed_tx) for outcome in found.values()} == {single.from_address}
    assert left - world.limiter.left == 320 + 1
    assert len(world.audit.events) - rows == 320
    assert 'sign_operations_total{network="eth",status="ok"} 321.0' in world.metrics.render().decode()


async def unary_sign(open_stream: Open, wallet_id: str) -> v2.SignedTransaction:
    """Sign one transaction in a stream of its own."""
    return (await outcomes(open_stream(sent(of(item(wallet_id, 7))))))["7"].signed


async def test_what_is_refused_does_not_stop_the_stream(open_stream: Open, wallet_id: str, world: World) -> None:
    """In its place stands why, as the single call would have been answered; it is audited as that would be."""
    items = [
        item(wallet_id, 0),
        item(wallet_id, 1, transaction={"unsigned_tx": "zz"}),
        item(wallet_id, 2, account={"wallet_id": wallet_id, "network": "nowhere"}),
        item(str(uuid4()), 3),
        item("no id", 4),
        item(wallet_id, 5, transaction={}),
        item(wallet_id, 6),
    ]

    found = await outcomes(open_stream(sent(of(*items))))

    assert {name: outcome.error.reason for name, outcome in found.items()} == {
        "0": "",
        "1": "MALFORMED_TRANSACTION",
        "2": "UNSUPPORTED_NETWORK",
        "3": "WALLET_NOT_FOUND",
        "4": "UNPROCESSABLE_REQUEST",
        "5": "UNPROCESSABLE_REQUEST",
        "6": "",
    }
    assert (found["3"].error.code, found["1"].error.code) == (5, 3)
    signs = [event.status for event in world.audit.events if event.action is AuditAction.TRANSACTION_SIGN]
    assert sorted(signs) == sorted([AuditStatus.OK] * 2 + [AuditStatus.REFUSED] * 3)


@pytest.mark.parametrize("metadata", [(), (("x-api-key", "another"),)])
async def test_a_stranger_has_no_stream(open_stream: Open, metadata: Any) -> None:
    """Nothing is read of one."""
    assert (await failed(open_stream(metadata=metadata))).code() is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("message", [of(), of(*[v2.SignItem()] * 1001), of(v2.SignItem(id="x" * 129))])
async def test_a_message_that_cannot_be_ends_the_stream(open_stream: Open, message: v2.SignTransactionsRequest) -> None:
    """No items, too many, and a name that is too long."""
    assert problem_of(await failed(open_stream(sent(message)))) == "unprocessable-request"


async def test_a_stream_waits_for_its_rate(world: World, wallet_id: str, open_stream: Open, server: tuple[GrpcServer, str]) -> None:
    """What the limit refuses is signed when it does not any more: the stream waits as long as it must, and not for a whole second."""
    waited: list[float] = []
    call = open_stream()
    await call.write(of(item(wallet_id, 0)))
    await call.read()

    async def wait(seconds: float) -> None:
        waited.append(seconds)
        world.limiter.left = 1_000

    server[0]._stream._sleep = wait
    world.limiter.left = 0
    await call.write(of(item(wallet_id, 1)))
    answer = await call.read()
    await call.done_writing()

    assert waited == [2.3]
    assert isinstance(answer, v2.SignTransactionsResponse)
    assert answer.outcomes[0].signed.tx_id


async def test_what_is_away_is_told_of_each_item(
    open_stream: Open, wallet_id: str, world: World, slots: CountedSlots, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an audit row nothing is released, and without a place nothing is signed; the stream goes on and both can be sent again."""
    call = open_stream()
    reasons = []

    async def unknown(*_: Any) -> NoReturn:
        raise LimiterUnavailableError("limits cannot be kept")

    acquire = world.limiter.acquire
    cases = [(True, None, acquire), (False, OverloadedError("full"), acquire), (False, None, unknown), (False, None, acquire)]
    for nonce, (away, error, limit) in enumerate(cases):
        world.audit.journal.away, slots.error = away, error
        monkeypatch.setattr(world.limiter, "acquire", limit)
        await call.write(of(item(wallet_id, nonce)))
        answer = await call.read()
        assert isinstance(answer, v2.SignTransactionsResponse)
        reasons.append(answer.outcomes[0].error.reason)
    await call.done_writing()

    assert reasons == ["AUDIT_UNAVAILABLE", "OVERLOADED", "LIMITS_UNAVAILABLE", ""]
    assert slots.taken == 0


async def test_a_cancelled_stream_signs_nothing_more(open_stream: Open, wallet_id: str, world: World, slots: CountedSlots) -> None:
    """What waits for its rate when the caller goes away is neither signed nor audited."""
    world.limiter.left, world.limiter.wait_seconds = 1, 60
    rows = len(world.audit.events)
    call = open_stream()
    await call.write(of(item(wallet_id, 0)))
    await until(lambda: len(world.limiter.keys) > 2)

    call.cancel()
    await until(lambda: 'grpc_requests_total{code="CANCELLED"' in world.metrics.render().decode())

    assert len(world.audit.events) == rows
    assert slots.taken == 0


async def test_a_stream_takes_no_idempotency_key(open_stream: Open, wallet_id: str, world: World) -> None:
    """It would not be looked at, and a client could take two signatures for one."""
    rows = len(world.audit.events)

    error = await failed(open_stream(sent(of(item(wallet_id, 0))), metadata=(*KEY, ("idempotency-key", "a"))))

    assert (error.code(), problem_of(error)) == (grpc.StatusCode.INVALID_ARGUMENT, "invalid-idempotency-key")
    assert len(world.audit.events) == rows


async def test_a_client_that_goes_is_nobodys_fault(open_stream: Open, wallet_id: str, world: World) -> None:
    """Also where it goes while something is written to it, which a few of these do."""
    chance = Random(1)
    for nonce in range(300):
        call = open_stream()
        await call.write(of(item(wallet_id, nonce)))
        await asyncio.sleep(chance.random() * 0.006)
        call.cancel()
    count = 'grpc_requests_total{code="%s",method="/crypto_wallet.v2.WalletService/SignTransactions"}'

    await until(lambda: sum(_counted(world, count % code) for code in ("OK", "CANCELLED", "INTERNAL")) == 300)

    assert _counted(world, count % "CANCELLED") > 200
    assert _counted(world, count % "INTERNAL") == 0


def _counted(world: World, metric: str) -> float:
    lines = [line for line in world.metrics.render().decode().splitlines() if line.startswith(metric)]
    return float(lines[0].removeprefix(metric)) if lines else 0.0


async def test_one_client_has_so_many_streams_and_no_more(open_stream: Open, wallet_id: str) -> None:
    """One more is refused, and others of the service go on; when one ends, another may be opened."""
    calls = [open_stream() for _ in range(stream.STREAMS_OF_CLIENT)]
    for nonce, call in enumerate(calls):
        await call.write(of(item(wallet_id, nonce)))
        await call.read()

    refused = await failed(open_stream(sent(of(item(wallet_id, 7)))))
    await calls[0].done_writing()
    await outcomes(calls[0])
    found = await outcomes(open_stream(sent(of(item(wallet_id, 7)))))

    assert (refused.code(), problem_of(refused)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "rate-limited")
    assert found["7"].signed.tx_id
    for call in calls:
        call.cancel()


async def test_a_stream_that_brings_nothing_is_ended(open_stream: Open, wallet_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once nothing of it is under way."""
    monkeypatch.setattr(stream, "IDLE_SECONDS", 0.05)
    never, after = open_stream(), open_stream()
    await after.write(of(item(wallet_id, 0)))

    errors = [await failed(never), await failed(after)]

    assert [problem_of(error) for error in errors] == ["deadline-exceeded"] * 2


async def test_a_client_that_does_not_read_has_little_kept(
    open_stream: Open, wallet_id: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing more is read of it than there is room for, though it would send on; and after a while its stream is ended."""
    sent_items = 0

    async def endless() -> AsyncIterator[v2.SignTransactionsRequest]:
        nonlocal sent_items
        while True:
            sent_items += 50
            yield of(*(item(wallet_id, nonce, bytes(8_000)) for nonce in range(50)))

    monkeypatch.setattr(stream, "WRITE_SECONDS", 1.0)
    call = open_stream(endless())

    ended = 'grpc_requests_total{code="DEADLINE_EXCEEDED",method="/crypto_wallet.v2.WalletService/SignTransactions"} 1.0'
    await until(lambda: ended in world.metrics.render().decode())

    signed = sum(event.action is AuditAction.TRANSACTION_SIGN for event in world.audit.events)
    assert signed <= sent_items < 10_000
    call.cancel()


async def test_large_results_come_in_several_messages(open_stream: Open, wallet_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each small enough for a client that takes no more than usual."""
    monkeypatch.setattr(stream, "ANSWER_BYTES", 2_000)

    answers = [message async for message in open_stream(sent(of(*(item(wallet_id, nonce) for nonce in range(10)))))]

    assert len(answers) > 3
    assert all(answer.ByteSize() <= 2_000 for answer in answers)
    assert sum(len(answer.outcomes) for answer in answers) == 10


async def test_reading_waits_while_there_is_no_room(
    open_stream: Open, wallet_id: str, world: World, monkeypatch: pytest.MonkeyPatch, server: tuple[GrpcServer, str]
) -> None:
    """A client that sends faster than it may is made to wait, and nothing of what it sends is lost."""
    monkeypatch.setattr(stream, "ROOM", 4)
    may_go_on = asyncio.Event()

    async def wait(_seconds: float) -> None:
        await may_go_on.wait()

    server[0]._stream._sleep = wait
    world.limiter.left = 1
    waiting: Awaitable[dict[str, v2.SignOutcome]] = asyncio.create_task(
        outcomes(open_stream(sent(*(of(item(wallet_id, nonce)) for nonce in range(50)))))
    )
    await until(lambda: [inbox for inbox in server[0]._stream._streams._open if len(vars(inbox)["_items"]) == 4])
    held = [len(vars(inbox)["_items"]) for inbox in server[0]._stream._streams._open]

    world.limiter.left = 1_000
    may_go_on.set()

    assert len(await waiting) == 50
    assert held == [4]


async def test_large_items_take_the_room_of_many(open_stream: Open, wallet_id: str, world: World, server: tuple[GrpcServer, str]) -> None:
    """A client that may not sign yet has no more than some of them kept, however few there are; and they are not signed all together."""
    large = bytes(500_000)
    waited, may_go_on = asyncio.Event(), asyncio.Event()

    async def wait(_seconds: float) -> None:
        waited.set()
        await may_go_on.wait()

    server[0]._stream._sleep = wait
    world.limiter.left = 1
    waiting = asyncio.create_task(outcomes(open_stream(sent(*(of(item(wallet_id, nonce, large)) for nonce in range(20))))))
    await waited.wait()
    await asyncio.sleep(1)  # what is shown is that no more is read in this time
    (held,) = [vars(inbox)["_under_way"] for inbox in server[0]._stream._streams._open]

    world.limiter.left, before = 1_000, len(world.limiter.keys)
    may_go_on.set()
    found = await waiting

    assert len(found) == 20
    assert held <= 2 + 2 + 3
    assert len(world.limiter.keys) - before >= 10


async def test_an_item_may_come_in_the_moment_in_which_its_stream_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is counted then does not break the end: the stream has come to its time, and no fault of ours is told."""
    monkeypatch.setattr(stream, "IDLE_SECONDS", 0.0)
    idle = asyncio.timeout(0)
    inbox = stream._Inbox(Caller("1", "127.0.0.1", "key"), idle)

    async def ends() -> None:
        async with idle:
            try:
                await asyncio.Event().wait()
            finally:
                inbox.forget(0)

    with pytest.raises(TimeoutError):
        await ends()
