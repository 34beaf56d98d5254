"""Draw the results: throughput over connections, latency over load, CPU by process, and what the primitives cost."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks import closed_loop, open_loop, primitives, topologies
from benchmarks.results import Results, Series
from benchmarks.session import CPU, THROUGHPUT, USUAL_CONNECTIONS

_NETWORK = "eth"


def draw(results: Results, folder: Path) -> None:
    """Write a PNG for each plot whose question was asked."""
    mpl.use("Agg")
    plots: dict[str, tuple[str, Callable[[Results, Any], None]]] = {
        "throughput": (closed_loop.QUESTION, _throughput),
        "latency": (open_loop.QUESTION, _latency),
        "cpu": (closed_loop.QUESTION, _cpu),
        "primitives": (primitives.QUESTION, _primitives),
    }
    for name, (question, plot) in plots.items():
        if question in results.questions:
            figure = Figure(figsize=(9, 5), layout="constrained")
            plot(results, figure)
            figure.savefig(folder / f"{name}.png", dpi=110)


def _throughput(results: Results, figure: Any) -> None:
    """Draw the median of each number of connections, and the range of the runs."""
    axes = figure.subplots()
    series = [each for each in results.all(closed_loop.QUESTION, THROUGHPUT) if each.case["network"] == _NETWORK]
    for target in _values(series, "target"):
        mine = [each for each in series if each.case["target"] == target]
        middles = [each.median for each in mine]
        below = [each.median - min(each.samples) for each in mine]
        above = [max(each.samples) - each.median for each in mine]
        axes.errorbar([int(each.case["connections"]) for each in mine], middles, yerr=[below, above], marker="o", capsize=3, label=target)
    axes.set(xscale="log", xlabel="connections (closed loop)", ylabel=f"signatures/s on {_NETWORK}, median and range", ylim=(0, None))
    axes.legend()


def _latency(results: Results, figure: Any) -> None:
    """Draw the latency at each fraction of requests, one panel a target, one curve a load."""
    series = [each for each in results.all(open_loop.QUESTION) if each.percentile is not None]
    targets = _values(series, "target")
    panels = figure.subplots(1, len(targets), sharey=True, squeeze=False)[0]
    for target, axes in zip(targets, panels, strict=True):
        for load in _values(series, "load"):
            mine = [each for each in series if each.case == {"target": target, "load": load}]
            points = sorted((each.percentile or 0, each.median) for each in mine)
            inner = [(100 / (100 - percent), value) for percent, value in points if percent < 100]
            axes.plot([x for x, _ in inner], [y for _, y in inner], label=load)
        axes.set(xscale="log", yscale="log", title=target, xlabel="of the requests")
        axes.set_xticks([2, 10, 100, 1_000], ["50 %", "90 %", "99 %", "99.9 %"])
        axes.grid(visible=True, alpha=0.3)
    panels[0].set_ylabel("took at most, ms (from the intended start)")
    panels[-1].legend(title="load, of the knee")


def _cpu(results: Results, figure: Any) -> None:
    """Draw the CPU time of a request by process, one bar a target."""
    one, many = str(USUAL_CONNECTIONS), str(topologies.USUAL_CONNECTIONS)
    series = [each for each in results.all(closed_loop.QUESTION) if each.case["network"] == _NETWORK and each.case["connections"] == one]
    known = _values(series, "target")
    series += [each for each in results.all(topologies.QUESTION) if each.case["connections"] == many and each.case["target"] not in known]
    series = [each for each in series if each.measure.startswith(CPU)]
    targets = _values(series, "target")
    axes, bottom = figure.subplots(), dict.fromkeys(targets, 0.0)
    for measure in dict.fromkeys(each.measure for each in series):
        heights = {each.case["target"]: each.median for each in series if each.measure == measure}
        if max(heights.values()) < 1:
            continue
        tops = [heights.get(target, 0.0) for target in targets]
        axes.barh(targets, tops, left=[bottom[target] for target in targets], label=measure.removeprefix(CPU))
        bottom = {target: bottom[target] + heights.get(target, 0.0) for target in targets}
    axes.set(xlabel=f"us of CPU a signature on {_NETWORK}, {one} connections; other topologies {many}")
    axes.invert_yaxis()
    figure.legend(fontsize="small", loc="outside right upper")


def _primitives(results: Results, figure: Any) -> None:
    """Draw what each step costs on each network."""
    axes, series = figure.subplots(), [each for each in results.all(primitives.QUESTION) if each.measure != primitives.MULTIPLE]
    networks, steps = _values(series, "network"), list(dict.fromkeys(each.measure for each in series))
    width = 0.8 / len(steps)
    for place, step in enumerate(steps):
        heights = {each.case["network"]: each.median for each in series if each.measure == step}
        axes.bar(
            [number + place * width for number in range(len(networks))], [heights.get(name, 0) for name in networks], width, label=step
        )
    axes.set_xticks([number + 0.4 - width / 2 for number in range(len(networks))], networks)
    axes.set(ylabel="us of CPU, median")
    axes.legend(fontsize="small")


def _values(series: Sequence[Series], name: str) -> list[str]:
    """Return the values of one part of the cases, in order."""
    return list(dict.fromkeys(each.case[name] for each in series))
