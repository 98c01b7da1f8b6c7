"""``--teachers``: what finished runs say of the training data, for the run that learns from them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtft.checkpoint import TrainedModel, find_base, load_model, read_manifest, run_tasks
from mtft.config.schema import TrainConfig
from mtft.distillation import DISTANCES
from mtft.errors import CheckpointError, ConfigError
from mtft.evaluation import apply
from mtft.machine import release
from mtft.optimization.gradients import Teacher, TrainingSource
from mtft.outputs import Tempered
from mtft.tasks.task import Task
from mtft.workflows.keeper import Keeper
from mtft.workflows.once import once
from mtft.workflows.preparation import Prepared, data_directory, load_source
from mtft.workflows.run_directory import RunDirectory
from mtft.workflows.services import Services

FILE = "teachers.safetensors"
"""Raw outputs [n, width] of the teachers of each task, in the order of the rows that train."""


def check_teachers(config: TrainConfig, tasks: Sequence[Task], services: Services) -> None:
    """Raise, before anything is read, for a run that cannot teach: ConfigError if it knows none of the tasks.

    CheckpointError if it means other things by its outputs, or is no finished run; ModelError without its base model.
    """
    for name in config.teachers:
        directory = Path(name) / "model"
        find_base(directory, read_manifest(directory)["base"]["name"])
        known = {task.name: task for task in run_tasks(directory, services.registry)}
        if not any(task.name in known for task in tasks):
            wanted = ", ".join(task.name for task in tasks)
            raise ConfigError(f"--teachers: {name} knows {', '.join(known)}, none of this run's tasks ({wanted})")
        for task in tasks:
            if task.name in known:
                _check_output(name, task, known[task.name])


def taught(config: TrainConfig, services: Services) -> list[str]:
    """Return the sources that teachers speak about, each as often as one does."""
    found = (run_tasks(Path(name) / "model", services.registry) for name in config.teachers)
    return [task.source.name for tasks in found for task in tasks if task.name in config.tasks]


def _check_output(name: str, task: Task, known: Task) -> None:
    if task.output.kind not in DISTANCES or task.source.input == "apart":
        allowed = f"allowed: {', '.join(DISTANCES)}, of texts that are read together"
        raise ConfigError(f"--teachers: task {task.name!r}, {task.output.kind}, cannot be taught ({allowed})")
    if known.output.describe() != task.output.describe():
        there, here = known.output.describe(), task.output.describe()
        raise CheckpointError(f"--teachers: {name}: the output of task {task.name!r} is {there} there, {here} here")


def add_teachers(
    prepared: Prepared, config: TrainConfig, services: Services, run: RunDirectory, keeper: Keeper
) -> list[TrainingSource]:
    """Return the training sources, each task's own with what the teachers that know the task say of its rows.

    Several teachers of a task speak with the mean of their outputs.
    """
    if not config.teachers:
        return prepared.sources
    found = once(run, services.group, FILE, lambda: _asked(prepared, config, services, keeper))
    teachers = {
        task.source.name: Teacher(found[task.name], DISTANCES[task.output.kind])
        for task in prepared.tasks if task.name in found
    }  # fmt: skip
    return [replace(source, teacher=teachers.get(source.name)) for source in prepared.sources]


def _asked(prepared: Prepared, config: TrainConfig, services: Services, keeper: Keeper) -> dict[str, Tensor]:
    """Let each teacher answer for its tasks, one after the other."""
    answers: dict[str, list[NDArray[np.float32]]] = defaultdict(list)
    place = prepared.encoder.theta.device, prepared.model.product_type
    for number, name in enumerate(config.teachers):
        teacher = load_model(Path(name) / "model", services.registry, None, *place)
        known = [task for task in teacher.tasks if task.name in config.tasks]
        for task in known:
            answers[task.name].append(_answers(teacher, task, prepared, config, services))
        services.notify(f"teacher {name}: {', '.join(task.name for task in known)}")
        del teacher
        release()
        keeper.stop_if_asked(number, lambda: None)
    return {task: torch.from_numpy(np.mean(each, axis=0, dtype=np.float32)) for task, each in answers.items()}


def _answers(
    teacher: TrainedModel, task: Task, prepared: Prepared, config: TrainConfig, services: Services
) -> NDArray[np.float32]:
    """Return a teacher's raw outputs [n, width] on the rows that train a task, at its own temperature if it has one."""
    data = load_source(
        task.source, "train", data_dir=data_directory(config), tokenizer=teacher.tokenizer,
        max_length=teacher.max_length, strict=config.strict, skip_bad_rows=config.skip_bad_rows,
        notify=lambda _: None, share=config.train_share,
    )  # fmt: skip
    (own,) = (source for source in prepared.sources if source.name == task.source.name)
    if list(data.ids) != list(own.ids):
        raise CheckpointError(f"--teachers: the data of {task.name!r} changed while they were read")
    raw = apply(teacher.model, data.table, [task.name], group=services.group)[task.name]
    return raw / np.float32(task.output.temperature) if isinstance(task.output, Tempered) else raw
