"""Keep what was measured: series of samples, one sample a run, each under its question, case and measure."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

FORMAT = 1

_PERCENTILE = re.compile(r"p([0-9.]+)")

Key = tuple[str, tuple[tuple[str, str], ...], str]

Case = Mapping[str, str]
"""What was measured, as names and values in the order in which tables show them: `{"target": "service", "connections": "8"}`."""


_OF_THE_WAY = {"rows", "cores"}
"""Units of what is neither good nor bad: audit rows a commit, cores that others used."""


@dataclass(frozen=True, slots=True)
class Series:
    """The raw samples of one measure of one case, in the order of the runs."""

    question: str
    case: Case
    measure: str
    unit: str
    samples: list[float]

    @property
    def key(self) -> Key:
        """What tells this series from all others."""
        return self.question, tuple(self.case.items()), self.measure

    @property
    def median(self) -> float:
        """The median of the samples."""
        return median(self.samples)

    @property
    def percentile(self) -> float | None:
        """Which part of the requests that were answered took no longer, in percent; None where this is another measure."""
        found = _PERCENTILE.fullmatch(self.measure)
        return None if found is None else float(found[1])

    @property
    def more_is_better(self) -> bool | None:
        """Whether a larger value is better: of rates it is, of times and failures it is not; None of what only says how it came about."""
        if self.unit in _OF_THE_WAY:
            return None
        return self.unit.endswith("/s")


@dataclass(slots=True)
class Results:
    """Everything one run of the benchmarks found. `facts` tell of machine, versions and commit."""

    facts: dict[str, Any]
    _series: dict[Key, Series] = field(default_factory=dict)

    def add(self, question: str, case: Case, measure: str, value: float, unit: str) -> None:
        """Add a sample to its series."""
        fresh = Series(question, dict(case), measure, unit, [])
        self._series.setdefault(fresh.key, fresh).samples.append(value)

    def get(self, question: str, case: Case, measure: str) -> Series | None:
        """Return one series, if it was measured."""
        return self._series.get((question, tuple(case.items()), measure))

    def all(self, question: str, measure: str | None = None) -> Sequence[Series]:
        """Return a question's series, in the order in which they were first measured."""
        return [each for each in self if each.question == question and measure in (None, each.measure)]

    @property
    def questions(self) -> Sequence[str]:
        """The questions, in the order in which they were asked."""
        return list(dict.fromkeys(each.question for each in self))

    def __iter__(self) -> Iterator[Series]:
        return iter(self._series.values())

    def write(self, path: Path) -> None:
        """Write all of it as JSON."""
        content = {"format": FORMAT, **self.facts, "series": [asdict(each) for each in self]}
        path.write_text(json.dumps(content, indent=1) + "\n")


def read_results(path: Path) -> Results:
    """Read what `Results.write` wrote.

    Raises:
        ValueError: It is something else.
    """
    content = json.loads(path.read_text())
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        msg = f"{path} is no file of results of format {FORMAT}"
        raise ValueError(msg)
    series = (Series(**each) for each in content.pop("series"))
    return Results(content, {each.key: each for each in series})
