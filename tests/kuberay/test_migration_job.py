"""What the migration Job runs may run ten times at once, and be killed at any moment."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
import pytest

from adapters.migrations import all_migrations, migrate
from kuberay.documents import at
from kuberay.release import Release
from tests.kuberay.conftest import Render

_LOCKED = "audit_logs"
"""A table that a later migration changes."""


@pytest.fixture
def command(render: Render) -> list[str]:
    """The command of the Job, with the path of the program here."""
    (job,) = Release(render("production")).of("Job")
    program, *arguments = at(job, "spec", "template", "spec", "containers", 0, "command")
    return [str(Path(sys.executable).parent / program), *arguments]


@pytest.fixture
def environ(empty_database_url: str, tmp_path: Path) -> Mapping[str, str]:
    """The environment of the Job: the database's URL in a file."""
    file = tmp_path / "database-url"
    file.write_text(empty_database_url)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("APP__")}
    return {**inherited, "APP__DATABASE__URL_FILE": str(file)}


def test_ten_jobs_at_once(command: list[str], environ: Mapping[str, str]) -> None:
    """One migrates; the nine others wait, and see that it is done."""
    with ThreadPoolExecutor(max_workers=10) as threads:
        jobs = list(threads.map(lambda _: _run(command, environ), range(10)))

    assert [job.returncode for job in jobs] == [0] * 10, jobs
    last = sorted(job.stdout.splitlines()[-1] for job in jobs)
    assert last == [f"migrations applied: {len(all_migrations())}"] + ["the schema is up to date"] * 9


async def test_a_job_that_is_killed_half_way(command: list[str], environ: Mapping[str, str], empty_database_url: str) -> None:
    """The database is as a migration left it, and the next job goes on from there."""
    await migrate(empty_database_url, migrations=all_migrations()[:3])
    other = await asyncpg.connect(empty_database_url)
    await other.execute(f"BEGIN; LOCK TABLE {_LOCKED} IN SHARE MODE")
    first = await asyncio.create_subprocess_exec(*command, env=environ, stdout=asyncio.subprocess.PIPE)
    assert first.stdout is not None
    while b"a table is in use" not in await asyncio.wait_for(first.stdout.readline(), 60):
        pass

    first.send_signal(signal.SIGKILL)
    await first.wait()
    await other.execute("COMMIT")
    await other.close()
    second = await asyncio.to_thread(_run, command, environ)

    assert second.returncode == 0, second.stderr
    assert "migrations applied: " in second.stdout
    assert await migrate(empty_database_url) == ()


def _run(command: list[str], environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=150)
