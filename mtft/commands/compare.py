"""``mtft compare``: the report's Table 1 from finished runs, with intervals for the differences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mtft.data.shares import Half
from mtft.encoder.directory import find_model
from mtft.encoder.weight_files import weight_files
from mtft.errors import CheckpointError, ConfigError, ModelError
from mtft.metrics import metric
from mtft.outputs import Array
from mtft.plugin.context import Context
from mtft.report.baseline import baseline, doubt
from mtft.report.bootstrap import PairedDifference, bootstrap_interval, paired_bootstrap
from mtft.runs.dev_predictions import read_predictions
from mtft.runs.directory import read_summary
from mtft.runs.manifest import read_manifest, run_tasks
from mtft.tasks.task import Task
from mtft.training.count import count_run


@dataclass(frozen=True)
class Column:
    """One way to cover the tasks: one run, or several that each cover some.

    `scores` are dev values of the primary metrics; `stored`, `tunable` and `bytes` (model files, without base
    models) are sums over the runs. `base_bytes` is the size of their base models, each counted once, None if one was
    not found. `differences` are from the first column.
    """

    name: str
    runs: tuple[Path, ...]
    scores: dict[str, float]
    differences: dict[str, PairedDifference]
    stored: int
    tunable: int
    bytes: int
    base_bytes: int | None


@dataclass(frozen=True)
class Comparison:
    """The table: columns in the order given, each task's primary metric and number of examples.

    `baselines` are the scores of constant answers. `verdicts` has a sentence per column and task on whether the
    difference from the first column is more than noise; `doubts` names scores that say little or nothing.
    """

    metrics: dict[str, str]
    examples: dict[str, int]
    baselines: dict[str, float]
    columns: tuple[Column, ...]
    verdicts: tuple[str, ...]
    doubts: tuple[str, ...]


Predictions = tuple[list[str], Array, Array]


def compare(
    groups: Mapping[str, Sequence[Path]], context: Context, *, resamples: int = 1000, half: Half = "all"
) -> Comparison:
    """Compare groups of runs; every group must cover the same tasks on the same dev examples.

    Scores are on a `half` of these, or on all.
    """
    if not groups:
        raise ConfigError("nothing to compare: give NAME=RUN[,RUN...] at least once")
    owners = {name: _owners(name, runs) for name, runs in groups.items()}
    first, *others = owners
    for name in others:
        if owners[name].keys() != owners[first].keys():
            raise ConfigError(f"{name} covers {', '.join(owners[name])} but {first} covers {', '.join(owners[first])}")
    tasks = [task for name, run in owners[first].items() for task in run_tasks(run / "model", context.registry, name)]
    kept = {name: _predictions(runs, tasks, half) for name, runs in owners.items()}
    columns = tuple(
        _column(name, groups[name], tasks, kept[name], None if name == first else (first, kept[first]), resamples)
        for name in groups
    )
    examples = {task.name: len(kept[first][task.name][0]) for task in tasks}
    verdicts = tuple(
        verdict(task, column.name, first, column.differences[task.name]) for column in columns[1:] for task in tasks
    )
    baselines = {task.name: baseline(task.primary_metric, *_answers(kept[first][task.name])) for task in tasks}
    doubts = tuple(
        f"{name}: {reason}"
        for name in groups
        for task in tasks
        if (reason := _doubt(task, *_answers(kept[name][task.name]), resamples))
    )
    for text in doubts:
        context.notify("warning", text)
    metrics = {task.name: task.primary_metric for task in tasks}
    return Comparison(metrics, examples, baselines, columns, verdicts, doubts)


def _answers(found: Predictions) -> tuple[Array, Array]:
    """Return readable values and targets."""
    _, targets, values = found
    return values, targets


def _doubt(task: Task, values: Array, targets: Array, resamples: int) -> str | None:
    name, labels = task.primary_metric, task.output.describe().get("names", [])
    interval = bootstrap_interval(metric(name).function, values, targets, resamples=resamples)
    return doubt(task.name, name, values, targets, interval, labels)


def verdict(task: Task, name: str, other: str, difference: PairedDifference) -> str:
    """Return a sentence on which of two is better: the one whose interval of the difference excludes zero, if any."""
    if not all(map(math.isfinite, (difference.difference, difference.low, difference.high))):
        return f"{task.name}: no difference can be measured between {name} and {other}"
    if not difference.side:
        interval = f"({difference.low:+.4f} to {difference.high:+.4f})"
        return f"{task.name}: no difference beyond noise between {name} and {other} {interval}"
    higher = metric(task.primary_metric).higher_is_better
    better, worse = (name, other) if (difference.side > 0) is higher else (other, name)
    low, high = sorted((abs(difference.low), abs(difference.high)))
    return f"{task.name}: {better} is better than {worse} by {abs(difference.difference):.4f} ({low:.4f} to {high:.4f})"


def _owners(name: str, runs: Sequence[Path]) -> dict[str, Path]:
    """Return the run of a group that covers each task."""
    owners: dict[str, Path] = {}
    for run in runs:
        for task in read_summary(run).get("tasks", {}):
            if task in owners:
                raise ConfigError(f"{name}: both {owners[task]} and {run} cover task {task!r}")
            owners[task] = run
    return owners


def _predictions(runs: Mapping[str, Path], tasks: Sequence[Task], half: Half) -> dict[str, Predictions]:
    return {task.name: read_predictions(runs[task.name], task.name, "dev", half) for task in tasks}


def _column(
    name: str,
    runs: Sequence[Path],
    tasks: Sequence[Task],
    kept: Mapping[str, Predictions],
    reference: tuple[str, Mapping[str, Predictions]] | None,
    resamples: int,
) -> Column:
    scores, differences = {}, {}
    for task in tasks:
        function = metric(task.primary_metric).function
        ids, targets, values = kept[task.name]
        scores[task.name] = function(values, targets)
        if reference:
            other, others = reference[0], reference[1][task.name]
            if others[0] != ids or not np.array_equal(others[1], targets):
                raise CheckpointError(f"{name} and {other} were evaluated on different {task.name} dev examples")
            differences[task.name] = paired_bootstrap(function, values, others[2], targets, resamples=resamples)
    counts = [count_run(run) for run in runs]
    size = sum(file.stat().st_size for run in runs for file in (run / "model").iterdir())
    stored, tunable = sum(count.stored for count in counts), sum(count.tunable for count in counts)
    return Column(name, tuple(runs), scores, differences, stored, tunable, size, _base_bytes(runs))


def _base_bytes(runs: Sequence[Path]) -> int | None:
    """Return the size of the base models' weights, each counted once; None if one is not found."""
    names = {read_manifest(run / "model")["base"]["name"] for run in runs}
    try:
        return sum(path.stat().st_size for name in names for path in weight_files(find_model(name)))
    except ModelError:
        return None
