"""The supervisor, in a process of its own, over real children."""

import os
import pwd
import signal
import sysconfig
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.serve_app.processes import IS_ROOT, Supervised, all_gone, marked, only_as_root, python_for

Supervise = Callable[..., Supervised]

LASTING = "touch $READY; exec sleep 1000"
WITH_GRANDCHILDREN = "setsid sh -c 'sleep 1000 & sleep 1000' & (setsid sleep 1000 &); touch $READY; exec sleep 1000"
DEAF = "trap '' TERM INT; touch $READY; while :; do sleep 1000 & wait; done"


@pytest.fixture
def supervise(folder: Path, mark: str) -> Iterator[Supervise]:
    """Start supervisors over marked children in one folder, and end them with the test."""
    started: list[Supervised] = []

    def start(*units: dict[str, Any], **options: Any) -> Supervised:
        started.append(Supervised(folder, *({"mark": mark} | unit for unit in units), **options))
        return started[-1]

    yield start
    for each in started:
        with each:
            continue


def child(name: str, script: str = LASTING, **more: Any) -> dict[str, Any]:
    """Describe a unit."""
    return {"name": name, "script": script, **more}


def test_starts_each_child_when_the_one_before_is_ready(supervise: Supervise) -> None:
    """The second child is started after the first was ready and its hook done."""
    run = supervise(child("one"), child("two"))

    run.expect("two", "ready")

    assert run.events == [(name, phase) for name in ("one", "two") for phase in ("starting", "hook", "ready")]


def test_ends_all_in_reverse_order(supervise: Supervise, mark: str) -> None:
    """SIGTERM ends the last child first, each before the next is told, and the exit code is 0."""
    run = supervise(child("one"), child("two"), child("three"))
    run.expect("three", "ready")
    processes = run.everything()

    run.process.terminate()
    code, _ = run.end()

    assert code == 0
    assert run.events[-6:] == [(name, phase) for name in ("three", "two", "one") for phase in ("stopping", "stopped")]
    assert all_gone(processes, 0)
    assert run.state()["phase"] == "stopped"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_ends_at_other_signals_too(supervise: Supervise, number: signal.Signals) -> None:
    """A terminal's interrupt and its hang-up end all as SIGTERM does."""
    run = supervise(child("one"))
    run.expect("one", "ready")

    run.process.send_signal(number)

    assert run.end()[0] == 0


def test_ends_while_a_child_is_still_starting(supervise: Supervise) -> None:
    """A stop does not wait for a child that is not ready, and starts no more of them."""
    run = supervise(child("one", "exec sleep 1000"), child("two"))
    run.expect("one", "starting")

    run.process.terminate()

    assert run.end()[0] == 0
    assert ("two", "starting") not in run.events


def test_restarts_a_killed_child_backing_off(supervise: Supervise) -> None:
    """A child killed by SIGKILL comes back with a new process and its hook run again, after pauses that double up to the longest."""
    run = supervise(child("one"), child("two"), patience={"longest_pause_seconds": 1.2})
    run.expect("two", "ready")
    pids = {run.pid("one")}
    pauses = []

    for _ in range(3):
        os.kill(run.pid("one"), signal.SIGKILL)
        pauses.append(run.expect("one", "restarting").splitlines()[-1])
        run.expect("one", "hook")
        run.expect("one", "ready")
        pids.add(run.pid("one"))

    assert pauses == [f"Starting it again in {pause} s" for pause in ("0.5", "1", "1.2")]
    assert len(pids) == 4
    assert [each["restarts"] for each in run.state()["children"]] == [3, 0]
    assert run.events.count(("two", "starting")) == 1


def test_forgives_failures_after_a_time_of_being_well(supervise: Supervise) -> None:
    """A child that was well in between may die more often than the limit, and its pause begins anew."""
    run = supervise(child("one"), patience={"failures": 2, "well_seconds": 0, "first_pause_seconds": 0.01})

    for _ in range(3):
        run.expect("one", "ready")
        os.kill(run.pid("one"), signal.SIGKILL)
        pause = run.expect("one", "restarting").splitlines()[-1]

    assert pause == "Starting it again in 0.01 s"


def test_gives_up_with_a_message(supervise: Supervise, folder: Path) -> None:
    """After the last of the failures all is ended, the exit code is not 0, and the message has the child's last lines and its log."""
    dying = child("two", "echo first; echo 'I cannot go on' >&2; touch $READY; exit 5")
    run = supervise(child("one"), dying, patience={"failures": 3, "first_failures": 3, "first_pause_seconds": 0.01})

    code, message = run.end()

    assert code == 1
    assert message.splitlines() == [
        "two ended with exit code 5; its last lines:",
        "first",
        "I cannot go on",
        f"Given up after 3 failures in a row; its log is {folder}/logs/two.log",
    ]
    assert run.events[-2:] == [("one", "stopping"), ("one", "stopped")]


