"""Confidence intervals by percentile bootstrap over examples: of a score, and of the difference of two."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtft.errors import ConfigError
from mtft.metrics import MetricFunction
from mtft.outputs import Array

DIGITS = 4
"""Decimals of the scores shown."""


@dataclass(frozen=True)
class PairedDifference:
    """How much system a scores above system b on the same examples, with its interval."""

    difference: float
    low: float
    high: float

    @property
    def side(self) -> int:
        """1 or -1 if the interval, rounded as shown, is above or below zero; 0 if it holds zero."""
        if not all(map(math.isfinite, (self.low, self.high))):
            return 0
        return (round(self.low, DIGITS) > 0) - (round(self.high, DIGITS) < 0)


def _draws(examples: int, seed: int, resamples: int) -> Iterator[NDArray[np.int64]]:
    """Yield resampled rows [N], drawn with replacement; the same seed draws the same rows."""
    random = np.random.default_rng(seed)
    for _ in range(resamples):
        yield random.integers(0, examples, examples)


def _interval(
    score: Callable[[NDArray[np.int64]], float], examples: int, seed: int, resamples: int, level: float
) -> tuple[float, float]:
    """Return the middle `level` of the scores of resampled rows, scores of nan left out; nan if all are."""
    if resamples < 1:
        raise ConfigError(f"resamples must be at least 1, found {resamples}")
    if not 0.0 < level < 1.0:
        raise ConfigError(f"level must lie between 0 and 1, found {level:g}")
    if examples == 0:
        return math.nan, math.nan
    scores = np.array([score(rows) for rows in _draws(examples, seed, resamples)], dtype=np.float64)
    scores = scores[~np.isnan(scores)]
    if len(scores) == 0:
        return math.nan, math.nan
    low, high = np.quantile(scores, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return float(low), float(high)


def _check_lengths(targets: Array, *systems: Array) -> None:
    """Raise ValueError unless every system has one value (or row of values) per target."""
    for values in systems:
        if len(values) != len(targets):
            raise ValueError(f"expected values of {len(targets)} examples, found {len(values)}")


def bootstrap_interval(
    function: MetricFunction,
    values: Array,
    targets: Array,
    *,
    seed: int = 0,
    resamples: int = 1000,
    level: float = 0.95,
) -> tuple[float, float]:
    """Return the interval (low, high) of a score of values [N] or [N, C] and targets [N]; nan scores are ignored."""
    values, targets = np.asarray(values), np.asarray(targets)
    _check_lengths(targets, values)

    def score(rows: NDArray[np.int64]) -> float:
        return function(values.take(rows, axis=0), targets.take(rows))

    return _interval(score, len(targets), seed, resamples, level)


def paired_bootstrap(
    function: MetricFunction,
    values_a: Array,
    values_b: Array,
    targets: Array,
    *,
    seed: int = 0,
    resamples: int = 1000,
    level: float = 0.95,
) -> PairedDifference:
    """Return score(a) - score(b) with its interval; row i of values_a, values_b and targets is one example.

    Each resample takes the same rows of both systems; resamples where either scores nan are ignored.
    """
    values_a, values_b, targets = np.asarray(values_a), np.asarray(values_b), np.asarray(targets)
    _check_lengths(targets, values_a, values_b)

    def score(rows: NDArray[np.int64]) -> float:
        truth = targets.take(rows)
        return function(values_a.take(rows, axis=0), truth) - function(values_b.take(rows, axis=0), truth)

    low, high = _interval(score, len(targets), seed, resamples, level)
    difference = function(values_a, targets) - function(values_b, targets) if len(targets) else math.nan
    return PairedDifference(difference, low, high)
