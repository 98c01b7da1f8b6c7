"""Digests of what a run is made of: settings, data, pretrained and trained weights."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import torch
from numpy.typing import NDArray

from mtft.config.groups import Options
from mtft.config.load import dump
from mtft.data.dataset import Dataset
from mtft.data.tokenization import TokenTable
from mtft.encoder.pretrained import weights_digest
from mtft.optimization.gradients import TrainingSource
from mtft.runs.checkpoint import TrainedModel

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
"""Settings that a run may go on with other values of; data and weights in another directory are compared."""

LOCATION = frozenset({"out", "overwrite"})
"""Settings that say where a run is, not what it is."""


def fingerprints(
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


def model_digest(trained: TrainedModel) -> str:
    """Return a digest of all weights of a model."""
    heads = [parameter.reshape(-1) for head in trained.model.heads.values() for parameter in head.parameters()]
    return weights_digest(torch.cat([trained.encoder.theta, *heads]))


def settings_digest(config: Options) -> str:
    """Return a digest of the settings that a run cannot change."""
    kept = dump(config, exclude={*MAY_CHANGE, *LOCATION} & set(type(config).settings()))
    return hashlib.sha256(kept.encode()).hexdigest()
