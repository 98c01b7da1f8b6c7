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
    out and count. `origin` is ``file:line``, for messages. `numbered` says that the id is only the row's place in its
    file, which another row may have tomorrow.
    """

    id: str
    texts: tuple[str, ...]
    target: float | None
    origin: str
    numbered: bool = False

    @property
    def key(self) -> str:
        """What decides to which part of the data the row belongs: its id, its texts where it has none of its own."""
        return text_key(self.texts) if self.numbered else self.id


def text_key(texts: Sequence[str]) -> str:
    """Return what texts have in common with those that differ in case, white space and order alone."""
    return "\0".join(sorted(" ".join(text.casefold().split()) for text in texts))


def fault(example: Any, texts: int) -> str:
    """Say why a plugin's example of so many `texts` cannot be one; "" if it can."""
    if not isinstance(example, Example):
        return f"found {type(example).__name__} where an Example is needed"
    if not isinstance(example.id, str) or not isinstance(example.origin, str):
        return f"id {example.id!r} or origin {example.origin!r} is not text"
    given, target = example.texts, example.target
    if not isinstance(given, tuple) or len(given) != texts or not all(isinstance(text, str) for text in given):
        return f"{example.origin}: texts {given!r} are not a tuple of {texts}"
    if any("\ud800" <= letter <= "\udfff" for text in given if not text.isascii() for letter in text):
        return f"{example.origin}: a text holds half of a surrogate pair, which is no character"
    number = isinstance(target, int | float) and not isinstance(target, bool)
    if target is not None and not (number and math.isfinite(target)):
        return f"{example.origin}: target {target!r} is not a finite number"
    return ""
