"""The commands that speak to a running service: demo and status."""

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from prometheus_client import values

from adapters.limits import CallKind, Client, Verdict
from api.observability import Metrics
from serve_app.ports import free_ports
from serve_app.state import ChildState, MachineState, Phase, write_state
from tests.api.conftest import API_KEY, CountingLimiter, World
from tests.serve_app.conftest import Run
from tests.serve_app.processes import ROOT
from tests.serve_app.running_service import running
from wallets.chains import CHAINS
from wallets.model import AuditAction

REPLICA = "exec -a ray::ServeReplica:wallets:WalletService"


def test_demo_signs_on_every_network(run: Run, data: Path) -> None:
    """The demo creates a wallet and shows, for each network, the sender, the transaction's id and what it does."""
    world = World()
    with running(world) as url:
        write_state(data / "state.json", _state(url))

        result = run("demo", APP__SERVER__API_KEY=API_KEY)

    rows = {words[0]: words for words in map(str.split, result.output.splitlines()) if words and words[0] in CHAINS}
    signed = [event.details for event in world.audit.events if event.action is AuditAction.TRANSACTION_SIGN]
    assert result.exit_code == 0, result.stderr
    assert {network: words[1:3] for network, words in rows.items()} == {
        details["network"]: [details["address"], details["tx_id"]] for details in signed
    }
    assert set(rows) == set(CHAINS)
    assert "transfer: 0.000000000000000001 ETH to 0x" in " ".join(rows["eth"])


def test_demo_waits_where_the_service_limits(run: Run, data: Path) -> None:
    """An answer of 429 is not the end of it; the call is repeated when the service says."""
    limiter = RefusesOne()

    with running(World(limiter=limiter)) as url:
        write_state(data / "state.json", _state(url))
        result = run("demo", APP__SERVER__API_KEY=API_KEY)

    assert result.exit_code == 0
    assert len(limiter.keys) == 2 + 3 * len(CHAINS)


def test_demo_says_why_the_service_refuses(run: Run, data: Path) -> None:
    """A wrong key is the service's own message."""
    with running(World()) as url:
        write_state(data / "state.json", _state(url))

        result = run("demo", APP__SERVER__API_KEY="not-the-key-of-this-service")

    assert result.exit_code == 1
    assert result.stderr.startswith("the service answers 401: ")


def test_lock_has_the_service_forget_its_seeds(run: Run, data: Path) -> None:
    """It says when, and how many seeds the replica that answered has forgotten."""
    world = World()
    with running(world) as url:
        write_state(data / "state.json", _state(url))
        run("demo", APP__SERVER__API_KEY=API_KEY)
        assert len(world.custody.keyring) == 1

        result = run("lock", APP__SERVER__API_KEY=API_KEY)

    assert result.exit_code == 0, result.stderr
    assert result.output.startswith("locked at 20")
    assert "forgot its unlocked seeds (1)" in result.output
    assert len(world.custody.keyring) == 0


def test_lock_says_when_others_may_not_have_heard(run: Run, data: Path) -> None:
    """The exit code is 1, and the message says what to do."""
    world = World()
    world.lock_signal.away = True

    with running(world) as url:
        write_state(data / "state.json", _state(url))
        result = run("lock", APP__SERVER__API_KEY=API_KEY)

    assert result.exit_code == 1
    assert result.stderr.startswith("the service answers 503: this replica has forgotten its unlocked seeds (0); others may not have heard")


def test_status_shows_children_replicas_and_health(run: Run, data: Path) -> None:
    """All is well when every child is ready, there is a replica, and every component is ok; then the exit code is 0."""
    with _working(data, World(), f"({REPLICA} sleep 1000) & echo; wait") as ray:
        table, content = run("status"), run("status", "--json")

    answer = json.loads(content.stdout)
    assert (table.exit_code, content.exit_code) == (0, 0)
    assert answer["ok"] is True
    assert [child["name"] for child in answer["children"]] == ["ray"]
    assert len(answer["replicas"]) == 1
    assert answer["health"]["components"]["database"] == "ok"
    assert all(word in table.output for word in ("ray", "ready", "database", "MiB", str(ray.pid)))


HARDENED = """
import sys
from dataclasses import asdict
from pathlib import Path
from adapters.limits import CallKind, Client, Verdict
from api.observability import Metrics
from deployments.hardening import harden

Metrics(Path(sys.argv[1])).process_hardened(**asdict(harden()))
print(flush=True)
sys.stdin.readline()
"""


def test_status_says_how_each_replica_is_protected(run: Run, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a replica tells of its protection stands in the table in words and in the JSON by itself; of others it is not known."""
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "replaced by the metrics")
    metrics = tmp_path / "metrics"
    script = f"({REPLICA} {sys.executable} -c '{HARDENED}' {metrics}) <&0 & ({REPLICA} sleep 1000) & wait"
    with _working(data, World(metrics=Metrics(metrics)), script):
        table, content = run("status"), run("status", "--json")

    told = [replica["hardening"] for replica in json.loads(content.stdout)["replicas"]]
    assert [each is None for each in told].count(True) == 1
    (known,) = filter(None, told)
    assert (known["core_dumps"], known["dumpable"]) == ("off", "no")
    assert known["memory"] in {"locked", "limited", "refused"}
    assert "no core dumps, closed to debuggers, " in table.output
    assert "unknown" in table.output


def test_status_fails_when_a_component_is_away(run: Run, data: Path) -> None:
    """The service runs, but something is not well: it is shown, and the exit code is 1."""
    with running(World()) as url:
        write_state(data / "state.json", _state(url, ChildState("ray", Phase.RESTARTING, restarts=3)))

        result = run("status", "--json")

    answer = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (answer["ok"], answer["children"][0]["phase"], answer["replicas"]) == (False, "restarting", [])


def test_status_shows_that_the_service_does_not_answer(run: Run, data: Path) -> None:
    """While the supervisor runs and the service does not, that is the health."""
    write_state(data / "state.json", _state(f"http://127.0.0.1:{free_ports(1)[0]}"))

    result = run("status")

    assert result.exit_code == 1
    assert "does not answer" in result.output


class RefusesOne(CountingLimiter):
    """Refuses the third call, and no other."""

    async def acquire(self, client: Client, kind: CallKind, cost: int = 1) -> Verdict:
        """See `api.limits.RateLimiter.acquire`."""
        self.left = 1 if len(self.keys) != 2 else 0
        self.wait_seconds = 0.1
        return await super().acquire(client, kind, cost)


@contextmanager
def _working(data: Path, world: World, script: str) -> "Iterator[subprocess.Popen[bytes]]":
    """Serve `world` with the processes of a script as Ray's, once the first of them has written a line, and end them afterwards."""
    environ = {"PYTHONPATH": f"{ROOT}:{sysconfig.get_path('purelib')}"}
    with (
        running(world) as url,
        subprocess.Popen(["bash", "-c", script], env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as ray,
    ):
        assert ray.stdout is not None
        ray.stdout.readline()
        write_state(data / "state.json", _state(url, ChildState("ray", Phase.READY, ray.pid, "2026-11-24T10:00:01+00:00")))
        try:
            yield ray
        finally:
            for process in psutil.Process(ray.pid).children():
                process.kill()


def _state(url: str, *children: ChildState) -> MachineState:
    return MachineState(os.getpid(), "2026-11-24T10:00:00+00:00", Phase.READY, children, {"url": url})
