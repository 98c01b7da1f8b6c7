"""Scores of predictions against targets, in plain numpy.

Every metric takes `values` as `mtft.outputs` reads them (probabilities [N, C] of classes, or scores [N]) and
`targets` [N] (class indices, or numbers). It is nan without examples, and if a number is not finite.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtft.errors import ConfigError, unknown
from mtft.outputs import Array

Counts = NDArray[np.int64]
MetricFunction = Callable[[Array, Array], float]


@dataclass(frozen=True)
class Metric:
    """A named score: `function` takes values and targets."""

    name: str
    function: MetricFunction
    higher_is_better: bool
    description: str


def _paired(values: Array, targets: Array, axes: int) -> tuple[Array, Array]:
    """Return values (with `axes` axes) and targets [N] as float64; an error unless they belong together."""
    values, targets = np.asarray(values, dtype=np.float64), np.asarray(targets, dtype=np.float64)
    if targets.ndim != 1 or values.ndim == 0 or len(values) != len(targets):
        raise ValueError(f"values {values.shape} and targets {targets.shape} are not of the same examples")
    if values.ndim != axes and len(targets):
        wanted = "scores [N]" if axes == 1 else "probabilities [N, C]"
        raise ConfigError(f"this metric needs {wanted}, but the values have shape {list(values.shape)}")
    return values, targets


def _usable(values: Array, targets: Array) -> bool:
    """Return whether there are examples and all numbers are finite."""
    return len(targets) > 0 and bool(np.isfinite(values).all() and np.isfinite(targets).all())


def confusion(values: Array, targets: Array, classes: int) -> Counts:
    """Return the confusion matrix [C, C] (rows truth) of probabilities [N, C] and targets [N].

    Of equal probabilities the first counts. Examples whose probabilities are not finite are left out.
    """
    values, targets = _paired(values, targets, 2)
    if len(targets) == 0:
        return np.zeros((classes, classes), dtype=np.int64)
    if values.shape[1] != classes:
        raise ValueError(f"expected probabilities of {classes} classes, found {values.shape[1]}")
    if not np.all((targets >= 0) & (targets < classes) & (targets == np.floor(targets))):
        raise ValueError(f"targets must be class indices from 0 to {classes - 1}")
    finite = np.isfinite(values).all(axis=1)
    if not finite.all():
        values, targets = values[finite], targets[finite]
    cells = targets.astype(np.int64) * classes + values.argmax(axis=1)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes).astype(np.int64)


def _of_classes(score: Callable[[Counts], float]) -> MetricFunction:
    """Return the metric of probabilities that a function of the confusion matrix [C, C] computes."""

    def function(values: Array, targets: Array) -> float:
        values, targets = _paired(values, targets, 2)
        return score(confusion(values, targets, values.shape[1])) if _usable(values, targets) else math.nan

    return function


def _of_numbers(score: MetricFunction) -> MetricFunction:
    """Return the metric of scores that a function of finite scores [N] and targets [N], N > 0, computes."""

    def function(values: Array, targets: Array) -> float:
        values, targets = _paired(values, targets, 1)
        return score(values, targets) if _usable(values, targets) else math.nan

    return function


def _accuracy(counts: Counts) -> float:
    return float(np.trace(counts) / counts.sum())


def _f1(counts: Counts) -> float:
    """Return F1 of class 1 of two; of more, the mean over the classes that occur in targets or predictions."""
    sizes = counts.sum(axis=0) + counts.sum(axis=1)
    scores = 2.0 * np.diag(counts) / np.maximum(sizes, 1)
    return float(scores[1] if len(counts) == 2 else scores[sizes > 0].mean())


def _mcc(counts: Counts) -> float:
    """Return the Matthews correlation of C classes; 0 where targets or predictions are all of one class."""
    table = counts.astype(np.float64)
    truth, predicted, total = table.sum(axis=1), table.sum(axis=0), table.sum()
    spread = math.sqrt((total**2 - truth @ truth) * (total**2 - predicted @ predicted))
    return float((np.trace(table) * total - truth @ predicted) / spread) if spread > 0 else 0.0


def _kappa(counts: Counts) -> float:
    """Return Cohen's kappa of C ranks with quadratic weights; 0 where targets and predictions are all of one class."""
    ranks = np.arange(len(counts))
    weights = (ranks[:, None] - ranks) ** 2
    by_chance = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    expected = float((weights * by_chance).sum())
    return 1.0 - float((weights * counts).sum()) / expected if expected > 0 else 0.0


