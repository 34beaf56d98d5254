"""CPU time is found by role and none of it is lost, and groups of audit rows are counted from outside."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from adapters.database import PostgresDatabase
from adapters.postgres import PostgresAuditLog
from benchmarks.house import House, Target
from benchmarks.observe import APPLICATION, Observation, observed, role_of
from serve_app.embedded import EmbeddedPostgres
from tests.adapters.conftest import new_event
from tests.api.conftest import World
from tests.conftest import in_own_loop
from tests.serve_app.running_service import running
from tests.servers import RunningServer


@pytest.fixture
def world() -> World:
    """A service in memory."""
    return World()


_BURN_ON_DEMAND = """\
import subprocess, sys, time
for line in sys.stdin:
    subprocess.run((sys.executable, "-c", "import time\\nwhile time.process_time() < 0.4: pass"))
    print(flush=True)
"""


@pytest.mark.parametrize(
    ("name", "command", "expected"),
    [
        ("postgres", "postgres: wallets wallets [local] idle", "PostgreSQL"),
        ("valkey-server", "valkey-server unixsocket:/tmp/x/valkey.sock", "Valkey"),
        ("bao", "bao server -config /tmp/x/vault/openbao.json", "OpenBao"),
        ("haproxy", "haproxy -db -f /tmp/x/haproxy.cfg", "HAProxy"),
        ("raylet", "raylet --x=ray::ServeReplica", "Ray"),
        ("ray::ServeRepli", "ray::ServeReplica:wallets:WalletService", APPLICATION),
        ("ray::HAProxyMan", "ray::HAProxyManager", "Serve's proxy manager"),
        ("ray::ServeContr", "ray::ServeController.listen_for_change", "Serve's controller"),
        ("ray::DashboardA", "ray::DashboardAgent", "Ray"),
        ("python", "python -m benchmarks.bare_uvicorn", APPLICATION),
        ("python", "python -I -S warden.py -- python -m serve_app.ray_head /tmp/x/ray/y", "supervisor"),
        ("python", "python -m serve_app.ray_head /tmp/x/ray", "Serve's driver"),
        ("python", "python -c up", "supervisor"),
    ],
)
def test_processes_are_told_apart(name: str, command: str, expected: str) -> None:
    """A process is known by its name, or else by its command line or title; what is left belongs to the supervisor."""
    assert role_of(name, command) == expected


def test_a_run_is_observed(world: World, database_url: str, postgres_server: RunningServer[EmbeddedPostgres], tmp_path: Path) -> None:
    """CPU time of processes that ended meanwhile counts, servers count to whichever target is asked, and audit rows come in groups."""
    (tmp_path / "url").write_text(database_url)
    with running(world) as url, _burner() as burner:
        target, servers = Target("burner", url, "", burner.pid), Target("servers", url, "", postgres_server.pid)
        house = House(tmp_path, servers, {"APP__DATABASE__URL_FILE": str(tmp_path / "url")}, target, [target, servers])
        with observed(house, target) as of_burner:
            _burn(burner)
        with observed(house, servers) as of_servers:
            _burn(burner)
            in_own_loop(_write_rows(database_url))
            world.metrics.observe_vault("decrypt", "ok", 0.1)

    assert of_burner.cpu_seconds.keys() == {"supervisor", "PostgreSQL"}
    assert 0.35 < of_burner.cpu_seconds["supervisor"] < 1
    assert of_burner.machine_seconds >= of_burner.cpu_seconds["supervisor"]
    assert (of_burner.audit_rows, of_burner.audit_groups, of_burner.vault_calls) == (0, 0, 0)
    assert of_servers.cpu_seconds.keys() == {"PostgreSQL"}
    assert of_servers.idle_seconds > 0.35
    assert (of_servers.audit_rows, of_servers.audit_groups, of_servers.vault_calls) == (4, 2, 1)


def test_strangers_are_what_nobody_accounts_for() -> None:
    """What the machine spent beyond the run's processes, the other targets and the load generator is strangers'; never below nothing."""
    observation = Observation(cpu_seconds={APPLICATION: 2.0, "PostgreSQL": 1.0}, idle_seconds=0.5, machine_seconds=5.0)

    assert (observation.stranger_seconds(0.5), observation.stranger_seconds(3.0)) == (1.0, 0.0)


@contextmanager
def _burner() -> Iterator[subprocess.Popen[str]]:
    """Run a process that, for each line, has a child of its own spend 0.4 s of CPU time and end."""
    command = (sys.executable, "-c", _BURN_ON_DEMAND)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def _burn(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    process.stdout.readline()


async def _write_rows(url: str) -> None:
    """Write one audit row, then three at once."""
    async with PostgresDatabase(url) as database:
        audit = PostgresAuditLog(database)
        await audit.record(new_event())
        await asyncio.gather(*(audit.record(new_event()) for _ in range(3)))
