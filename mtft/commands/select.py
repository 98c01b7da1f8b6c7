"""``mtft select``: score the encoder's weights on the training data and keep the best as a mask."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from mtft.config.schema import SelectConfig
from mtft.encoder.directory import find_model
from mtft.errors import ConfigError, MtftError, command, setting
from mtft.io.directories import remove_directory
from mtft.io.disk import check_room
from mtft.model.base import load_base
from mtft.model.flat import FlatParameters
from mtft.plugin.context import Context
from mtft.runs.opening import Finished, Resumed, Target, open_run
from mtft.runs.paths import default_name, free_path
from mtft.runs.resume import part_directory
from mtft.selection.mask import Mask, load_mask, save_mask
from mtft.tasks.registry import Registry
from mtft.training.agreement import check_same_across_ranks
from mtft.training.choices import DataInputs, ModelInputs, check_parts, data_directory, loss_settings, resolve_device
from mtft.training.count import count_selected
from mtft.training.preparation import Prepared, prepare
from mtft.training.resources import scores_held
from mtft.training.session import start_session
from mtft.training.weight_selection import method_of, select_weights


@dataclass(frozen=True)
class SelectResult:
    """A mask file, and the shares of weights kept per layer and per kind of tensor."""

    path: Path
    selected: int
    total: int
    layers: dict[str, float]
    kinds: dict[str, float]


def select(config: SelectConfig, context: Context, resume: Path | None = None) -> SelectResult:
    """Score, select and write the mask file; until then a directory next to it holds the state for `resume`."""
    group = context.group
    target = Target(
        "select",
        config,
        new_path=lambda: _new_path(config),
        resume=resume,
        directory=part_directory,
        complete=lambda path: path.is_file() and (resume is not None or _made_by(path, config, context.registry)),
    )
    if resume and resume.is_dir():
        raise ConfigError(f"{resume} is a directory; a mask is a file", setting="resume")
    opened = open_run(target, context)
    if isinstance(opened, Finished):
        return finished_mask(opened.path, config.model, context)
    prepared = _prepare(config, context)
    total = len(prepared.encoder)
    check_same_across_ranks(config, prepared, group)
    states = [4 * total * scores_held(config)] * (1 if isinstance(opened, Resumed) else 2)
    group.on_first(lambda: check_room(opened.path, [count_selected(config.keep, total), *states]))
    with start_session(opened, opened.config, prepared, context) as session:
        try:
            mask = select_weights(session)
        except ConfigError:  # a resume would fail here again
            group.on_first(lambda: remove_directory(opened.directory))
            raise
        group.on_first(lambda: _write(mask, opened.path))
    return _result(opened.path, mask, prepared.encoder)


def _prepare(config: SelectConfig, context: Context) -> Prepared:
    """Load the model, with its own dropout, and the training data."""
    check_parts(config, context.registry)
    device, products = resolve_device(config)
    data = DataInputs(
        tuple(context.registry.task(name) for name in config.tasks),
        directory=data_directory(config),
        augment=config.augment,
        share=config.train_share,
        strict=config.strict,
        skip_bad_rows=config.skip_bad_rows,
        losses=loss_settings(config),
        balanced=config.class_weights == "balanced",
    )
    return prepare(ModelInputs(config.model, config.max_length, config.seed, device, products), data, context)


def _new_path(config: SelectConfig) -> Path:
    """Return the path of a new mask; ConfigError if an unfinished selection exists there."""
    path = free_path(config.out, f"masks/{default_name(config.tasks)}", ".safetensors", overwrite=config.overwrite)
    if path.is_dir():
        raise ConfigError(f"{path} is a directory; a mask is a file", setting="out")
    if part_directory(path).is_dir() and not config.overwrite:
        right = command("select", resume=path)
        other = setting("overwrite", True)
        raise ConfigError(f"{path} is unfinished; go on with {right}, or give {other}", setting="out")
    return path


def _made_by(path: Path, config: SelectConfig, registry: Registry) -> bool:
    """Return whether a mask was made with these settings; data are not compared."""
    try:
        mask = load_mask(path)
    except MtftError:
        return False
    method = method_of(config)
    same = {name: mask.method.get(name) for name in method} == method
    return same and mask.base_digest == load_base(find_model(config.model), registry, {}).digest


def _write(mask: Mask, path: Path) -> None:
    """Write the mask, and remove the state for a resume."""
    save_mask(path, mask)
    remove_directory(part_directory(path))


def finished_mask(path: Path, model: str, context: Context) -> SelectResult:
    """Return the result of an existing mask; without shares if it belongs to other base weights than `model`'s."""
    mask = load_mask(path)
    try:
        base = load_base(find_model(model), context.registry, {})
        problem = "" if base.digest == mask.base_digest else "it was made for other base weights"
    except MtftError as error:
        problem = str(error)
    if problem:
        context.notify(
            "info", f"{path}: shares of layers are not known ({problem}); {setting('model')} names the base model"
        )
        return SelectResult(path, len(mask.indices), mask.total, {}, {})
    return _result(path, mask, base.weights)


def _result(path: Path, mask: Mask, encoder: FlatParameters) -> SelectResult:
    """Return the result of a mask: the shares that it keeps of an encoder's weights."""
    layers, kinds = shares(encoder, mask, layer_of), shares(encoder, mask, kind_of)
    return SelectResult(path, len(mask.indices), mask.total, layers, kinds)


def shares(encoder: FlatParameters, mask: Mask, part_of: Callable[[str], str]) -> dict[str, float]:
    """Return the share of weights selected in each part of the encoder, in its order."""
    ends = torch.tensor(encoder.sizes).cumsum(0)
    below = torch.searchsorted(mask.indices, ends)
    counts = torch.diff(below, prepend=below.new_zeros(1)).tolist()
    kept, sizes = Counter[str](), Counter[str]()
    for name, size, count in zip(encoder.names, encoder.sizes, counts, strict=True):
        kept[part_of(name)] += count
        sizes[part_of(name)] += size
    return {part: kept[part] / size for part, size in sizes.items()}


def layer_of(name: str) -> str:
    """Return the layer of a tensor, "layers.3" of "layers.3.norm.bias", or the first part of its name."""
    found = re.match(r"(?:.*?\.)?layers?\.\d+|[^.]+", name)
    return found.group() if found else name


def kind_of(name: str) -> str:
    """Return the name of a tensor without the layer."""
    return re.sub(r"(?:.*?\.)?layers?\.\d+\.", "", name)
