"""One labelled row of a dataset."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Example:
    """One row: its texts and its target.

    `target` is a class index or a number; None marks an unlabelled row, which training and evaluation leave
    out and count. `origin` is ``file:line``, for messages.
    """

    id: str
    texts: tuple[str, ...]
    target: float | None
    origin: str
