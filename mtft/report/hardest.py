"""The examples with a model's largest errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtft.outputs import Array
from mtft.report.dev_rows import DevRow
from mtft.report.run_record import Predictions, TaskRecord


@dataclass(frozen=True)
class HardExample:
    """An example with a large error: its texts (or only its id), facts as (name, value), and where it is, if known."""

    texts: tuple[str, ...]
    id: str
    facts: tuple[tuple[str, str], ...]
    location: str = ""


def hardest(task: TaskRecord, count: int) -> list[HardExample]:
    """Return the examples whose true class got the least probability, or whose number is farthest off."""
    predictions = task.predictions
    if predictions is None or not len(predictions.targets):
        return []
    order = np.argsort(-_wrongness(predictions.values, predictions.targets), kind="stable")[:count]
    return [_hard(task, predictions, int(row)) for row in order]


def _wrongness(values: Array, targets: Array) -> Array:
    if values.ndim == 1:
        return np.abs(values - targets)
    wrong: Array = 1 - values[np.arange(len(targets)), targets.astype(int)]
    return wrong


def _hard(task: TaskRecord, predictions: Predictions, row: int) -> HardExample:
    name, target, value = predictions.ids[row], float(predictions.targets[row]), predictions.values[row]
    found = predictions.rows.get(row, DevRow((), ""))
    if predictions.values.ndim == 1:
        off = float(value) - target
        numbers = (("true", f"{target:.2f}"), ("answered", f"{float(value):.2f}"), ("off by", f"{off:+.2f}"))
        return HardExample(found.texts, name, numbers, found.location)
    labels = task.class_names
    both = (("true", int(target)), ("answered", int(np.argmax(value))))
    facts = tuple((word, f"{labels[at]} ({float(value[at]):.1%})") for word, at in both)
    return HardExample(found.texts, name, facts, found.location)
