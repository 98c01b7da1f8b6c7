"""Scores over seeds: means, deviations, and differences with intervals over rows and seeds."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interval_coverage import CASES, Case, coverage
from numpy.typing import NDArray

from mtft.metrics import metric
from mtft.report.bootstrap import PairedDifference, bootstrap_interval, paired_bootstrap
from mtft.report.seeds import (
    SeedNoise,
    SeedScores,
    deviation,
    over_seeds,
    seed_difference,
    seed_interval,
    seed_noise,
    seed_scores,
)
from mtft.report.significance import student_quantile

RANDOM = np.random.default_rng(0)
ACCURACY, PEARSON = metric("accuracy").function, metric("pearson").function
NOTHING = SeedNoise()


def answers(right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Certain probabilities [n, 2] against targets of 0."""
    return np.stack([right, 1 - right], axis=1)


def group(*scores: float, rows: float = 0.01, resamples: int = 400) -> SeedScores:
    """Scores whose resamples move together, by a deviation of `rows`."""
    moved = np.random.default_rng(7).normal(0, rows, (resamples, 1))
    return SeedScores(np.array(scores), np.array(scores) + moved)


def test_the_mean_over_seeds_is_that_of_each_seeds_score() -> None:
    targets = RANDOM.integers(0, 3, 50).astype(float)
    values = [RANDOM.random((50, 3)) for _ in range(4)]
    scores = [ACCURACY(each, targets) for each in values]
    found = seed_scores(ACCURACY, values, targets, 3)
    assert over_seeds(ACCURACY)(np.stack(values, 1), targets) == pytest.approx(statistics.mean(scores))
    assert found.mean == pytest.approx(statistics.mean(scores))
    assert (found.seeds, found.scores.tolist()) == (4, scores)
    assert found.resampled.shape == (3, 4)
    assert found.of([True, False, True, False]).scores.tolist() == [scores[0], scores[2]]
    assert deviation(scores) == pytest.approx(statistics.stdev(scores))
    assert math.isnan(deviation(scores[:1]))
    assert deviation([0.5, 0.5]) == 0


def test_without_several_seeds_an_interval_is_that_over_rows() -> None:
    targets = RANDOM.random(40)
    ours, theirs = targets + RANDOM.normal(0, 0.1, 40), targets + RANDOM.normal(0, 0.5, 40)
    one, other = (seed_scores(PEARSON, [each], targets, 50) for each in (ours, theirs))
    assert seed_noise([one, other]) == NOTHING
    assert seed_difference(one, other, NOTHING) == paired_bootstrap(PEARSON, ours, theirs, targets, resamples=50)
    assert seed_interval(one, NOTHING) == bootstrap_interval(PEARSON, ours, targets, resamples=50)


def test_a_group_does_not_differ_from_itself_whatever_its_seeds() -> None:
    targets = RANDOM.random(40)
    one = seed_scores(PEARSON, [targets + RANDOM.normal(0, 0.1, 40) for _ in range(3)], targets, 50)
    noise = SeedNoise(0.01, 2)
    assert seed_difference(one, one, noise) == PairedDifference(0.0, 0.0, 0.0, 1.0)
    single = one.of([True, False, False])
    assert seed_difference(one, single, noise).difference == pytest.approx(one.mean - one.scores[0])


def test_noise_of_seeds_is_that_of_an_analysis_of_variance() -> None:
    """Of right and wrong answers [n, seeds], (mean square of seeds - that of the interaction) / n estimates it."""
    rows, seeds = 3000, 4
    chance = np.clip(RANDOM.normal(0.6, 0.2, (rows, 1)) + np.array([0.1, 0.0, -0.1, 0.05]), 0, 1)
    right = (RANDOM.random((rows, seeds)) < chance).astype(float)
    found = seed_noise([seed_scores(ACCURACY, [answers(each) for each in right.T], np.zeros(rows), 2000)])
    residual = right - right.mean(axis=1, keepdims=True) - right.mean(axis=0) + right.mean()
    interaction = (residual**2).sum() / ((rows - 1) * (seeds - 1))
    assert found.freedom == seeds - 1
    assert found.variance == pytest.approx(right.mean(axis=0).var(ddof=1) - interaction / rows, rel=0.02)


def test_noise_is_pooled_over_the_groups_with_several_seeds() -> None:
    one, two, alone = group(0.5, 0.52), group(0.6, 0.63, 0.66), group(0.4)
    found = seed_noise([one, two, alone])
    assert found.freedom == 3
    assert found.variance == pytest.approx((0.0002 + 2 * 0.0009) / 3)
    undefined = SeedScores(np.array([0.1, math.nan]), np.full((5, 2), math.nan))
    assert seed_noise([one, undefined]) == seed_noise([one])


