"""Which files are splits of one dataset: guessed from their names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mtft.data.formats import ALLOWED, HUB, can_read
from mtft.errors import DataError
from mtft.io.text import RESERVED

SPLITS = {
    "train": ("train", "training", "trn"),
    "dev": ("dev", "devel", "development", "val", "valid", "validation"),
    "test": ("test", "tst", "testing"),
}
WORDS = {word: split for split, words in SPLITS.items() for word in words}


@dataclass
class FileGroup:
    """One dataset: its name, made of file names, and the file of each split.

    `whole` says that no file name told a split: all rows are for training, a share of them for dev.
    """

    name: str
    splits: dict[str, str] = field(default_factory=dict)
    whole: bool = False


def group_files(files: Sequence[str]) -> list[FileGroup]:
    """Put files together that differ by a word for a split alone, as in ``x-train.csv`` and ``x-dev.csv``.

    DataError if a file is of no form that can be read, is given twice, or has a split without training file.
    """
    groups: dict[tuple[str, str], FileGroup] = {}
    for file in files:
        if Path(file).is_dir():
            raise DataError(f"{file}: is a directory; name the files in it")
        if not can_read(file):
            raise DataError(f"{file}: not {ALLOWED}")
        if not file.startswith(HUB) and not Path(file).is_file():
            raise DataError(f"{file}: no such file")
        place, name, split = _parts(file)
        group = groups.setdefault((place, name), FileGroup(_task_name(name), whole=not split))
        wanted = split or "train"
        if wanted in group.splits:
            raise DataError(f"{file}: {group.splits[wanted]} is the {wanted} split of {group.name!r} already")
        group.whole = group.whole and not split
        group.splits[wanted] = file
    for group in groups.values():
        if "train" not in group.splits:
            found = ", ".join(f"{file} ({split})" for split, file in group.splits.items())
            raise DataError(f"{group.name}: no file to train on beside {found}")
    return _distinct(list(groups.values()))


def _parts(file: str) -> tuple[str, str, str]:
    """Take a path apart: (what else must be equal, name of the dataset, split or "")."""
    if file.startswith(HUB):
        dataset, _, split = file.removeprefix(HUB).rpartition(":")
        return HUB, re.split(r"[/@]", dataset)[-1], WORDS.get(split.casefold(), "")
    path = Path(file)
    pieces = re.split(r"([^A-Za-z0-9]+)", path.stem)
    found = [place for place, piece in enumerate(pieces) if piece.casefold() in WORDS]
    if found:
        split = WORDS[pieces.pop(found[-1]).casefold()]
        name = "".join(pieces).strip("-_. ")
        name = re.sub(r"[-_. ]{2,}", "-", name)
        return str(path.parent), name or path.resolve().parent.name, split
    if path.parent.name.casefold() in WORDS:  # train/reviews.csv, dev/reviews.csv
        return str(path.parent.parent), path.stem, WORDS[path.parent.name.casefold()]
    return str(path.parent), path.stem, ""


def _task_name(text: str) -> str:
    """Make a name for a task of any text: a-z, 0-9, - and _."""
    name = re.sub(r"[^a-z0-9_]+", "-", text.casefold()).strip("-_")
    return name if name and name not in RESERVED else f"task-{name}".rstrip("-")


def _distinct(groups: list[FileGroup]) -> list[FileGroup]:
    """Number names that occur again."""
    seen: set[str] = set()
    for group in groups:
        group.name = free_name(group.name, seen)
        seen.add(group.name)
    return groups


def free_name(name: str, taken: set[str]) -> str:
    """Return the name, with the first number from 2 on that makes it a new one."""
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    return found
