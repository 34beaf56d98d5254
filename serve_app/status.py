"""Say how the service on this machine is: its children, its replicas, its health."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Group, RenderableType

from deployments.hardening import CoreDumps, Dumpable, Hardening, Memory
from serve_app.local_service import running_state
from serve_app.service_client import ServiceClient, ServiceError
from serve_app.state import MachineState, Phase
from serve_app.terminal import new_table

_REPLICA = "ray::ServeReplica"
"""How Ray names the processes of replicas."""

_IN_WORDS = {
    CoreDumps.OFF: "no core dumps",
    CoreDumps.ON: "dumps core",
    Dumpable.NO: "closed to debuggers",
    Dumpable.YES: "open to debuggers of its user",
    Memory.LOCKED: "locked in memory",
    Memory.LIMITED: "may be swapped: RLIMIT_MEMLOCK is not unlimited",
    Memory.REFUSED: "may be swapped: the system refuses to lock it",
}

_COLOURS = {"ready": "green", "ok": "green", "degraded": "yellow", "error": "red"}


@dataclass(frozen=True, slots=True)
class Replica:
    """A process that serves: its id, when it was started (ISO 8601), its resident memory, and how it is protected, if it says so."""

    pid: int
    since: str
    memory_bytes: int
    hardening: Hardening | None


@dataclass(frozen=True, slots=True)
class Status:
    """All of it. `health` is the answer of `/api/v1/health`, or `{"status": "error", "detail": ...}` where there is none."""

    state: MachineState
    replicas: Sequence[Replica]
    health: dict[str, Any]

    @property
    def is_well(self) -> bool:
        """Whether all children are ready, there is a replica, and every component is ok."""
        children = all(child.phase is Phase.READY for child in self.state.children)
        return children and bool(self.replicas) and self.health.get("status") == "ok"

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON's types."""
        state = asdict(self.state)
        return {
            "ok": self.is_well,
            "pid": state["pid"],
            "since": state["since"],
            "phase": state["phase"],
            "facts": state["facts"],
            "children": state["children"],
            "replicas": [asdict(replica) for replica in self.replicas],
            "health": self.health,
        }


def read_status(folder: Path) -> Status | None:
    """Look at the service that runs on this folder; None if none does.

    Raises:
        EmbeddedServerError: It is another user's.
    """
    state = running_state(folder)
    if state is None:
        return None
    ray = next((child.pid for child in state.children if child.name == "ray"), None)
    client = ServiceClient(state.facts.get("url", ""))
    replicas = sorted(_replicas(ray, _hardening(client)), key=lambda replica: replica.pid)
    return Status(state, replicas, _health(client))


def render_status(status: Status) -> RenderableType:
    """Draw tables of the children, the replicas and the components."""
    state = status.state
    title = f"crypto-wallets at {state.facts.get('url', '?')}, process {state.pid}, since {state.since}: {_coloured(state.phase)}"
    children = new_table("child", "state", "pid", "up since", "restarts")
    for child in state.children:
        children.add_row(child.name, _coloured(child.phase), str(child.pid or ""), child.since or "", str(child.restarts))
    replicas = new_table("replica", "up since", "memory", "protection")
    for replica in status.replicas:
        replicas.add_row(str(replica.pid), replica.since, f"{replica.memory_bytes // 1024**2} MiB", _in_words(replica.hardening))
    health = new_table("health", "state")
    health.add_row("service", _coloured(str(status.health.get("status"))))
    for name, value in status.health.get("components", {}).items():
        health.add_row(name, _coloured(str(value)))
    if "detail" in status.health:
        health.add_row("", status.health["detail"])
    return Group(title, "", children, replicas, health)


def _coloured(word: str) -> str:
    colour = _COLOURS.get(word)
    return f"[{colour}]{word}[/]" if colour else word


def _in_words(hardening: Hardening | None) -> str:
    return ", ".join(_IN_WORDS[state] for state in (hardening.core_dumps, hardening.dumpable, hardening.memory)) if hardening else "unknown"


def _health(client: ServiceClient) -> dict[str, Any]:
    try:
        return dict(client.get("/api/v1/health")[1])
    except ServiceError as error:
        return {"status": "error", "components": {}, "detail": str(error)}


def _hardening(client: ServiceClient) -> Mapping[int, Hardening]:
    """Return how each process is protected by its own account, by process id; nothing where the service does not answer."""
    try:
        families = text_string_to_metric_families(client.text("/metrics"))
        told = (sample.labels for family in families if family.name == "process_hardening" for sample in family.samples)
        return {
            int(labels["pid"]): Hardening(CoreDumps(labels["core_dumps"]), Dumpable(labels["dumpable"]), Memory(labels["memory"]))
            for labels in told
        }
    except (ServiceError, KeyError, ValueError):
        return {}


def _replicas(ray: int | None, hardening: Mapping[int, Hardening]) -> Iterator[Replica]:
    try:
        processes = psutil.Process(ray).children(recursive=True) if ray else []
    except psutil.NoSuchProcess:
        return
    for process in processes:
        try:
            if " ".join(process.cmdline()).startswith(_REPLICA):
                since = datetime.fromtimestamp(process.create_time(), UTC).isoformat(timespec="seconds")
                yield Replica(process.pid, since, process.memory_info().rss, hardening.get(process.pid))
        except psutil.Error:
            continue
