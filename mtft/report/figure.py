"""The figures and tables of a report, and how numbers are written in them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mtft.report.drawing import Drawing


@dataclass(frozen=True)
class Table:
    """Rows under headers; columns after the first `texts` hold numbers. `name` is for screen readers."""

    name: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: int = 1


@dataclass(frozen=True)
class Figure:
    """A drawing, a `name` that can be a file's, a caption, and the numbers as a table."""

    name: str
    drawing: Drawing
    caption: str
    numbers: Table | None = None


def number(value: float) -> str:
    """Return a score as text; a dash if it is not a number."""
    return f"{value:.4f}" if math.isfinite(value) else "–"


LARGEST = 1e100
"""Larger numbers are not measurements, and cannot be drawn."""


def signed(value: float) -> str:
    """Return a number with its sign; a dash if it is not a number."""
    return f"{value:+.4f}" if math.isfinite(value) else "–"


def real(value: object) -> float:
    """Return a number of a log as a float, nan for anything else."""
    number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST
    return float(value) if number else math.nan  # type: ignore[arg-type]


def inner(record: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    """Return the mapping at nested keys of a log's record; {} if there is none."""
    for key in keys:
        value = record.get(key)
        record = value if isinstance(value, Mapping) else {}
    return record


def percent(value: object) -> str:
    """Return a share of a log in percent; a dash if it is not a number."""
    share = real(value)
    return f"{share:.1%}" if math.isfinite(share) else "–"
