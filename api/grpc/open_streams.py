"""Bound the streams that clients keep open."""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from api.errors import RateLimitedError


class OpenStreams:
    """Bound the streams that are open at once, of all clients and of each."""

    def __init__(self, *, of_client: int, of_all: int) -> None:
        self._of_client = of_client
        self._of_all = of_all
        self._open: dict[Hashable, int] = {}

    @contextmanager
    def opened(self, key: Hashable) -> Iterator[None]:
        """Count a stream of the client `key` while it is open.

        Raises:
            RateLimitedError: There are too many.
        """
        if self._open.get(key, 0) >= self._of_client or sum(self._open.values()) >= self._of_all:
            msg = f"too many streams are open; {self._of_client} of one client are allowed"
            raise RateLimitedError(msg)
        self._open[key] = self._open.get(key, 0) + 1
        try:
            yield
        finally:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]
