"""Bound the streams that clients keep open, and have them end when the service does."""

import asyncio
from collections.abc import AsyncIterator, Hashable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Protocol

from api.errors import RateLimitedError
from wallets.errors import UnavailableError

ENDS = "the service ends; send what was not answered on another stream"
"""What the client of a stream is told that ends because the service does."""


class Closing(Protocol):
    """What lasts until it is told to end."""

    def close(self) -> None:
        """Begin to end; asked again, go on with that."""
        ...


class Limited:
    """A timeout that is reached when this is closed."""

    def __init__(self, end: asyncio.Timeout) -> None:
        self._end = end

    def close(self) -> None:
        """See `Closing.close`."""
        if not self._end.expired():
            self._end.reschedule(asyncio.get_running_loop().time())


class OpenStreams:
    """Bound the streams that are open at once, of all clients and of each."""

    def __init__(self, *, of_client: int, of_all: int) -> None:
        self._of_client = of_client
        self._of_all = of_all
        self._open: dict[Closing, Hashable] = {}
        self._is_closed = False

    @contextmanager
    def opened(self, key: Hashable, stream: Closing) -> Iterator[None]:
        """Count a stream of the client `key` while it is open.

        Raises:
            RateLimitedError: There are too many.
            UnavailableError: The service ends.
        """
        if self._is_closed:
            raise UnavailableError(ENDS)
        clients = list(self._open.values())
        if clients.count(key) >= self._of_client or len(clients) >= self._of_all:
            msg = f"too many streams are open; {self._of_client} of one client are allowed"
            raise RateLimitedError(msg)
        self._open[stream] = key
        try:
            yield
        finally:
            del self._open[stream]

    @asynccontextmanager
    async def opened_until_closed(self, key: Hashable) -> AsyncIterator[None]:
        """Count a stream that has nothing under way, and cut it off when the service ends.

        Raises:
            RateLimitedError: There are too many.
            UnavailableError: The service ends.
        """
        end = asyncio.timeout(None)
        try:
            async with end:
                with self.opened(key, Limited(end)):
                    yield
        except TimeoutError:
            if end.expired():
                raise UnavailableError(ENDS) from None
            raise

    def close(self) -> None:
        """Open no more, and have those that are open end."""
        self._is_closed = True
        for stream in self._open:
            stream.close()
