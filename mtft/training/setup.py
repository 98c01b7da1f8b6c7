"""Prepare a training: load and check what its settings ask for, and fit them to the machine; nothing is written."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mtft.config.schema import TrainConfig
from mtft.errors import ConfigError, unknown
from mtft.io.disk import check_room
from mtft.model.parameters import ParameterCount
from mtft.plugin.context import Context
from mtft.runs.artifact import read_run_mask
from mtft.selection.mask import Mask
from mtft.tasks.task import Task
from mtft.training.agreement import check_same_across_ranks
from mtft.training.choices import DataInputs, ModelInputs, check_parts, data_directory, loss_settings, resolve_device
from mtft.training.early_stopping import Best
from mtft.training.preparation import Prepared, prepare
from mtft.training.resources import Disk, Memory, ModelSize, check_machine, count, disk_needed, fit
from mtft.training.teachers import check_teachers, teacher_outputs_complete
from mtft.training.weight_selection import given_mask


@dataclass(frozen=True)
class Setup:
    """The settings fitted to the machine, model and data, the mask and teachers if there are any, and the needs.

    A resumed run keeps the size of its micro-batches, so its memory is not computed.
    """

    config: TrainConfig
    prepared: Prepared
    mask: Mask | None
    teachers: tuple[ModelSize, ...]
    counts: ParameterCount
    disk: Disk
    memory: Memory | None


def set_up(config: TrainConfig, path: Path, context: Context, *, resumed: bool = False) -> Setup:
    """Load and check everything that the training of a run at `path`, new or resumed, needs."""
    group = context.group
    tasks = check_choices(config, context)
    device, products = resolve_device(config)
    dropout = config.dropout
    model = ModelInputs(
        config.model,
        config.max_length,
        config.seed,
        device,
        products,
        dropouts={"dropout": dropout, "attention_dropout": dropout, "head_dropout": config.head_dropout},
    )
    data = DataInputs(
        tasks,
        directory=data_directory(config),
        augment=config.augment,
        share=config.train_share,
        strict=config.strict,
        skip_bad_rows=config.skip_bad_rows,
        losses=loss_settings(config),
        balanced=config.class_weights == "balanced",
        dev=config.choosing,
    )
    teachers: tuple[ModelSize, ...] = ()
    if not (resumed and group.on_first(lambda: teacher_outputs_complete(path))):
        teachers = check_teachers(config.teachers, path, model, data.tasks, context.registry)
    prepared = prepare(model, data, context)
    check_same_across_ranks(config, prepared, group)
    mask = read_run_mask(path, len(prepared.encoder), group) if resumed else None
    if config.mask and not mask:
        mask = given_mask(config.mask, prepared, context)
    counts = count(config, prepared, mask)  # an impossible share is an error before anything is replaced
    disk, memory = disk_needed(config, counts), None
    if resumed:
        group.on_first(lambda: check_room(path, disk.files(going_on=True)))
    else:
        config, memory = fit(config, prepared, counts, teachers, group)
        group.on_first(partial(check_machine, path, disk, memory, context.notify))
    return Setup(config, prepared, mask, teachers, counts, disk, memory)


def check_choices(config: TrainConfig, context: Context) -> tuple[Task, ...]:
    """Return the tasks; raise an error if settings name an unknown task, part or metric."""
    check_parts(config, context.registry)
    tasks = tuple(context.registry.task(name) for name in config.tasks)
    Best(config.best, config.patience).check(tasks)
    for name in config.task_weights:
        if name not in config.tasks:
            raise ConfigError(unknown("task of this run", name, config.tasks), setting="task_weights")
    return tasks
