"""Confidence intervals by percentile bootstrap over examples: of a score, and of the difference of two."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mtft.errors import ConfigError
from mtft.metrics import MetricFunction
from mtft.outputs import Array
from mtft.report.significance import LEVEL, holm, normal_quantile, p_value

DIGITS = 4
"""Decimals of the scores shown."""


@dataclass(frozen=True)
class PairedDifference:
    """How much system a scores above system b on the same examples, with its interval at `LEVEL`.

    `p` is its two-sided p value, below 1 - LEVEL where the interval excludes zero. `corrected` is that after Holm's
    correction for all differences shown beside it, nan before.
    """

    difference: float
    low: float
    high: float
    p: float = math.nan
    corrected: float = math.nan

    @property
    def apart(self) -> int:
        """1 or -1 if the interval, rounded as shown, is above or below zero; 0 if it holds zero."""
        if not all(map(math.isfinite, (self.low, self.high))):
            return 0
        return (round(self.low, DIGITS) > 0) - (round(self.high, DIGITS) < 0)

    @property
    def side(self) -> int:
        """`apart`, but 0 if the correction leaves too little of it."""
        return 0 if self.corrected >= 1.0 - LEVEL else self.apart


def correct(differences: Sequence[PairedDifference]) -> list[PairedDifference]:
    """Return differences that are shown together, with their p values corrected for their number."""
    corrected = holm([each.p for each in differences])
    return [replace(each, corrected=value) for each, value in zip(differences, corrected, strict=True)]


def _draws(examples: int, seed: int, resamples: int) -> Iterator[NDArray[np.int64]]:
    """Yield resampled rows [N], drawn with replacement; the same seed draws the same rows."""
    random = np.random.default_rng(seed)
    for _ in range(resamples):
        yield random.integers(0, examples, examples)


def resampled(
    score: Callable[[NDArray[np.int64]], float | Array], examples: int, resamples: int, seed: int = 0
) -> Array:
    """Return the scores [resamples, ...] of rows drawn with replacement from `examples` rows; none without rows."""
    if resamples < 1:
        raise ConfigError(f"resamples must be at least 1, found {resamples}")
    draws = _draws(examples, seed, resamples if examples else 0)
    return np.array([score(rows) for rows in draws], dtype=np.float64)


def middle(scores: Array, level: float) -> tuple[float, float]:
    """Return the ends of the middle `level` of scores [resamples], those of nan left out; nan if none is left."""
    if not 0.0 < level < 1.0:
        raise ConfigError(f"level must lie between 0 and 1, found {level:g}")
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
    level: float = LEVEL,
) -> tuple[float, float]:
    """Return the interval (low, high) of a score of values [N] or [N, C] and targets [N]; nan scores are ignored."""
    values, targets = np.asarray(values), np.asarray(targets)
    _check_lengths(targets, values)

    def score(rows: NDArray[np.int64]) -> float:
        return function(values.take(rows, axis=0), targets.take(rows))

    return middle(resampled(score, len(targets), resamples, seed), level)


def paired_bootstrap(
    function: MetricFunction,
    values_a: Array,
    values_b: Array,
    targets: Array,
    *,
    seed: int = 0,
    resamples: int = 1000,
) -> PairedDifference:
    """Return score(a) - score(b) with its interval; row i of values_a, values_b and targets is one example.

    Each resample takes the same rows of both systems; resamples where either scores nan are ignored.
    """
    values_a, values_b, targets = np.asarray(values_a), np.asarray(values_b), np.asarray(targets)
    _check_lengths(targets, values_a, values_b)

    def score(rows: NDArray[np.int64]) -> float:
        truth = targets.take(rows)
        return function(values_a.take(rows, axis=0), truth) - function(values_b.take(rows, axis=0), truth)

    scores = resampled(score, len(targets), resamples, seed)
    difference = function(values_a, targets) - function(values_b, targets) if len(targets) else math.nan
    low, high = middle(scores, LEVEL)
    return PairedDifference(difference, low, high, p_value(abs(difference), row_error(difference, low, high)))


def row_error(difference: float, low: float, high: float) -> float:
    """Return the standard error over rows of a difference on its side towards zero, from its interval at LEVEL."""
    return max(0.0, difference - low if difference > 0 else high - difference) / normal_quantile(1.0 - LEVEL)
