"""See what a run cost each process, by /proc, and what it left in the audit log and in the metrics."""

import asyncio
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from benchmarks.house import House, Target
from serve_app.warden import descendants, stat_fields

APPLICATION = "application"
"""The role of the process that does the work: the replica, or uvicorn."""

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_CPU_TIMES = slice(11, 15)
"""utime, stime, cutime, cstime among the fields from `state` on, proc_pid_stat(5)."""

_BY_NAME = {
    "postgres": "PostgreSQL",
    "valkey-server": "Valkey",
    "bao": "OpenBao",
    "haproxy": "HAProxy",
    "raylet": "Ray",
    "gcs_server": "Ray",
}
_BY_COMMAND = (
    ("ray::ServeReplica", APPLICATION),
    ("benchmarks.bare_uvicorn", APPLICATION),
    ("ray::ServeController", "Serve's controller"),
    ("ray::HAProxyManager", "Serve's proxy manager"),
    ("ray::ProxyActor", "Serve's Python proxy"),
    ("warden.py", "supervisor"),
    ("serve_app.ray_head", "Serve's driver"),
    ("ray::", "Ray"),
    ("/ray/", "Ray"),
)
"""The first part of a command line that fits."""

_OF_ALL_TARGETS = frozenset({"PostgreSQL", "Valkey", "OpenBao"})

_VAULT_CALLS = re.compile(r"^vault_operations_duration_seconds_count\{.*\} (\S+)$", re.MULTILINE)
_GROUPS = "SELECT count(*), count(DISTINCT xmin::text) FROM audit_logs WHERE id > $1"
"""What one statement wrote, one transaction wrote: by its id, xmin, which each row has, groups are counted without asking the service."""


@dataclass(slots=True)
class Observation:
    """What happened in a run.

    `cpu_seconds` are by role, of the target's own processes and the servers all share; `idle_seconds` of the other targets, which nobody
    asked anything; `stranger_seconds` of every process of the machine that is none of these, the load generator's not counted.
    """

    cpu_seconds: Mapping[str, float] = field(default_factory=dict)
    idle_seconds: float = 0.0
    machine_seconds: float = 0.0
    audit_rows: int = 0
    audit_groups: int = 0
    vault_calls: float = 0.0

    def stranger_seconds(self, generator_seconds: float) -> float:
        """Return the CPU time of what has nothing to do with the run, given the load generator's."""
        ours = sum(self.cpu_seconds.values()) + self.idle_seconds + generator_seconds
        return max(0.0, self.machine_seconds - ours)


@contextmanager
def observed(house: House, target: Target) -> Iterator[Observation]:
    """Observe what is done in the block to one target."""
    observation = Observation()
    database_url = target.database_url or house.database_url
    last_row, vault_calls = _last_audit_row(database_url), _vault_calls(target)
    before, machine = _snapshot(house), _machine_cpu_seconds()
    yield observation
    after, machine_after = _snapshot(house), _machine_cpu_seconds()
    observation.machine_seconds = machine_after - machine
    spent = {place: after[place] - before.get(place, 0.0) for place in after}
    own = {(name, role) for name, role in spent if name == target.name or role in _OF_ALL_TARGETS}
    observation.cpu_seconds = {role: spent[name, role] for name, role in sorted(own)}
    observation.idle_seconds = sum(seconds for place, seconds in spent.items() if place not in own)
    observation.audit_rows, observation.audit_groups = _audit_groups(database_url, last_row)
    observation.vault_calls = _vault_calls(target) - vault_calls


def _machine_cpu_seconds() -> float:
    """Return the CPU time that the whole machine has spent since it was started, without waiting and what its host took."""
    user, nice, system, _idle, _waiting, irq, softirq = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:8]
    return sum(map(int, (user, nice, system, irq, softirq))) / _TICKS_PER_SECOND


def _snapshot(house: House) -> Mapping[tuple[str, str], float]:
    """Return the CPU time spent so far, by target and role."""
    spent: defaultdict[tuple[str, str], float] = defaultdict(float)
    for target in house.targets:
        for pid in {target.pid} | descendants({target.pid}):
            spent[target.name, _role(pid)] += _cpu_seconds(pid)
    return spent


def _cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process and of the children that have ended and that it has waited for; 0 if it is gone.

    So nothing is lost and nothing counted twice when a process ends between two looks.
    """
    return sum(map(int, stat_fields(pid)[_CPU_TIMES])) / _TICKS_PER_SECOND


def role_of(name: str, command: str) -> str:
    """Return what a process with this name and command line (or title) is for."""
    return _BY_NAME.get(name) or next((role for part, role in _BY_COMMAND if part in command), "supervisor")


def _role(pid: int) -> str:
    try:
        name = Path(f"/proc/{pid}/comm").read_text().strip()
        return role_of(name, Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    except OSError:
        return "supervisor"


def _last_audit_row(url: str) -> int:
    return int(_fetch(url, "SELECT coalesce(max(id), 0) FROM audit_logs")[0])


def _audit_groups(url: str, since: int) -> tuple[int, int]:
    rows, groups = _fetch(url, _GROUPS, since)
    return int(rows), int(groups)


def _fetch(url: str, query: str, *arguments: object) -> tuple[int, ...]:
    async def ask() -> tuple[int, ...]:
        connection = await asyncpg.connect(url)
        try:
            record = await connection.fetchrow(query, *arguments)
        finally:
            await connection.close()
        assert record is not None
        return tuple(record)

    return asyncio.run(ask())


def _vault_calls(target: Target) -> float:
    return sum(float(count) for count in _VAULT_CALLS.findall(target.client.text("/metrics")))
