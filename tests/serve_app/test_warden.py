"""The warden: one command, and nothing of it afterwards."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from serve_app import warden
from tests.serve_app.processes import all_gone, marked, only_as_root
from tests.servers import wait_until

Start = Callable[..., "Warded"]


class Warded:
    """A warden that runs a shell script, which speaks to the test through a FIFO."""

    def __init__(self, folder: Path, mark: str, script: str, **options: str | float) -> None:
        self.log = folder / "command.log"
        self.signs = folder / "signs"
        os.mkfifo(self.signs)
        reader, writer = os.pipe()
        arguments = {"parent": os.getpid(), "stop-signal": 15, "stop-timeout": 20, "log-bytes": 1_000_000} | {
            name.replace("_", "-"): value for name, value in options.items()
        }
        words = [word for name, value in arguments.items() for word in (f"--{name}", str(value))]
        self.process = subprocess.Popen(
            (
                sys.executable,
                "-I",
                "-S",
                warden.__file__,
                *words,
                "--report-fd",
                str(writer),
                "--log",
                self.log,
                "--",
                "/bin/sh",
                "-c",
                script,
            ),
            env={"PATH": os.environ["PATH"], "MARK": mark, "SIGNS": str(self.signs)},
            cwd=folder,
            pass_fds=(writer,),
            start_new_session=True,
        )
        os.close(writer)
        with os.fdopen(reader) as report:
            self.pid = int(report.readline())

    def sign(self) -> str:
        """Return the next thing that the script writes to `$SIGNS`."""
        return self.signs.read_text().strip()

    def lines(self) -> list[str]:
        """Return what the command wrote."""
        return [line for line in self.log.read_text().splitlines() if not line.startswith(warden.MARK)]


@pytest.fixture
def start(tmp_path: Path, mark: str) -> Iterator[Start]:
    """Start wardens, and end them with the test."""
    started: list[Warded] = []

    def start_one(script: str, **options: str | float) -> Warded:
        started.append(Warded(tmp_path, mark, script, **options))
        return started[-1]

    yield start_one
    for each in started:
        each.process.kill()
        each.process.wait()


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -KILL $$", 137), ("kill -TERM $$", 143)])
def test_ends_as_the_command_ends(start: Start, script: str, code: int) -> None:
    """The exit code is the command's, or 128 and the signal that ended it."""
    warded = start(script)

    assert warded.process.wait(timeout=20) == code


def test_says_why_a_command_cannot_start(tmp_path: Path) -> None:
    """A command that does not exist ends with 127 and a line in the log."""
    log = tmp_path / "log"
    words = (
        f"--parent {os.getpid()} --stop-signal 15 --stop-timeout 1 --report-fd 1 --log-bytes 10000 --log {log} -- /no/such/program".split()
    )

    result = subprocess.run((sys.executable, "-I", "-S", warden.__file__, *words), stdout=subprocess.PIPE, check=False)

    assert result.returncode == 127
    assert "cannot start /no/such/program: No such file or directory" in log.read_text()


def test_kills_what_the_command_leaves_in_other_sessions(start: Start, mark: str) -> None:
    """Grandchildren that began sessions of their own are gone when the warden is."""
    warded = start("setsid sh -c 'sleep 1000 & sleep 1000' & (setsid sleep 1000 &); echo here > $SIGNS; exec sleep 1000")
    warded.sign()
    processes = marked(mark)

    os.kill(warded.pid, signal.SIGKILL)

    assert warded.process.wait(timeout=20) == 137
    assert len(processes) >= 4
    assert all_gone(processes, 0)


def test_reaps_orphans_while_the_command_runs(start: Start) -> None:
    """An orphan that ends does not stay as a zombie."""
    warded = start("(sh -c 'echo $$ > $SIGNS; read line < $SIGNS' &); exec sleep 1000")
    orphan = psutil.Process(int(warded.sign()))

    warded.signs.write_text("end\n")

    assert all_gone([orphan])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_passes_the_stop_signal_on(start: Start, number: signal.Signals) -> None:
    """Either signal becomes the command's own stop signal, and the command ends in its own way."""
    warded = start("trap 'echo bye; exit 7' USR1; echo here > $SIGNS; while :; do sleep 1000 & wait; done", stop_signal=int(signal.SIGUSR1))
    warded.sign()

    warded.process.send_signal(number)

    assert warded.process.wait(timeout=20) == 7
    assert warded.lines() == ["bye"]


@pytest.mark.parametrize("body", ["sleep 1000 & wait", "echo chatter"], ids=["quiet", "chatty"])
def test_kills_a_command_that_will_not_stop(start: Start, body: str) -> None:
    """After the timeout the command is killed, also while it writes all the time."""
    warded = start(f"trap '' TERM; echo here > $SIGNS; while :; do {body}; done", stop_timeout=0.2)
    warded.sign()

    warded.process.terminate()

    assert warded.process.wait(timeout=10) == 137


