"""A TCP proxy that breaks what goes through it: it cuts, delays, garbles, or answers in the place of the server."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum
from urllib.parse import urlsplit

_UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}"
_NONSENSE = b"SSH-2.0-OpenSSH_9.9\r\n"


class Fault(Enum):
    """What happens to connections, those that are open as well as new ones."""

    NONE = "none"
    CUT = "cut"
    """They are closed as soon as something comes."""
    CUT_ANSWERS = "cut answers"
    """The server hears the request, and its answer breaks off after a few bytes."""
    HANG = "hang"
    """Nothing goes through, and nothing is closed."""
    DELAY = "delay"
    """Answers come late, but they come."""
    GARBLE_REQUESTS = "garble requests"
    GARBLE_ANSWERS = "garble answers"
    """Bytes are changed at random places."""
    UNAVAILABLE = "unavailable"
    """A load balancer answers 503."""
    NONSENSE = "nonsense"
    """Somebody else answers, who speaks another protocol."""


class FaultProxy:
    """The proxy in front of `upstream`, an http or https URL; `address` is where it listens, with the same scheme."""

    def __init__(self, upstream: str, *, delay_seconds: float = 0.05, seed: int = 1) -> None:
        parts = urlsplit(upstream)
        assert parts.hostname is not None
        assert parts.port is not None
        self._scheme, self._host, self._port = parts.scheme, parts.hostname, parts.port
        self._delay_seconds = delay_seconds
        self._random = random.Random(seed)
        self._mended = asyncio.Event()
        self._fault = Fault.NONE
        self.address = ""
        self.connections = 0

    @property
    def fault(self) -> Fault:
        """What is wrong."""
        return self._fault

    @fault.setter
    def fault(self, fault: Fault) -> None:
        self._fault = fault
        self._mended.set()
        self._mended = asyncio.Event()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["FaultProxy"]:
        """Listen on a free port of loopback."""
        tasks: set[asyncio.Task[None]] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            with suppress(OSError, asyncio.CancelledError):
                await self._serve(reader, writer)
            tasks.discard(task)

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        self.address = f"{self._scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            for task in list(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        there_reader, there_writer = await asyncio.open_connection(self._host, self._port)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._requests(reader, writer, there_writer))
                group.create_task(self._answers(there_reader, writer))
        except ExceptionGroup:
            return  # one of the sides is closed: that closes both
        finally:
            for each in (writer, there_writer):
                each.transport.abort()

    async def _requests(self, reader: asyncio.StreamReader, back: asyncio.StreamWriter, there: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            match self._fault:
                case Fault.CUT:
                    raise ConnectionAbortedError
                case Fault.HANG:
                    await self._mended.wait()
                    raise ConnectionAbortedError
                case Fault.UNAVAILABLE:
                    back.write(_UNAVAILABLE)
                    continue
                case Fault.NONSENSE:
                    back.write(_NONSENSE)
                    await back.drain()
                    raise ConnectionAbortedError
                case Fault.GARBLE_REQUESTS:
                    there.write(self._garbled(data))
                case _:
                    there.write(data)
            await there.drain()
        raise EOFError

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            match self._fault:
                case Fault.CUT_ANSWERS:
                    writer.write(data[: self._random.randrange(len(data))])
                    await writer.drain()
                    raise ConnectionAbortedError
                case Fault.DELAY:
                    await asyncio.sleep(self._delay_seconds)  # what is tested is that it is late
                    writer.write(data)
                case Fault.GARBLE_ANSWERS:
                    writer.write(self._garbled(data))
                case _:
                    writer.write(data)
            await writer.drain()
        raise EOFError

    def _garbled(self, data: bytes) -> bytes:
        garbled = bytearray(data)
        for _ in range(self._random.randint(1, 8)):
            garbled[self._random.randrange(len(garbled))] ^= self._random.randint(1, 255)
        return bytes(garbled)