def test_says_what_a_child_that_dies_at_its_start_said(supervise: Supervise) -> None:
    """A child that never was ready is tried less often, and its last lines are shown."""
    run = supervise(child("one", "echo 'no such database'; exit 1"), patience={"first_pause_seconds": 0.01})

    code, message = run.end()

    assert code == 1
    assert "one ended with exit code 1; its last lines:\nno such database\n" in message
    assert run.events.count(("one", "starting")) == 3


def test_says_when_a_child_is_not_ready_in_time(supervise: Supervise, mark: str) -> None:
    """The wait for a child is bounded, the message has its last lines, and it is ended."""
    run = supervise(child("one", "echo waiting for the moon; exec sleep 1000", start_timeout_seconds=0.5))

    code, message = run.end()

    assert (code, message) == (1, "one was not ready within 0.5 s; its last lines:\nwaiting for the moon\n")
    assert not marked(mark)


def test_ends_all_when_a_hook_fails_at_the_start(supervise: Supervise, mark: str) -> None:
    """What a hook says is the message, and nothing is left running."""
    run = supervise(child("one"), child("two", hook_error="the migration failed"))

    code, message = run.end()

    assert (code, message) == (1, "the migration failed\n")
    assert not marked(mark)


def test_says_that_a_folder_is_missing(supervise: Supervise) -> None:
    """A child that the system refuses to start is a message at once, and not a traceback."""
    code, message = supervise(child("one", cwd="/no/such/folder")).end()

    assert (code, message) == (1, "one cannot be started in /no/such/folder: No such file or directory\n")


def test_kills_a_child_that_ignores_the_stop_signal(supervise: Supervise, mark: str) -> None:
    """After the child's own stop timeout it is killed, and the end is an orderly one."""
    run = supervise(child("one"), child("deaf", DEAF, stop_timeout_seconds=0.2))
    run.expect("deaf", "ready")

    run.process.terminate()
    code, _ = run.end()

    assert code == 0
    assert run.events[-4:] == [("deaf", "stopping"), ("deaf", "stopped"), ("one", "stopping"), ("one", "stopped")]
    assert not marked(mark)


def test_ends_within_its_time_whatever_children_ask_for(supervise: Supervise, mark: str) -> None:
    """The time for all of the end bounds those of the children."""
    deaf = [child(name, DEAF, stop_timeout_seconds=1000) for name in ("one", "two")]
    run = supervise(*deaf, patience={"stop_seconds": 0.5})
    run.expect("two", "ready")

    begin = time.monotonic()
    run.process.terminate()
    code, _ = run.end()

    assert code == 0
    assert time.monotonic() - begin < 10
    assert not marked(mark)


def test_hastens_at_a_second_signal(supervise: Supervise, mark: str) -> None:
    """The second SIGTERM kills what the first has not ended."""
    run = supervise(child("deaf", DEAF, stop_timeout_seconds=1000))
    run.expect("deaf", "ready")
    run.process.terminate()
    run.expect("deaf", "stopping")

    run.process.terminate()

    assert run.end()[0] == 0
    assert not marked(mark)


def test_leaves_nothing_when_it_is_killed(supervise: Supervise, mark: str) -> None:
    """SIGKILL of the supervisor ends every process of the tree, those in other sessions too."""
    run = supervise(child("one", WITH_GRANDCHILDREN), child("two", WITH_GRANDCHILDREN))
    run.expect("two", "ready")
    processes = run.everything()

    run.process.kill()

    assert len(processes) >= 10
    assert all_gone(processes)
    assert not marked(mark)


def test_children_end_in_their_own_way_when_it_is_killed(supervise: Supervise, folder: Path) -> None:
    """SIGKILL of the supervisor still lets a child end by its stop signal."""
    polite = "trap 'echo done > ended; exit 0' TERM; touch $READY; while :; do sleep 1000 & wait; done"
    run = supervise(child("one", polite))
    run.expect("one", "ready")
    processes = run.everything()

    run.process.kill()

    assert all_gone(processes)
    assert (folder / "ended").read_text() == "done\n"


def test_leaves_nothing_of_a_child_whose_warden_is_killed(supervise: Supervise, mark: str) -> None:
    """SIGKILL of a warden ends its child with all its grandchildren; the child is started again, the others are left alone."""
    run = supervise(child("one"), child("two", WITH_GRANDCHILDREN))
    run.expect("two", "ready")
    keeper = psutil.Process(run.pid("two")).parent()
    assert keeper is not None
    processes = keeper.children(recursive=True)

    keeper.kill()
    reason = run.expect("two", "restarting")

    assert len(processes) >= 4
    assert all_gone(processes, 0)
    assert reason.startswith("two ended by SIGKILL")
    run.expect("two", "ready")
    assert ("one", "restarting") not in run.events


