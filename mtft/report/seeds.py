"""Scores of runs that differ in their seed alone: the mean, the deviation, and how two such groups differ."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mtft.metrics import MetricFunction
from mtft.outputs import Array
from mtft.report.bootstrap import PairedDifference, paired_bootstrap


def over_seeds(single: MetricFunction) -> MetricFunction:
    """Return the mean over seeds of a metric: of values [n, seeds, ...] and targets [n]."""

    def mean(values: Array, targets: Array) -> float:
        return float(np.mean([single(values[:, seed], targets) for seed in range(values.shape[1])]))

    return mean


def deviation(scores: Sequence[float]) -> float:
    """Return the standard deviation of the scores of several seeds (n - 1 in the denominator); nan of one."""
    return float(np.std(scores, ddof=1)) if len(scores) > 1 else math.nan


def seed_difference(
    single: MetricFunction, ours: Sequence[Array], theirs: Sequence[Array], targets: Array, resamples: int
) -> PairedDifference:
    """Return how much the mean score of one group of seeds is above that of another, with its interval.

    Each group has values [n, ...] for each of its seeds, on the same rows with targets [n]. The interval is over rows,
    with the seeds as they are.
    """
    mean = over_seeds(single)
    return paired_bootstrap(mean, np.stack(ours, 1), np.stack(theirs, 1), targets, resamples=resamples)
