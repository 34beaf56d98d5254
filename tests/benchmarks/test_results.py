"""Samples are kept under their case, survive the file, and become a report and a comparison."""

import json
from pathlib import Path

import pytest

from benchmarks import machine
from benchmarks.compare import compare, different_facts, missing
from benchmarks.report import report
from benchmarks.results import Results, Series, read_results


def _results(*throughputs: float, p50: float = 4.0) -> Results:
    results = Results(machine.facts("short"))
    for target, factor in (("service", 0.8), ("uvicorn", 1.0)):
        case = {"target": target, "network": "eth", "connections": "32"}
        for value in throughputs:
            results.add("closed loop", case, "throughput", value * factor, "requests/s")
            results.add("closed loop", case, "p50", p50, "ms")
            results.add("closed loop", case, "failed", 0, "requests")
            results.add("closed loop", case, "CPU of application", 500, "us/request")
    return results


def test_samples_of_one_case_are_one_series() -> None:
    """Runs add up under question, case and measure, in order."""
    results = _results(1000, 900, 1100)

    series = results.get("closed loop", {"target": "uvicorn", "network": "eth", "connections": "32"}, "throughput")

    assert series is not None
    assert (series.samples, series.median, series.unit) == ([1000, 900, 1100], 1000, "requests/s")


def test_results_survive_the_file(tmp_path: Path) -> None:
    """What is read is what was written, raw samples, machine, versions and commit included."""
    results = _results(1000, 900, 1100)
    results.write(tmp_path / "results.json")

    found = read_results(tmp_path / "results.json")

    assert list(found) == list(results)
    assert found.facts == results.facts
    assert found.facts["machine"]["cores"] >= 1
    assert found.facts["versions"]["ray"]
    assert found.facts["commit"]


@pytest.mark.parametrize(
    ("measure", "percent"), [("p50", 50), ("p99.9", 99.9), ("p100", 100), ("refused p99", None), ("throughput", None), ("p", None)]
)
def test_latencies_are_told_from_what_is_like_them(measure: str, percent: float | None) -> None:
    """How long a refusal took is no latency of an answer."""
    assert Series("open loop", {}, measure, "ms", [1.0]).percentile == percent


@pytest.mark.parametrize("content", [[], {}, {"format": 99, "series": []}])
def test_other_files_are_refused(tmp_path: Path, content: object) -> None:
    """What is no file of results of this format is not read as one."""
    (tmp_path / "other.json").write_text(json.dumps(content))

    with pytest.raises(ValueError, match="no file of results"):
        read_results(tmp_path / "other.json")


def test_the_report_has_figures_cpu_and_ratios() -> None:
    """Each question becomes tables of medians, and the ratio to the yardstick with its interval."""
    text = report(_results(1000, 900, 1100, 1000, 1000))

    assert "| target | network | connections | throughput, requests/s | p50, ms | failed, requests |" in text
    assert "| service | eth | 32 | 800 | 4 | 0 |" in text
    assert "| service | eth | 32 | 500 |" in text
    assert "| service | eth | 32 | 0.800 [0.800, 0.800] | 1.000 [1.000, 1.000] |  | 1.000 [1.000, 1.000] |" in text


def test_a_comparison_tells_better_from_worse() -> None:
    """More throughput is better, more time is worse, and what does not differ is neither; what was nothing has no ratio."""
    a, b = _results(1000, 1001, 1002, 1000, 1001, p50=4.0), _results(1200, 1201, 1202, 1200, 1201, p50=8.0)

    verdicts = {(each.series.case["target"], each.series.measure): each.verdict for each in compare(a, b)}

    assert verdicts == {
        (target, measure): verdict
        for target in ("service", "uvicorn")
        for measure, verdict in {"throughput": "better", "p50": "worse", "CPU of application": ""}.items()
    }
    assert not list(compare(a, b, "open loop"))


def test_a_comparison_hides_no_failures() -> None:
    """What was nothing before has no ratio, and is told all the same; so is what was not measured again."""
    a, b = _results(*[1000] * 5), _results(*[1000] * 5)
    case = {"target": "service", "network": "eth", "connections": "128"}
    for results, failed, rows in ((a, 0, 10), (b, 40, 30)):
        for _ in range(5):
            results.add("closed loop", case, "failed", failed, "requests")
            results.add("closed loop", case, "audit rows a commit", rows, "rows")
    a.add("open loop", case, "p99", 1.0, "ms")

    told = {each.series.measure: (each.ratio and each.ratio.estimate, each.verdict) for each in compare(a, b) if each.series.case == case}

    assert told == {"failed": (None, "worse"), "audit rows a commit": (3.0, "different")}
    assert missing(a, b) == ["open loop: service, eth, 128, p99"]
    assert not missing(a, b, "closed loop")


def test_a_comparison_tells_of_other_circumstances() -> None:
    """Another machine or other versions are named; how busy the machine was does not count as another machine."""
    a, b = _results(1000), _results(1000)
    a.facts["machine"]["load_average_before"] = 7.0
    b.facts["versions"] = {**b.facts["versions"], "ray": "3"}

    assert different_facts(a, b) == ["versions"]
