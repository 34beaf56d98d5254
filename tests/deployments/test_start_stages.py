"""A start is told by stage, and what it has made is kept from the garbage collector."""

import gc
from collections.abc import Iterator

import pytest

from deployments.start_stages import StartStages, keep_what_was_started


@pytest.fixture(autouse=True)
def _thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_stages_follow_each_other() -> None:
    """Each stage begins where the one before has ended, the first where the process began."""
    times = iter([12.5, 12.75, 14.75])
    stages = StartStages(lambda: next(times), began=11.0)

    for stage in ("process", "hardening", "opening"):
        stages.ended(stage)

    assert stages.seconds == {"process": 1.5, "hardening": 0.25, "opening": 2.0}


def test_the_first_stage_counts_from_when_the_process_began() -> None:
    """What was imported before our first line is in it."""
    stages = StartStages()

    stages.ended("process")

    assert 0.1 < stages.seconds["process"] < 3600


def test_the_garbage_collector_passes_over_what_was_started() -> None:
    """What exists when the start ends is not looked through again; what comes later is."""

    class Cycle:
        """Refers to itself."""

    kept = gc.get_freeze_count()

    keep_what_was_started()

    assert gc.get_freeze_count() > kept + 10_000
    later = Cycle()
    later.__dict__["self"] = later
    assert later in gc.get_objects()
