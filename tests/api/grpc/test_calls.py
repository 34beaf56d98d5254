"""What stands around every RPC: the caller, the limits, the deadline, and that nothing of ours escapes."""

import asyncio
import io
import json
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from api.access_log import AccessLog
from api.errors import OverloadedError
from api.grpc import call
from api.grpc.refusals import STATUS_DETAILS
from api.grpc.server import GrpcServer
from api.limits import MAX_BODY_BYTES
from api.observability import configure_logging
from api.proto.crypto_wallet.v1 import wallet_service_pb2 as v1
from api.proto.crypto_wallet.v2 import wallet_service_pb2 as v2
from tests.api.conftest import BrokenEncryption, StuckEncryption, World
from tests.api.grpc.conftest import KEY, CountedSlots
from tests.doors import problem_of, unary
from tests.known_phrase import ANOTHER_PHRASE
from wallets.model import AuditStatus

CREATE = "/crypto_wallet.v2.WalletService/CreateWallet"


async def refused(request: Any) -> grpc.aio.AioRpcError:
    """Return how a request is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await request
    return caught.value


async def raw(channel: grpc.aio.Channel, path: str, message: bytes, **options: Any) -> Any:
    """Send bytes as a message."""
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(path)
    return await call(message, **options)


async def test_the_callers_request_id_is_kept_and_told(channel: grpc.aio.Channel, world: World) -> None:
    """It stands in the audit and in the trailing metadata, on success and on refusal."""
    create = unary(channel, "CreateWallet")
    metadata = (*KEY, ("x-request-id", "mine-1"), ("x-forwarded-for", "6.6.6.6"))

    done = create(v2.CreateWalletRequest(label="a"), metadata=metadata)
    await done
    error = await refused(create(v2.CreateWalletRequest(), metadata=metadata))

    (event,) = world.audit.events
    assert dict(await done.trailing_metadata())["x-request-id"] == "mine-1"
    assert dict(error.trailing_metadata())["x-request-id"] == "mine-1"
    assert (event.caller.request_id, event.caller.ip_address) == ("mine-1", "6.6.6.6")


async def test_each_request_takes_from_the_callers_limit_and_is_told_when_to_return(channel: grpc.aio.Channel, world: World) -> None:
    """One that asks for many addresses takes as many; beyond it the refusal says how long to wait."""
    wallet = await unary(channel, "CreateWallet")(v2.CreateWalletRequest(label="a"), metadata=KEY)
    before = world.limiter.left
    place = {"wallet_id": wallet.wallet.id, "network": "eth"}

    answer = await unary(channel, "GetAddressRange")(v2.GetAddressRangeRequest(first=place, count=7), metadata=KEY)
    default = await unary(channel, "GetAddressRange")(v2.GetAddressRangeRequest(first=place), metadata=KEY)
    too_many = await refused(unary(channel, "GetAddressRange")(v2.GetAddressRangeRequest(first=place, count=1001), metadata=KEY))
    after = world.limiter.left
    world.limiter.left = 0
    error = await refused(unary(channel, "GetWallet")(v2.GetWalletRequest(wallet_id=wallet.wallet.id), metadata=KEY))

    retry = RetryInfo()
    status = Status.FromString(dict(error.trailing_metadata())[STATUS_DETAILS])
    assert [each.account.index for each in answer.addresses] == list(range(7))
    assert len(default.addresses) == 20
    assert problem_of(too_many) == "unprocessable-request"
    assert before - after == 7 + 20 + 1
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert any(each.Unpack(retry) for each in status.details)
    assert retry.retry_delay.seconds == 3


async def test_a_request_waits_for_its_place_and_gives_it_back(channel: grpc.aio.Channel, slots: CountedSlots) -> None:
    """Also where it is refused; where no place is to be had, the caller is told to come again."""
    await refused(unary(channel, "GetWallet")(v2.GetWalletRequest(wallet_id="7"), metadata=KEY))
    seen = (slots.taken, slots.most)
    slots.error = OverloadedError("too many wait")

    error = await refused(unary(channel, "GetWallet")(v2.GetWalletRequest(wallet_id="7"), metadata=KEY))

    assert seen == (0, 1)
    assert (error.code(), problem_of(error)) == (grpc.StatusCode.UNAVAILABLE, "overloaded")


async def test_a_bug_is_told_by_nothing_but_the_requests_id(world: World) -> None:
    """In neither version anything of what went wrong reaches the client, nor in the log anything of what was sent."""
    world.encryption = BrokenEncryption()
    world.__post_init__()
    stream = io.BytesIO()
    configure_logging(stream=stream)
    server = GrpcServer(world.edge(), CountedSlots())
    async with grpc.aio.insecure_channel(f"127.0.0.1:{await server.start('127.0.0.1', 0)}") as channel:
        new = await refused(unary(channel, "CreateWallet")(v2.CreateWalletRequest(label="a"), metadata=KEY))
        old = await refused(unary(channel, "CreateWallet", old=True)(v1.CreateWalletRequest(label="a"), metadata=KEY))
    await server.stop(0)

    info = ErrorInfo()
    assert (new.code(), old.code()) == (grpc.StatusCode.INTERNAL, grpc.StatusCode.INTERNAL)
    assert Status.FromString(dict(new.trailing_metadata())[STATUS_DETAILS]).details[0].Unpack(info)
    assert info.reason == "INTERNAL_ERROR"
    assert old.details() == "internal error"
    assert dict(old.trailing_metadata()).keys() == {"x-request-id"}
    assert "KeyError" not in f"{new}{old}"
    assert b"KeyError" in stream.getvalue()
    assert ANOTHER_PHRASE.encode() not in stream.getvalue()


async def test_version_1_has_the_statuses_of_1_0_8_alone(channel: grpc.aio.Channel, world: World) -> None:
    """What is away is INTERNAL without a reason, where version 2 says UNAVAILABLE."""
    world.store.away = True
    request: dict[str, Any] = {"wallet_id": "0b5a4fd3-3c5e-4e6b-9b41-3f3c9ac9f3ad", "network": "eth"}

    old = await refused(unary(channel, "GetAddress", old=True)(v1.GetAddressRequest(**request), metadata=KEY))
    new = await refused(unary(channel, "GetAddress")(v2.GetAddressRequest(account=request), metadata=KEY))

    assert (old.code(), old.details()) == (grpc.StatusCode.INTERNAL, "internal error")
    assert (new.code(), problem_of(new)) == (grpc.StatusCode.UNAVAILABLE, "store-unavailable")


@pytest.mark.parametrize("message", [b"\xff\xff\xff", b"\x0a\x02\xff\xfe", b"\x0a\x7f"])
async def test_bytes_that_are_no_message_are_refused_by_a_status_of_ours(channel: grpc.aio.Channel, message: bytes) -> None:
    """Garbage, text that is not UTF-8 and a length beyond the end: INVALID_ARGUMENT with an ErrorInfo, not gRPC's own words."""
    error = await refused(raw(channel, CREATE, message, metadata=KEY))

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert problem_of(error) == "unprocessable-request"


