"""``mtft compare``: the report's Table 1 from finished runs, with intervals for the differences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from mtft.data.shares import Half
from mtft.encoder.directory import find_model
from mtft.encoder.weight_files import weight_files
from mtft.errors import CheckpointError, ConfigError, ModelError, setting
from mtft.metrics import metric
from mtft.outputs import Array
from mtft.plugin.context import Context
from mtft.report.baseline import baseline, doubt
from mtft.report.bootstrap import PairedDifference, bootstrap_interval, correct
from mtft.report.scope import method, rows_and_runs
from mtft.report.seeds import SeedNoise, SeedScores, deviation, seed_difference, seed_noise, seed_scores
from mtft.runs.dev_predictions import read_predictions
from mtft.runs.halves import chose, half_by_keys, recorded_settings
from mtft.runs.manifest import read_manifest, run_tasks
from mtft.runs.records import model_bytes
from mtft.runs.run_directory import read_summary
from mtft.runs.seed_groups import check_same_but_seed, seed_of
from mtft.tasks.task import Task
from mtft.training.count import count_run


@dataclass(frozen=True)
class ComparedColumn:
    """One way to cover the tasks: one run, or several that each cover some, or such runs with several seeds.

    `scores` are dev values of the primary metrics; `stored`, `tunable` and `bytes` (model files, without base models)
    are sums over the runs. `base_bytes` is the size of their base models, each counted once, None if one was not
    found. `differences` are from the first column. With several `seeds`, scores and sums are means over them, and
    `deviations` are the standard deviations of the scores, nan of one seed.
    """

    name: str
    runs: tuple[Path, ...]
    scores: dict[str, float]
    differences: dict[str, PairedDifference]
    stored: int
    tunable: int
    bytes: int
    base_bytes: int | None
    seeds: tuple[int, ...] = ()
    deviations: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Comparison:
    """The table: columns in the order given, each task's primary metric and number of examples.

    `baselines` are the scores of constant answers. `verdicts` has a sentence per column and task on whether the
    difference from the first column is more than noise, after a correction for their number; `scope` says for which
    rows and runs they hold, and how they were found. `doubts` names scores that say little or nothing, or too much.
    """

    metrics: dict[str, str]
    examples: dict[str, int]
    baselines: dict[str, float]
    columns: tuple[ComparedColumn, ...]
    verdicts: tuple[str, ...]
    scope: tuple[str, ...]
    doubts: tuple[str, ...]


@dataclass(frozen=True)
class ComparedPredictions:
    """Dev rows of one task: ids, targets [n], the readable values [n, ...] of the run with each seed, their scores."""

    ids: list[str]
    targets: Array
    values: list[Array]
    scores: SeedScores


Owners = Mapping[str, Sequence[Path]]
"""The runs that cover each task, one for each seed."""


def compare(
    groups: Mapping[str, Sequence[Path]],
    context: Context,
    *,
    resamples: int = 1000,
    half: Half = "all",
    seeds: bool = False,
) -> Comparison:
    """Compare groups of runs; every group must cover the same tasks on the same dev examples.

    Scores are on a `half` of these, or on all. With `seeds`, runs of a group that differ in their seed alone count as
    one, by their mean.
    """
    if not groups:
        raise ConfigError("nothing to compare: give NAME=RUN[,RUN...] at least once")
    owners = {name: _owners(name, runs, seeds=seeds) for name, runs in groups.items()}
    first, *others = owners
    for name in others:
        if owners[name].keys() != owners[first].keys():
            raise ConfigError(f"{name} covers {', '.join(owners[name])} but {first} covers {', '.join(owners[first])}")
    tasks = [
        task for name, runs in owners[first].items() for task in run_tasks(runs[0] / "model", context.registry, name)
    ]
    kept = {name: _predictions(name, runs, tasks, half, resamples) for name, runs in owners.items()}
    for name in others:
        _check_rows(name, kept[name], first, kept[first])
    noise = {task.name: seed_noise([each[task.name].scores for each in kept.values()]) for task in tasks}
    columns = _corrected(
        [_column(name, groups[name], kept[name], None if name == first else kept[first], noise) for name in groups]
    )
    if seeds:
        columns = tuple(_with_seeds(column, owners[column.name], tasks, kept[column.name]) for column in columns)
    examples = {task.name: len(kept[first][task.name].ids) for task in tasks}
    verdicts = tuple(
        verdict(task, column.name, first, column.differences[task.name]) for column in columns[1:] for task in tasks
    )
    baselines = {
        task.name: baseline(task.primary_metric, kept[first][task.name].values[0], kept[first][task.name].targets)
        for task in tasks
    }
    reasons = (
        f"{name}: {reason}"
        for name in groups
        for task in tasks
        for values in kept[name][task.name].values
        if (reason := _doubt(task, values, kept[name][task.name].targets, resamples))
    )
    doubts = (*dict.fromkeys(reasons), *_chosen(groups, half))
    for text in doubts:
        context.notify("warning", text)
    metrics = {task.name: task.primary_metric for task in tasks}
    return Comparison(metrics, examples, baselines, columns, verdicts, _scope(columns, examples, half, noise), doubts)


def _scope(
    columns: Sequence[ComparedColumn], examples: Mapping[str, int], half: Half, noise: Mapping[str, SeedNoise]
) -> tuple[str, ...]:
    """Say for which rows and runs the verdicts hold, and how they were found; the first alone of one column."""
    seeds = {column.name: sorted({recorded_settings(run).get("seed", 0) for run in column.runs}) for column in columns}
    where = rows_and_runs(examples, half, seeds)
    differences = [each for column in columns for each in column.differences.values()]
    return (where, method(differences, max(each.freedom for each in noise.values()))) if differences else (where,)


def _chosen(groups: Mapping[str, Sequence[Path]], half: Half) -> list[str]:
    """Warn of columns whose epochs were chosen on the rows that are scored."""
    chosen = [name for name, runs in groups.items() if any(chose(run, half) for run in runs)]
    if not chosen:
        return []
    remedy = f"train with {setting('dev_split', 'half')} and compare with {setting('half', 'report')}"
    return [f"{', '.join(chosen)}: these dev rows chose the epoch, so scores are a little too high; {remedy}"]


def _corrected(columns: Sequence[ComparedColumn]) -> tuple[ComparedColumn, ...]:
    """Return the columns with the p values of all their differences corrected together."""
    found = iter(correct([each for column in columns for each in column.differences.values()]))
    return tuple(replace(column, differences={task: next(found) for task in column.differences}) for column in columns)


def _doubt(task: Task, values: Array, targets: Array, resamples: int) -> str | None:
    name, labels = task.primary_metric, task.output.describe().get("names", [])
    interval = bootstrap_interval(metric(name).function, values, targets, resamples=resamples)
    return doubt(task.name, name, values, targets, interval, labels)


def verdict(task: Task, name: str, other: str, difference: PairedDifference) -> str:
    """Return a sentence on which of two is better, if the difference is more than noise after its correction."""
    if not all(map(math.isfinite, (difference.difference, difference.low, difference.high))):
        return f"{task.name}: no difference can be measured between {name} and {other}"
    if not difference.side:
        found = f"{difference.low:+.4f} to {difference.high:+.4f}"
        if difference.apart:
            found += f", corrected p {difference.corrected:.2g}"
        return f"{task.name}: no difference beyond noise between {name} and {other} ({found})"
    higher = metric(task.primary_metric).higher_is_better
    better, worse = (name, other) if (difference.side > 0) is higher else (other, name)
    low, high = sorted((abs(difference.low), abs(difference.high)))
    return f"{task.name}: {better} is better than {worse} by {abs(difference.difference):.4f} ({low:.4f} to {high:.4f})"


def _owners(name: str, runs: Sequence[Path], *, seeds: bool) -> Owners:
    """Return the runs of a group that cover each task; with `seeds` several may, sorted by seed."""
    owners: dict[str, list[Path]] = {}
    for run in runs:
        for task in read_summary(run).get("tasks", {}):
            owners.setdefault(task, []).append(run)
    for task, each in owners.items():
        if len(each) > 1 and not seeds:
            hint = f"; {setting('seeds', True)} takes their mean if only their seeds differ"
            raise ConfigError(f"{name}: both {each[0]} and {each[1]} cover task {task!r}{hint}")
        if seeds:
            check_same_but_seed(f"{name}, {task}", each)
            each.sort(key=seed_of)
    return owners


def _predictions(
    name: str, owners: Owners, tasks: Sequence[Task], half: Half, resamples: int
) -> dict[str, ComparedPredictions]:
    """Return the predictions for each task; CheckpointError if two seeds have other rows."""
    found = {}
    for task in tasks:
        runs = [read_predictions(run, task.name, "dev", half_by_keys(run, half)) for run in owners[task.name]]
        ids, targets, _ = runs[0]
        for other_ids, other_targets, _ in runs[1:]:
            if other_ids != ids or not np.array_equal(other_targets, targets):
                raise CheckpointError(f"{name}: its runs were evaluated on different {task.name} dev examples")
        values = [each for _, _, each in runs]
        scores = seed_scores(metric(task.primary_metric).function, values, targets, resamples)
        found[task.name] = ComparedPredictions(ids, targets, values, scores)
    return found


def _check_rows(
    name: str, mine: Mapping[str, ComparedPredictions], other: str, theirs: Mapping[str, ComparedPredictions]
) -> None:
    for task, rows in mine.items():
        if rows.ids != theirs[task].ids or not np.array_equal(rows.targets, theirs[task].targets):
            raise CheckpointError(f"{name} and {other} were evaluated on different {task} dev examples")


def _column(
    name: str,
    runs: Sequence[Path],
    kept: Mapping[str, ComparedPredictions],
    reference: Mapping[str, ComparedPredictions] | None,
    noise: Mapping[str, SeedNoise],
) -> ComparedColumn:
    scores = {task: mine.scores.mean for task, mine in kept.items()}
    differences = {
        task: seed_difference(kept[task].scores, theirs.scores, noise[task])
        for task, theirs in (reference or {}).items()
    }
    counts = [count_run(run) for run in runs]
    size = sum(sum(model_bytes(run).values()) for run in runs)
    stored, tunable = sum(count.stored for count in counts), sum(count.tunable for count in counts)
    return ComparedColumn(name, tuple(runs), scores, differences, stored, tunable, size, _base_bytes(runs))


def _with_seeds(
    column: ComparedColumn, owners: Owners, tasks: Sequence[Task], kept: Mapping[str, ComparedPredictions]
) -> ComparedColumn:
    """Return a column with its seeds, the deviations of its scores, and the counts of one seed.

    ConfigError if its tasks have different seeds.
    """
    seeds = {task.name: tuple(seed_of(run) for run in owners[task.name]) for task in tasks}
    first, *others = tasks
    for task in others:
        if seeds[task.name] != seeds[first.name]:
            has = ", ".join(f"{name} {' '.join(map(str, each))}" for name, each in seeds.items())
            raise ConfigError(f"{column.name}: its tasks have different seeds: {has}")
    found = seeds[first.name]
    deviations = {task.name: deviation(kept[task.name].scores.scores.tolist()) for task in tasks}
    counts = {key: round(getattr(column, key) / len(found)) for key in ("stored", "tunable", "bytes")}
    return replace(column, seeds=found, deviations=deviations, **counts)


def _base_bytes(runs: Sequence[Path]) -> int | None:
    """Return the size of the base models' weights, each counted once; None if one is not found."""
    names = {read_manifest(run / "model")["base"]["name"] for run in runs}
    try:
        return sum(path.stat().st_size for name in names for path in weight_files(find_model(name)))
    except ModelError:
        return None
