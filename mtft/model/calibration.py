"""Temperature scaling (Guo et al. 2017): one number per task that matches confidence to accuracy."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mtft.outputs import Array, Binary, Output, Tempered

LOWEST, HIGHEST = 0.05, 20.0
"""Bounds of the temperature: if a model is always right, or worse than chance, no finite one is best."""


def can_calibrate(output: Output) -> bool:
    """Return whether a temperature applies to an output, which must be read by a softmax or a sigmoid."""
    return isinstance(output, Tempered.KINDS)


def fit_temperature(output: Output, raw: NDArray[np.floating], targets: NDArray[np.floating]) -> float:
    """Return the temperature with the least negative log-likelihood of class targets [n] given raw outputs [n, width].

    It is convex in 1 / temperature, so bisection finds the zero of its derivative. Examples with numbers that are not
    finite are left out. The temperature is 1 without examples, and if all temperatures are equally good.
    """
    numbers = raw.astype(np.float64)
    logits = np.concatenate([np.zeros_like(numbers), numbers], axis=1) if isinstance(output, Binary) else numbers
    finite = np.isfinite(logits).all(axis=1)
    logits, classes = logits[finite], targets[finite].astype(np.int64)
    if not len(logits):
        return 1.0
    right = logits[np.arange(len(logits)), classes].mean()

    def slope(inverse: float) -> float:
        """Return the derivative of the mean negative log-likelihood by 1 / temperature."""
        scaled = logits * inverse
        powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        expected = (powers * logits).sum(axis=1) / powers.sum(axis=1)
        return float(expected.mean() - right)

    low, high = 1 / HIGHEST, 1 / LOWEST
    if slope(low) == slope(high) == 0:
        return 1.0
    if slope(low) >= 0:
        return HIGHEST
    if slope(high) <= 0:
        return LOWEST
    for _ in range(60):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return 1 / math.sqrt(low * high)


def negative_log_likelihood(values: Array, targets: Array) -> float:
    """Return the mean of -log of the probabilities [n, C] of the classes [n]; nan without examples."""
    probabilities = values[np.arange(len(targets)), targets.astype(np.int64)]
    return float(-np.log(np.maximum(probabilities, np.finfo(np.float64).tiny)).mean()) if len(targets) else math.nan
