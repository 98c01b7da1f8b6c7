"""Scores over seeds: means, deviations and differences."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest

from mtft.metrics import metric
from mtft.report.bootstrap import paired_bootstrap
from mtft.report.seeds import deviation, over_seeds, seed_difference

RANDOM = np.random.default_rng(0)


def test_the_mean_over_seeds_is_that_of_each_seeds_score() -> None:
    targets = RANDOM.integers(0, 3, 50).astype(float)
    values = [RANDOM.random((50, 3)) for _ in range(4)]
    single = metric("accuracy").function
    scores = [single(each, targets) for each in values]
    assert over_seeds(single)(np.stack(values, 1), targets) == pytest.approx(statistics.mean(scores))
    assert deviation(scores) == pytest.approx(statistics.stdev(scores))
    assert math.isnan(deviation(scores[:1]))
    assert deviation([0.5, 0.5]) == 0


def test_the_difference_of_one_seed_each_is_the_paired_bootstrap() -> None:
    targets = RANDOM.random(40)
    ours, theirs = targets + RANDOM.normal(0, 0.1, 40), targets + RANDOM.normal(0, 0.5, 40)
    single = metric("pearson").function
    assert seed_difference(single, [ours], [theirs], targets, 50) == paired_bootstrap(
        single, ours, theirs, targets, resamples=50
    )


def test_groups_may_have_different_numbers_of_seeds() -> None:
    targets = RANDOM.random(40)
    ours = [targets + RANDOM.normal(0, 0.1, 40) for _ in range(3)]
    single = metric("pearson").function
    found = seed_difference(single, ours, ours[:1], targets, 50)
    scores = [single(each, targets) for each in ours]
    assert found.difference == pytest.approx(statistics.mean(scores) - scores[0])
    same = seed_difference(single, ours, ours[::-1], targets, 50)
    assert (same.difference, same.low, same.high) == pytest.approx((0, 0, 0), abs=1e-12)
