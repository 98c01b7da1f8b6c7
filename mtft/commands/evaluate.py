"""``mtft eval``: metrics of a run on a split, with intervals, confusion and calibration; optionally a gate."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mtft.config.schema import EvalConfig
from mtft.data.dataset import Dataset, sample_dir
from mtft.data.declared_reader import DeclaredReader
from mtft.data.formats import readings_of
from mtft.data.shares import in_half
from mtft.errors import ConfigError, setting, unknown
from mtft.io.files import to_json
from mtft.metrics import calibration, confusion, metric
from mtft.model.inference import read_together
from mtft.outputs import Array
from mtft.plugin.context import Context, Evaluation
from mtft.report.baseline import baseline, doubt
from mtft.report.bootstrap import bootstrap_interval
from mtft.runs.bundle import model_directory
from mtft.runs.checkpoint import TrainedModel, load_model
from mtft.runs.fingerprints import table_digest
from mtft.runs.halves import half_by_keys
from mtft.runs.looks import note_look
from mtft.runs.manifest import task_names
from mtft.tasks.task import Task
from mtft.training.agreement import check_same_model
from mtft.training.choices import data_directory, resolve_device
from mtft.training.loading import Loader
from mtft.training.temperatures import tell


@dataclass(frozen=True)
class Interval:
    """A metric's value, its 95 % bootstrap interval (nan without resamples), and the score of a constant answer."""

    value: float
    low: float
    high: float
    baseline: float


@dataclass(frozen=True)
class TaskEvaluation:
    """The scores of one task on `n` examples; with classes also `labels`, confusion (rows: truth) and calibration.

    `doubt` says why the primary score means little or nothing, if there is a reason.
    """

    n: int
    metrics: dict[str, Interval]
    labels: list[str] | None
    confusion: list[list[int]] | None
    calibration: dict[str, Any] | None
    doubt: str | None


@dataclass(frozen=True)
class EvalResult:
    """Evaluations by task, and a sentence for each failed gate.

    `looks` is how often the run was scored on test, this time included; None for another split, or a bundle.
    """

    split: str
    tasks: dict[str, TaskEvaluation]
    failures: tuple[str, ...]
    looks: int | None = None


def evaluate(run: Path, config: EvalConfig, context: Context) -> EvalResult:
    """Evaluate a run's tasks on a split, or on a half of dev."""
    if config.half != "all" and config.split != "dev":
        raise ConfigError(
            f"{config.half!r} is a half of dev, not of {config.split} ({setting('split')})", setting="half"
        )
    device, products = resolve_device(config)
    with model_directory(run) as directory:
        names = task_names(run, directory, config.tasks)
        trained = load_model(directory, context.registry, config.model, device, products, only=names)
    tasks = sorted(trained.tasks, key=lambda task: names.index(task.name))
    check_limits(config, tasks)
    tell(tasks, context.notify)
    data_dir = data_directory(config, run)
    loader = Loader.of(config, data_dir, trained.tokenizer, trained.max_length, context.notify)
    data = loader.load_tasks(tasks, config.split)
    own = () if data_dir == sample_dir() else tasks
    readings = [line for task in own for line in readings_of(task.source.reader, config.split, data_dir)]
    for line in dict.fromkeys(readings):
        context.notify("info", line)
    digests = {name: table_digest(split.table, split.targets) for name, split in data.items()}
    check_same_model(config, trained, context.group, {"data": to_json(digests)})
    values = _outputs(trained, tasks, data, config.split, context)
    evaluations = {}
    half = half_by_keys(run, config.half)
    for task in tasks:
        rows = in_half(data[task.name].keys, half, task.name)
        evaluations[task.name] = rate_task(
            task, values[task.name][rows], data[task.name].targets[rows].astype(float), config.resamples
        )
        if reason := evaluations[task.name].doubt:
            context.notify("warning", reason)
    failures = []
    for limit, least in config.fail_under.items():
        name, _, score = limit.partition(".")
        value = evaluations[name].metrics[score].value
        if not value >= least:
            failures.append(f"{limit} is {value:.4f}, below {least:g}")
    looks = context.group.on_first(lambda: _count_look(run, digests, context)) if config.split == "test" else None
    return EvalResult(config.split, evaluations, tuple(failures), looks)


def _outputs(
    trained: TrainedModel, tasks: Sequence[Task], data: Mapping[str, Dataset], split: str, context: Context
) -> dict[str, Array]:
    """Return each task's readable outputs for all of its rows; tasks on the same texts share one encoder pass."""
    groups = sharing(tasks, split)
    watch = Evaluation(context, sum(max(len(data[task.name].table) for task in together) for together in groups))
    found: dict[str, Array] = {}
    for together in groups:
        tables = [data[task.name].table for task in together]
        outputs = read_together(trained.model, together, tables, context.group, watch)
        found |= {task.name: readable for task, readable in zip(together, outputs, strict=True)}
    return found


def _count_look(run: Path, digests: Mapping[str, str], context: Context) -> int | None:
    """Count a look at test in the run, and return the number; None if it cannot be counted."""
    if run.is_file():
        return None
    try:
        return note_look(run, digests)
    except OSError as error:
        context.notify("warning", f"{run}: this look at test could not be counted: {(error.strerror or '').lower()}")
        return None


def check_limits(config: EvalConfig, tasks: list[Task]) -> None:
    """Raise ConfigError unless every gate names a metric of these tasks in which higher is better."""
    allowed = [f"{task.name}.{name}" for task in tasks for name in task.metric_names if metric(name).higher_is_better]
    for limit in config.fail_under:
        if limit not in allowed:
            raise ConfigError(unknown("metric", limit, allowed), setting="fail_under")


def sharing(tasks: Sequence[Task], split: str) -> list[list[Task]]:
    """Group the tasks that read the same texts of the same file."""
    groups: dict[object, list[Task]] = defaultdict(list)
    for task in tasks:
        reader = task.source.reader
        shared = (reader.name(split), reader.texts) if isinstance(reader, DeclaredReader) else task.name
        groups[shared].append(task)
    return list(groups.values())


def rate_task(task: Task, values: Array, targets: Array, resamples: int) -> TaskEvaluation:
    """Score one task's readable values [n, ...] against targets [n]."""
    metrics = {name: _interval(name, values, targets, resamples) for name in task.metric_names}
    labels = list(task.output.describe().get("names", []))
    first = metrics[task.primary_metric]
    reason = doubt(task.name, task.primary_metric, values, targets, (first.low, first.high), labels)
    if values.ndim == 1:
        return TaskEvaluation(len(targets), metrics, None, None, None, reason)
    counts = confusion(values, targets, values.shape[1]).tolist()
    return TaskEvaluation(len(targets), metrics, labels, counts, asdict(calibration(values, targets)), reason)


def _interval(name: str, values: Array, targets: Array, resamples: int) -> Interval:
    function = metric(name).function
    nan = float("nan")
    low, high = bootstrap_interval(function, values, targets, resamples=resamples) if resamples else (nan, nan)
    return Interval(function(values, targets), low, high, baseline(name, values, targets))
