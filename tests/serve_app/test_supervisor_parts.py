"""The supervisor's state file, its ports, its view of logs, and its lock, each alone."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from serve_app.folder_lock import FolderInUseError, folder_lock
from serve_app.ports import PortError, require_free, who_holds
from serve_app.process import last_lines
from serve_app.state import ChildState, MachineState, Phase, read_state, write_state

_STATE = MachineState(
    os.getpid(),
    "2026-11-24T10:00:00+00:00",
    Phase.READY,
    (ChildState("one", Phase.READY, 123, "2026-11-24T10:00:01+00:00", 2), ChildState("two")),
    {"url": "http://127.0.0.1:3000"},
)


def test_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    """What another process reads is what the supervisor wrote, in a file for its owner alone."""
    path = tmp_path / "state.json"

    write_state(path, _STATE)

    assert read_state(path) == _STATE
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_state_of_a_process_that_is_gone_is_stale(tmp_path: Path) -> None:
    """A supervisor that was killed leaves a file, which says nothing."""
    process = subprocess.Popen(["sleep", "1000"])
    write_state(tmp_path / "state.json", replace(_STATE, pid=process.pid))
    process.kill()
    process.wait()

    assert read_state(tmp_path / "state.json") is None


def test_state_is_stale_when_the_process_id_was_given_to_another(tmp_path: Path) -> None:
    """The same process id with another start time is another process."""
    path = tmp_path / "state.json"
    write_state(path, _STATE)
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "started_at": "1"}))

    assert read_state(path) is None


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"pid": 1}'])
def test_a_broken_state_file_says_nothing(tmp_path: Path, content: str) -> None:
    """Whatever stands in the file, reading it does not fail."""
    (tmp_path / "state.json").write_text(content)

    assert read_state(tmp_path / "state.json") is None


def test_says_who_holds_a_port() -> None:
    """A port that is taken is named with the program and the process that has it."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]

        with pytest.raises(PortError) as raised:
            require_free("127.0.0.1", port)

    assert str(raised.value).startswith(f"port {port} on 127.0.0.1 is taken by ")
    assert str(raised.value).endswith(f"(pid {os.getpid()})")


def test_sees_a_holder_that_shares_its_port() -> None:
    """A port whose holder set SO_REUSEPORT is taken all the same, as is one held on all addresses."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("0.0.0.0", 0))
        holder.listen()
        port = holder.getsockname()[1]

        with pytest.raises(PortError, match=r"is taken by .*pid"):
            require_free("localhost", port)


def test_a_free_port_is_free() -> None:
    """Asking takes nothing: it can be asked again, and nobody holds the port."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]

    require_free("127.0.0.1", port)
    require_free("127.0.0.1", port)

    assert who_holds("127.0.0.1", port) is None


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "no-such-host.invalid"])
def test_says_that_an_address_is_not_ours(host: str) -> None:
    """An address of another machine is refused as such (RFC 5737, RFC 3849, RFC 2606)."""
    with pytest.raises(PortError, match=rf"{host} is no address of this machine"):
        require_free(host, 3000)


def test_last_lines_are_those_since_the_last_start(tmp_path: Path) -> None:
    """What the child said before it was started again, and the warden's own marks, are left out."""
    log = tmp_path / "log"
    log.write_text(
        "--- 1Z started, pid 7\nold\n--- 2Z ended with exit code 1\n--- 3Z started, pid 8\nnew\n  newer\n--- 4Z ended with exit code 1\n"
    )

    assert last_lines(log) == "new\n  newer"
    assert last_lines(log, 1) == "  newer"
    assert last_lines(tmp_path / "none") == ""


def test_a_lock_is_free_again_behind_its_block(tmp_path: Path) -> None:
    """While it is held nobody else gets it, in this process neither; afterwards anybody does."""
    with folder_lock(tmp_path), pytest.raises(FolderInUseError, match=f"in use by process {os.getpid()};"), folder_lock(tmp_path):
        pytest.fail("two held it")

    with folder_lock(tmp_path):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_a_lock_whose_holder_is_gone_but_not_its_children_is_waited_for_within_bounds(tmp_path: Path) -> None:
    """When the children of a dead holder keep the lock for too long, that is an error and not a wait for ever."""
    script = "sleep 1000 > /dev/null & echo $!"
    holder = "import os, sys; from pathlib import Path; from serve_app.folder_lock import folder_lock\n"
    holder += f"with folder_lock(Path(sys.argv[1])) as lock: os.set_inheritable(lock, True); os.execvp('sh', ['sh', '-c', {script!r}])"
    run = subprocess.run(
        (sys.executable, "-c", holder, str(tmp_path)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, text=True
    )
    child = int(run.stdout)

    try:
        with pytest.raises(FolderInUseError), folder_lock(tmp_path, patience_seconds=0.3):
            pytest.fail("it is held")
    finally:
        os.kill(child, 9)
