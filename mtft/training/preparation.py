"""Turn settings into a pretrained model with heads and tokenized sources, for select and train."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mtft.config.groups import ClassWeightOptions, DeviceOptions, MachineOptions, Options
from mtft.config.plugin_choice import open_kind
from mtft.config.schema import SelectConfig, TrainConfig
from mtft.data.audit.split_reader import read_split
from mtft.data.dataset import Dataset
from mtft.data.shares import in_half, in_share
from mtft.data.tokenization import Tokenizer
from mtft.encoder.directory import find_model
from mtft.errors import ConfigError, unknown
from mtft.losses import ClassWeighted, balanced_weights, consistency, folded_cross_entropy
from mtft.model.base import load_base
from mtft.model.flat import FlatParameters
from mtft.model.multitask import MultiTaskModel, build_model, to_device
from mtft.optimization.gradients import TrainingSource
from mtft.optimization.scaling import Scaling
from mtft.optimization.surgery import Surgery, checked
from mtft.plugin.context import Context
from mtft.runs.fingerprints import PRETRAINED, fingerprints
from mtft.runs.probe import rehearse
from mtft.runtime import processes
from mtft.runtime.devices import find_device, keep_freed_memory, matmul_dtype
from mtft.runtime.notices import Notify
from mtft.tasks.registry import Registry
from mtft.tasks.task import Source, Task
from mtft.training.data_warnings import warn_of_faults
from mtft.training.early_stopping import Best
from mtft.training.loading import Loader, data_directory, missing_files
from mtft.training.model_checks import check_length, check_model
from mtft.training.step import Stepper

LossOptions = tuple[tuple[Callable[..., Any], dict[str, str]], ...]
"""Loss functions, and the settings that each takes."""


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


def check_choices(config: TrainConfig, registry: Registry) -> None:
    """Raise ConfigError if the rule for the best epoch, or a task weight, names an unknown task or metric."""
    Best(config.best, config.patience).check(tuple(registry.task(name) for name in config.tasks))
    for name in config.task_weights:
        if name not in config.tasks:
            raise ConfigError(unknown("task of this run", name, config.tasks), setting="task_weights")


def prepare(config: SelectConfig | TrainConfig, context: Context) -> Prepared:
    """Load the pretrained model, build the heads, and tokenize the sources' training data, for `train` also dev."""
    for kind, _, part in (name.partition(" ") for name in chosen_parts(config)):
        if part:  # before anything is read
            context.registry.load(kind, part)
    device, products = resolve_device(config)
    tasks = tuple(context.registry.task(name) for name in config.tasks)
    data_dir = data_directory(config)
    sources = choose_sources(context.registry, tasks, config.augment, data_dir, context.notify, config.train_share)
    warn_of_faults(sources, tasks, data_dir, context.notify)
    directory = find_model(config.model)
    base = load_base(directory, context.registry, dropouts(config))
    max_length = check_length(config.max_length, base.encoder.config)
    check_model(directory, base.tokenizer, base.encoder, [source for source, _ in sources], context.notify)
    model = build_model(base.encoder, tasks, config.seed)
    to_device(model, base.weights, device, products)
    rehearse(model, base.tokenizer, tasks, max_length)
    loader = Loader.of(config, data_dir, base.tokenizer, max_length, context.notify)
    options: LossOptions = (
        (folded_cross_entropy, {"folding": config.cfimdb_folding}),
        (consistency, {"direction": config.consistency}),
    )
    training = [
        training_source(
            source,
            task,
            loader.load(source, "train", config.train_share),
            options,
            balanced=classes_to_balance(config, tasks, source),
        )
        for source, task in sources
    ]
    dev = {}
    if isinstance(config, TrainConfig):
        dev = loader.load_tasks(tasks, "dev")
        for name, data in dev.items():
            in_half(data.keys, config.choosing, name)  # raises if no row can choose the epoch
    return Prepared(
        model,
        base.weights,
        base.digest,
        base.tokenizer,
        max_length,
        tasks,
        data_dir=data_dir,
        sources=training,
        dev=dev,
    )


def classes_to_balance(config: ClassWeightOptions, tasks: Iterable[Task], source: Source) -> int:
    """Return the number of classes whose losses are to be balanced: of a task's own source with classes, else 0."""
    if config.class_weights == "none":
        return 0
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


def chosen_parts(config: Options) -> list[str]:
    """Return the tasks, and the parts as "kind name", that settings name: a run needs the plugins that bring them."""
    names = list(getattr(config, "tasks", ())) + list(getattr(config, "augment", None) or ())
    names += [f"head {table['head']}" for table in getattr(config, "declared", {}).values() if "head" in table]
    for key, described in type(config).settings().items():
        if mark := open_kind(described):
            value = getattr(config, key)
            names += [f"{mark.kind} {name}" for name in ((value,) if isinstance(value, str) else value)]
    return names


def choose_sources(
    registry: Registry,
    tasks: Sequence[Task],
    augment: tuple[str, ...] | None,
    data_dir: Path,
    notify: Notify,
    share: float = 1.0,
) -> list[tuple[Source, str]]:
    """Return each training source with its task: first the tasks' own sources, then the chosen augmentation.

    Without a choice, all augmentation sources of the tasks are used whose training files exist and have a row in the
    `share` of rows that is used.
    """
    attached = {source.name: source for task in tasks for source in registry.sources_for(task.name)}
    if augment is None:
        chosen = [source for source in attached.values() if has_rows(source, data_dir, share)]
    else:
        for name in augment:
            if name not in attached:
                raise ConfigError(unknown("source of these tasks", name, attached), setting="augment")
        chosen = [attached[name] for name in augment]
    if attached:
        notify("info", f"augmentation: {', '.join(source.name for source in chosen) or 'none'}")
    return [(task.source, task.name) for task in tasks] + [(source, source.task) for source in chosen]


def has_rows(source: Source, data_dir: Path, share: float = 1.0) -> bool:
    """Return whether a source has rows to train on, or faults to report."""
    if missing_files(source, "train", data_dir):
        return False
    found = read_split(source.name, "train", source.reader, data_dir, source.texts)
    return bool(found.problems) or any(
        example.target is not None and in_share(example.key, share) for example in found.examples
    )


def training_source(
    source: Source, task: str, dataset: Dataset, options: LossOptions = (), *, balanced: int = 0
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


def dropouts(config: SelectConfig | TrainConfig) -> dict[str, float]:
    """Return the encoder settings that training overrides; selection keeps the model's own."""
    if isinstance(config, SelectConfig):
        return {}
    return {"dropout": config.dropout, "attention_dropout": config.dropout, "head_dropout": config.head_dropout}


def resolve_device(config: DeviceOptions, precision: str = "") -> tuple[torch.device, torch.dtype | None]:
    """Configure torch and the C library; return the device and the type of matrix products.

    Without `precision`, that of the settings is used, if they have one.
    """
    precision = precision or (config.precision if isinstance(config, MachineOptions) else "fp32")
    keep_freed_memory()
    if threads := config.threads or processes.fair_threads():
        torch.set_num_threads(threads)
    device = find_device(config.device)
    return device, matmul_dtype(precision, device)
