"""Two-sided p values of differences from their errors over rows and seeds, and Holm's correction for several."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

LEVEL = 0.95
"""Level of the intervals shown; a verdict needs a corrected p value below 1 - LEVEL."""

SMALLEST = 1e-12
"""The smallest p value that is told from zero."""

STEPS = 60
"""Halvings of a bisection; more than a float64 has digits."""


def normal_quantile(tail: float) -> float:
    """Return z such that a standard normal number lies outside -z to z with probability `tail` (0 to 1)."""
    return -NormalDist().inv_cdf(tail / 2.0)


def student_quantile(tail: float, freedom: int) -> float:
    """Return t such that Student's t with `freedom` >= 1 degrees lies outside -t to t with probability `tail`."""
    low, high = 0.0, math.pi / 2.0
    for _ in range(STEPS):
        angle = (low + high) / 2.0
        low, high = (angle, high) if _inside(angle, freedom) < 1.0 - tail else (low, angle)
    return math.sqrt(freedom) * math.tan(low)


def _inside(angle: float, freedom: int) -> float:
    """Return P(|T| < sqrt(freedom) tan(angle)): Abramowitz and Stegun, 26.7.3 and 26.7.4."""
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2
    term, total = (cosine if odd else 1.0), 0.0
    for power in range(1 + odd, freedom, 2):  # the factor by which the next term is smaller
        total += term
        term *= cosine**2 * power / (power + 1)
    return 2.0 / math.pi * (angle + sine * total) if odd else sine * total


def reach(tail: float, rows: float, seeds: float, freedom: int) -> float:
    """Return half the width of an interval at the level 1 - `tail`.

    `rows` and `seeds` are independent standard errors. The second is estimated with `freedom` degrees, which count only
    where it is above 0. Their intervals add up in squares (Zou and Donner 2008, "MOVER").
    """
    return math.hypot(normal_quantile(tail) * rows, student_quantile(tail, freedom) * seeds if seeds else 0.0)


def p_value(distance: float, rows: float, seeds: float = 0.0, freedom: int = 1) -> float:
    """Return the `tail` at which the interval around a number, `distance` away from zero, just reaches zero."""
    if math.isnan(distance + rows + seeds):
        return math.nan
    if distance == 0.0:
        return 1.0
    low, high = math.log(SMALLEST), 0.0
    for _ in range(STEPS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if reach(math.exp(middle), rows, seeds, freedom) > distance else (low, middle)
    return math.exp(high)


def holm(values: Sequence[float]) -> list[float]:
    """Return p values corrected for their number (Holm 1979); nan stays, and does not count."""
    known = sorted((value, at) for at, value in enumerate(values) if not math.isnan(value))
    corrected, largest = list(values), 0.0
    for rank, (value, at) in enumerate(known):
        largest = max(largest, min(1.0, value * (len(known) - rank)))
        corrected[at] = largest
    return corrected
