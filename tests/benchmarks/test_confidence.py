"""Ratios of medians come with intervals that hold what they promise."""

import random
from collections.abc import Callable
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.confidence import Ratio, paired_ratio, quantile, ratio

_TIMES = st.lists(st.floats(min_value=0.1, max_value=1_000), min_size=5, max_size=9)


def test_the_ratio_of_equal_samples_is_one_for_sure() -> None:
    """Samples that do not vary leave nothing open."""
    assert ratio([5.0] * 5, [5.0] * 5) == Ratio(1.0, 1.0, 1.0)


@given(_TIMES, _TIMES)
@settings(max_examples=40, deadline=None)
def test_the_estimate_is_the_ratio_of_medians_and_lies_within(samples: list[float], base: list[float]) -> None:
    """The interval holds the ratio of the medians, and lies within what the samples allow."""
    found = ratio(samples, base)

    assert found.estimate == median(samples) / median(base)
    assert min(samples) / max(base) <= found.low <= found.estimate <= found.high <= max(samples) / min(base)


def test_the_same_samples_say_the_same_again() -> None:
    """Nothing is left to chance between two looks at one result."""
    samples, base = [1.0, 2.0, 4.0, 8.0, 16.0], [3.0, 5.0, 7.0, 11.0, 13.0]

    assert ratio(samples, base) == ratio(samples, base)


def test_few_samples_show_nothing() -> None:
    """With four runs a ratio is an estimate without confidence, and no interval is told."""
    found = ratio([10.0] * 4, [1.0] * 5)

    assert (found.estimate, str(found)) == (10, "10.000")
    assert not found.shows_a_difference


@pytest.mark.parametrize(("low", "high", "shown"), [(1.1, 1.3, True), (0.7, 0.9, True), (0.9, 1.1, False), (1.0, 1.2, False)])
def test_a_difference_is_what_excludes_one(low: float, high: float, *, shown: bool) -> None:
    """An interval with 1 in it, its ends included, shows no difference."""
    assert Ratio((low + high) / 2, low, high).shows_a_difference is shown


def test_what_disturbs_both_sides_does_not_widen_a_paired_ratio() -> None:
    """Of interleaved runs on a machine whose speed drifts, one side is half of the other for sure; taken apart, it is not."""
    base = [10.0, 14.0, 22.0, 30.0, 41.0]
    samples = [value / 2 for value in base]

    assert paired_ratio(samples, base) == Ratio(0.5, 0.5, 0.5)
    assert not ratio(samples, base).shows_a_difference


def test_pairs_need_a_partner() -> None:
    """A paired ratio of unequal numbers of runs is refused."""
    with pytest.raises(ValueError, match="zip"):
        paired_ratio([1.0, 2.0, 3.0], [1.0, 2.0])


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    """Of 100 experiments with a true ratio of 1.5, at least nine in ten intervals of 95 % hold it."""
    rng = random.Random(7)

    def runs(mean: float) -> list[float]:
        return [rng.gauss(mean, mean / 20) for _ in range(15)]

    held = sum(found.low <= 1.5 <= found.high for found in (ratio(runs(150), runs(100)) for _ in range(100)))

    assert held >= 90


@pytest.mark.parametrize("compared", [ratio, paired_ratio])
def test_of_five_runs_that_do_not_differ_few_are_said_to(compared: Callable[[list[float], list[float]], Ratio]) -> None:
    """As many as `make bench-full` makes: one of ten at most, where one of twenty is promised."""
    rng = random.Random(11)

    def runs() -> list[float]:
        return [rng.gauss(100, 5) for _ in range(5)]

    assert sum(compared(runs(), runs()).shows_a_difference for _ in range(200)) <= 20


@pytest.mark.parametrize(
    ("fraction", "expected"), [(0.0, 1), (0.01, 1), (0.25, 1), (0.26, 2), (0.5, 2), (0.75, 3), (0.76, 4), (0.99, 4), (1.0, 4)]
)
def test_a_quantile_is_a_value_that_was_measured(fraction: float, expected: float) -> None:
    """It is the smallest value that this fraction of all does not exceed."""
    assert quantile([1, 2, 3, 4], fraction) == expected