def test_the_next_run_ends_what_one_left_that_was_killed_with_its_wardens(supervise: Supervise, mark: str) -> None:
    """Grandchildren of a run that was killed whole are found by their environment."""
    run = supervise(child("one", WITH_GRANDCHILDREN))
    run.expect("one", "ready")
    orphans = marked(mark)
    for process in (psutil.Process(run.process.pid), *run.wardens()):
        process.suspend()
    for process in (*run.wardens(), psutil.Process(run.process.pid)):
        process.kill()

    supervise(child("other")).expect("other", "ready")

    assert all_gone(orphans)


def test_refuses_a_folder_in_use(supervise: Supervise, folder: Path) -> None:
    """A second supervisor on the same folder says which process is on it, and disturbs nothing."""
    first = supervise(child("one"))
    first.expect("one", "ready")

    code, message = supervise(child("one")).end()

    assert code == 1
    assert message.startswith(f"{folder} is in use by process {first.process.pid}; ")
    assert psutil.pid_exists(first.pid("one"))


def test_waits_for_the_children_of_a_killed_run(supervise: Supervise) -> None:
    """A start right after a SIGKILL begins when the children of the run before have ended, not beside them."""
    run = supervise(child("one", "trap '' TERM; touch $READY; while :; do sleep 1000 & wait; done", stop_timeout_seconds=0.7))
    run.expect("one", "ready")
    before = run.everything()
    run.process.kill()
    run.process.wait()

    supervise(child("one")).expect("one", "starting")

    assert all_gone(before, 0)


def test_keeps_logs_apart_and_bounded(supervise: Supervise, folder: Path) -> None:
    """Each child's output is in a file of its own, readable by the owner alone, and full files are replaced."""
    chatty = "i=0; while [ $i -lt 500 ]; do echo number $i; i=$((i+1)); done; touch $READY; exec sleep 1000"
    run = supervise(child("one", chatty), child("two", f"echo from two; {LASTING}"), max_log_bytes=4000)

    run.expect("two", "ready")

    logs = folder / "logs"
    assert (logs / "one.log").read_text().endswith("number 499\n")
    assert "from two" in (logs / "two.log").read_text()
    assert "number" not in (logs / "two.log").read_text()
    assert all(log.stat().st_size <= 4000 and log.stat().st_mode & 0o777 == 0o600 for log in logs.iterdir())
    assert sorted(log.name for log in logs.iterdir()) == ["one.log", "one.log.1", "two.log"]


def test_tells_when_a_running_child_does_not_answer(supervise: Supervise, folder: Path) -> None:
    """A child that was ready and is not any more is shown as such, and as ready when it is again."""
    run = supervise(child("one"), patience={"watch_seconds": 0.02})
    run.expect("one", "ready")

    (folder / "one.ready").unlink()
    run.expect("one", "not ready")
    (folder / "one.ready").touch()

    assert run.expect("one", "ready") == ""


@only_as_root
def test_root_runs_children_as_other_users(supervise: Supervise, folder: Path, mark: str) -> None:
    """A child runs as the user and group of its description, and is ended with the supervisor all the same."""
    folder.chmod(0o777)
    run = supervise(child("one", f"id -u; id -g; {LASTING}", uid=54_321, gid=54_322), child("two"))
    run.expect("two", "ready")
    owners = [psutil.Process(run.pid(name)).uids().real for name in ("one", "two")]

    run.process.kill()
    run.process.wait()

    assert owners == [54_321, 0]
    assert all_gone(marked(mark))
    assert "54321\n54322\n" in (folder / "logs" / "one.log").read_text()


@pytest.mark.skipif(not IS_ROOT, reason="an ordinary user runs every other test of this file")
def test_works_as_an_ordinary_user(supervise: Supervise, folder: Path, mark: str) -> None:
    """Without privileges a killed supervisor leaves nothing either, and a stopped one ends in order."""
    nobody = pwd.getpwnam("nobody")
    folder.chmod(0o777)
    options = {
        "python": python_for(nobody.pw_uid),
        "preexec": lambda: os.setresuid(*[nobody.pw_uid] * 3),
        "path": sysconfig.get_path("purelib"),
    }
    killed = supervise(child("one", WITH_GRANDCHILDREN), **options)
    killed.expect("one", "ready")
    processes = killed.everything()
    killed.process.kill()

    stopped = supervise(child("one", WITH_GRANDCHILDREN), **options)
    stopped.expect("one", "ready")
    stopped.process.terminate()

    assert all_gone(processes)
    assert stopped.end() == (0, "")
    assert not marked(mark)
