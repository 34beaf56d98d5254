"""Fixtures of the room `serve_app`."""

import uuid
from collections.abc import Iterator

import psutil
import pytest

from tests.serve_app.processes import marked


@pytest.fixture
def mark() -> Iterator[str]:
    """A value of `MARK` for the environment of the test's processes; none of them outlives the test."""
    value = uuid.uuid4().hex
    yield value
    left = marked(value)
    for process in left:
        process.kill()
    psutil.wait_procs(left, timeout=10)
