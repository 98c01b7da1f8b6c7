"""Figures that compare a task's dev predictions with the labels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mtft.metrics import Calibration, calibration, confusion
from mtft.report.charts import Series, line_chart, reliability_chart
from mtft.report.figure import Figure, Table, number
from mtft.report.heatmaps import Cell, Heatmap
from mtft.report.run_record import Predictions, TaskRecord

MOST_CLASSES = 30
"""With more classes, cells are small and the table lists only the most frequent confusions."""


def answer_figures(task: TaskRecord) -> Iterator[Figure]:
    """Return the figures of a task's predictions against its labels."""
    predictions = task.predictions
    if predictions is None or not len(predictions.targets):
        return
    if predictions.values.ndim == 1:
        yield _agreement(task, predictions)
        yield _regression_reliability(task, predictions)
        return
    reliability = calibration(predictions.values, predictions.targets)
    caption = f"Expected calibration error {number(reliability.ece)}. On the dashed line accuracy equals confidence; "
    caption += "below it the model is overconfident."
    if math.isfinite(task.temperature):
        caption += f" Probabilities are read at temperature {number(task.temperature)}, fitted on dev."
    drawing = reliability_chart(f"Reliability of {task.name}", reliability)
    yield Figure("reliability", drawing, caption, _bins(reliability, task.name))
    yield _confusion(task, predictions)


def _bins(reliability: Calibration, name: str) -> Table:
    rows = tuple(
        (f"{low:.1f} to {high:.1f}", f"{count:,}", number(sure), number(right))
        for low, high, count, sure, right in zip(
            reliability.edges[:-1].tolist(),
            reliability.edges[1:].tolist(),
            reliability.counts.tolist(),
            reliability.confidence.tolist(),
            reliability.accuracy.tolist(),
            strict=True,
        )
        if count
    )
    return Table(f"Reliability of {name}", ("confidence", "examples", "mean confidence", "accuracy"), rows)


def _confusion(task: TaskRecord, predictions: Predictions) -> Figure:
    names = task.class_names
    counts = confusion(predictions.values, predictions.targets, len(names))
    cells = []
    for at, row in enumerate(counts.tolist()):
        shares = [value / (sum(row) or 1) for value in row]
        titles = [f"{names[at]} taken for {names[to]}: {share:.1%}" for to, share in enumerate(shares)]
        few = len(names) <= MOST_CLASSES
        cells.append(
            [
                Cell(share if to == at else -share, f"{row[to]:,}", titles[to]) if few or row[to] else Cell(0)
                for to, share in enumerate(shares)
            ]
        )
    right = int(np.trace(counts))
    words = f"{right:,} of {int(counts.sum()):,} answers are right."
    height = min(34.0, max(MOST_CLASSES * 14 / len(names), 3))
    heatmap = Heatmap(f"Confusion of {task.name}", words, names, names, cells, "answer", "truth", row_height=height)
    table = _counts(task.name, names, counts)
    return Figure("confusion", heatmap.draw(), f"{words} Colour: share of the row.", table)


def _counts(task: str, names: Sequence[str], counts: NDArray[np.int64]) -> Table:
    """Return the table of all counts, or of many classes the most frequent confusions."""
    if len(names) <= MOST_CLASSES:
        rows = tuple((name, *(f"{value:,}" for value in row)) for name, row in zip(names, counts.tolist(), strict=True))
        return Table(f"Confusion of {task}", ("truth", *names), rows)
    wrong = np.where(np.eye(len(names), dtype=bool), 0, counts)
    worst = np.argsort(-wrong, axis=None, kind="stable")[:MOST_CLASSES]
    cells = [divmod(int(cell), len(names)) for cell in worst]
    rows = tuple((names[at], names[to], f"{wrong[at, to]:,}") for at, to in cells if wrong[at, to])
    return Table(f"Most frequent confusions of {task}", ("truth", "answer", "examples"), rows, texts=2)


def _agreement(task: TaskRecord, predictions: Predictions, bins: int = 10) -> Figure:
    """Return a figure of predicted against true numbers, as counts in squares."""
    values, targets = predictions.values, predictions.targets
    both = np.concatenate([values, targets])
    finite = both[np.isfinite(both)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    edges = np.linspace(low, high if high > low else low + 1, bins + 1)
    counts, _, _ = np.histogram2d(targets, values, [edges, edges])
    most = max(float(counts.max()), 1.0)
    middles = [f"{(a + b) / 2:.2g}" for a, b in pairwise(edges.tolist())]
    cells = [
        [
            Cell(
                math.sqrt(count / most),
                f"{count:.0f}" if count else "",
                f"true about {middles[row]}, predicted about {middles[column]}: {count:.0f}",
            )
            for column, count in enumerate(counts[row].tolist())
        ]
        for row in reversed(range(bins))
    ]
    error = float(np.mean(np.abs(values - targets)))
    words = f"Mean absolute error {error:.3f}."
    heatmap = Heatmap(
        f"Predicted and true {task.name}", words, middles[::-1], middles, cells, "predicted", "true", label_width=44
    )
    return Figure("agreement", heatmap.draw(), f"{words} Numbers are examples; the diagonal is agreement.")


def _regression_reliability(task: TaskRecord, predictions: Predictions, bins: int = 10) -> Figure:
    """Return a figure of the mean label against the prediction, over tenths of the examples by prediction."""
    values, targets = predictions.values, predictions.targets
    parts = np.array_split(np.argsort(values, kind="stable"), min(bins, len(values)))
    points = tuple((float(values[part].mean()), float(targets[part].mean())) for part in parts)
    ends = (min(min(point) for point in points), max(max(point) for point in points))
    series = (Series("mean truth", points), Series("agreement", tuple((end, end) for end in ends), 1, dots=False))
    drawing = line_chart(f"Reliability of {task.name}", series, "predicted", "mean truth", by_step=False)
    rows = tuple((f"{x:.4f}", f"{y:.4f}", f"{len(part):,}") for (x, y), part in zip(points, parts, strict=True))
    table = Table(f"Reliability of {task.name}", ("mean prediction", "mean truth", "examples"), rows, texts=0)
    caption = "Each dot is a tenth of the examples, ordered by prediction; below the line predictions are too high."
    return Figure("reliability", drawing, caption, table)
