"""What is fuzzed holds for every seed, and for everything that was ever found; `make fuzz` looks for more."""

from pathlib import Path

import pytest

from tests.fuzz.limits import MAX_MEMORY, memory_of
from tests.fuzz.targets import FINDINGS, TARGETS, findings
from tests.wallets.work import MOST_CALLS, calls_of


@pytest.mark.parametrize("name", TARGETS)
def test_every_seed_holds(name: str) -> None:
    """What other libraries wrote passes, for each byte that is changed too."""
    target = TARGETS[name]

    assert target.seeds
    for seed in target.seeds:
        target.run(seed)


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_holds(name: str) -> None:
    """An empty input is refused like any other."""
    TARGETS[name].run(b"")


@pytest.mark.parametrize(("name", "path"), findings(), ids=lambda value: value.name if isinstance(value, Path) else value)
def test_what_was_found_holds(name: str, path: Path) -> None:
    """An input that failed once does not again: nothing is raised, and work and memory are bounded."""
    raw = path.read_bytes()

    TARGETS[name].run(raw)
    calls, _ = calls_of(lambda: TARGETS[name].decode(raw))

    assert calls <= MOST_CALLS
    assert memory_of(TARGETS[name], raw) <= MAX_MEMORY


def test_every_finding_is_of_a_target() -> None:
    """A folder whose target is gone would be run by nobody."""
    assert {path for path in FINDINGS.rglob("*") if path.is_file() and path.name != "README.md"} == {path for _, path in findings()}
