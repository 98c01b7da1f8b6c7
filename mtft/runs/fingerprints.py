"""Digests of the inputs of a run: settings, data, pretrained and trained weights."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import torch
from numpy.typing import NDArray

from mtft.config.groups import Options
from mtft.config.load import FORMER, dump
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
"""Settings that may change on a resume; data and weights in another directory are compared by digest."""

LOCATION = frozenset({"out", "overwrite"})
"""Settings that only say where a run is."""


HARMLESS = LOCATION | {"threads", "device", "data_dir", "checkpoint_every", "max_time", "trackers", "feature_cache"}
"""Settings that say where and when a run is made and what is reported of it, not what is made.

Threads and device may change the last digits of its numbers.
"""


def fingerprints(
    weights: Mapping[str, str], sources: Iterable[TrainingSource], dev: Mapping[str, Dataset] = MappingProxyType({})
) -> dict[str, str]:
    """Return digests of a run's inputs: the initial `weights`, training data and dev data."""
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
    """Return a digest of the settings that a run cannot change, the same as before it had all of them."""
    former = {name for name, value in FORMER.items() if getattr(config, name, None) == value}
    kept = dump(config, exclude=({*MAY_CHANGE, *LOCATION} & set(type(config).settings())) | former)
    return hashlib.sha256(kept.encode()).hexdigest()
