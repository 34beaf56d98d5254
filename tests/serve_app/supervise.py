"""Run a Supervisor over shell children in a process of its own: `supervise.py FOLDER UNITS-AS-JSON PATIENCE-AS-JSON [MAX-LOG-BYTES]`.

Each unit is `{"name", "script"}` and what else of `Child` and `Unit` is to differ; a unit is ready when `FOLDER/<name>.ready` exists, which
its script makes. Events go to standard output, one JSON object a line; the exit code is 0, or 1 with a message on standard error.
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from serve_app.child import Child
from serve_app.folder_lock import FolderInUseError, folder_lock
from serve_app.supervisor import ChildFailedError, Event, Patience, Supervisor, Unit


def unit(folder: Path, description: dict[str, Any]) -> Unit:
    """Make the unit of a description."""
    name, ready = description["name"], folder / f"{description['name']}.ready"

    async def make() -> Child:
        ready.unlink(missing_ok=True)
        return Child(
            name=name,
            command=("/bin/sh", "-c", description["script"]),
            env={"PATH": os.environ["PATH"], "READY": str(ready), "MARK": description.get("mark", "")},
            cwd=Path(description.get("cwd", folder)),
            ready=ready.exists,
            uid=description.get("uid"),
            gid=description.get("gid"),
            stop_signal=signal.Signals(description.get("stop_signal", signal.SIGTERM)),
            stop_timeout_seconds=description.get("stop_timeout_seconds", 5.0),
        )

    async def after_ready() -> None:
        emit(name, "hook")
        if "hook_error" in description:
            raise ChildFailedError(description["hook_error"])

    return Unit(name=name, make=make, after_ready=after_ready, start_timeout_seconds=description.get("start_timeout_seconds", 20.0))


def show(event: Event) -> None:
    """Write the event."""
    emit(event.name, event.phase, event.detail)


def emit(name: str, phase: str, detail: str = "") -> None:
    """Write one line of JSON."""
    sys.stdout.write(json.dumps({"name": name, "phase": phase, "detail": detail}) + "\n")
    sys.stdout.flush()


def main(folder: Path, units: list[dict[str, Any]], patience: dict[str, Any], max_log_bytes: int) -> int:
    """Hold the folder and supervise."""
    try:
        with folder_lock(folder) as lock:
            described = [unit(folder, description) for description in units]
            supervisor = Supervisor(
                described,
                folder,
                on_event=show,
                lock=lock,
                patience=Patience(**patience),
                max_log_bytes=max_log_bytes,
                facts={"url": "here"},
            )
            asyncio.run(supervisor.run())
    except (ChildFailedError, FolderInUseError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    arguments = [json.loads(argument) for argument in sys.argv[2:]]
    sys.exit(main(Path(sys.argv[1]), arguments[0], arguments[1], arguments[2] if len(arguments) > 2 else 1_000_000))
