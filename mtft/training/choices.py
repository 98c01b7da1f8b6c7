"""What the settings of a training or a selection choose, in plain values: pretrained model, data, device, parts."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from mtft.config.groups import DeviceOptions, FileOptions, LossOptions, MachineOptions, Options
from mtft.config.plugin_choice import open_kind
from mtft.data.dataset import find_data_dir, sample_dir
from mtft.data.shares import Half
from mtft.losses import consistency, folded_cross_entropy
from mtft.runs.run_directory import recorded_data_dir
from mtft.runtime import processes
from mtft.runtime.devices import find_device, keep_freed_memory, matmul_dtype
from mtft.tasks.registry import Registry
from mtft.tasks.task import Task

LossSettings = tuple[tuple[Callable[..., Any], Mapping[str, str]], ...]
"""Loss functions, and the settings that each takes."""


@dataclass(frozen=True)
class ModelInputs:
    """The pretrained model `name`, and how to load it.

    `max_length` are tokens (None: the model's positions), `seed` is that of new heads, `dropouts` replace the encoder's
    own, and `products` is the type of matrix products (None: that of the weights).
    """

    name: str
    max_length: int | None
    seed: int
    device: torch.device
    products: torch.dtype | None
    dropouts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class DataInputs:
    """The tasks, and how to read their data from `directory`.

    `augment` names the augmentation sources (None: all with rows), `share` is that of the training rows, and with
    `balanced` the classes have balanced weights. `dev` is the part of dev that is used; without it no dev is read.
    """

    tasks: tuple[Task, ...]
    directory: Path
    augment: tuple[str, ...] | None
    share: float
    strict: bool
    skip_bad_rows: bool
    losses: LossSettings
    balanced: bool
    dev: Half | None = None


def chosen_parts(config: Options) -> list[str]:
    """Return the tasks, and the parts as "kind name", that settings name: a run needs the plugins that bring them."""
    names = list(getattr(config, "tasks", ())) + list(getattr(config, "augment", None) or ())
    names += [f"head {table['head']}" for table in getattr(config, "declared", {}).values() if "head" in table]
    for key, described in type(config).settings().items():
        if mark := open_kind(described):
            value = getattr(config, key)
            names += [f"{mark.kind} {name}" for name in ((value,) if isinstance(value, str) else value)]
    return names


def check_parts(config: Options, registry: Registry) -> None:
    """Raise an error if a part that settings name cannot be loaded."""
    for kind, _, part in (name.partition(" ") for name in chosen_parts(config)):
        if part:
            registry.load(kind, part)


def data_directory(config: FileOptions, run: Path | None = None) -> Path:
    """Return the directory of the data files: the sample's, the one given, the one that `run` read, or the default.

    The default need not exist: a reader with its own files does not use it, and the loader names missing files.
    """
    if config.sample:
        return sample_dir()
    return find_data_dir(config.data_dir, os.environ.get("MTFT_DATA_DIR"), run and recorded_data_dir(run))


def loss_settings(config: LossOptions) -> LossSettings:
    """Return the settings of the losses that take some."""
    return (
        (folded_cross_entropy, {"folding": config.cfimdb_folding}),
        (consistency, {"direction": config.consistency}),
    )


def resolve_device(config: DeviceOptions, precision: str = "") -> tuple[torch.device, torch.dtype | None]:
    """Configure torch and the C library; return the device and the type of matrix products.

    Without `precision`, that of the settings is used, if they have one.
    """
    precision = precision or (config.precision if isinstance(config, MachineOptions) else "fp32")
    keep_freed_memory()
    if threads := config.threads or processes.fair_threads():
        torch.set_num_threads(threads)
    device = find_device(config.device)
    if device.type == "cuda":
        torch.cuda.set_device(device)  # what names no device, in torch and NCCL, then means this one, not the first
    return device, matmul_dtype(precision, device)
