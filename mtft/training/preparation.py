"""Load a pretrained model with heads, and tokenize the data of sources, for select and train."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mtft.config.schema import TrainConfig
from mtft.data.dataset import Dataset
from mtft.data.shares import in_half, in_share
from mtft.data.tokenization import Tokenizer
from mtft.encoder.directory import find_model
from mtft.errors import ConfigError, unknown
from mtft.losses import ClassWeighted, balanced_weights
from mtft.model.base import Base, load_base
from mtft.model.flat import FlatParameters
from mtft.model.multitask import MultiTaskModel, build_model, to_device
from mtft.optimization.gradients import TrainingSource
from mtft.optimization.scaling import Scaling
from mtft.optimization.surgery import Surgery, checked
from mtft.plugin.context import Context
from mtft.runs.fingerprints import PRETRAINED, fingerprints
from mtft.runs.probe import rehearse
from mtft.runtime.notices import Notify
from mtft.tasks.registry import Registry
from mtft.tasks.task import Source, Task
from mtft.training.choices import DataInputs, LossSettings, ModelInputs
from mtft.training.data_warnings import warn_of_faults
from mtft.training.loading import Loader, missing_files
from mtft.training.model_checks import check_length, check_model
from mtft.training.shared_splits import SplitReader
from mtft.training.step import Stepper


@dataclass
class Prepared:
    """A model, the digest of its `weights` before anything trains, and the tokenized data found in `data_dir`."""

    model: MultiTaskModel
    encoder: FlatParameters
    digest: str
    tokenizer: Tokenizer
    max_length: int
    tasks: tuple[Task, ...]
    data_dir: Path
    sources: list[TrainingSource]
    dev: dict[str, Dataset] = field(default_factory=dict)
    weights: str = PRETRAINED

    @property
    def sizes(self) -> dict[str, int]:
        """Numbers of training rows by source."""
        return {source.name: len(source) for source in self.sources}

    def material(self) -> dict[str, str]:
        """Return digests of everything that determines a run on this model and these data."""
        return fingerprints({self.weights: self.digest}, self.sources, self.dev)


def prepare(pretrained: ModelInputs, wanted: DataInputs, context: Context) -> Prepared:
    """Load the pretrained model, build the heads, and tokenize the training data, and dev if it is used."""
    tasks, notify = wanted.tasks, context.notify
    reader = SplitReader(wanted.directory)
    sources = choose_sources(context.registry, tasks, wanted.augment, reader, notify, wanted.share)
    warn_of_faults(sources, tasks, reader, notify)
    base, model, max_length = _load_model(pretrained, tasks, [source for source, _ in sources], context)
    loader = Loader(wanted.directory, base.tokenizer, max_length, wanted.strict, wanted.skip_bad_rows, notify, reader)
    training = [
        training_source(
            source,
            task,
            loader.load(source, "train", wanted.share),
            wanted.losses,
            balanced=classes_to_balance(tasks, source) if wanted.balanced else 0,
        )
        for source, task in sources
    ]
    dev = loader.load_tasks(tasks, "dev") if wanted.dev else {}
    for name, data in dev.items():
        in_half(data.keys, wanted.dev or "all", name)  # raises if no row can choose the epoch
    return Prepared(
        model,
        base.weights,
        base.digest,
        base.tokenizer,
        max_length,
        tasks,
        data_dir=wanted.directory,
        sources=training,
        dev=dev,
    )


def _load_model(
    inputs: ModelInputs, tasks: Sequence[Task], sources: Iterable[Source], context: Context
) -> tuple[Base, MultiTaskModel, int]:
    """Return the pretrained model, the model with heads on its device, and the longest sequence in tokens."""
    directory = find_model(inputs.name)
    base = load_base(directory, context.registry, inputs.dropouts)
    max_length = check_length(inputs.max_length, base.encoder.config)
    check_model(directory, base.tokenizer, base.encoder, sources, context.notify)
    model = build_model(base.encoder, tasks, inputs.seed)
    to_device(model, base.weights, inputs.device, inputs.products)
    rehearse(model, base.tokenizer, tasks, max_length)
    return base, model, max_length


def classes_to_balance(tasks: Iterable[Task], source: Source) -> int:
    """Return the number of classes whose losses are to be balanced: of a task's own source with classes, else 0."""
    outputs = [task.output for task in tasks if task.source is source]
    return len(outputs[0].describe().get("names", ())) if outputs else 0


def build_stepper(
    prepared: Prepared, config: TrainConfig, context: Context, selection: Tensor | slice | None, steps: int = 1
) -> Stepper:
    """Return the stepper of a training with `steps` steps; without a selection only heads train."""
    return Stepper(
        prepared.model,
        prepared.encoder,
        prepared.sources,
        selection,
        surgery=surgery_method(config.surgery, context.registry),
        weight_decay=config.weight_decay,
        eps=config.eps,
        rule=config.optimizer_rule,
        scaling=Scaling(config.loss_scale, config.task_weights),
        micro_batch_tokens=config.micro_batch_tokens,
        teaching_steps=steps,
        seed=config.seed,
        group=context.group,
    )


def surgery_method(name: str, registry: Registry) -> Surgery:
    """Return a surgery method that checks its weights."""
    return checked(name, registry.load("surgery", name))


def choose_sources(
    registry: Registry,
    tasks: Sequence[Task],
    augment: tuple[str, ...] | None,
    reader: SplitReader,
    notify: Notify,
    share: float = 1.0,
) -> list[tuple[Source, str]]:
    """Return each training source with its task: first the tasks' own sources, then the chosen augmentation.

    Without a choice, all augmentation sources of the tasks are used whose training files exist and have a row in the
    `share` of rows that is used.
    """
    attached = {source.name: source for task in tasks for source in registry.sources_for(task.name)}
    if augment is None:
        chosen = [source for source in attached.values() if has_rows(source, reader, share)]
    else:
        for name in augment:
            if name not in attached:
                raise ConfigError(unknown("source of these tasks", name, attached), setting="augment")
        chosen = [attached[name] for name in augment]
    if attached:
        notify("info", f"augmentation: {', '.join(source.name for source in chosen) or 'none'}")
    return [(task.source, task.name) for task in tasks] + [(source, source.task) for source in chosen]


def has_rows(source: Source, reader: SplitReader, share: float = 1.0) -> bool:
    """Return whether a source has rows to train on, or faults to report."""
    if missing_files(source, "train", reader.data_dir):
        return False
    (found,) = reader.read([(source, "train")])
    labelled = np.flatnonzero(found.examples.labelled).tolist()
    return bool(found.problems) or any(share >= 1 or in_share(found.examples[row].key, share) for row in labelled)


def training_source(
    source: Source, task: str, dataset: Dataset, options: LossSettings = (), *, balanced: int = 0
) -> TrainingSource:
    """Return a training source: its tokens, and its loss with the settings that it takes.

    The loss weights classes as the source says; else, with the number of classes in `balanced`, by their rows.
    """
    loss = source.build_loss()
    settings = next((settings for function, settings in options if function is loss), {})
    loss = partial(loss, **settings) if settings else loss
    targets = torch.from_numpy(dataset.targets)
    if source.class_weights:
        loss = ClassWeighted(loss, torch.tensor(source.class_weights))
    elif balanced:
        loss = ClassWeighted(loss, balanced_weights(targets, balanced))
    return TrainingSource(
        name=source.name,
        task=task,
        table=dataset.table,
        targets=targets,
        loss=loss,
        weight=source.weight,
        ids=dataset.ids,
    )
