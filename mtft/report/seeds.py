"""Scores of runs that differ in their seed alone, and how two such groups differ: intervals over rows and seeds.

A score of one run varies with the rows it is taken on, with the seed of the run, and with both together: the seeds
disagree on single rows. Rows are resampled. What is left of the variance between seeds when the part that comes of
disagreements on rows is taken off, which the resamples tell, is the variance that other seeds add.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtft.metrics import MetricFunction
from mtft.outputs import Array
from mtft.report.bootstrap import PairedDifference, middle, resampled, row_error
from mtft.report.significance import LEVEL, p_value, student_quantile


def over_seeds(single: MetricFunction) -> MetricFunction:
    """Return the mean over seeds of a metric: of values [n, seeds, ...] and targets [n]."""

    def mean(values: Array, targets: Array) -> float:
        return float(np.mean([single(values[:, seed], targets) for seed in range(values.shape[1])]))

    return mean


def deviation(scores: Sequence[float]) -> float:
    """Return the standard deviation of the scores of several seeds (n - 1 in the denominator); nan of one."""
    return float(np.std(scores, ddof=1)) if len(scores) > 1 else math.nan


@dataclass(frozen=True, eq=False)
class SeedScores:
    """The scores of runs with different seeds: on all rows [seeds], and on resampled rows [resamples, seeds]."""

    scores: Array
    resampled: Array

    @property
    def mean(self) -> float:
        return float(self.scores.mean())

    @property
    def seeds(self) -> int:
        return len(self.scores)

    def of(self, chosen: Sequence[bool]) -> SeedScores:
        """Return the scores of some of the seeds."""
        return SeedScores(self.scores[np.array(chosen)], self.resampled[:, np.array(chosen)])


@dataclass(frozen=True)
class SeedNoise:
    """The variance that another seed adds to one score, beside that of rows, and its degrees of freedom.

    Without freedom, no group has several seeds, and nothing is known of them.
    """

    variance: float = 0.0
    freedom: int = 0

    def error(self, *groups: SeedScores) -> float:
        """Return the standard error that seeds give to the mean score of a group, or to a difference of two."""
        return math.sqrt(self.variance * sum(1.0 / group.seeds for group in groups))


def seed_scores(single: MetricFunction, values: Sequence[Array], targets: Array, resamples: int) -> SeedScores:
    """Return the scores by a metric of the values [n, ...] of each seed, on rows with targets [n]."""

    def score(rows: NDArray[np.int64]) -> Array:
        truth = targets.take(rows)
        return np.array([single(each.take(rows, axis=0), truth) for each in values])

    return SeedScores(score(np.arange(len(targets))), resampled(score, len(targets), resamples))


def seed_noise(groups: Sequence[SeedScores]) -> SeedNoise:
    """Return what seeds add, pooled over the groups that have several: they are taken to vary equally.

    Each group estimates the variance between its seeds, and the part of it that comes of disagreements on rows. In an
    analysis of variance of rows and seeds, these are the mean squares of seeds and of the interaction.
    """
    several = [group for group in groups if group.seeds > 1 and np.isfinite(group.scores).all()]
    freedom = sum(group.seeds - 1 for group in several)
    if not freedom:
        return SeedNoise()
    found = sum((group.seeds - 1) * (group.scores.var(ddof=1) - _disagreement(group)) for group in several) / freedom
    return SeedNoise(max(0.0, float(found)), freedom)


def _disagreement(group: SeedScores) -> float:
    """Return the part of the variance between seeds that comes of the rows on which they disagree."""
    known = group.resampled[~np.isnan(group.resampled).any(axis=1)]
    if len(known) < 2:
        return 0.0
    apart = known - known.mean(axis=1, keepdims=True)
    return float(apart.var(axis=0, ddof=1).sum() / (group.seeds - 1))


def seed_interval(group: SeedScores, noise: SeedNoise) -> tuple[float, float]:
    """Return the interval at LEVEL of a mean score, over rows and, where `noise` knows of them, over seeds."""
    low, high = middle(group.resampled.mean(axis=1), LEVEL)
    return _widened(group.mean, low, high, noise.error(group), noise.freedom)


def seed_difference(ours: SeedScores, theirs: SeedScores, noise: SeedNoise) -> PairedDifference:
    """Return how much one mean score is above another on the same rows, with its interval over rows and seeds.

    The resampled rows are the same; seeds are independent. Groups that score the same on all resamples do not differ.
    """
    difference = ours.mean - theirs.mean
    changes = ours.resampled.mean(axis=1) - theirs.resampled.mean(axis=1)
    low, high = middle(changes, LEVEL)
    rows, seeds = row_error(difference, low, high), noise.error(ours, theirs) if changes.any() else 0.0
    p = p_value(abs(difference), rows, seeds, noise.freedom)
    return PairedDifference(difference, *_widened(difference, low, high, seeds, noise.freedom), p)


def _widened(value: float, low: float, high: float, seeds: float, freedom: int) -> tuple[float, float]:
    """Return an interval at LEVEL over rows, widened by the standard error `seeds` as `reach` does."""
    if not seeds:
        return low, high
    more = student_quantile(1.0 - LEVEL, freedom) * seeds
    return value - math.hypot(max(0.0, value - low), more), value + math.hypot(max(0.0, high - value), more)
