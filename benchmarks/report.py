"""Write results down as Markdown: for each question its figures, the CPU by process, and how targets compare."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from benchmarks import (
    addresses,
    batches,
    beside_batches,
    closed_loop,
    custody,
    growth,
    grpc_calls,
    instructions,
    open_loop,
    overload,
    primitives,
    start,
    topologies,
)
from benchmarks.confidence import CONFIDENCE, paired_ratio
from benchmarks.observe import APPLICATION
from benchmarks.results import Case, Results, Series
from benchmarks.session import CPU, SIZES, THROUGHPUT

QUESTIONS = (
    primitives,
    custody,
    closed_loop,
    open_loop,
    overload,
    batches,
    beside_batches,
    grpc_calls,
    addresses,
    topologies,
    start,
    instructions,
    growth,
)
"""Every question, in the order in which they are asked: the open loop and overload need the knee that the closed loop finds."""

YARDSTICKS: Mapping[str, str] = {
    closed_loop.QUESTION: "uvicorn",
    open_loop.QUESTION: "uvicorn",
    addresses.QUESTION: "uvicorn",
    batches.QUESTION: "uvicorn",
    topologies.QUESTION: "service",
    growth.QUESTION: str(SIZES[0]),
}
"""What the other targets of a question are compared with."""

_FIGURES = (
    THROUGHPUT,
    "p50",
    "p90",
    "p99",
    "p99.9",
    "failed",
    "refused p50",
    "refused p99",
    "audit rows a commit",
    "Vault calls a request",
    "other targets",
    "strangers",
)
_OF_ANY_MEASURE = (primitives.QUESTION, start.QUESTION, instructions.QUESTION)
"""Questions whose every measure is a figure."""

_COMPARED = (THROUGHPUT, "p50", "p99", CPU + APPLICATION, f"{CPU}PostgreSQL")


def report(results: Results) -> str:
    """Return all of it. Every figure is the median of its samples."""
    sections = (line for question in QUESTIONS if question.QUESTION in results.questions for line in _section(results, question))
    return "\n".join([*_head(results), *sections, ""])


def _head(results: Results) -> Iterator[str]:
    facts = results.facts
    machine, versions = facts["machine"], facts["versions"]
    yield f"# Benchmarks at {facts['commit']}, {facts['started_at']}, {facts['scale']}"
    yield ""
    yield (
        f"{machine['cores']} cores of {machine['processor']} ({machine['architecture']}), {machine['memory_gib']} GiB, "
        f"{machine['system']}, Linux {machine['kernel']}; load average before: {machine['load_average_before']:.2f}."
    )
    yield ""
    yield ", ".join(f"{name} {number}" for name, number in versions.items()) + "."


def _section(results: Results, question: object) -> Iterator[str]:
    name: str = vars(question)["QUESTION"]
    series = results.all(name)
    cpu = [each for each in series if each.measure.startswith(CPU)]
    figures = [each for each in series if each.measure in _FIGURES or (each not in cpu and name in _OF_ANY_MEASURE)]
    yield from ("", f"## {name.capitalize()}", "", (question.__doc__ or "").split("\n", 1)[0], "")
    yield from _table(figures)
    if cpu:
        yield from ("", "CPU time by process:", "", *_table(cpu))
    if name in YARDSTICKS:
        yield from ("", *_ratios(results, name, YARDSTICKS[name]))


def _table(series: Sequence[Series]) -> Iterator[str]:
    cases = {tuple(each.case.items()): each.case for each in series}
    columns = {each.measure: each.unit for each in series}
    values = {(tuple(each.case.items()), each.measure): each.median for each in series}
    names = next(iter(cases.values()), {}).keys()
    yield _row([*names, *(f"{measure.removeprefix(CPU)}, {unit}" for measure, unit in columns.items())])
    yield _row(["---"] * len(names) + ["---:"] * len(columns))
    for key, case in cases.items():
        yield _row([*case.values(), *(_figure(values.get((key, measure))) for measure in columns)])


def _ratios(results: Results, question: str, yardstick: str) -> Iterator[str]:
    yield f"How many times {yardstick}'s, with {CONFIDENCE:.0%} confidence:"
    yield ""
    cases = {tuple(each.case.items()): each.case for each in results.all(question) if each.case["target"] != yardstick}
    yield _row([*next(iter(cases.values()), {}).keys(), *_COMPARED])
    yield _row(["---"] * (len(next(iter(cases.values()), {})) + len(_COMPARED)))
    for case in cases.values():
        yield _row([*case.values(), *(_ratio(results, question, case, yardstick, measure) for measure in _COMPARED)])


def _ratio(results: Results, question: str, case: Case, yardstick: str, measure: str) -> str:
    ours, base = results.get(question, case, measure), results.get(question, {**case, "target": yardstick}, measure)
    if ours is None or base is None or len(ours.samples) != len(base.samples) or not base.median:
        return ""
    return str(paired_ratio(ours.samples, base.samples))


def _figure(value: float | None) -> str:
    """Write three digits that count, and no fewer than there are before the point."""
    if value is None:
        return ""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
