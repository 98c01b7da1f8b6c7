"""One finding of the audit: the fault, its location, its count, and the remedy."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from mtft.data.example import Example

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")

SHOWN = 60
"""Most characters shown of each text of an example."""


@dataclass(frozen=True)
class Finding:
    """One kind of fault in one split of one source.

    `location` is ``file:line`` of the first of `count` rows. `drop` holds the locations of all rows that a cleaned copy
    omits. Texts are as in the file; the caller escapes them for printing.
    """

    check: str
    severity: Severity
    source: str
    split: str
    location: str
    count: int
    message: str
    example: str = ""
    advice: str = ""
    drop: Sequence[str] = field(default=(), repr=False)

    def but(self, severity: Severity) -> Finding:
        """Return the same finding with another severity."""
        return dataclasses.replace(self, severity=severity)


def brief(text: str, limit: int = SHOWN) -> str:
    """Cut a text to `limit` characters; an ellipsis marks the cut."""
    return text if len(text) <= limit else f"{text[:limit]}..."


def shown(texts: Sequence[str]) -> str:
    """Quote texts, each cut to a length that fits a line."""
    return " | ".join(f"'{brief(text)}'" for text in texts)


def example_of(row: Example) -> str:
    """Show a row: its texts and its target."""
    return f"{shown(row.texts)} -> {'no label' if row.target is None else f'{row.target:g}'}"
