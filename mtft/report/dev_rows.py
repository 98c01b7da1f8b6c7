"""Find the rows of data files that belong to a run's predictions: their texts, and file and line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mtft.data.example import Example
from mtft.data.formats import HUB, is_text
from mtft.outputs import Array


@dataclass(frozen=True)
class DevRow:
    """The texts of a row, and where it is, as in "reviews.csv, line 12"."""

    texts: tuple[str, ...]
    location: str


def find_rows(ids: Sequence[str], targets: Array, examples: Iterable[Example], data_dir: Path) -> dict[int, DevRow]:
    """Return the row of each prediction by its number, for ids and targets [n] of predictions.

    Only labelled examples have predictions. An id that occurs several times identifies its rows by their order if all
    of them are there. A row whose label is not the recorded one is left out: the file has changed.
    """
    known: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        if example.target is not None:
            known[example.id].append(example)
    numbers: dict[str, list[int]] = defaultdict(list)
    for number, name in enumerate(ids):
        numbers[name].append(number)
    return {
        number: DevRow(example.texts, location(example.origin, data_dir))
        for name, own in numbers.items()
        if len(own) == len(known[name])
        for number, example in zip(own, known[name], strict=True)
        if np.float32(targets[number]) == np.float32(example.target)
    }


def location(origin: str, data_dir: Path) -> str:
    """Return where a row is for an origin "FILE:NUMBER", the file seen from the data directory.

    Numbers are lines of text files, the first one of a row that spans several, and rows of other data. Any other
    origin, as plugins may give it, is returned unchanged.
    """
    name, colon, number = origin.rpartition(":")
    if not colon or not number.isdecimal():
        return origin
    if not name.startswith(HUB) and Path(name).is_relative_to(data_dir):
        name = str(Path(name).relative_to(data_dir))
    return f"{name}, {'line' if is_text(name) else 'row'} {number}"
