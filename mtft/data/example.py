"""One labelled row of a dataset."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Example:
    """One row: its texts and its target.

    `target` is a class index or a number; None marks an unlabelled row, which training and evaluation leave
    out and count. `origin` is ``file:line``, for messages. `numbered` is true if the id is only the row's position in
    its file, which may change with the file.
    """

    id: str
    texts: tuple[str, ...]
    target: float | None
    origin: str
    numbered: bool = False

    @property
    def key(self) -> str:
        """The key that decides the row's part of the data: its id, or its texts if it has no id of its own."""
        return text_key(self.texts) if self.numbered else self.id


def text_key(texts: Sequence[str]) -> str:
    """Return a key that is the same for texts that differ only in case, white space and order."""
    return "\0".join(sorted(" ".join(text.casefold().split()) for text in texts))


def fault(example: Any, texts: int) -> str:
    """Return why a plugin's example, which should have this number of `texts`, is invalid; "" if it is valid."""
    if not isinstance(example, Example):
        return f"found {type(example).__name__} where an Example is needed"
    if not isinstance(example.id, str) or not isinstance(example.origin, str):
        return f"id {example.id!r} or origin {example.origin!r} is not text"
    given, target = example.texts, example.target
    if not isinstance(given, tuple) or len(given) != texts or not all(isinstance(text, str) for text in given):
        return f"{example.origin}: texts {given!r} are not a tuple of {texts}"
    if any("\ud800" <= letter <= "\udfff" for text in given if not text.isascii() for letter in text):
        return f"{example.origin}: a text holds half of a surrogate pair, which is not a character"
    number = isinstance(target, int | float) and not isinstance(target, bool)
    if target is not None and not (number and math.isfinite(target)):
        return f"{example.origin}: target {target!r} is not a finite number"
    return ""
