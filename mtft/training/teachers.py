"""Distillation: compute the outputs of finished runs (the teachers) on the training data of a new run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtft.config.schema import TrainConfig
from mtft.encoder.directory import find_model
from mtft.errors import CheckpointError, ConfigError, ModelError, MtftError, command
from mtft.io.digests import read_digests
from mtft.model.inference import apply
from mtft.optimization.distillation import DISTANCES
from mtft.optimization.gradients import Teacher
from mtft.outputs import Tempered
from mtft.runs.checkpoint import TrainedModel, load_model
from mtft.runs.manifest import read_manifest, run_tasks
from mtft.runs.paths import is_finished, keep_apart
from mtft.runtime.memory import release
from mtft.runtime.notices import silent
from mtft.tasks.registry import Registry
from mtft.tasks.task import Task
from mtft.training.choices import ModelInputs
from mtft.training.loading import Loader
from mtft.training.resources import ModelSize
from mtft.training.session import Session

FILE = "teachers.safetensors"
"""Raw outputs [n, width] of each teacher, counted from 0, for each of its tasks, by ``NUMBER.TASK``.

Rows are the training rows, in their order. The file is extended after every task.
"""


def check_teachers(
    names: Sequence[str], path: Path, student: ModelInputs, tasks: Sequence[Task], registry: Registry
) -> tuple[ModelSize, ...]:
    """Load each teacher once, before anything is read or written, and return its size; `path` is that of the new run.

    ConfigError if the new run would change it, or if it knows none of the tasks; CheckpointError if it has not
    finished, is damaged, or has another kind of output or other labels; ModelError without its base model.
    """
    return tuple(_checked(name, path, student, tasks, registry) for name in names)


def _checked(name: str, path: Path, student: ModelInputs, tasks: Sequence[Task], registry: Registry) -> ModelSize:
    keep_apart(path, Path(name), "the run that teaches")
    manifest = read_manifest(Path(name) / "model")
    if not is_finished(Path(name)):
        raise CheckpointError(f"{name} has not finished; {command('train', resume=name)} goes on", setting="teachers")
    teacher = load_teacher(name, student.name, registry, student.device, student.products)
    known = {task.name: task for task in teacher.tasks}
    if not any(task.name in known for task in tasks):
        wanted = ", ".join(task.name for task in tasks)
        raise ConfigError(f"{name} knows {', '.join(known)}, none of this run's tasks ({wanted})", setting="teachers")
    shared = tuple(task for task in tasks if task.name in known)
    for task in shared:
        _check_output(name, task, known[task.name])
    numbers = 2 * len(teacher.encoder) + sum(entry["parameters"] for entry in manifest["tasks"])  # with the gradient
    return ModelSize(numbers, teacher.model.encoder.config, type(teacher.model.encoder), shared)


def load_teacher(
    name: str, base: str, registry: Registry, device: torch.device, matmul_dtype: torch.dtype | None
) -> TrainedModel:
    """Load the model of a run; if its base model is not at its recorded path, try `base`."""
    directory = Path(name) / "model"
    try:
        find_model(read_manifest(directory)["base"]["name"], check=False)
    except ModelError as error:
        try:
            return load_model(directory, registry, base, device, matmul_dtype)
        except MtftError as other:
            raise ModelError(
                f"{name}: its base model is not where it was: {error}\n{other}", setting="teachers"
            ) from None
    return load_model(directory, registry, None, device, matmul_dtype)


def _check_output(name: str, task: Task, known: Task) -> None:
    if task.output.kind not in DISTANCES or task.source.input == "apart":
        allowed = f"allowed: {', '.join(DISTANCES)}, of texts that are read together"
        raise ConfigError(f"task {task.name!r}, {task.output.kind}, cannot be taught ({allowed})", setting="teachers")
    if known.output.describe() != task.output.describe():
        there, here = known.output.describe(), task.output.describe()
        raise CheckpointError(
            f"{name}: the output of task {task.name!r} is {there} there, {here} here", setting="teachers"
        )


def add_teachers(session: Session[TrainConfig]) -> None:
    """Return the training sources; each task's own source has the outputs of the teachers that know the task.

    The outputs of several teachers of one task are averaged.
    """
    prepared = session.prepared
    if not session.config.teachers:
        return
    answers = defaultdict(list)
    for name, outputs in collect_teacher_outputs(session).items():
        answers[name.partition(".")[2]].append(outputs)
    taught = [task for task in prepared.tasks if task.name in answers]
    teachers = {
        task.source.name: Teacher(torch.stack(answers[task.name]).mean(0), DISTANCES[task.output.kind])
        for task in taught
    }
    prepared.sources = [replace(source, teacher=teachers.get(source.name)) for source in prepared.sources]


def collect_teacher_outputs(session: Session[TrainConfig]) -> dict[str, Tensor]:
    """Compute the outputs of each teacher for its tasks, one after the other; outputs on file are kept."""
    config, context = session.config, session.context
    model, flat = session.prepared.model, session.prepared.encoder
    kept = session.artifact(FILE)
    found = kept.read()
    if session.group.on_first(lambda: teacher_outputs_complete(session.run.path)):
        return found
    for number, name in enumerate(config.teachers):
        known = [task.name for task in run_tasks(Path(name) / "model", context.registry) if task.name in config.tasks]
        left = {f"{number}.{task}": task for task in known if f"{number}.{task}" not in found}
        if not left:
            continue
        teacher = load_teacher(name, config.model, context.registry, flat.theta.device, model.matmul_dtype)
        tasks = {task.name: task for task in teacher.tasks}
        for key, task in left.items():
            found[key] = torch.from_numpy(_answers(teacher, tasks[task], session))
            kept.write(found, whole=False)
            session.autosaver.stop_if_asked(f"with what {name} says of {task}", lambda: None)
        context.notify("info", f"teacher {name}: {', '.join(known)}")
        del teacher
        release()
    kept.write(found)
    return found


def teacher_outputs_complete(run: Path) -> bool:
    """Return whether the outputs of all teachers of a run are complete."""
    return FILE in read_digests(run)


def _answers(teacher: TrainedModel, task: Task, session: Session[TrainConfig]) -> NDArray[np.float32]:
    """Return a teacher's raw outputs [n, width] on a task's training rows, at its own temperature if it has one."""
    config = session.config
    loader = Loader.of(config, session.prepared.data_dir, teacher.tokenizer, teacher.max_length, silent)
    data = loader.load(task.source, "train", config.train_share)
    (own,) = (source for source in session.prepared.sources if source.name == task.source.name)
    if list(data.ids) != list(own.ids):
        raise CheckpointError(f"the data of {task.name!r} changed while they were read", setting="teachers")
    raw = apply(teacher.model, data.table, [task.name], group=session.group)[task.name]
    return raw / np.float32(task.output.temperature) if isinstance(task.output, Tempered) else raw
