"""Guess from file names which files are splits of one dataset."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mtft.data.formats import ALLOWED, HUB, can_read
from mtft.data.guess.doubts import Decisions, Doubt, Reading
from mtft.data.guess.shards import join_numbered, join_shards, without_shard
from mtft.data.guess.split_words import SHORT, WORDS, pieces_of, split_of
from mtft.data.storage import plain_name
from mtft.errors import DataError, setting
from mtft.io.text import RESERVED

Parts = tuple[str, str, str]
"""The parts that must be equal in files of one dataset, the dataset's name, and the split or ""."""


@dataclass
class FileGroup:
    """One dataset: its name, made from file names, and the file of each split.

    `whole` is true if no file name gave a split: all rows are for training, and a share of them becomes dev. `notes`
    are comments on guesses about the files.
    """

    name: str
    splits: dict[str, str] = field(default_factory=dict)
    whole: bool = False
    notes: list[str] = field(default_factory=list)


def group_files(files: Sequence[str], decisions: Decisions | None = None) -> list[FileGroup]:
    """Group files whose names differ only by a word for a split, as in ``x-train.csv`` and ``x-dev.csv``.

    DataError if a file's form cannot be read, if it is given twice, or if its dataset has no training file.
    """
    decisions = decisions or Decisions()
    for file in files:
        _check(file)
        if files.count(file) > 1:
            raise DataError(f"{file}: is given twice")
    found: dict[tuple[str, str], FileGroup] = {}
    for file, (folder, name, split) in _all_parts(join_shards(join_numbered(files)), decisions).items():
        group = found.setdefault((folder, name), FileGroup(_task_name(name), whole=not split))
        wanted = split or "train"
        if wanted in group.splits:
            hint = f"; if it is another one: {setting('split', f'{file}=test')}"
            raise DataError(f"{file}: {group.splits[wanted]} is the {wanted} split of {group.name!r} already{hint}")
        group.whole = group.whole and not split
        group.splits[wanted] = file
    _join_lone(found)
    _doubt_extensions(found, decisions)
    for group in found.values():
        if "train" not in group.splits:
            listed = ", ".join(f"{file} ({split})" for split, file in group.splits.items())
            file = next(iter(group.splits.values()))
            hint = setting("split", f"{file}=train")
            raise DataError(f"{group.name}: no file to train on beside {listed}; if one is: {hint}")
        _doubt_evaluation(group, decisions)
    return _distinct(list(found.values()))


def _check(file: str) -> None:
    if Path(file).is_dir():
        raise DataError(f"{file}: is a directory; name the files in it")
    if not can_read(file):
        raise DataError(f"{file}: not {ALLOWED}")
    if not file.startswith(HUB) and not Path(file).is_file():
        raise DataError(f"{file}: no such file")


def _all_parts(files: Sequence[str], decisions: Decisions) -> dict[str, Parts]:
    """Parse all paths; a split given by the user takes precedence over the one in the name."""
    found = {file: _parts(file) for file in files}
    found |= _glued({file: parts for file, parts in found.items() if not parts[2]})
    for file, (folder, name, _) in found.items():
        if given := decisions.split(file):
            found[file] = (folder, name, given)
    return found


def _parts(file: str) -> Parts:
    """Take a path apart."""
    if file.startswith(HUB):
        whole = re.sub(r"\[[^]]*]$", "", file)  # train[:100] is a part of train
        dataset, _, split = whole.removeprefix(HUB).rpartition(":")
        words = re.split(r"[^A-Za-z0-9]+", split)
        return HUB, re.split(r"[/@]", dataset)[-1], next(filter(None, map(split_of, words)), "")
    path = Path(plain_name(file))
    stem = without_shard(path.stem)
    pieces = pieces_of(stem)
    found = _split_word(pieces)
    if found:
        begin, end, split = found
        name = re.sub(r"[-_. ]{2,}", "-", "".join(pieces[:begin] + pieces[end:]).strip("-_. "))
        return str(path.parent), name or path.resolve().parent.name, split
    if split := split_of(path.parent.name):  # train/reviews.csv, dev/reviews.csv, train/0.csv
        stem = "" if stem.isdecimal() else stem
        return str(path.parent.parent), stem or path.parent.parent.resolve().name, split
    return str(path.parent), stem or path.resolve().parent.name, ""


def _split_word(pieces: Sequence[str]) -> tuple[int, int, str] | None:
    """Return the range [begin, end) of pieces that name the split, the last of several; "gold" counts only alone."""
    found = [(index, index + 1, split) for index, piece in enumerate(pieces) if (split := _word(piece))]
    found += [
        (index, index + 3, "test")
        for index in range(len(pieces) - 2)
        if pieces[index].casefold() in ("held", "hold") and pieces[index + 2].casefold() == "out"
    ]
    clear = [each for each in found if pieces[each[0]].casefold() != "gold"]
    if not found:
        return None
    begin, end, split = (clear or found)[-1]
    behind = [piece.casefold() for piece in pieces[end : end + 2]]
    if len(behind) == 2 and behind[1] in ("set", "split"):
        end += 2
    elif behind[:1] in (["set"], ["split"]):
        end += 1
    return begin, end, split


