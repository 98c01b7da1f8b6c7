"""The data of a report: runs as found on disk, complete or not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mtft.outputs import Array
from mtft.report.dev_rows import DevRow
from mtft.report.selected_weights import SelectedShare

Record = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Predictions:
    """Dev predictions: `ids`, `targets` [n], readable `values` [n] or [n, C], and the data `rows` found, by number."""

    ids: tuple[str, ...]
    targets: Array
    values: Array
    rows: Mapping[int, DevRow]


@dataclass(frozen=True, eq=False)
class TaskRecord:
    """One task of a run: its primary metric, all dev metrics, its output and its predictions.

    `temperature` is that of its probabilities, nan without one.
    """

    name: str
    metric: str
    dev: Mapping[str, float]
    labels: tuple[str, ...]
    predictions: Predictions | None
    temperature: float = math.nan

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the predicted classes; numbers if the run does not name as many classes."""
        predictions = self.predictions
        classes = predictions.values.shape[1] if predictions is not None and predictions.values.ndim == 2 else 0
        return self.labels if len(self.labels) == classes else tuple(map(str, range(classes)))


@dataclass(frozen=True, eq=False)
class RunRecord:
    """One run; what its directory lacks is empty or None and listed in `notes`.

    `epochs`, `steps`, `conflicts` and `times` are its logs; `selected` counts the weights selected, `files` gives the
    bytes of each model file, `base_bytes` those of the base model, None if it was not found. `looks` is how often the
    run was scored on test.
    """

    label: str
    path: str
    tasks: Mapping[str, TaskRecord]
    summary: Record
    epochs: tuple[Record, ...]
    steps: tuple[Record, ...]
    conflicts: tuple[Record, ...]
    times: tuple[Record, ...]
    config: Record
    environment: Record
    manifest: Record
    selected: tuple[SelectedShare, ...]
    files: Mapping[str, int]
    base_bytes: int | None
    notes: tuple[str, ...]
    looks: int = 0
