"""``mtft count-params``: stored and tunable parameters of a run, or of a plan, which needs no weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import torch

from mtft.config.schema import CountConfig
from mtft.encoder.directory import find_model, known_config
from mtft.encoder.family import PACKED
from mtft.errors import ConfigError, unknown
from mtft.model.multitask import build_head, encoder_family
from mtft.model.parameters import ParameterCount
from mtft.plugin.context import Context
from mtft.runs.bundle import model_directory
from mtft.runs.manifest import read_manifest
from mtft.selection.budget import budget


def count_run(run: Path, tasks: Sequence[str] = ()) -> ParameterCount:
    """Count the parameters of a finished run from its manifest, with the heads of these tasks (default: all)."""
    with model_directory(run) as directory:
        manifest = read_manifest(directory)
    heads = {entry["name"]: entry["parameters"] for entry in manifest["tasks"]}
    for name in tasks:
        if name not in heads:
            raise ConfigError(f"{run}: {unknown('task of this run', name, heads)}")
    return ParameterCount(manifest["total"], manifest["selected"], {name: heads[name] for name in tasks or heads})


def count_plan(config: CountConfig, context: Context, score: str = "sum") -> ParameterCount:
    """Count the parameters of a planned training that selects by `score`; builds shapes only, no weights."""
    if not config.tasks:
        raise ConfigError("name the tasks to count, or give a run", setting="tasks")
    tasks = [context.registry.task(name) for name in config.tasks]
    name = config.model or "minilm"
    family, sizes = PACKED, known_config(name)
    if sizes is None:
        directory = find_model(name)
        family = encoder_family(directory, context.registry)
        sizes = family.read_config(directory)
    with torch.device("meta"):
        encoder = {name: parameter.numel() for name, parameter in family.build(sizes).named_parameters()}
        heads = {task.name: sum(p.numel() for p in build_head(task, sizes).parameters()) for task in tasks}
    return ParameterCount(sum(encoder.values()), selected_by(score, config.keep, encoder), heads)


def selected_by(score: str, keep: Decimal, sizes: Mapping[str, int]) -> int:
    """Return how many weights a score selects from tensors of these sizes: biases, or a share (ConfigError if none)."""
    if score == "bitfit":
        return sum(size for name, size in sizes.items() if name.endswith(".bias"))
    return count_selected(keep, sum(sizes.values()))


def count_selected(keep: Decimal, total: int) -> int:
    """Return how many of `total` encoder weights a share allows; ConfigError if none."""
    try:
        return budget(keep, total)
    except ValueError as error:
        raise ConfigError(str(error), setting="keep") from None
