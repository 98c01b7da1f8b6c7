"""Drawings: lists of shapes in named colours, which `mtft.report.svg` writes.

Lengths are in units of the drawing's width and height; y grows downwards. Colours are names of `PALETTE`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

PALETTE = {
    "surface": ("#ffffff", "#171a21"),
    "ink": ("#1b1f27", "#e6e9ef"),
    "muted": ("#5a6372", "#9ba5b5"),
    "grid": ("#e1e5eb", "#2c323d"),
    "cool": ("#4c8bf5", "#2a5fbc"),
    "warm": ("#f2843c", "#a64c16"),
    "series-1": ("#2563d8", "#7babff"),
    "series-2": ("#c2560c", "#f3a45f"),
    "series-3": ("#0b7a60", "#4fcba4"),
    "series-4": ("#7c4fd0", "#bd9ff5"),
    "series-5": ("#bf2f55", "#f5819c"),
    "series-6": ("#6b6208", "#cfc04a"),
}
"""Name of a colour -> its value on a light page and on a dark one.

Ink is readable on `cool` and `warm`, which fill areas, at any opacity; texts on the surface have contrast 4.5:1.
"""

SERIES = tuple(name for name in PALETTE if name.startswith("series-"))


@dataclass(frozen=True)
class Path:
    """Straight lines through points; `dash` gives the lengths of strokes and gaps."""

    points: tuple[tuple[float, float], ...]
    color: str = "grid"
    width: float = 1.0
    dash: tuple[float, float] | None = None
    title: str = ""


@dataclass(frozen=True)
class Box:
    """A filled rectangle; `title` is its tooltip."""

    x: float
    y: float
    width: float
    height: float
    color: str
    opacity: float = 1.0
    title: str = ""


@dataclass(frozen=True)
class Dot:
    """A filled circle, with a ring of the surface's colour around it."""

    x: float
    y: float
    radius: float
    color: str
    title: str = ""


@dataclass(frozen=True)
class Label:
    """A line of text whose start, middle or end lies at x, its baseline at y."""

    x: float
    y: float
    text: str
    color: str = "muted"
    size: float = 12.0
    anchor: str = "start"
    bold: bool = False


Shape = Path | Box | Dot | Label


@dataclass
class Drawing:
    """Shapes on a surface, later ones on top; title and description say in words what it shows."""

    width: float
    height: float
    title: str
    description: str = ""
    shapes: list[Shape] = field(default_factory=list)

    def add(self, *shapes: Shape) -> None:
        """Add shapes on top."""
        self.shapes += shapes


def shortened(text: str, length: int) -> str:
    """Return a text, cut to `length` characters if it is longer."""
    return text if len(text) <= length else f"{text[: length - 1]}…"