def test_seeds_that_differ_on_rows_alone_add_nothing() -> None:
    """Coins that are thrown anew for each row and seed: the resampled rows tell all."""
    coins = RANDOM.integers(0, 2, (40, 3, 200)).astype(float)
    found = seed_noise([seed_scores(ACCURACY, list(map(answers, each)), np.zeros(200), 200) for each in coins])
    by_chance = 0.25 / 200
    assert coins.mean(axis=2).var(axis=1, ddof=1).mean() == pytest.approx(by_chance, rel=0.5)
    assert (found.freedom, found.variance < 0.4 * by_chance) == (80, True)


def test_the_interval_of_a_difference_by_hand() -> None:
    ours, theirs = group(0.50, 0.54), group(0.40, 0.42, rows=0.02)
    noise = seed_noise([ours, theirs])
    assert noise.variance == pytest.approx((0.0008 + 0.0002) / 2)
    assert noise.freedom == 2
    alone, found = seed_difference(ours, theirs, NOTHING), seed_difference(ours, theirs, noise)
    error = math.sqrt(noise.variance * (1 / 2 + 1 / 2))
    reach = 4.302653 * error
    assert found.difference == pytest.approx(0.11)
    assert found.high - 0.11 == pytest.approx(math.hypot(alone.high - 0.11, reach), rel=1e-5)
    assert 0.11 - found.low == pytest.approx(math.hypot(0.11 - alone.low, reach), rel=1e-5)
    assert alone.p < 1e-6 < 0.03 < found.p < 0.05  # 0.11 is 4.9 standard errors of two degrees of freedom


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0.3, 0.7), min_size=1, max_size=4), st.lists(st.floats(0.3, 0.7), min_size=1, max_size=4))
def test_properties_of_differences(ours: list[float], theirs: list[float]) -> None:
    one, two = group(*ours), group(*theirs, rows=0.03)
    noise = seed_noise([one, two])
    forth, back = seed_difference(one, two, noise), seed_difference(two, one, noise)
    rows = seed_difference(one, two, NOTHING)
    assert (forth.difference, forth.low, forth.high) == pytest.approx((-back.difference, -back.high, -back.low))
    assert forth.p == pytest.approx(back.p, rel=1e-6)
    assert forth.low <= rows.low + 1e-12  # never narrower than over rows alone
    assert rows.high <= forth.high + 1e-12
    assert rows.low < rows.high
    assert (forth.p < 0.05) == (not forth.low <= 0 <= forth.high)


@pytest.mark.parametrize("seeds", [2, 3])
def test_few_seeds_do_not_collapse_to_nothing(seeds: int) -> None:
    """Rows on which all is right leave no doubt of rows; seeds that differ leave theirs."""
    scores = np.linspace(0.8, 0.9, seeds)
    ours = SeedScores(scores, np.tile(scores, (50, 1)))
    low, high = seed_interval(ours, seed_noise([ours]))
    error = scores.std(ddof=1) / math.sqrt(seeds)
    assert (low, high) == pytest.approx((0.85 - error * _t(seeds), 0.85 + error * _t(seeds)))
    equal = group(*[0.8] * seeds)
    assert seed_interval(equal, seed_noise([equal])) == seed_interval(equal, NOTHING)


def _t(seeds: int) -> float:
    return student_quantile(0.05, seeds - 1)


def test_scores_of_nan() -> None:
    values = np.ones(5)
    found = seed_scores(PEARSON, [values, values], np.arange(5.0), 10)
    difference = seed_difference(found, found, seed_noise([found]))
    assert all(math.isnan(each) for each in (difference.difference, difference.low, difference.high, difference.p))
    assert all(math.isnan(each) for each in seed_interval(found, seed_noise([found])))


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize("case", CASES[:4], ids=lambda case: f"{case.metric}-{case.rows}")
def test_intervals_hold_the_truth_as_often_as_they_say(case: Case, seeds: int) -> None:
    difference, _, single = coverage(case, seeds, 1500)
    assert 93.0 <= difference <= 97.0
    assert 93.0 <= single <= 97.0


def test_intervals_over_rows_alone_hold_it_less_often_where_seeds_differ() -> None:
    difference, alone, single = coverage(CASES[-1], 3, 150)
    assert alone < 88.0 < 91.0 < min(difference, single)