def _word(piece: str) -> str:
    return "" if piece.casefold() in SHORT else split_of(piece)


def _glued(parts: Mapping[str, Parts]) -> dict[str, Parts]:
    """Find split words inside longer words, such as imdbtrain and imdbtest, if the files occur together."""
    cut: dict[tuple[str, str], dict[str, str]] = {}
    for file, (folder, stem, _) in parts.items():
        for word in sorted(WORDS, key=len, reverse=True):
            plain = stem.casefold()
            rest = plain.removesuffix(word) if plain.endswith(word) else plain.removeprefix(word)
            parted = rest.endswith(tuple("-_. ")) or rest.startswith(tuple("-_. "))
            if (len(word) > 2 or parted) and rest not in (plain, ""):
                cut.setdefault((folder, rest), {}).setdefault(file, WORDS[word])
                break
    return {
        file: (folder, rest.strip("-_. "), split)
        for (folder, rest), splits in cut.items()
        if len({*splits.values()}) == len(splits) > 1 and "train" in splits.values()
        for file, split in splits.items()
    }


def _join_lone(groups: dict[tuple[str, str], FileGroup]) -> None:
    """Treat ``test.csv`` as a split of the only other dataset in its directory."""
    for (folder, name), group in list(groups.items()):
        others = [other for (where, _), other in groups.items() if where == folder and other is not group]
        nameless = name == Path(folder).resolve().name and "train" not in group.splits
        if nameless and len(others) == 1 and "train" in others[0].splits and not {*group.splits} & {*others[0].splits}:
            others[0].splits |= group.splits
            others[0].whole = False
            del groups[folder, name]


def _doubt_extensions(groups: dict[tuple[str, str], FileGroup], decisions: Decisions) -> None:
    """Ask whether x-extra.csv beside x-train.csv or x.csv, or extra.csv beside train.csv, is for evaluation."""
    for (folder, name), group in list(groups.items()):
        base = _extended(groups, folder, name)
        if base is None or not (group.whole or "train" not in group.splits):
            continue
        if not group.whole:  # its split was given, or is in its name
            if not {*group.splits} & {*base.splits}:
                base.notes += [f"guess: {Path(own).name} is its {split} split" for split, own in group.splits.items()]
                base.splits |= group.splits
                del groups[folder, name]
            continue
        file = group.splits["train"]
        readings = (
            Reading("it is a dataset of its own, to train on", "split", "train", file),
            Reading(f"it is for evaluating {base.name}", "split", "test", file),
        )
        question = f"its name does not say what it is for, beside {base.splits['train']}"
        if decisions.choose(Doubt(file, question, readings)) == 0:
            group.notes.append(f"guess: a dataset of its own, not an evaluation file of {base.name}")
        elif "test" not in base.splits:
            base.splits["test"] = file
            base.whole = False
            del groups[folder, name]


def _extended(groups: Mapping[tuple[str, str], FileGroup], folder: str, name: str) -> FileGroup | None:
    """Return the dataset with a training file whose name is the beginning of this name, or is only that of a split."""
    nameless = Path(folder).resolve().name
    fitting = [
        (len(other), group)
        for (where, other), group in groups.items()
        if where == folder
        and other != name
        and "train" in group.splits
        and ((other == nameless and not group.whole) or (name.startswith(other) and name[len(other)] in "-_. "))
    ]
    return max(fitting, key=lambda pair: pair[0])[1] if fitting else None


def _doubt_evaluation(group: FileGroup, decisions: Decisions) -> None:
    """Ask whether a single file is for training if its name also holds a word for evaluation."""
    file = group.splits["train"]
    words = {_word(piece) for piece in pieces_of(Path(file).stem)} - {"", "train"}
    if len(group.splits) > 1 or not words or group.whole or file.startswith(HUB):
        return
    split = sorted(words)[0]
    readings = (
        Reading(f"it is for {split}, and there is nothing to train on", "split", split, file),
        Reading("it is for training", "split", "train", file),
    )
    doubt = Doubt(file, f"the name speaks of train and of {split}", readings)
    if decisions.choose(doubt) == 0 and doubt not in decisions.open:
        raise DataError(f"{group.name}: no file to train on beside {file} ({split})")


def _task_name(text: str) -> str:
    """Make a task name from any text: a-z, 0-9, - and _."""
    name = re.sub(r"[^a-z0-9_]+", "-", text.casefold()).strip("-_")
    return name if name and name not in RESERVED else f"task-{name}".rstrip("-")


def _distinct(groups: list[FileGroup]) -> list[FileGroup]:
    """Number repeated names."""
    seen: set[str] = set()
    for group in groups:
        group.name = free_name(group.name, seen)
        seen.add(group.name)
    return groups


def free_name(name: str, taken: set[str]) -> str:
    """Return the name with the first number, from 2, that makes it unique."""
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    return found