def _direction(numbers: Array) -> Array:
    """Return numbers [N], not all equal, centred and scaled to length 1."""
    centred = numbers - numbers.mean()
    centred /= np.abs(centred).max()
    scaled: Array = centred / math.sqrt(centred @ centred)
    return scaled


def _pearson(values: Array, targets: Array) -> float:
    """Return the linear correlation; nan if either side is constant."""
    if values.min() == values.max() or targets.min() == targets.max():
        return math.nan
    return float(np.clip(_direction(values) @ _direction(targets), -1.0, 1.0))


def _ranks(numbers: Array) -> Array:
    """Return ranks [N] from 1; equal numbers get their average rank."""
    _, which, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    ranks: Array = (np.cumsum(counts) - (counts - 1) / 2.0)[which]
    return ranks


def _spearman(values: Array, targets: Array) -> float:
    return _pearson(_ranks(values), _ranks(targets))


def _mse(values: Array, targets: Array) -> float:
    return float(np.mean((values - targets) ** 2))


def _mae(values: Array, targets: Array) -> float:
    return float(np.mean(np.abs(values - targets)))


METRICS: dict[str, Metric] = {
    entry.name: entry
    for entry in (
        Metric("accuracy", _of_classes(_accuracy), True, "share of examples whose most probable class is right"),
        Metric("f1", _of_classes(_f1), True, "F1 of the second of two classes; macro F1 of more"),
        Metric("mcc", _of_classes(_mcc), True, "Matthews correlation coefficient"),
        Metric("kappa", _of_classes(_kappa), True, "Cohen's kappa of ranks, quadratic weights"),
        Metric("pearson", _of_numbers(_pearson), True, "linear correlation"),
        Metric("spearman", _of_numbers(_spearman), True, "rank correlation, ties at their average rank"),
        Metric("mse", _of_numbers(_mse), False, "mean squared error"),
        Metric("mae", _of_numbers(_mae), False, "mean absolute error"),
    )
}


def metric(name: str) -> Metric:
    """Return a metric by its name; ConfigError if there is none."""
    if name not in METRICS:
        raise ConfigError(unknown("metric", name, METRICS))
    return METRICS[name]


@dataclass(frozen=True, eq=False)
class Calibration:
    """A reliability diagram: mean confidence and accuracy per bin of top-label confidence.

    `edges` [bins + 1]; `counts`, `confidence` and `accuracy` [bins]. The means of an empty bin are nan. `ece` is
    the expected calibration error: |accuracy - confidence| averaged over examples.
    """

    ece: float
    edges: Array
    counts: Counts
    confidence: Array
    accuracy: Array


def calibration(values: Array, targets: Array, bins: int = 10) -> Calibration:
    """Return the reliability of probabilities [N, C] against targets [N], in bins (low, high] of equal width.

    Examples whose probabilities are not finite are in no bin and make `ece` nan; it is nan without examples too.
    """
    if bins < 1:
        raise ConfigError(f"bins must be at least 1, found {bins}")
    values, targets = _paired(values, targets, 2)
    usable = _usable(values, targets)
    if len(targets) == 0:
        values = np.zeros((0, 1))
    finite = np.isfinite(values).all(axis=1)
    values, targets = values[finite], targets[finite]
    edges = np.linspace(0.0, 1.0, bins + 1)
    top = values.max(axis=1)
    where = np.searchsorted(edges[1:-1], top, side="left")
    counts = np.bincount(where, minlength=bins).astype(np.int64)
    confidence, accuracy = np.full(bins, math.nan), np.full(bins, math.nan)
    filled = counts > 0
    for means, numbers in ((confidence, top), (accuracy, values.argmax(axis=1) == targets)):
        means[filled] = np.bincount(where, weights=numbers, minlength=bins)[filled] / counts[filled]
    ece = float(counts[filled] @ np.abs(accuracy - confidence)[filled] / counts.sum()) if usable else math.nan
    return Calibration(ece, edges, counts, confidence, accuracy)
