"""Say whether an input costs more than any may."""

import time
import tracemalloc

from tests.fuzz.targets import Target

MAX_BYTES = 1 << 20
MAX_SECONDS = 0.05
MAX_MEMORY = 64 << 20

_TRIES = 5
_ROUNDS = 4
_PAUSE_SECONDS = 2.0
"""Until a machine that is busy with others lets this one have its caches again."""


def excess(target: Target, raw: bytes) -> str:
    """Return what is exceeded, CPU time or memory; nothing where neither is."""
    if not any(_is_soon_done(target, raw, number) for number in range(_ROUNDS)):
        return "time"
    return "memory" if memory_of(target, raw) > MAX_MEMORY else ""


def memory_of(target: Target, raw: bytes) -> int:
    """Return how many bytes Python held at most, beside those before."""
    tracemalloc.start()
    try:
        target.decode(raw)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _is_soon_done(target: Target, raw: bytes, number: int) -> bool:
    if number:
        time.sleep(_PAUSE_SECONDS)
    return min(_seconds(target, raw) for _ in range(_TRIES)) <= MAX_SECONDS


def _seconds(target: Target, raw: bytes) -> float:
    before = time.thread_time()
    target.decode(raw)
    return time.thread_time() - before
