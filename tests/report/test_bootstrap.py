"""Bootstrap intervals: deterministic, around the point, narrower with more examples, and paired where asked."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped, unused-ignore]

from mtft.errors import ConfigError
from mtft.metrics import metric
from mtft.report.bootstrap import PairedDifference, bootstrap_interval, correct, paired_bootstrap

Array = NDArray[np.float64]
accuracy, pearson, mae = metric("accuracy").function, metric("pearson").function, metric("mae").function


def classified(examples: int, seed: int = 0, right: float = 0.8) -> tuple[Array, Array]:
    """Certain probabilities [N, 2] that are right with the given chance, and targets [N]."""
    random = np.random.default_rng(seed)
    targets = random.integers(0, 2, examples)
    predictions = np.where(random.uniform(size=examples) < right, targets, 1 - targets)
    return np.eye(2)[predictions], targets.astype(np.float64)


def correlated(examples: int, seed: int = 0, noise: float = 1.0) -> tuple[Array, Array]:
    random = np.random.default_rng(seed)
    targets = random.normal(size=examples)
    return targets + noise * random.normal(size=examples), targets


def mean(values: Array, targets: Array) -> float:
    return float(values.mean())


def test_interval_is_that_of_the_rows_drawn() -> None:
    values = np.array([1.0, 2.0, 4.0, 8.0])
    random = np.random.default_rng(7)
    means = [values[random.integers(0, 4, 4)].mean() for _ in range(50)]
    found = bootstrap_interval(mean, values, values, seed=7, resamples=50, level=0.8)
    assert found == pytest.approx(tuple(np.quantile(means, [0.1, 0.9])))


def test_interval_of_a_share_by_hand() -> None:
    # of two examples, one right: resamples are right 0, 1 or 2 times with chance 1/4, 1/2, 1/4
    values, targets = np.eye(2), np.zeros(2)
    assert bootstrap_interval(accuracy, values, targets, level=0.95) == (0.0, 1.0)
    assert bootstrap_interval(accuracy, values, targets, level=0.3) == (0.5, 0.5)


def test_interval_agrees_with_theory_and_scipy() -> None:
    values, targets = classified(2000)
    low, high = bootstrap_interval(accuracy, values, targets, resamples=2000)
    right = (values.argmax(axis=1) == targets).astype(np.float64)
    half = 1.96 * right.std() / math.sqrt(right.size)
    assert (low, high) == pytest.approx((right.mean() - half, right.mean() + half), abs=0.003)
    scipy = stats.bootstrap((right,), np.mean, n_resamples=2000, batch=200, method="percentile", rng=1)
    assert (low, high) == pytest.approx(tuple(scipy.confidence_interval), abs=0.003)


def test_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    hits = 0
    for seed in range(60):
        low, high = bootstrap_interval(accuracy, *classified(200, seed), seed=seed, resamples=100, level=0.9)
        hits += low <= 0.8 <= high
    assert 48 <= hits <= 59


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(30, 200))
def test_interval_covers_the_point_and_repeats_itself(seed: int, examples: int) -> None:
    for function, data in ((accuracy, classified(examples, seed)), (pearson, correlated(examples, seed))):
        low, high = bootstrap_interval(function, *data, seed=seed, resamples=200)
        assert low <= function(*data) <= high
        assert (low, high) == bootstrap_interval(function, *data, seed=seed, resamples=200)


def test_other_seed_draws_other_rows() -> None:
    data = correlated(100)
    assert bootstrap_interval(pearson, *data, seed=0) != bootstrap_interval(pearson, *data, seed=1)


@pytest.mark.parametrize(
    ("function", "make"), [(accuracy, classified), (pearson, correlated)], ids=["accuracy", "pearson"]
)
def test_more_examples_narrow_the_interval(function: Any, make: Any) -> None:
    widths = []
    for examples in (50, 500, 5000):
        low, high = bootstrap_interval(function, *make(examples), resamples=300)
        widths.append(high - low)
    assert widths[0] > 2 * widths[1] > 4 * widths[2] > 0  # the root of 10 is above 3


def test_higher_level_widens_the_interval() -> None:
    data = correlated(100)
    narrow, wide = (bootstrap_interval(pearson, *data, level=level) for level in (0.5, 0.99))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_perfect_predictions_leave_no_doubt() -> None:
    assert bootstrap_interval(accuracy, *classified(50, right=1.0), resamples=50) == (1.0, 1.0)


def test_resamples_that_score_nan_are_ignored() -> None:
    # half of the resamples of two rows take one row twice: the correlation there is nan
    low, high = bootstrap_interval(pearson, np.array([1.0, 2.0]), np.array([3.0, 5.0]), resamples=50)
    assert (low, high) == pytest.approx((1.0, 1.0))
    difference = paired_bootstrap(pearson, np.array([1.0, 2.0]), np.array([2.0, 1.0]), np.array([3.0, 5.0]))
    assert (difference.difference, difference.low, difference.high) == pytest.approx((2.0, 2.0, 2.0))


def test_data_without_a_score_has_nan_bounds() -> None:
    for values, targets in ((np.zeros(0), np.zeros(0)), (np.ones(5), np.arange(5.0))):
        assert all(math.isnan(bound) for bound in bootstrap_interval(pearson, values, targets, resamples=20))
        found = paired_bootstrap(pearson, values, values, targets, resamples=20)
        assert all(math.isnan(number) for number in (found.difference, found.low, found.high))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(3, 100))
def test_identical_runs_do_not_differ(seed: int, examples: int) -> None:
    for function, (values, targets) in ((accuracy, classified(examples, seed)), (mae, correlated(examples, seed))):
        found = paired_bootstrap(function, values, values.copy(), targets, seed=seed, resamples=50)
        assert found == PairedDifference(0.0, 0.0, 0.0, 1.0)


def test_difference_takes_the_same_rows_of_both() -> None:
    values, targets = correlated(40)
    shifted = paired_bootstrap(mean, values + 3.0, values, targets, resamples=100)
    assert (shifted.difference, shifted.low, shifted.high) == pytest.approx((3.0, 3.0, 3.0))
    against_zero = paired_bootstrap(mean, values, np.zeros(40), targets, seed=5)
    assert (against_zero.low, against_zero.high) == pytest.approx(bootstrap_interval(mean, values, targets, seed=5))


def test_difference_changes_its_sign_with_the_order() -> None:
    (a, targets), (b, _) = correlated(80, noise=0.3), correlated(80, noise=1.0)
    forth, back = paired_bootstrap(pearson, a, b, targets), paired_bootstrap(pearson, b, a, targets)
    assert forth.difference > 0
    assert forth.low <= forth.difference <= forth.high
    assert (forth.low, forth.high) == pytest.approx((-back.high, -back.low))
    assert forth == paired_bootstrap(pearson, a, b, targets)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(20, 60), st.floats(0.2, 1.5))
def test_p_is_below_a_twentieth_where_the_interval_excludes_zero(seed: int, examples: int, noise: float) -> None:
    (a, targets), (b, _) = correlated(examples, seed, noise), correlated(examples, seed + 1, 1.0)
    found = paired_bootstrap(mae, a, b, targets, resamples=60)
    assert (found.p < 0.05) == (not found.low <= 0 <= found.high)


def test_p_is_about_that_of_a_test_of_the_mean() -> None:
    random = np.random.default_rng(3)
    a, b = random.normal(0.05, 1, 2000), np.zeros(2000)
    found = paired_bootstrap(mean, a, b, b, resamples=2000)
    about = stats.norm.isf([found.p / 2, stats.ttest_1samp(a, 0).pvalue / 2])
    assert about[0] == pytest.approx(about[1], rel=0.06)  # the error of an end of 2,000 resamples is about .04


def test_differences_shown_together_are_corrected_for_their_number() -> None:
    one, two = PairedDifference(0.1, 0.01, 0.2, 0.03), PairedDifference(-0.2, -0.3, -0.1, 0.001)
    same, unknown = PairedDifference(0.0, 0.0, 0.0, 1.0), PairedDifference(math.nan, math.nan, math.nan)
    found = correct([one, two, same, unknown])
    assert [each.corrected for each in found[:3]] == pytest.approx([0.06, 0.003, 1.0])
    assert math.isnan(found[3].corrected)
    assert [each.apart for each in found] == [1, -1, 0, 0]
    assert [each.side for each in found] == [0, -1, 0, 0]
    assert (one.side, correct([one])[0].side) == (1, 1)
    assert correct([]) == []


def test_pairing_is_sharper_than_comparing_two_intervals() -> None:
    a, targets = classified(400, right=0.7)
    b = a.copy()
    b[:10] = 1 - b[:10]
    paired = paired_bootstrap(accuracy, a, b, targets)
    low, high = bootstrap_interval(accuracy, a, targets)
    assert paired.high - paired.low < 0.5 * (high - low)


def test_bad_arguments_are_refused() -> None:
    values, targets = classified(10)
    with pytest.raises(ConfigError, match="resamples must be at least 1, found 0"):
        bootstrap_interval(accuracy, values, targets, resamples=0)
    for level in (0.0, 1.0, 95.0, math.nan):
        with pytest.raises(ConfigError, match="level must lie between 0 and 1"):
            bootstrap_interval(accuracy, values, targets, level=level)
    with pytest.raises(ValueError, match="expected values of 10 examples, found 9"):
        bootstrap_interval(accuracy, values[:9], targets)
    with pytest.raises(ValueError, match="expected values of 10 examples, found 9"):
        paired_bootstrap(accuracy, values, values[:9], targets)


def test_twenty_thousand_examples_take_seconds() -> None:
    start = time.process_time()
    bootstrap_interval(accuracy, *classified(20_000), resamples=200)
    bootstrap_interval(pearson, *correlated(20_000), resamples=200)
    assert time.process_time() - start < 5.0  # a fifth of the usual resamples, in about half a second
