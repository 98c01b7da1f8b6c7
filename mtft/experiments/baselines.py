"""Individual models beside a unified run: a plan that trains each of its tasks alone with the same settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtft.config.schema import TrainConfig
from mtft.errors import ConfigError
from mtft.experiments.expansion import PlannedRun
from mtft.runs.integrity import run_config
from mtft.runs.run_directory import read_summary, recorded_data_dir
from mtft.runs.seed_groups import check_same_but_seed
from mtft.tasks.registry import Registry


def baseline_runs(runs: Sequence[Path], registry: Registry, data_dir: Path | None) -> list[PlannedRun]:
    """Return a run for each task of each unified run; ConfigError unless these differ in their seed alone."""
    for run in runs:
        read_summary(run)
    check_same_but_seed("baselines", runs)
    found = []
    for run in runs:
        config = run_config(run)
        if not isinstance(config, TrainConfig):
            raise ConfigError(
                f"{run} was not made by mtft train; name the run that it was made from", setting="baselines"
            )
        if len(config.tasks) < 2:
            raise ConfigError(f"{run} has one task alone, {config.tasks[0]}", setting="baselines")
        if config.max_steps is not None:
            raise ConfigError(
                f"{run} was stopped by max_steps, a budget that its tasks shared; train it by epochs",
                setting="baselines",
            )
        where = None if config.sample else data_dir or recorded_data_dir(run)
        found += [
            PlannedRun(
                f"{task}.s{config.seed}", task, _alone(config, task, registry, where), "", (), keep_weights=False
            )
            for task in config.tasks
        ]
    return found


def _alone(config: TrainConfig, task: str, registry: Registry, data_dir: Path | None) -> TrainConfig:
    """Return the settings of a run with one of its tasks: the same rows, epochs, rates and share of weights.

    Weights are selected anew for the task, and nothing is learned from other models.
    """
    changes: dict[str, Any] = {
        "tasks": (task,),
        "declared": {name: table for name, table in config.declared.items() if name == task},
        "task_weights": {},
        "mask": None,
        "teachers": (),
        "out": None,
        "overwrite": False,
        "threads": None,
        "data_dir": data_dir,
    }
    if config.augment is not None:
        changes["augment"] = tuple(name for name in config.augment if _helps(registry, name, task))
    if config.best not in ("mean", "last") and config.best.partition(".")[0] != task:
        changes["best"] = "mean"
    return config.model_copy(update=changes)


def _helps(registry: Registry, source: str, task: str) -> bool:
    """Return whether a source is attached to a task."""
    return source in registry.sources and registry.sources[source].task == task


def advice(task: str, side: int, higher: bool) -> str:
    """Say whether a union helped a task, from the side of zero on which the interval of its difference lies."""
    helped: Mapping[int, str] = {
        1: "the union helped; it is better trained together",
        -1: "the union hurt; it would be better apart",
        0: "the union made no difference beyond noise",
    }
    return f"{task}: {helped[side if higher else -side]}"