async def test_fields_that_are_not_known_are_refused(channel: grpc.aio.Channel, world: World) -> None:
    """Also deep in a message: a constraint of a newer client's must not be overlooked."""
    request = v2.SignTransactionRequest(account={"network": "eth"}).SerializeToString()
    deep = v2.Account(network="eth").SerializeToString() + b"\xa0\x06\x01"

    errors = [
        await refused(raw(channel, "/crypto_wallet.v2.WalletService/SignTransaction", message, metadata=KEY))
        for message in (request + b"\xa0\x06\x01", b"\x0a" + bytes([len(deep)]) + deep)
    ]

    assert [error.details() for error in errors] == ["the message has fields that are not known here"] * 2
    assert not world.audit.events


async def test_a_stranger_is_refused_before_a_message_is_waited_for(channel: grpc.aio.Channel) -> None:
    """Without a key nothing is read."""

    async def nothing() -> Any:
        await asyncio.Event().wait()
        yield b""

    error = await refused(channel.stream_unary(CREATE)(nothing()))

    assert error.code() is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("ends", [True, False])
async def test_a_message_that_does_not_come_is_not_waited_for(
    channel: grpc.aio.Channel, monkeypatch: pytest.MonkeyPatch, *, ends: bool
) -> None:
    """Neither from a client that has finished nor from one that says nothing."""
    monkeypatch.setattr(call, "MESSAGE_SECONDS", 0.05)

    async def nothing() -> Any:
        if not ends:
            await asyncio.Event().wait()
        return
        yield b""

    error = await refused(channel.stream_unary(CREATE)(nothing(), metadata=KEY))

    assert problem_of(error) == "unprocessable-request"


