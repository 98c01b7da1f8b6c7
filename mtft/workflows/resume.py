"""Going on with a run that was stopped: its settings, which of them may change, and what must be the same."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import torch
from numpy.typing import NDArray

from mtft.checkpoint import TrainedModel
from mtft.config.groups import Options
from mtft.config.load import dump, flag, load, show
from mtft.data.dataset import Dataset
from mtft.data.tokenization import TokenTable
from mtft.digests import check_digests, check_tree
from mtft.directories import one_at_a_time, real_path, recover_directory
from mtft.distributed import Group
from mtft.encoder.pretrained import weights_digest
from mtft.errors import CheckpointError, ConfigError, FinishedError
from mtft.files import read_json, to_json
from mtft.optimization.gradients import TrainingSource
from mtft.selection.mask import load_mask
from mtft.workflows.preparation import Prepared
from mtft.workflows.services import Services

S = TypeVar("S", bound=Options)

PRETRAINED = "the pretrained weights"

MAY_CHANGE = frozenset(
    {
        "epochs",
        "max_steps",
        "max_time",
        "patience",
        "trackers",
        "checkpoint_every",
        "max_bad_steps",
        "threads",
        "device",
        "data_dir",
        "model",
        "feature_cache",
    }
)
"""Settings that a run may go on with other values of; data and weights in another place are compared."""

PLACE = frozenset({"out", "overwrite"})
"""Settings that say where a run is, not what it is."""


def part_directory(mask: Path) -> Path:
    """Return where a selection keeps what it needs to go on until its mask is written."""
    return Path(f"{mask}.part")


def settings_file(path: Path) -> Path:
    """Return the settings of a stopped run or selection; CheckpointError without any, or if a file is damaged.

    A mask that is complete is a FinishedError.
    """
    for directory in (path, part_directory(path)):
        if real_path(directory).parent.is_dir():
            with one_at_a_time(real_path(directory).parent):  # it may be in the making
                recover_directory(directory)
        if (file := directory / "config.toml").is_file():
            check_tree(directory)
            check_digests(directory)
            return file
    if path.is_file():
        load_mask(path)
        raise FinishedError(f"{path} is complete: nothing is left to do")
    raise CheckpointError(f"--resume: {path} is no run of mtft (no config.toml)")


def check_settings(path: Path, command: str, config: S, services: Services) -> dict[str, str]:
    """Tell and return which settings are others than before, in words; ConfigError names those that may not be.

    CheckpointError unless `command` made the run and the plugins that it needs are here.
    """
    _check_origin(path, command, services)
    before = load(type(config), file=settings_file(path)).config
    changed = {
        name: f"{flag(name)}: {show(old)} -> {show(new)}"
        for name in type(config).settings()
        if (old := getattr(before, name)) != (new := getattr(config, name)) and name not in PLACE
    }
    if refused := [text for name, text in changed.items() if name not in MAY_CHANGE]:
        allowed = ", ".join(flag(name) for name in type(config).settings() if name in MAY_CHANGE)
        raise ConfigError("\n".join(f"--resume: {text}: cannot change (may change: {allowed})" for text in refused))
    for text in changed.values():
        services.notify(f"resuming with {text}")
    return changed


def _check_origin(path: Path, command: str, services: Services) -> None:
    found = read_json(settings_file(path).with_name("environment.json"))
    if (made := found.get("command")) != command:
        right = f"mtft {made} --resume {shlex.quote(str(path))}"
        raise CheckpointError(f"--resume: {path} was made by mtft {made}, not mtft {command}; go on with {right}")
    services.demand(path, found.get("plugins", {}))


def material(
    weights: Mapping[str, str], sources: Iterable[TrainingSource], dev: Mapping[str, Dataset] = MappingProxyType({})
) -> dict[str, str]:
    """Return digests of all that a run is made of: of `weights` that it begins with, training and dev data."""
    trains = {f"the data of {source.name}": table_digest(source.table, source.targets.numpy()) for source in sources}
    judges = {f"the dev data of {name}": table_digest(data.table, data.targets) for name, data in dev.items()}
    return {**weights, **trains, **judges}


def table_digest(table: TokenTable, targets: NDArray[Any]) -> str:
    """Return a digest of tokens and targets."""
    found = hashlib.sha256()
    for array in (table.ids, table.segments, table.offsets, targets):
        found.update(array.tobytes())
    return found.hexdigest()


def agree(config: Options, prepared: Prepared, group: Group, dev: Mapping[str, Dataset] = MappingProxyType({})) -> None:
    """Raise MtftError unless all processes have the same settings, data and pretrained weights."""
    if group.size > 1:
        data = to_json(material({}, prepared.sources, dev))
        agree_on(config, group, {"pretrained weights": prepared.digest, "data": data})


def agree_on_model(config: Options, trained: TrainedModel, group: Group, facts: Mapping[str, str]) -> None:
    """Raise MtftError unless all processes have the same settings, model and `facts`."""
    if group.size > 1:
        agree_on(config, group, {**facts, "model": model_digest(trained)})


def model_digest(trained: TrainedModel) -> str:
    """Return a digest of all weights of a model."""
    heads = [parameter.reshape(-1) for head in trained.model.heads.values() for parameter in head.parameters()]
    return weights_digest(torch.cat([trained.encoder.theta, *heads]))


def agree_on(config: Options, group: Group, facts: Mapping[str, str]) -> None:
    """Raise MtftError unless all processes have the same settings, places aside, and the same `facts` by name."""
    for what, text in {"settings": settings_digest(config), **facts}.items():
        group.same(f"{what} (digest)", hashlib.sha256(text.encode()).hexdigest()[:12])


def settings_digest(config: Options) -> str:
    """Return a digest of the settings that a run cannot change."""
    kept = dump(config, exclude={*MAY_CHANGE, *PLACE} & set(type(config).settings()))
    return hashlib.sha256(kept.encode()).hexdigest()


def check_position(path: Path, position: Mapping[str, Any], config: Options) -> None:
    """Raise CheckpointError if a state is of other settings."""
    if position.get("settings") != settings_digest(config):
        raise CheckpointError(f"--resume: {path}: its state is that of a run with other settings")


def check_material(path: Path, now: Mapping[str, str]) -> None:
    """Raise CheckpointError if a run began with other `material` than now, naming what is another."""
    former = read_json(settings_file(path).with_name("environment.json")).get("material") or {}
    changed = [name for name in {**former, **now} if former.get(name) != now.get(name)]
    if changed:
        raise CheckpointError(f"--resume: {path}: {', '.join(changed)} are not those that it began with")
