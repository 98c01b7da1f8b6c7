"""Heatmaps: drawings of tables with coloured cells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mtft.report.axes import WIDTH
from mtft.report.drawing import Box, Drawing, Label, shortened

STRONGEST = 0.85
"""Opacity of the strongest cell, on which ink is still readable."""

LETTER = 6.4
"""Typical width of a letter."""


@dataclass(frozen=True)
class Cell:
    """One cell: the strength of its colour (-1 warm, 0 none, 1 cool), its text and its tooltip."""

    strength: float
    text: str = ""
    title: str = ""


@dataclass(frozen=True)
class Heatmap:
    """Rows and columns by name, `cells` [rows][columns]; `x_name` and `y_name` name the sides.

    If columns are `ordered`, such as points in time, some names are left out if there is no room.
    """

    title: str
    description: str
    rows: Sequence[str]
    columns: Sequence[str]
    cells: Sequence[Sequence[Cell]]
    x_name: str = ""
    y_name: str = ""
    row_height: float = 26.0
    label_width: float = 88.0
    ordered: bool = False

    def draw(self) -> Drawing:
        """Return the drawing, with as many names of rows and columns as there is room for."""
        top, left = 34.0, self.label_width
        width = (WIDTH - left - 4) / max(len(self.columns), 1)
        height = top + self.row_height * len(self.rows) + (20 if self.x_name else 6)
        drawing = Drawing(WIDTH, height, self.title, self.description)
        drawing.add(Label(4, 12, self.y_name))
        letters = max(int(width / LETTER), 2)
        longest = max(map(len, self.columns), default=1)
        room = longest * LETTER + 10 if self.ordered else min(longest, letters) * LETTER
        for at in range(0, len(self.columns), max(math.ceil(room / width), 1)):
            text = self.columns[at] if self.ordered else shortened(self.columns[at], letters)
            drawing.add(Label(left + width * (at + 0.5), top - 8, text, anchor="middle", size=11))
        for at in range(0, len(self.rows), math.ceil(14 / self.row_height)):
            middle = top + self.row_height * (at + 0.5) + 4
            drawing.add(
                Label(left - 8, middle, shortened(self.rows[at], int((left - 12) / LETTER)), "ink", anchor="end")
            )
        for at, cells in enumerate(self.cells):
            self._row(drawing, cells, (left, top + self.row_height * at), width)
        if self.x_name:
            drawing.add(Label(WIDTH - 4, height - 4, self.x_name, anchor="end"))
        return drawing

    def _row(self, drawing: Drawing, cells: Sequence[Cell], corner: tuple[float, float], width: float) -> None:
        left, y = corner
        gap, height = (1.0, self.row_height - 1) if min(width, self.row_height) > 6 else (0.25, self.row_height - 0.25)
        drawing.add(Box(left, y + 0.5, width * len(cells), height, "grid", 0.35))
        for at, cell in enumerate(cells):
            x = left + width * at
            strength = max(-1.0, min(1.0, cell.strength)) if math.isfinite(cell.strength) else 0.0
            if strength or cell.title:
                color, opacity = "cool" if strength >= 0 else "warm", STRONGEST * abs(strength)
                drawing.add(Box(x + gap / 2, y + 0.5, width - gap, height, color, opacity, cell.title))
            if cell.text and len(cell.text) * 6.2 <= width and self.row_height >= 14:
                drawing.add(Label(x + width / 2, y + self.row_height / 2 + 4, cell.text, "ink", 11, "middle"))