async def test_a_message_that_is_too_large_is_refused(channel: grpc.aio.Channel) -> None:
    """By HTTP's own bound; gRPC itself says so, in its own words."""
    fits = await refused(raw(channel, CREATE, bytes(MAX_BODY_BYTES), metadata=KEY))
    error = await refused(raw(channel, CREATE, bytes(MAX_BODY_BYTES + 1), metadata=KEY))

    assert problem_of(fits) == "unprocessable-request"
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_compressed_messages_are_not_taken(channel: grpc.aio.Channel, world: World) -> None:
    """What a small message becomes is known too late."""
    error = await refused(raw(channel, CREATE, bytes(MAX_BODY_BYTES), metadata=KEY, compression=grpc.Compression.Gzip))

    assert error.code() in {grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.INTERNAL}
    assert not world.audit.events


async def test_work_ends_with_the_callers_deadline(world: World) -> None:
    """What waits for Vault beyond it is ended: nothing is made, and nothing is audited as done."""
    stuck = StuckEncryption()
    world.encryption = stuck
    world.__post_init__()
    slots, log = CountedSlots(), io.BytesIO()
    world.access_log = AccessLog("info", log, flush_seconds=0)
    server = GrpcServer(world.edge(), slots)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{await server.start('127.0.0.1', 0)}") as channel:
        error = await refused(unary(channel, "CreateWallet")(v2.CreateWalletRequest(label="a"), metadata=KEY, timeout=0.3))
        while not log.getvalue():
            await asyncio.sleep(0)
    await server.stop(0)

    assert stuck.asked.is_set()
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert slots.taken == 0
    assert [event for event in world.audit.events if event.status is AuditStatus.OK] == []
    assert json.loads(log.getvalue())["status"] in {"DEADLINE_EXCEEDED", "CANCELLED"}


async def test_a_request_is_counted_and_logged(world: World) -> None:
    """By its method, its code and who asked; never by what was in it."""
    log = io.BytesIO()
    world.access_log = AccessLog("info", log, flush_seconds=0)
    server = GrpcServer(world.edge(), CountedSlots())
    wallet_id = "0b5a4fd3-3c5e-4e6b-9b41-3f3c9ac9f3ad"
    request = v2.SignTransactionRequest(account={"wallet_id": wallet_id, "network": "eth"}, transaction={"unsigned_tx": "c0ffee"})
    async with grpc.aio.insecure_channel(f"127.0.0.1:{await server.start('127.0.0.1', 0)}") as channel:
        await refused(unary(channel, "SignTransaction")(request, metadata=KEY))
    await server.stop(0)

    method = "/crypto_wallet.v2.WalletService/SignTransaction"
    line = json.loads(log.getvalue())
    assert (line["method"], line["status"], line["wallet_id"]) == (method, "INVALID_ARGUMENT", wallet_id)
    assert (line["problem"], line["client_address"]) == ("malformed-transaction", "127.0.0.1")
    assert "c0ffee" not in log.getvalue().decode()
    assert f'grpc_requests_total{{code="INVALID_ARGUMENT",method="{method}"}} 1.0' in world.metrics.render().decode()


async def test_what_is_not_served_is_unimplemented(channel: grpc.aio.Channel) -> None:
    """Another service, another method, and another version."""
    for path in ("/x.y.Service/Call", "/crypto_wallet.v2.WalletService/Nothing", "/crypto_wallet.v3.WalletService/CreateWallet"):
        assert (await refused(raw(channel, path, b"", metadata=KEY))).code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_port_that_is_held_is_refused(server: tuple[GrpcServer, str], world: World) -> None:
    """Two servers do not share one, each with half of the requests."""
    other = GrpcServer(world.edge(), CountedSlots())

    with pytest.raises(RuntimeError):
        await other.start("127.0.0.1", int(server[1].rpartition(":")[2]))

    await other.stop(0)
