"""Predictions of a run's kept model for each dev row: ``predictions/TASK.SPLIT.jsonl`` in the run's directory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mtft.data.dataset import Dataset
from mtft.data.shares import Half, half_mask, half_of
from mtft.errors import CheckpointError
from mtft.io.digests import check_digests, write_digests
from mtft.io.directories import current_directory, replaced_directory
from mtft.io.files import read_json_lines, write_json_lines
from mtft.outputs import Array

FOLDER = "predictions"
NAMES = "id", "half", "target", "value"


def write_predictions(run: Path, split: str, data: Mapping[str, Dataset], values: Mapping[str, Array]) -> None:
    """Write ids, halves, targets [n] and readable values [n, ...] of each task's rows; replace all earlier files."""
    with replaced_directory(run / FOLDER) as fresh:
        for task, found in values.items():
            rows = data[task]
            columns = rows.ids, map(half_of, rows.keys), rows.targets.tolist(), found.tolist()
            lines = (dict(zip(NAMES, row, strict=True)) for row in zip(*columns, strict=True))
            write_json_lines(fresh / f"{task}.{split}.jsonl", lines)
        write_digests(fresh)


def read_predictions(run: Path, task: str, split: str, half: Half = "all") -> tuple[list[str], Array, Array]:
    """Return ids, targets [n] and values [n, ...] of a half, or of all rows; DataError if no row is in it."""
    folder = current_directory(run / FOLDER)
    path = folder / f"{task}.{split}.jsonl"
    records = read_json_lines(path)
    check_digests(folder, [path.name])
    try:
        ids = [str(record["id"]) for record in records]
        halves = [str(record.get("half") or half_of(name)) for name, record in zip(ids, records, strict=True)]
        targets = np.asarray([record["target"] for record in records], np.float64)
        values = np.asarray([record["value"] for record in records], np.float64)
    except (KeyError, ValueError, TypeError, OverflowError) as error:
        raise CheckpointError(f"{path}: not a predictions file: {error!r}") from None
    rows = half_mask(halves, half, task)
    return [name for name, chosen in zip(ids, rows, strict=True) if chosen], targets[rows], values[rows]
