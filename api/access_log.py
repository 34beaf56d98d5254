"""Log one JSON line a request, at the cost of a few microseconds."""

import asyncio
from datetime import UTC, datetime
from typing import BinaryIO

import orjson

from api.observability import LEVELS

_LONGEST_BUFFER = 65_536


class AccessLog:
    """Write a line for each request that ends, gathered for `flush_seconds` at most: what a crash may lose is in the audit log.

    The lines have fields of our own making alone (templates, ids, numbers), so they do not pass through `api.redaction`. Without a stream
    nothing is written.
    """

    def __init__(self, level: str = "info", stream: BinaryIO | None = None, *, flush_seconds: float = 0.25) -> None:
        self._threshold = LEVELS[level]
        self._stream = stream
        self._flush_seconds = flush_seconds
        self._lines: list[bytes] = []
        self._bytes = 0
        self._flushing: asyncio.TimerHandle | None = None

    def record(self, level: str, fields: dict[str, object]) -> None:
        """Write down a request that has ended, if `level` is to be seen."""
        if self._stream is None or LEVELS[level] < self._threshold:
            return
        timestamp = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        line = orjson.dumps(
            {"event": "request_completed", "level": level, "timestamp": timestamp, **fields}, option=orjson.OPT_APPEND_NEWLINE
        )
        self._lines.append(line)
        self._bytes += len(line)
        if not self._flush_seconds or self._bytes > _LONGEST_BUFFER:
            self.flush()
        elif self._flushing is None:
            self._flushing = asyncio.get_running_loop().call_later(self._flush_seconds, self.flush)

    def flush(self) -> None:
        """Write what was gathered. Call it before the process ends."""
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        lines, self._lines, self._bytes = self._lines, [], 0
        if lines and self._stream is not None:
            self._stream.write(b"".join(lines))
            self._stream.flush()
