"""Tell whether B differs from A: `python benchmarks/compare.py A.json B.json`.

Each line is the ratio of two medians, B's to A's, with its confidence interval; only ratios whose interval excludes 1 are a difference.
Both should come from the same machine, with nothing else running, and as many runs as patience allows.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.confidence import CONFIDENCE, Ratio, ratio
from benchmarks.results import Results, Series, read_results

_FACTS = ("machine", "versions", "scale")


@dataclass(frozen=True, slots=True)
class Comparison:
    """One measure in both. `ratio` is B's median to A's."""

    series: Series
    ratio: Ratio

    @property
    def verdict(self) -> str:
        """Say what is shown: `better`, `worse`, or nothing."""
        if not self.ratio.shows_a_difference:
            return ""
        return "better" if (self.ratio.estimate > 1) == self.series.more_is_better else "worse"


def compare(a: Results, b: Results, question: str | None = None) -> Iterator[Comparison]:
    """Compare what was measured in both, but what was nothing in A."""
    for theirs in a:
        ours = b.get(theirs.question, theirs.case, theirs.measure)
        if ours is not None and theirs.median and question in (None, theirs.question):
            yield Comparison(ours, ratio(ours.samples, theirs.samples))


def different_facts(a: Results, b: Results) -> list[str]:
    """Name what else differs between the two: another machine or version explains more than the code."""
    return [name for name in _FACTS if _steady(a.facts.get(name)) != _steady(b.facts.get(name))]


def _steady(fact: object) -> object:
    return {name: value for name, value in fact.items() if name != "load_average_before"} if isinstance(fact, dict) else fact


def main() -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description="Tell whether B differs from A, with confidence")
    parser.add_argument("a", type=Path)
    parser.add_argument("b", type=Path)
    parser.add_argument("--question", help="only this one, such as 'closed loop'")
    parser.add_argument("--different", action="store_true", help="only what shows a difference")
    arguments = parser.parse_args()
    a, b = read_results(arguments.a), read_results(arguments.b)
    console = Console()
    for name in different_facts(a, b):
        console.print(f"[yellow]{name} is not the same in both", highlight=False)
    table = Table("question", "case", "measure", "A", "B", f"B / A [{CONFIDENCE:.0%}]", "B is", box=None, pad_edge=False)
    for each in compare(a, b, arguments.question):
        if each.verdict or not arguments.different:
            series = each.series
            base = series.median / each.ratio.estimate if each.ratio.estimate else 0.0
            case = ", ".join(series.case.values())
            measure = f"{series.measure}, {series.unit}"
            table.add_row(series.question, case, measure, f"{base:.4g}", f"{series.median:.4g}", str(each.ratio), each.verdict)
    console.print(table, highlight=False, markup=False)


if __name__ == "__main__":
    main()
