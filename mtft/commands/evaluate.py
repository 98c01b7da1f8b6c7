"""``mtft eval``: metrics of a run on a split, with intervals, confusion and calibration; optionally a gate."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mtft.config.schema import EvalConfig
from mtft.data.declared_reader import DeclaredReader
from mtft.data.shares import in_half
from mtft.errors import ConfigError, setting, unknown
from mtft.io.files import to_json
from mtft.metrics import calibration, confusion, metric
from mtft.model.inference import read_together
from mtft.outputs import Array
from mtft.plugin.context import Context
from mtft.report.bootstrap import bootstrap_interval
from mtft.runs.bundle import model_directory
from mtft.runs.checkpoint import TrainedModel, load_model
from mtft.runs.fingerprints import table_digest
from mtft.tasks.task import Task
from mtft.training.agreement import check_same_model
from mtft.training.loading import Loader, data_directory
from mtft.training.preparation import resolve_device
from mtft.training.temperatures import tell


@dataclass(frozen=True)
class Interval:
    """A metric's value and its 95 % bootstrap interval (nan without resamples)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class TaskEvaluation:
    """What one task scored on `n` examples; for classes also their `labels`, confusion (rows truth), calibration."""

    n: int
    metrics: dict[str, Interval]
    labels: list[str] | None
    confusion: list[list[int]] | None
    calibration: dict[str, Any] | None


@dataclass(frozen=True)
class EvalResult:
    """Evaluations by task, and the gates that failed, in words."""

    split: str
    tasks: dict[str, TaskEvaluation]
    failures: tuple[str, ...]


def evaluate(run: Path, config: EvalConfig, context: Context) -> EvalResult:
    """Evaluate a run's tasks on a split, or on a half of dev."""
    if config.half != "all" and config.split != "dev":
        raise ConfigError(
            f"{config.half!r} is a half of dev, not of {config.split} ({setting('split')})", setting="half"
        )
    device, products = resolve_device(config)
    with model_directory(run) as directory:
        trained = load_model(directory, context.registry, config.model, device, products)
    tasks = chosen_tasks(run, trained, config.tasks)
    check_limits(config, tasks)
    tell(tasks, context.notify)
    data_dir = data_directory(config, run)
    loader = Loader.of(config, data_dir, trained.tokenizer, trained.max_length, context.notify)
    data = loader.load_tasks(tasks, config.split)
    digests = to_json({name: table_digest(split.table, split.targets) for name, split in data.items()})
    check_same_model(config, trained, context.group, {"data": digests})
    values = {
        task.name: readable
        for together in sharing(tasks, config.split)
        for task, readable in zip(
            together,
            read_together(trained.model, together, [data[task.name].table for task in together], context.group),
            strict=True,
        )
    }
    evaluations = {}
    for task in tasks:
        rows = in_half(data[task.name].keys, config.half, task.name)
        evaluations[task.name] = rate_task(
            task, values[task.name][rows], data[task.name].targets[rows].astype(float), config.resamples
        )
    failures = []
    for limit, least in config.fail_under.items():
        name, _, score = limit.partition(".")
        value = evaluations[name].metrics[score].value
        if not value >= least:
            failures.append(f"{limit} is {value:.4f}, below {least:g}")
    return EvalResult(config.split, evaluations, tuple(failures))


def chosen_tasks(run: Path, trained: TrainedModel, names: tuple[str, ...]) -> list[Task]:
    """Return the run's tasks of these names, all without any."""
    known = {task.name: task for task in trained.tasks}
    for name in names:
        if name not in known:
            raise ConfigError(f"{run}: {unknown('task of this run', name, known)}")
    return [known[name] for name in names or known]


def check_limits(config: EvalConfig, tasks: list[Task]) -> None:
    """Raise ConfigError unless every gate names a metric that will be there."""
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
    if values.ndim == 1:
        return TaskEvaluation(len(targets), metrics, None, None, None)
    counts = confusion(values, targets, values.shape[1])
    labels = list(task.output.describe().get("names", []))
    return TaskEvaluation(len(targets), metrics, labels, counts.tolist(), asdict(calibration(values, targets)))


def _interval(name: str, values: Array, targets: Array, resamples: int) -> Interval:
    function = metric(name).function
    nan = float("nan")
    low, high = bootstrap_interval(function, values, targets, resamples=resamples) if resamples else (nan, nan)
    return Interval(function(values, targets), low, high)
