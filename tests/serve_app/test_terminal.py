"""What a person sees while the service starts and once it runs."""

import io
import json
import os
import shutil
import subprocess
from typing import Any

import pytest
from rich.console import Console

from serve_app.banner import banner
from serve_app.progress import Progress
from serve_app.state import Phase
from serve_app.supervisor import Event
from serve_app.terminal import MOST_FINDINGS, Findings, counted
from tests.api.conftest import API_KEY, World
from tests.serve_app.running_service import running


@pytest.mark.skipif(shutil.which("curl") is None, reason="without curl there is nothing to paste into")
def test_the_calls_of_the_banner_work_as_they_are() -> None:
    """Pasted into a shell, each call succeeds: create, address, sign, list."""
    with running(World()) as url:
        text = banner({"url": url, "grpc": "127.0.0.1:3001", "folder": "/data", "logs": "/data/logs"}, API_KEY, seconds=1.0)
        create, *others = [line.strip() for line in text.splitlines() if line.startswith("  curl")]
        wallet = _pasted(create, "")

        address, signed, page = (_pasted(command, wallet["id"]) for command in others)

    assert wallet["label"] == "first wallet"
    assert signed["from"] == address["address"]
    assert [each["id"] for each in page["data"]] == [wallet["id"]]


def test_the_banner_names_what_a_person_needs() -> None:
    """URLs, the key and where it is kept, the logs, and how to stop stand in it."""
    facts = {"url": "http://127.0.0.1:3000", "grpc": "127.0.0.1:3001", "folder": "/data", "logs": "/data/logs"}
    facts["api_key_file"] = "/data/api-key"

    text = banner(facts, "the-key-of-this-service", seconds=12.34)

    words = (
        "/api/v1",
        "127.0.0.1:3001",
        "/swagger-ui",
        "/metrics",
        "the-key-of-this-service",
        "/data/api-key",
        "/data/logs",
        "Ctrl-C",
        "12.3 s",
    )
    assert all(word in text for word in words)


def test_progress_is_plain_lines_where_there_is_no_terminal() -> None:
    """A log gets one line for what is waited for and one when it is there, with the time it took, and no escape codes."""
    output, times = io.StringIO(), iter([1.0, 3.5])
    progress = Progress(Console(file=output, width=200), {"one": "The first"}, clock=lambda: next(times))

    for phase, detail in [
        (Phase.STARTING, ""),
        (Phase.READY, ""),
        (Phase.RESTARTING, "one [died]"),
        (Phase.STOPPING, ""),
        (Phase.STOPPED, "killed"),
    ]:
        progress.event(Event("one", phase, detail))
    progress.settle()

    assert output.getvalue().splitlines() == [
        "  Waiting for The first",
        "✓ The first is ready (2.5 s)",
        "! one [died]",
        "  Ending The first",
        "  The first was killed",
    ]


def test_findings_write_nothing_to_the_terminal_but_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    """What comes out of a database is shown as it is: no markup, no escape codes, no lines of its own."""
    findings = Findings("wallet", "stored")

    findings.add("one", "[red]x[/] \x1b[31m[/y]")
    findings.add(None, "a\nb")
    findings.show()

    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines[1:] == ["one      [red]x[/] \ufffd[31m[/y]", "a\ufffdb"]


def test_findings_are_bounded(capsys: pytest.CaptureFixture[str]) -> None:
    """Those that the table has not are counted; without any there is no table."""
    findings = Findings("wallet")
    findings.show()
    assert capsys.readouterr().out == ""

    for number in range(MOST_FINDINGS + 2):
        findings.add(number)
    findings.show(", which the audit log has")

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + MOST_FINDINGS + 1
    assert lines[-1] == "and 2 more, which the audit log has"


@pytest.mark.parametrize(("number", "expected"), [(0, "0 wallets"), (1, "1 wallet"), (2, "2 wallets")])
def test_what_is_counted_has_its_number(number: int, expected: str) -> None:
    """One is no plural, nothing is."""
    assert counted(number, "wallet", "wallets") == expected


def _pasted(command: str, wallet_id: str) -> dict[str, Any]:
    answer = subprocess.run(["sh", "-c", command], env={"ID": wallet_id, "PATH": os.environ["PATH"]}, stdout=subprocess.PIPE, check=True)
    content: dict[str, Any] = json.loads(answer.stdout)
    return content
