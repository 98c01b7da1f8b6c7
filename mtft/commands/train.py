"""``mtft train``: select, then train all tasks together, keeping the best epoch on dev."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtft.config.schema import TrainConfig
from mtft.io.disk import check_room
from mtft.model.parameters import ParameterCount
from mtft.plugin.context import Context
from mtft.runs.artifact import read_run_mask, write_run_mask
from mtft.runs.opening import Finished, New, Resumed, Target, open_run
from mtft.runs.paths import free_path, keep_apart, refuse_foreign
from mtft.runs.state import scores_of
from mtft.runtime.memory import release
from mtft.selection.mask import Mask
from mtft.training.agreement import check_same_across_ranks
from mtft.training.head_warmup import start_heads
from mtft.training.joint_training import JointTraining, Scores
from mtft.training.preparation import Prepared, check_choices, prepare
from mtft.training.resources import ModelSize, check_machine, count, disk_needed, fit
from mtft.training.session import start_session
from mtft.training.teachers import add_teachers, check_teachers, teacher_outputs_complete
from mtft.training.weight_selection import given_mask, select_weights


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


@dataclass(frozen=True)
class Setup:
    """The inputs of a training: settings fitted to the machine, model and data, and the mask if there is one."""

    config: TrainConfig
    prepared: Prepared
    mask: Mask | None


def train(config: TrainConfig, context: Context, resume: Path | None = None) -> TrainResult:
    """Train and write the run directory. With `resume`, continue that run; the result is the same as without a stop."""
    opened = open_run(Target("train", config, lambda: _new_path(config), resume), context)
    if isinstance(opened, Finished):
        return _result(opened.path, opened.summary)
    setup = _set_up(opened, context)
    with start_session(opened, setup.config, setup.prepared, context) as session:
        start_heads(session)
        mask = setup.mask or select_weights(session)
        write_run_mask(session.run, mask)
        release()
        add_teachers(session)
        return _result(opened.path, JointTraining(session, mask).run())


def _new_path(config: TrainConfig) -> Path:
    """Return the path of a new run."""
    path = free_path(config.out, f"runs/{'-'.join(config.tasks)}", overwrite=config.overwrite)
    refuse_foreign(path)
    return path


def _set_up(opened: New[TrainConfig] | Resumed[TrainConfig], context: Context) -> Setup:
    """Load and check the inputs of the training, and fit the settings to the machine; nothing is written yet."""
    config, group = opened.config, context.group
    check_choices(config, context.registry)
    teachers = _load_teachers(opened, context)
    prepared = prepare(config, context)
    mask = read_run_mask(opened.path, len(prepared.encoder), group) if isinstance(opened, Resumed) else None
    if config.mask and not mask:
        mask = given_mask(config.mask, prepared, context)
    counts = count(config, prepared, mask)  # an impossible share is an error before anything is replaced
    check_same_across_ranks(config, prepared, group)
    needed = disk_needed(config, counts)
    if isinstance(opened, Resumed):
        group.on_first(lambda: check_room(opened.path, needed.files(going_on=True)))
    else:
        config, memory = fit(config, prepared, counts, teachers)
        smallest = min(map(int, group.texts(str(config.micro_batch_tokens))))
        config = config.model_copy(update={"micro_batch_tokens": smallest})
        group.on_first(lambda: check_machine(opened.path, needed, memory, context.notify))
    return Setup(config, prepared, mask)


def _load_teachers(opened: New[TrainConfig] | Resumed[TrainConfig], context: Context) -> tuple[ModelSize, ...]:
    """Check the teachers and return their sizes; a run that has all their outputs does not need them."""
    config = opened.config
    if context.group.on_first(lambda: isinstance(opened, Resumed) and teacher_outputs_complete(opened.path)):
        return ()
    for name in config.teachers:
        keep_apart(opened.path, Path(name), "the run that teaches")
    return check_teachers(config, [context.registry.task(name) for name in config.tasks], context)


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
