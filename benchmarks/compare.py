"""Tell whether B differs from A: `python benchmarks/compare.py A.json B.json`.

Each line is the ratio of two medians, B's to A's, with its confidence interval; only ratios whose interval excludes 1 are a difference,
and of fewer than five runs none is shown. What was nothing in A and is something in B, such as requests that failed, has no ratio; what is
in A alone is named. Both should come from the same machine, with nothing else running, and as many runs as patience allows.
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
    """One measure in both. `base` is A's median, and `ratio` B's to it; None where A's is nothing."""

    series: Series
    base: float
    ratio: Ratio | None

    @property
    def verdict(self) -> str:
        """Say what is shown: `better`, `worse`, `different` where neither can be said, or nothing."""
        if self.ratio is not None and not self.ratio.shows_a_difference:
            return ""
        if self.series.more_is_better is None:
            return "different"
        return "better" if (self.series.median > self.base) == self.series.more_is_better else "worse"


def compare(a: Results, b: Results, question: str | None = None) -> Iterator[Comparison]:
    """Compare what was measured in both, but what was nothing in either."""
    for theirs in a:
        ours = b.get(theirs.question, theirs.case, theirs.measure)
        if ours is None or question not in (None, theirs.question):
            continue
        if theirs.median:
            yield Comparison(ours, theirs.median, ratio(ours.samples, theirs.samples))
        elif ours.median:
            yield Comparison(ours, 0.0, None)


def missing(a: Results, b: Results, question: str | None = None) -> list[str]:
    """Name what was measured in A alone."""
    alone = [each for each in a if question in (None, each.question) and b.get(each.question, each.case, each.measure) is None]
    return [f"{each.question}: {', '.join((*each.case.values(), each.measure))}" for each in alone]


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
    for name in missing(a, b, arguments.question):
        console.print(f"[yellow]not in B: {name}", highlight=False)
    table = Table("question", "case", "measure", "A", "B", f"B / A [{CONFIDENCE:.0%}]", "B is", box=None, pad_edge=False)
    for each in compare(a, b, arguments.question):
        if each.verdict or not arguments.different:
            series = each.series
            case = ", ".join(series.case.values())
            measure = f"{series.measure}, {series.unit}"
            table.add_row(series.question, case, measure, f"{each.base:.4g}", f"{series.median:.4g}", str(each.ratio or ""), each.verdict)
    console.print(table, highlight=False, markup=False)


if __name__ == "__main__":
    main()
