"""Fixtures of the room `serve_app`."""

import os
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest
import structlog
from typer.testing import CliRunner, Result

from serve_app.cli import app
from tests.serve_app.processes import marked
from tests.servers import open_folder

Run = Callable[..., Result]


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


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The data folder of `run`."""
    made = tmp_path / "data"
    made.mkdir()
    return made


@pytest.fixture
def log_as_before() -> Iterator[None]:
    """Take back what the command line does to the log."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def hardened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which commands have hardened their process, which here would be that of the tests."""
    commands: list[str] = []
    for module in ("backup_commands", "keys_commands", "takeover_command"):
        monkeypatch.setattr(f"serve_app.{module}.harden", partial(commands.append, module))
    return commands


@pytest.fixture
def run(tmp_path: Path, log_as_before: None) -> Run:
    """Run a command with these `APP__*` and a data folder of its own."""
    inherited = dict.fromkeys((name for name in os.environ if name.startswith("APP__")), None)

    def invoke(*arguments: str, **settings: str) -> Result:
        return CliRunner().invoke(app, arguments, env={**inherited, "APP__DATA_DIR": str(tmp_path / "data"), **settings})

    return invoke
