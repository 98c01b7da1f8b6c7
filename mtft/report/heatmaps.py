"""Tables of coloured cells, as drawings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mtft.report.axes import WIDTH
from mtft.report.drawing import Box, Drawing, Label, shortened

STRONGEST = 0.85
"""Opacity of the strongest cell: ink stays readable on it."""


@dataclass(frozen=True)
class Cell:
    """One cell: how strong its colour is (-1 warm, 0 none, 1 cool), what is written in it, what is said of it."""

    strength: float
    text: str = ""
    title: str = ""


@dataclass(frozen=True)
class Heatmap:
    """Rows and columns by name, `cells` [rows][columns]; `x_name` and `y_name` name the sides.

    Where columns are `ordered`, as points in time are, some go without their name if there is no room.
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
        """Draw the cells, the names of rows and as many names of columns as there is room for."""
        top, left = 34.0, self.label_width
        width = (WIDTH - left - 4) / max(len(self.columns), 1)
        height = top + self.row_height * len(self.rows) + (20 if self.x_name else 6)
        drawing = Drawing(WIDTH, height, self.title, self.description)
        drawing.add(Label(4, 12, self.y_name))
        letters = max(int(width / 6.4), 2)
        room = (max(map(len, self.columns), default=1) * 6.8 + 10) / width if self.ordered else 1
        for at, name in enumerate(self.columns):
            if at % math.ceil(room) == 0:
                text = name if self.ordered else shortened(name, letters)
                drawing.add(Label(left + width * (at + 0.5), top - 8, text, anchor="middle", size=11))
        for at, (name, cells) in enumerate(zip(self.rows, self.cells, strict=True)):
            self._row(drawing, name, cells, (left, top + self.row_height * at), width)
        if self.x_name:
            drawing.add(Label(WIDTH - 4, height - 4, self.x_name, anchor="end"))
        return drawing

    def _row(
        self, drawing: Drawing, name: str, cells: Sequence[Cell], place: tuple[float, float], width: float
    ) -> None:
        left, y = place
        middle = y + self.row_height / 2 + 4
        drawing.add(Label(left - 8, middle, shortened(name, int((left - 12) / 6.4)), "ink", anchor="end"))
        for at, cell in enumerate(cells):
            x = left + width * at
            gap = 1.0 if width > 6 else 0.25
            strength = max(-1.0, min(1.0, cell.strength)) if math.isfinite(cell.strength) else 0.0
            box = (x + gap / 2, y + 0.5, width - gap, self.row_height - 1)
            drawing.add(Box(*box, "grid", 0.35))
            drawing.add(Box(*box, "cool" if strength >= 0 else "warm", STRONGEST * abs(strength), cell.title))
            if cell.text and len(cell.text) * 6.2 <= width:
                drawing.add(Label(x + width / 2, middle, cell.text, "ink", 11, "middle"))
