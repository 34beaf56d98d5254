"""gRPC of the whole service, through HAProxy, on real servers: the contract, streams, and clients that mean no good."""

import asyncio
import contextlib
import json
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from api.proto.crypto_wallet.v2 import wallet_service_pb2 as v2
from tests import hostile
from tests.contract import CASES, NO_KEY
from tests.doors import OLD_SERVICE, SERVICE, Door, GrpcDoor, HttpDoor, unary
from tests.known_phrase import PHRASE
from tests.samples import EIP_155_EXAMPLE
from tests.serve_app.processes import ROOT
from tests.serve_app.whole_service import Service, whole_service

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

STREAM = "/crypto_wallet.v2.WalletService/SignTransactions"
SIGN = "/crypto_wallet.v2.WalletService/SignTransaction"
OF_OURS = {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED"}
UNLIMITED = {"APP__SERVER__RATE_LIMIT__REQUESTS_PER_SECOND": "1000000", "APP__SERVER__RATE_LIMIT__BURST_SIZE": "1000000"}


@pytest.fixture(scope="module", params=["inline", "isolated"])
def service(request: pytest.FixtureRequest) -> Iterator[Service]:
    """One that is well, in each topology."""
    with whole_service(**UNLIMITED, APP__TOPOLOGY=request.param) as started:
        yield started


def target_of(service: Service) -> str:
    """Return where its gRPC is, by what it tells others."""
    return str(json.loads((service.folder / "state.json").read_text())["facts"]["grpc"])


def key_of(service: Service) -> str:
    """Return its API key."""
    return service.headers()["X-Api-Key"]


@pytest.fixture
async def channel(service: Service) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to it."""
    async with grpc.aio.insecure_channel(target_of(service)) as opened:
        yield opened


@pytest.fixture
async def wallet_id(channel: grpc.aio.Channel, service: Service) -> str:
    """The known phrase's wallet, whose first address has been derived."""
    door = GrpcDoor(channel, key_of(service))
    wallet = await door.ask("ImportWallet", {"label": "known", "mnemonic": PHRASE})
    assert isinstance(wallet, dict), wallet
    await door.ask("GetAddress", {"wallet_id": wallet["id"], "network": "eth"})
    return str(wallet["id"])


async def test_each_case_of_the_contract_is_answered_over_both(channel: grpc.aio.Channel, service: Service, wallet_id: str) -> None:
    """As in one process, so through HAProxy, Serve and, where it is isolated, another process."""
    wrong = {}
    async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
        doors: dict[str, Door] = {"http": HttpDoor(client, key_of(service)), "grpc": GrpcDoor(channel, key_of(service))}
        for case in CASES:
            for name, door in doors.items():
                answer = await door.ask(case.call, case.fields_for(wallet_id), None if case.key == NO_KEY else case.key)
                seen = answer if isinstance(answer, str) else {each: answer.get(each) for each in case.answer}
                if seen != case.answer:
                    wrong[f"{case.name} over {name}"] = answer

    assert wrong == {}


def _items(wallet_id: str, count: int) -> v2.SignTransactionsRequest:
    account, transaction = v2.Account(wallet_id=wallet_id, network="eth"), v2.Transaction(unsigned_tx=EIP_155_EXAMPLE)
    items = [v2.SignItem(id=str(place), account=account, transaction=transaction) for place in range(count)]
    return v2.SignTransactionsRequest(items=items)


async def test_a_stream_signs_thousands(channel: grpc.aio.Channel, service: Service, wallet_id: str) -> None:
    """Each is answered once; a second stream, and single calls beside it, go on meanwhile."""
    metadata = (("x-api-key", key_of(service)),)

    async def messages() -> AsyncIterator[v2.SignTransactionsRequest]:
        for _ in range(10):
            yield _items(wallet_id, 100)

    async def signed() -> int:
        call: Any = channel.stream_stream(STREAM, lambda each: each.SerializeToString(), v2.SignTransactionsResponse.FromString)
        return sum([len([each for each in answer.outcomes if each.signed.tx_id]) async for answer in call(messages(), metadata=metadata)])

    assert list(await asyncio.gather(signed(), signed())) == [1_000, 1_000]


def _random_message(kind: type[Message], chance: random.Random, depth: int = 0) -> Message:
    message = kind()
    for field in message.DESCRIPTOR.fields:
        if chance.random() < 0.3 or depth > 3 or (field.message_type is not None and field.message_type.GetOptions().map_entry):
            continue
        values = [_random_value(field, chance, depth) for _ in range(chance.choice([1, 1, 2, 5]))]
        if field.is_repeated:
            getattr(message, field.name).extend(values)
        elif field.message_type is not None:
            getattr(message, field.name).CopyFrom(values[0])
        else:
            setattr(message, field.name, values[0])
    return message


def _random_value(field: Any, chance: random.Random, depth: int) -> Any:
    if field.message_type is not None:
        return _random_message(GetMessageClass(field.message_type), chance, depth + 1)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return chance.choice([b"", bytes.fromhex(EIP_155_EXAMPLE), chance.randbytes(chance.randrange(2_000))])
    if field.type == FieldDescriptor.TYPE_STRING:
        words = ["", "eth", "btc", "ton", "sol", "tron", "taproot", EIP_155_EXAMPLE, "{}", '{"types": {}}', "\0", "ß" * 200, PHRASE]
        return chance.choice([*words, "".join(chr(chance.randrange(1, 0xD800)) for _ in range(chance.randrange(200)))])
    if field.type == FieldDescriptor.TYPE_BOOL:
        return chance.random() < 0.5
    return chance.choice([0, 1, 12, 2**31 - 1, 2**31, 2**32 - 1])


@pytest.mark.parametrize("seed", range(4))
async def test_random_messages_are_answered_by_statuses_of_ours(
    channel: grpc.aio.Channel, service: Service, wallet_id: str, seed: int
) -> None:
    """Whatever the descriptors allow: never INTERNAL or UNKNOWN, and never a word of the library's."""
    chance = random.Random(seed)
    metadata = (("x-api-key", key_of(service)),)
    codes: dict[str, list[str]] = {}

    async def call(service_of: Any, name: str) -> None:
        method = service_of.methods_by_name[name]
        message: Any = _random_message(GetMessageClass(method.input_type), chance)
        for place in (getattr(message, "account", None), message):
            if place is not None and "wallet_id" in place.DESCRIPTOR.fields_by_name and chance.random() < 0.7:
                place.wallet_id = wallet_id
        try:
            await unary(channel, name, old=service_of is OLD_SERVICE)(message, metadata=metadata, timeout=60)
            codes.setdefault("OK", []).append(name)
        except grpc.aio.AioRpcError as error:
            codes.setdefault(error.code().name, []).append(f"{name}: {error.details()}")

    methods = [(each, method.name) for each in (SERVICE, OLD_SERVICE) for method in each.methods if not method.client_streaming]
    for _ in range(8):
        await asyncio.gather(*(call(*method) for method in methods))

    assert {code: details for code, details in codes.items() if code not in OF_OURS} == {}
    assert len(codes["INVALID_ARGUMENT"]) > 30


def _memory(service: Service) -> int:
    return sum(each.memory_info().rss for each in service.named("ray::ServeReplica"))


@contextlib.asynccontextmanager
async def _others_are_served(
    channel: grpc.aio.Channel, service: Service, wallet_id: str
) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
    """Sign over HTTP and gRPC all the while: each succeeds within bounded time, and the memory of the replicas stays so too.

    What is given returns when so many more have been signed.
    """
    door, before = GrpcDoor(channel, key_of(service)), _memory(service)
    fields = {"wallet_id": wallet_id, "network": "eth", "index": 0, "unsigned_tx": EIP_155_EXAMPLE}
    answers: list[Any] = []
    stop, one_more = asyncio.Event(), asyncio.Condition()

    async def keep_on(client: httpx.AsyncClient) -> None:
        while not stop.is_set() or not answers:
            async with asyncio.timeout(60):
                answers.append(await door.ask("SignTransaction", fields))
                answers.append(await HttpDoor(client, key_of(service)).ask("SignTransaction", fields))
            async with one_more:
                one_more.notify_all()

    async def until(count: int) -> None:
        wanted = len(answers) + count
        async with one_more:
            await one_more.wait_for(lambda: len(answers) >= wanted or task.done())

    async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
        task = asyncio.create_task(keep_on(client))
        try:
            yield until
        finally:
            stop.set()
            await task
    assert [answer for answer in answers if isinstance(answer, str)] == []
    assert _memory(service) - before < 150_000_000


async def test_garbage_holds_up_nobody(channel: grpc.aio.Channel, service: Service, wallet_id: str) -> None:
    """Bytes that are no HTTP/2, frames that are none, headers that cannot be: they concern nobody but who sends them."""
    chance = random.Random(7)
    texts = [b"GET / HTTP/1.1\r\n\r\n", chance.randbytes(5_000), hostile.PREFACE + chance.randbytes(50_000)]
    texts += [hostile.PREFACE + hostile.frame(hostile.SETTINGS, 0, 0) + hostile.frame(hostile.HEADERS, 4, 1, chance.randbytes(200))]
    host, _, port = target_of(service).rpartition(":")

    async with _others_are_served(channel, service, wallet_id) as served, contextlib.AsyncExitStack() as stack:
        for text in texts * 5:
            _, writer = await asyncio.open_connection(host, int(port))
            stack.callback(writer.close)
            writer.write(text)
        await served(20)


async def test_a_huge_length_is_not_waited_for(channel: grpc.aio.Channel, service: Service, wallet_id: str) -> None:
    """A message that says it has 4 GiB is refused by what it says, not by what comes."""
    claims = b"\0\xff\xff\xff\xff" + bytes(1_000)

    def claim() -> bytes:
        with hostile.connected(target_of(service)) as connection:
            connection.sendall(hostile.begun(SIGN, key_of(service), 1) + hostile.frame(hostile.DATA, 0, 1, claims))
            return hostile.answered(connection, 3)

    async with _others_are_served(channel, service, wallet_id):
        answers = await asyncio.gather(*(asyncio.to_thread(claim) for _ in range(20)))

    assert all(b"RESOURCE" in answer or b"larger than max" in answer or answer.count(b"\0\0\0\x04\x03") for answer in answers)


async def test_a_thousand_rpcs_that_say_nothing_hold_up_nobody(channel: grpc.aio.Channel, service: Service, wallet_id: str) -> None:
    """Begun with a key, and left there: others are served meanwhile, and after a while each is ended."""
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(hostile.connected(target_of(service))) for _ in range(10)]

        async with _others_are_served(channel, service, wallet_id) as served:
            for connection in connections:
                connection.sendall(b"".join(hostile.begun(SIGN, key_of(service), 2 * place + 1) for place in range(100)))
            await served(20)
        answers = await asyncio.gather(*(asyncio.to_thread(hostile.answered, each, 12) for each in connections))

    assert all(answer.count(b"grpc-status") + len(answer) // 200 > 10 for answer in answers)


async def test_who_does_not_read_holds_up_nobody(channel: grpc.aio.Channel, service: Service, wallet_id: str) -> None:
    """Streams that are written to as fast as they take it, and never read: while they fill, and when they are full."""
    program = (sys.executable, "-m", "tests.unread_streams", target_of(service), key_of(service), wallet_id, "6")

    async with _others_are_served(channel, service, wallet_id) as served:
        process = await asyncio.create_subprocess_exec(*program, stdout=subprocess.PIPE, cwd=ROOT)
        assert process.stdout is not None
        begun = await process.stdout.readline()
        await served(20)
        process.kill()
        await process.wait()

    assert begun == b"begun\n"


async def test_who_sets_no_deadline_is_answered(channel: grpc.aio.Channel, service: Service, wallet_id: str) -> None:
    """Everything that a request waits for is bounded by itself."""
    request = v2.GetWalletRequest(wallet_id=wallet_id)

    async with asyncio.timeout(30):
        answer = await unary(channel, "GetWallet")(request, metadata=(("x-api-key", key_of(service)),))

    assert answer.wallet.id == wallet_id
