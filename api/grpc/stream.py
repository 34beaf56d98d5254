"""Sign what comes in a stream, with as little as each signature needs: those that come together are decoded, signed and audited together.

What is under way is bounded, so that neither a client who sends faster than is signed nor one who does not read the results has anything
kept in memory for long: while there is no room nothing is read, and gRPC's own flow control makes the client wait.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from starlette.types import Scope

from adapters.limits import CallKind
from api.auth import limited_client
from api.edge import admit, charge, header_values
from api.errors import DeadlineExceededError, InvalidIdempotencyKeyError, RateLimitedError, UnprocessableError
from api.grpc import replies, requests
from api.grpc.call import Calls, Context, Requests, Sleep, begin, parse, write
from api.grpc.open_streams import ENDS, Limited, OpenStreams
from api.idempotency import HEADER
from api.limits import MAX_BODY_BYTES
from api.proto.crypto_wallet.v2 import wallet_service_pb2 as v2
from api.routes import WalletRoutes
from api.schemas import MAX_BATCH
from wallets.errors import UnavailableError, WalletError
from wallets.model import Caller, SigningRequest, TransactionResult

CHUNK = 250
"""Items that are signed together at most: more gain nothing, and have others wait."""

CHUNKS_AT_ONCE = 2
"""While one is being written down, the next is signed."""

CHUNK_BYTES = MAX_BODY_BYTES
"""Beyond this, fewer items are signed together."""

ROOM = MAX_BATCH
"""Items that wait before no more is read."""

ROOM_BYTES = MAX_BODY_BYTES
"""Bytes that wait before no more is read: an item may have as many as a whole message."""

ANSWER_BYTES = 1_048_576
"""Beyond this, the results of one chunk are told in several messages: clients take 4 MiB unless told otherwise."""

IDLE_SECONDS = 300.0
"""How long a stream may bring nothing while nothing of it is under way."""

WRITE_SECONDS = 60.0
"""How long a client may leave a result unread."""

STREAMS_OF_CLIENT = 8
"""Streams of one client at once, in one replica: each may keep some megabytes."""

STREAMS = 64
"""Streams at once, in one replica."""


class _Item(NamedTuple):
    """One transaction under its client's name for it: a request, or what is wrong with it."""

    id: str
    request: SigningRequest | WalletError
    size: int
    """Its part of the bytes of its message."""


class SignStream:
    """The stream of `crypto_wallet.v2.WalletService`."""

    def __init__(self, calls: Calls, routes: WalletRoutes, sleep: Sleep = asyncio.sleep) -> None:
        self._calls = calls
        self._routes = routes
        self._sleep = sleep
        self._streams = OpenStreams(of_client=STREAMS_OF_CLIENT, of_all=STREAMS)

    def close(self) -> None:
        """Have every open stream read nothing more, answer what it has read, and end with `UNAVAILABLE`; open no more."""
        self._streams.close()

    async def serve(self, stream: Requests, context: Context, scope: Scope) -> None:
        """Serve one stream to its end.

        Raises:
            WalletError: The caller is not let in, has too many streams, sends what is no item, or an idempotency key; or the service ends.
        """
        caller = await admit(self._calls.edge, scope, CallKind.SIGN)
        if header_values(scope, HEADER):
            # Better than to let a client believe that it is looked at.
            msg = "a stream takes no idempotency-key: its items would need one each; send single calls, or a batch over HTTP"
            raise InvalidIdempotencyKeyError(msg)
        idle = asyncio.timeout(IDLE_SECONDS)
        inbox, writing = _Inbox(caller, idle), asyncio.Lock()
        with self._streams.opened(limited_client(caller.api_key_id, caller.ip_address), inbox):
            try:
                async with idle, asyncio.TaskGroup() as group:
                    inbox.reading = group.create_task(inbox.fill(stream))
                    await begin(context)
                    for _ in range(CHUNKS_AT_ONCE):
                        group.create_task(self._work(inbox, context, writing))
            except TimeoutError:
                raise DeadlineExceededError(f"nothing has come for {IDLE_SECONDS:g} s") from None
            except ExceptionGroup as errors:
                raise errors.exceptions[0] from None
            if inbox.is_closed:
                raise UnavailableError(ENDS)

    async def _work(self, inbox: "_Inbox", context: Context, writing: asyncio.Lock) -> None:
        """Take what is there, sign it and tell how it ended, until there is no more."""
        while chunk := await inbox.take():
            outcomes = await self._signed(chunk, inbox)
            try:
                async with asyncio.timeout(WRITE_SECONDS), writing:
                    for message in _messages(chunk, outcomes):
                        await write(context, message)
            except TimeoutError:
                raise DeadlineExceededError(f"results were not read for {WRITE_SECONDS:g} s") from None
            inbox.forget(len(chunk))

    async def _pay(self, inbox: "_Inbox", cost: int) -> None:
        """Wait until the caller may have what a chunk costs.

        Raises:
            LimiterUnavailableError: Whether they may cannot be said.
            RateLimitedError: They may not before the service ends.
        """
        while True:
            try:
                await charge(self._calls.edge, inbox.caller, cost, CallKind.SIGN)
            except RateLimitedError as error:
                if inbox.is_closed:
                    raise
                await inbox.pause(self._sleep(error.wait_seconds))
            else:
                return

    async def _signed(self, chunk: Sequence[_Item], inbox: "_Inbox") -> Sequence[TransactionResult | Exception]:
        """Return how each item of a chunk ended."""
        wanted = [item.request for item in chunk if isinstance(item.request, SigningRequest)]
        try:
            await self._pay(inbox, len(chunk))
            async with self._calls.slots():
                signed = iter(await self._routes.outcomes(wanted) if wanted else ())
        except Exception as error:  # noqa: BLE001  # answered (a bug also logged) as the outcome of each of the chunk; other chunks are signed
            return [item.request if isinstance(item.request, WalletError) else error for item in chunk]
        return [item.request if isinstance(item.request, WalletError) else next(signed) for item in chunk]


