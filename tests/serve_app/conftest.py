"""Fixtures of the room `serve_app`."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.serve_app.processes import marked
from tests.servers import open_folder


@pytest.fixture
def mark() -> Iterator[str]:
    """A value of `MARK` for the environment of the test's processes; none of them outlives the test."""
    value = uuid.uuid4().hex
    yield value
    left = marked(value)
    for process in left:
        process.kill()
    psutil.wait_procs(left, timeout=10)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data folder of the test's own that other users may enter."""
    with open_folder() as made:
        yield made
