"""The command line: what each command refuses or needs, and what it says then."""

import asyncio
import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path

import asyncpg
import pytest

from adapters.migrations import Migration, migrate
from deployments.settings import variables
from serve_app.folder_lock import folder_lock
from serve_app.ports import free_port_range
from tests.serve_app.conftest import Run


def test_check_config_shows_every_value_but_no_secret(run: Run) -> None:
    """Every variable is listed with its value in effect; secrets are redacted, whether they come from a variable or from a file."""
    result = run("check-config", APP__SERVER__PORT="3210", APP__DATABASE__URL="postgresql://me:hush-hush@db/wallets")

    rows = {line.split()[0]: line.split()[1:] for line in result.output.splitlines()[1:]}
    assert result.exit_code == 0
    assert set(rows) == {variable.name for variable in variables()}
    assert rows["APP__SERVER__PORT"][:2] == ["3210", "set"]
    assert rows["APP__DATABASE__URL"][:2] == ["<redacted>", "set"]
    assert rows["APP__DATABASE__POOL_SIZE"][:2] == ["20", "default"]
    assert "hush" not in result.output


@pytest.mark.parametrize("command", ["check-config", "up", "migrate", "check-schema", "status", "demo", "lock"])
def test_wrong_settings_are_refused_by_every_command(run: Run, command: str) -> None:
    """An unknown name gets a suggestion, a malformed value its reason; the exit code is 2, and nothing is shown of the value."""
    result = run(command, APP__SERVER__PROT="3000", APP__DATABASE__POOL_SIZE="many-and-secret")

    assert result.exit_code == 2
    assert "APP__SERVER__PROT: there is no such setting; did you mean APP__SERVER__PORT?" in result.stderr
    assert "APP__DATABASE__POOL_SIZE: " in result.stderr
    assert "many-and-secret" not in result.output


@pytest.mark.parametrize("command", [["status"], ["demo"], ["lock"]])
def test_says_that_nothing_runs(run: Run, command: list[str], tmp_path: Path) -> None:
    """Without a service the commands that need one say where they looked, and make nothing there."""
    result = run(*command)

    assert result.exit_code == 1
    assert f"no service runs on {tmp_path}/data; start it with `crypto-wallets up`" in result.stderr
    assert not (tmp_path / "data").exists()


def test_status_as_json_says_that_nothing_runs(run: Run) -> None:
    """A program gets JSON in this case too."""
    result = run("status", "--json")

    assert result.exit_code == 1
    assert json.loads(result.stdout)["ok"] is False


@pytest.mark.parametrize("name", ["PORT", "GRPC_PORT"])
def test_up_says_who_has_the_port(run: Run, tmp_path: Path, name: str) -> None:
    """A port that is taken, HTTP's or gRPC's, ends `up` before it has started anything."""
    free = free_port_range(2)
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]

        result = run("up", **{"APP__SERVER__PORT": str(free), "APP__SERVER__GRPC_PORT": str(free + 1), f"APP__SERVER__{name}": str(port)})

    assert result.exit_code == 1
    assert result.stderr.startswith(f"port {port} on 127.0.0.1 is taken by ")
    assert f"(pid {os.getpid()})" in result.stderr
    assert not (tmp_path / "data" / "postgres").exists()


def test_up_refuses_a_folder_in_use(run: Run, data: Path) -> None:
    """The process that holds the folder is named."""
    with folder_lock(data):
        result = run("up")

    assert result.exit_code == 1
    assert f"{data} is in use by process {os.getpid()}" in result.stderr


@pytest.mark.parametrize("name", ["file", "file/below", "/proc/none"])
def test_up_says_that_a_data_folder_cannot_be(run: Run, tmp_path: Path, name: str) -> None:
    """A data folder that is a file, or cannot be made, is one line and no traceback."""
    (tmp_path / "file").touch()

    result = run("up", APP__DATA_DIR=str(tmp_path / name))

    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert Path(name).parts[0] in result.stderr


def test_migrate_brings_the_schema_up_to_date(run: Run, empty_database_url: str) -> None:
    """The first run applies the migrations, the second has nothing to do."""
    first, second = (run("migrate", APP__DATABASE__URL=empty_database_url) for _ in range(2))

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert "migrations applied: " in first.output
    assert second.output == "the schema is up to date\n"


def test_check_schema_changes_nothing(run: Run, empty_database_url: str) -> None:
    """It fails until somebody has migrated, says what to do, and then passes."""
    before = run("check-schema", APP__DATABASE__URL=empty_database_url)
    again = run("check-schema", APP__DATABASE__URL=empty_database_url)
    run("migrate", APP__DATABASE__URL=empty_database_url)
    after = run("check-schema", APP__DATABASE__URL=empty_database_url)

    assert (before.exit_code, again.exit_code, after.exit_code) == (1, 1, 0)
    assert before.stderr == again.stderr
    assert "it has version 0" in before.stderr
    assert "run `crypto-wallets migrate`" in before.stderr


async def test_check_schema_waits_for_who_migrates(run: Run, empty_database_url: str) -> None:
    """With time to wait it passes as soon as the schema is there."""
    waiting = asyncio.to_thread(run, "check-schema", "--wait-secs", "60", APP__DATABASE__URL=empty_database_url)

    result, _ = await asyncio.gather(waiting, migrate(empty_database_url))

    assert result.exit_code == 0, result.stderr
    assert result.output.endswith("the schema is up to date\n")


async def test_check_schema_waits_for_nothing_that_will_not_be(run: Run, empty_database_url: str) -> None:
    """A schema that is newer than this version knows does not become older: whoever rolls back is told at once."""
    newer = Migration(9_999, "of_tomorrow", "SELECT 1")
    await migrate(empty_database_url)
    connection = await asyncpg.connect(empty_database_url)
    await connection.execute("INSERT INTO schema_migrations VALUES ($1, $2, $3)", newer.version, newer.name, newer.checksum)
    await connection.close()

    async with asyncio.timeout(20):
        result = await asyncio.to_thread(run, "check-schema", "--wait-secs", "60", APP__DATABASE__URL=empty_database_url)

    assert result.exit_code == 1
    assert "too new: it has version 9999" in result.stderr


@pytest.mark.parametrize("command", ["migrate", "check-schema"])
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "APP__DATABASE__URL: is not set"),
        ({"APP__DATABASE__URL": "mysql://me:hush-hush@127.0.0.1/wallets"}, "APP__DATABASE__URL: is no URL that starts with postgresql://"),
        ({"APP__DATABASE__URL": "postgresql://me:hush-hush@127.0.0.1:1/wallets"}, "cannot be reached, or refuses us"),
    ],
)
def test_migrate_and_check_schema_say_why_they_cannot(run: Run, settings: Mapping[str, str], message: str, command: str) -> None:
    """What keeps them from the database is one line without the password."""
    result = run(command, **settings)

    assert result.exit_code != 0
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert "hush" not in result.output
