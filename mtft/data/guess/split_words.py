"""Words in names and cells that name a split."""

from __future__ import annotations

import re

SPLITS = {
    "train": ("train", "training", "trn", "trainset", "trainingset", "traindata", "trainingdata", "tr"),
    "dev": (
        "dev",
        "devel",
        "development",
        "devset",
        "devdata",
        "developmentset",
        "val",
        "valid",
        "validation",
        "validate",
        "valset",
        "validset",
        "validationset",
        "validationdata",
        "eval",
        "evaluation",
        "evaluate",
        "evalset",
        "evaluationset",
        "evaldata",
        "tune",
        "tuning",
    ),
    "test": (
        "test",
        "tests",
        "tst",
        "testing",
        "testset",
        "testingset",
        "testdata",
        "devtest",
        "holdout",
        "heldout",
        "holdoutset",
        "heldoutset",
        "blind",
        "unseen",
        "gold",
        "goldset",
        "goldstandard",
    ),
}
"""Splits, and the words for each; "held out" is treated as two words."""

WORDS = {word: split for split, words in SPLITS.items() for word in words}

SHORT = ("tr",)
"""Words that name a split in a column, but not in a file name."""

FILLERS = ("set", "data", "dataset", "split", "file", "part", "examples", "rows", "sample", "samples", "standard")
"""Words without meaning next to a word for a split."""

PIECES = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+|[^A-Za-z0-9]+")
"""Pieces of a name: words (also in camel case), numbers, and the separators between them."""


def pieces_of(name: str) -> list[str]:
    """Split a name into words, numbers and separators; joined, they give the name."""
    found: list[str] = []
    for piece in re.split(r"([^A-Za-z0-9]+)", name):
        if piece.casefold() in WORDS or not piece.isascii():
            found.append(piece)
        else:
            found += PIECES.findall(piece)
    return found


def split_of(word: str) -> str:
    """Return the split that a word names, "" if none; numbers at its end are ignored, as in test2016."""
    return WORDS.get(re.sub(r"[0-9]+$", "", word.casefold()), "")


def split_of_value(value: str) -> str:
    """Return the split that a cell names, such as "train", "Test set" or "held-out"; "" if none."""
    words = [word for word in re.split(r"[^a-z]+", value.casefold()) if word]
    rest = [word for word in words if word not in FILLERS] or words
    return split_of("".join(rest)) or (split_of(rest[0]) if len(rest) == 1 else "")