def test_kills_at_once_when_told(start: Start) -> None:
    """SIGQUIT does not wait for the stop timeout."""
    warded = start("trap '' TERM; echo here > $SIGNS; while :; do sleep 1000 & wait; done", stop_timeout=1000)
    warded.sign()
    warded.process.terminate()

    warded.process.send_signal(signal.SIGQUIT)

    assert warded.process.wait(timeout=10) == 137


def test_stops_a_command_that_is_stopped_as_a_job(start: Start) -> None:
    """A suspended command is woken to take its stop signal."""
    warded = start("echo here > $SIGNS; exec sleep 1000")
    warded.sign()
    os.kill(warded.pid, signal.SIGSTOP)

    warded.process.terminate()

    assert warded.process.wait(timeout=20) == 143


def test_stops_the_command_if_its_parent_is_gone_already(start: Start) -> None:
    """A warden whose parent died before it could ask to be told of that stops the command, politely."""
    warded = start("exec sleep 1000", parent=2**22 + 1)

    assert warded.process.wait(timeout=20) == 143


def test_the_command_dies_with_a_killed_warden(start: Start, mark: str) -> None:
    """SIGKILL of the warden is SIGKILL of the command."""
    warded = start("echo here > $SIGNS; exec sleep 1000")
    warded.sign()
    processes = marked(mark)

    warded.process.kill()
    warded.process.wait()

    assert all_gone(processes)


def test_the_command_starts_clean(start: Start) -> None:
    """The command has its own session, no signal blocked or ignored, and no descriptor but the three."""
    warded = start("ls /proc/$$/fd; grep -E 'Sig(Blk|Ign)' /proc/self/status; ps -o sid= -p $$")
    warded.process.wait(timeout=20)

    *status, session = warded.lines()

    *descriptors, blocked, ignored = (line.split() for line in status)
    assert descriptors == [["0"], ["1"], ["2"]]
    assert blocked == ["SigBlk:", "0" * 16]
    # glibc keeps signals 32 and 33 for itself: no program can reset them, and make leaves them ignored.
    assert int(ignored[1], 16) & ~(0b11 << 31) == 0
    assert int(session) == warded.pid


@only_as_root
def test_runs_the_command_as_another_user(start: Start) -> None:
    """User, group and further groups are the ones asked for, and the command still dies with the warden."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        os.mkfifo(f"{folder}/signs")
        os.chown(f"{folder}/signs", 54_321, -1)
        warded = start(f"id -u; id -g; id -G; echo here > {folder}/signs; exec sleep 1000", uid=54_321, gid=54_322)
        Path(folder, "signs").read_text()
    command = psutil.Process(warded.pid)
    wait_until(lambda: len(warded.lines()) == 3)  # what the command says gets to the log through the warden

    warded.process.kill()

    assert warded.lines() == ["54321", "54322", "54322"]
    assert all_gone([command])


def test_bounds_the_log_and_keeps_lines_whole(start: Start) -> None:
    """A full log makes room for a new one, three older ones are kept, each ends with a whole line, and none is over the size."""
    warded = start("i=0; while [ $i -lt 3000 ]; do echo line-$i-of-the-output; i=$((i+1)); done", log_bytes=8000)

    warded.process.wait(timeout=20)

    files = [warded.log.with_name(f"command.log{suffix}") for suffix in (".3", ".2", ".1", "")]
    text = "".join(file.read_text() for file in files)
    numbers = [int(line.split("-")[1]) for line in text.splitlines() if not line.startswith(warden.MARK)]
    assert numbers == list(range(numbers[0], 3000))
    assert all(file.stat().st_size <= 8000 and file.read_bytes().endswith(b"\n") for file in files)
    assert not warded.log.with_name("command.log.4").exists()
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_cuts_a_line_longer_than_a_log(tmp_path: Path) -> None:
    """Output without line ends is kept within the bound too."""
    log = warden.Log(str(tmp_path / "log"), 1000)

    log.write(b"first\n" + b"x" * 2500)

    sizes = [(tmp_path / name).stat().st_size for name in ("log", "log.1", "log.2", "log.3")]
    assert sizes == [500, 1000, 1000, 6]


def test_goes_on_when_the_log_cannot_be_rotated(tmp_path: Path) -> None:
    """A log whose folder is gone loses lines, and nothing else happens."""
    folder = tmp_path / "logs"
    folder.mkdir()
    log = warden.Log(str(folder / "log"), 100)
    (folder / "log").unlink()
    folder.rmdir()

    log.write(b"line\n" * 100)

    assert not folder.exists()


def test_reads_the_parent_of_a_process_with_a_misleading_name(tmp_path: Path) -> None:
    """A name with spaces and parentheses does not shift the fields."""
    program = tmp_path / "a) R 1 (b"
    program.symlink_to("/bin/sleep")

    with subprocess.Popen((program, "1000")) as process:
        parent = warden.stat_fields(process.pid)[1]
        process.kill()

    assert int(parent) == os.getpid()
