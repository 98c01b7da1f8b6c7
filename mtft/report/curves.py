"""Figures of all runs together: scores and learning curves."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mtft.io.text import epoch_name
from mtft.report.charts import Series, Whisker, interval_chart, line_chart
from mtft.report.figure import Figure, Table, inner, number, real
from mtft.report.run_record import Record, RunRecord
from mtft.report.scores import Line

MOST_POINTS = 60
"""Most points of a curve; of more, neighbours are averaged."""


def scores_figure(lines: Sequence[Line], runs: Sequence[str]) -> Figure | None:
    """Return a figure of the primary scores with their intervals."""
    whiskers = [
        Whisker(line.task, number, score.value, score.low, score.high)
        for line in lines
        if line.primary
        for number, score in enumerate(line.scores)
        if score
    ]
    if not any(math.isfinite(each.value) for each in whiskers):
        return None
    drawing = interval_chart("Dev scores with 95 % intervals", whiskers, runs, "dev score")
    return Figure("scores", drawing, "Primary metric of each task on dev; lines are 95 % bootstrap intervals.")


def curve_figures(runs: Sequence[RunRecord], task: str) -> list[Figure]:
    """Return figures of a task's training loss and primary dev score by step, with a line per run."""
    losses = {run.label: _loss_points(run, task) for run in runs}
    dev = {run.label: _dev_points(run, task) for run in runs}
    figures = []
    if any(losses.values()):
        series = [
            Series(name, tuple(points), number, dots=False)
            for number, (name, points) in enumerate(losses.items())
            if points
        ]
        drawing = line_chart(f"Training loss of {task}", series, "step", "loss")
        figures.append(Figure("loss", drawing, "Training loss, averaged over neighbouring steps."))
    if any(dev.values()):
        metric = next(run.tasks[task].metric for run in runs if dev[run.label])
        series = [
            Series(run.label, tuple(dev[run.label]), number, marked=_best(run, task))
            for number, run in enumerate(runs)
            if dev[run.label]
        ]
        drawing = line_chart(f"Dev {metric} of {task}", series, "step", metric)
        rows = tuple(
            (
                run.label,
                epoch_name(record.get("epoch"), record.get("cut_at")),
                str(record.get("step")),
                number(_dev(record, task, metric)),
                number(real(inner(record, "train").get(task))),
            )
            for run in runs
            for record in _epochs(run, task)
        )
        table = Table(f"Epochs of {task}", ("run", "epoch", "step", f"dev {metric}", "training loss"), rows)
        figures.append(Figure("dev", drawing, "After each epoch; the ring marks the best one, which was kept.", table))
    return figures


def _epochs(run: RunRecord, task: str) -> list[Record]:
    return [record for record in run.epochs if task in inner(record, "dev")]


def _dev(record: Record, task: str, metric: str) -> float:
    return real(inner(record, "dev", task).get(metric))


def _dev_points(run: RunRecord, task: str) -> list[tuple[float, float]]:
    metric = run.tasks[task].metric if task in run.tasks else ""
    points = [(real(record.get("step")), _dev(record, task, metric)) for record in _epochs(run, task)]
    return points if any(math.isfinite(y) for _, y in points) else []


def _best(run: RunRecord, task: str) -> int | None:
    marks = [at for at, record in enumerate(_epochs(run, task)) if record.get("best")]
    return marks[-1] if marks else None


def _loss_points(run: RunRecord, task: str) -> list[tuple[float, float]]:
    steps = [(real(record.get("step")), real(inner(record, "losses").get(task))) for record in run.steps]
    steps = [point for point in steps if math.isfinite(point[1])]
    if not steps:
        epochs = [(real(record.get("step")), real(inner(record, "train").get(task))) for record in run.epochs]
        return [point for point in epochs if math.isfinite(point[1])]
    parts = np.array_split(np.array(steps), min(len(steps), MOST_POINTS))
    return [(float(part[:, 0].mean()), float(part[:, 1].mean())) for part in parts]
