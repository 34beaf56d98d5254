"""The access log has one line a request, written a moment later and never lost by an orderly end."""

import asyncio
import io
import json

import pytest

from api.access_log import AccessLog


async def test_lines_are_gathered_and_written_soon() -> None:
    """A burst of requests is one write, in their order, without anybody asking for it."""
    stream = io.BytesIO()
    log = AccessLog("info", stream, flush_seconds=0.01)

    for status in (200, 404):
        log.record("info", {"status": status})
    before = stream.getvalue()
    await asyncio.sleep(0.05)

    assert before == b""
    assert [json.loads(line)["status"] for line in stream.getvalue().splitlines()] == [200, 404]


async def test_a_large_burst_is_written_at_once() -> None:
    """What waits is bounded."""
    stream = io.BytesIO()
    log = AccessLog("info", stream, flush_seconds=3600)

    for _ in range(100):
        log.record("info", {"route": "x" * 1000})

    assert stream.getvalue().count(b"\n") >= 60
    log.flush()
    assert stream.getvalue().count(b"\n") == 100


async def test_what_waits_is_written_at_the_end() -> None:
    """Flushing writes it, and flushing again nothing."""
    stream = io.BytesIO()
    log = AccessLog("info", stream, flush_seconds=3600)
    log.record("info", {"status": 200})

    log.flush()
    log.flush()

    line = json.loads(stream.getvalue())
    assert (line["event"], line["level"], line["status"]) == ("request_completed", "info", 200)
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize(("level", "expected"), [("debug", 2), ("info", 1), ("error", 0)])
def test_the_level_is_kept_to(level: str, expected: int) -> None:
    """Below the level nothing is written."""
    stream = io.BytesIO()
    log = AccessLog(level, stream, flush_seconds=0)

    log.record("debug", {})
    log.record("info", {})

    assert stream.getvalue().count(b"\n") == expected