class _Inbox:
    """Items that have come, until they are answered."""

    reading: "asyncio.Task[None]"

    def __init__(self, caller: Caller, idle: asyncio.Timeout) -> None:
        self.caller = caller
        self.is_closed = False
        self._idle = idle
        self._pauses: set[Limited] = set()
        self._items: deque[_Item] = deque()
        self._bytes = 0
        self._under_way = 0
        self._has_ended = False
        self._filled = asyncio.Event()
        self._has_room = asyncio.Event()

    async def fill(self, stream: Requests) -> None:
        """Read items as long as there is room for them.

        Raises:
            MalformedBodyError: A message is none.
            UnprocessableError: It has no items, or too many, or one whose id is too long.
        """
        try:
            await self._fill(stream)
        finally:
            self._end()

    async def _fill(self, stream: Requests) -> None:
        async for raw in stream:
            items = parse(raw, v2.SignTransactionsRequest).items
            if not 1 <= len(items) <= MAX_BATCH:
                msg = f"items: a message has 1 to {MAX_BATCH} of them"
                raise UnprocessableError(msg)
            size = -(-len(raw) // len(items))
            self._items.extend(_item(item, self.caller, size) for item in items)
            self._bytes += size * len(items)
            self._count(len(items))
            self._filled.set()
            while len(self._items) >= ROOM or self._bytes >= ROOM_BYTES:
                self._has_room.clear()
                await self._has_room.wait()

    async def take(self) -> Sequence[_Item]:
        """Return the next items, as soon as there is one; none when no more will come."""
        while not self._items and not self._has_ended:
            self._filled.clear()
            await self._filled.wait()
        chunk: list[_Item] = []
        room = CHUNK_BYTES
        while self._items and len(chunk) < CHUNK and (not chunk or self._items[0].size <= room):
            chunk.append(self._items.popleft())
            room -= chunk[-1].size
        self._bytes -= sum(item.size for item in chunk)
        self._has_room.set()
        return chunk

    async def pause(self, pausing: Awaitable[None]) -> None:
        """Wait, but not beyond the stream's end."""
        end = asyncio.timeout(None)
        pause = Limited(end)
        with suppress(TimeoutError):
            async with end:
                self._pauses.add(pause)
                try:
                    await pausing
                finally:
                    self._pauses.discard(pause)

    def close(self) -> None:
        """Read no more, and wait for nothing that has not begun."""
        self.is_closed = True
        self.reading.cancel()
        self._end()  # a task that is cancelled before its first step does nothing
        for pause in self._pauses:
            pause.close()

    def _end(self) -> None:
        self._has_ended = True
        self._filled.set()

    def forget(self, count: int) -> None:
        """Take so many items for answered."""
        self._count(-count)

    def _count(self, more: int) -> None:
        """Count what is under way, and have the stream end when that is nothing for too long."""
        self._under_way += more
        if not self._idle.expired():  # else it ends already
            self._idle.reschedule(None if self._under_way else asyncio.get_running_loop().time() + IDLE_SECONDS)


def _item(message: v2.SignItem, caller: Caller, size: int) -> _Item:
    if len(message.id) > requests.MAX_ID_LENGTH:
        msg = f"items.id: at most {requests.MAX_ID_LENGTH} characters are allowed"
        raise UnprocessableError(msg)
    try:
        account = requests.account(message.account, "account")
        return _Item(message.id, SigningRequest(account, requests.transaction(message.transaction), caller, message.replace), size)
    except WalletError as error:
        return _Item(message.id, error, size)


def _messages(chunk: Sequence[_Item], outcomes: Sequence[TransactionResult | Exception]) -> Iterator[v2.SignTransactionsResponse]:
    """Write outcomes into as few messages as a client surely takes."""
    message, size = v2.SignTransactionsResponse(), 0
    for item, outcome in zip(chunk, outcomes, strict=True):
        if isinstance(outcome, Exception):
            written = v2.SignOutcome(id=item.id, error=replies.problem(outcome))
        else:
            written = v2.SignOutcome(id=item.id, signed=replies.signed(outcome))
        if size and size + written.ByteSize() > ANSWER_BYTES:
            yield message
            message, size = v2.SignTransactionsResponse(), 0
        size += written.ByteSize()
        message.outcomes.append(written)
    yield message
