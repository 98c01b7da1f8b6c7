"""What a constant answer scores, and what speaks against a score: a model that learnt nothing says so."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mtft.data.shares import Half
from mtft.metrics import metric
from mtft.outputs import Array
from mtft.report.bootstrap import bootstrap_interval
from mtft.runs.dev_predictions import read_predictions
from mtft.tasks.task import Task


def baseline(name: str, values: Array, targets: Array) -> float:
    """Return what the best constant answer scores by a metric, given readable values [N, ...] and targets [N].

    The constant is the most frequent class, of two classes the one that scores higher, or the mean of numbers. A
    correlation with a constant is undefined and counts as 0; where all targets are equal it is nan.
    """
    if not len(targets):
        return math.nan
    function = metric(name).function
    scores = [function(constant, targets) for constant in _constants(values, targets)]
    finite = [score for score in scores if math.isfinite(score)]
    if finite:
        return max(finite) if metric(name).higher_is_better else min(finite)
    return math.nan if _constant(targets) else 0.0


def doubt(
    task: str,
    name: str,
    values: Array,
    targets: Array,
    interval: tuple[float, float],
    labels: Sequence[str] = (),
) -> str | None:
    """Say why a score tells little or nothing, None if it is above the baseline beyond its interval.

    `values` [N, C] or [N] are readable, `interval` is that of the score by metric `name` (nan where it is unknown),
    `labels` names the classes.
    """
    if not len(targets):
        return None
    if _constant(targets):
        return _same_labels(task, name, targets, labels if values.ndim == 2 else None)
    answers = values.argmax(axis=1) if values.ndim == 2 else values
    if np.isfinite(values).all() and _constant(answers):
        what = _label(labels, int(answers[0])) if values.ndim == 2 else f"{answers[0]:.4g}"
        return f"{task}: the model answers {what} to each of {len(targets):,} rows"
    score, constant = metric(name).function(values, targets), baseline(name, values, targets)
    higher = metric(name).higher_is_better
    end = interval[0] if higher else interval[1]
    bound = end if math.isfinite(end) else score
    if math.isnan(bound) or math.isnan(constant) or (bound > constant if higher else bound < constant):
        return None
    side, worth = ("above", "from") if higher else ("below", "up to")
    shown = f" (95 % interval {worth} {end:.4f})" if math.isfinite(end) else ""
    return f"{task}: {name} {score:.4f}{shown} is not {side} the {constant:.4f} of a constant answer"


def constant_labels(task: Task, targets: Array) -> str | None:
    """Say that a task's dev labels [N] are all equal, so that no score tells models apart; None if they differ."""
    if not len(targets) or not _constant(targets):
        return None
    return _same_labels(task.name, task.primary_metric, targets, task.output.describe().get("names"))


def judge_run(run: Path, tasks: Iterable[Task], half: Half, resamples: int = 1000) -> dict[str, Any]:
    """Return what a constant answer scores on a run's dev rows of a `half`, by task and metric, and doubts.

    The doubts are about the primary scores, in words.
    """
    baselines: dict[str, dict[str, float]] = {}
    doubts = []
    for task in tasks:
        _, targets, values = read_predictions(run, task.name, "dev", half)
        baselines[task.name] = {name: baseline(name, values, targets) for name in task.metric_names}
        function = metric(task.primary_metric).function
        interval = bootstrap_interval(function, values, targets, resamples=resamples)
        labels = task.output.describe().get("names", [])
        if reason := doubt(task.name, task.primary_metric, values, targets, interval, labels):
            doubts.append(reason)
    return {"baselines": baselines, "doubts": doubts}


def _same_labels(task: str, name: str, targets: Array, labels: Sequence[str] | None) -> str:
    what = f"{targets[0]:g}" if labels is None else _label(labels, int(targets[0]))
    return f"{task}: {name} cannot tell models apart: all {len(targets):,} labels are {what}"


def _constants(values: Array, targets: Array) -> list[Array]:
    """Return constant answers shaped like `values`."""
    if values.ndim == 1:
        return [np.full(len(targets), targets.mean())]
    classes = values.shape[1]
    most = int(np.bincount(targets.astype(np.int64), minlength=classes).argmax())
    return [_always(number, len(targets), classes) for number in (range(2) if classes == 2 else (most,))]


def _always(number: int, examples: int, classes: int) -> Array:
    """Return probabilities [N, C] that are 1 for one class."""
    answers = np.zeros((examples, classes))
    answers[:, number] = 1.0
    return answers


def _constant(numbers: Array) -> bool:
    return bool((numbers == numbers[0]).all())


def _label(labels: Sequence[str], number: int) -> str:
    return repr(labels[number]) if number < len(labels) else f"class {number}"
