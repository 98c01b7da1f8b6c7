"""Figures and tables, of which a report is made, and how numbers get into them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mtft.report.drawing import Drawing


@dataclass(frozen=True)
class Table:
    """Rows under headers; columns after the first `texts` hold numbers. `name` is read out."""

    name: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: int = 1


@dataclass(frozen=True)
class Figure:
    """A picture under a `name` that is fit for a file, what it shows in words, and its numbers."""

    name: str
    drawing: Drawing
    caption: str
    numbers: Table | None = None


def number(value: float) -> str:
    """Write a score; what is no number is a dash."""
    return f"{value:.4f}" if math.isfinite(value) else "–"


LARGEST = 1e100
"""Numbers beyond it are no measurements, and could not be drawn."""


def signed(value: float) -> str:
    """Write a number with its sign; what is no number is a dash."""
    return f"{value:+.4f}" if math.isfinite(value) else "–"


def real(value: object) -> float:
    """Return a number of a log as a float, nan for anything else."""
    number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST
    return float(value) if number else math.nan  # type: ignore[arg-type]


def inner(record: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    """Return what lies at keys inside keys of a log's record, empty where it is no mapping."""
    for key in keys:
        found = record.get(key)
        record = found if isinstance(found, Mapping) else {}
    return record


def percent(value: object) -> str:
    """Write a share of a log; what is no number is a dash."""
    share = real(value)
    return f"{share:.1%}" if math.isfinite(share) else "–"
