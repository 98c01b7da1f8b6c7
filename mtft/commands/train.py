"""``mtft train``: select, then train all tasks together, keeping the best epoch on dev."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtft.config.schema import TrainConfig
from mtft.model.parameters import ParameterCount
from mtft.plugin.context import Context
from mtft.runs.artifact import write_run_mask
from mtft.runs.opening import Finished, Resumed, Target, open_run
from mtft.runs.paths import default_name, free_path, refuse_foreign
from mtft.runs.state import scores_of
from mtft.runtime.memory import release
from mtft.training.head_warmup import start_heads
from mtft.training.joint_training import JointTraining, Scores
from mtft.training.session import start_session
from mtft.training.setup import set_up
from mtft.training.teachers import add_teachers
from mtft.training.weight_selection import select_weights


@dataclass(frozen=True)
class TrainResult:
    """A finished run: its path, its best epoch with the dev scores, and its counts of parameters.

    `best_cut_at` is the step at which `max_steps` cut the best epoch short, 0 if that epoch was whole.
    `baselines` are the scores of constant answers on the same rows; runs of older versions have none.
    """

    path: Path
    epochs: int
    best_epoch: int
    best_cut_at: int
    dev: Scores
    baselines: Scores
    parameters: ParameterCount
    conflicts: dict[str, Any]


def train(config: TrainConfig, context: Context, resume: Path | None = None) -> TrainResult:
    """Train and write the run directory. With `resume`, continue that run; the result is the same as without a stop."""
    opened = open_run(Target("train", config, lambda: _new_path(config), resume), context)
    if isinstance(opened, Finished):
        return _result(opened.path, opened.summary)
    setup = set_up(opened.config, opened.path, context, resumed=isinstance(opened, Resumed))
    with start_session(opened, setup.config, setup.prepared, context) as session:
        start_heads(session)
        mask = setup.mask or select_weights(session)
        write_run_mask(session.run, mask)
        release()
        add_teachers(session)
        return _result(opened.path, JointTraining(session, mask).run())


def _new_path(config: TrainConfig) -> Path:
    """Return the path of a new run."""
    path = free_path(config.out, f"runs/{default_name(config.tasks)}", overwrite=config.overwrite)
    refuse_foreign(path)
    return path


def _result(path: Path, summary: Mapping[str, Any]) -> TrainResult:
    """Return the result of a run from its summary."""
    return TrainResult(
        path,
        summary["epochs"],
        summary["best_epoch"],
        summary.get("best_cut_at", 0),
        scores_of(summary["dev"]),
        scores_of(summary.get("baselines", {})),
        ParameterCount.of_report(summary["parameters"]),
        summary["conflicts"],
    )
