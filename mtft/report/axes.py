"""Axes: a plot area with scales, round ticks, grid and legend, which maps numbers to positions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mtft.report.drawing import Box, Drawing, Label, Path, shortened

WIDTH = 360.0
"""Width of every figure: that of a phone, so that texts keep their size there."""


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, low < high, with the ticks between them."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def share(self, value: float) -> float:
        """Return the position of a value between low (0) and high (1)."""
        return (value - self.low) / (self.high - self.low)


TINY = 1e-290
"""Spreads below this one count as none: their steps would be too close to the least float."""


def nice_range(values: Iterable[float], *, ticks: int = 5, whole: bool = False) -> Range:
    """Return a range with round ends that holds all finite values; `whole` allows no tick between two integers."""
    finite = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    size = max(abs(low), abs(high))
    if high - low <= size * 1e-12 or high - low < TINY:
        pad = size * 0.1 if size >= TINY else 1.0
        low, high = low - pad, high + pad
    step = _round_step((high - low) / max(ticks - 1, 1))
    step = max(step, 1.0) if whole else step
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return Range(first * step, last * step, tuple(number * step for number in range(first, last + 1)))


def _round_step(rough: float) -> float:
    """Return the least of 1, 2, 5 times a power of ten that is not below `rough`."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))


def written(value: float) -> str:
    """Return the text of a tick: 12,000, 0.25, 1e-5."""
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e")


@dataclass(frozen=True)
class Plot:
    """The area of a chart inside a drawing, in the drawing's units, and its two ranges."""

    left: float
    top: float
    width: float
    height: float
    x: Range
    y: Range

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return the position of a pair of numbers in the drawing."""
        return self.left + self.width * self.x.share(x), self.top + self.height * (1 - self.y.share(y))

    def frame(self, drawing: Drawing, x_name: str, y_name: str) -> None:
        """Draw grid, ticks and the names of the axes."""
        bottom = self.top + self.height
        for tick in self.y.ticks:
            _, y = self.at(self.x.low, tick)
            drawing.add(Path(((self.left, y), (self.left + self.width, y))))
            drawing.add(Label(self.left - 6, y + 4, written(tick), anchor="end", size=11))
        for tick in self.x.ticks:
            x, _ = self.at(tick, self.y.low)
            drawing.add(Path(((x, bottom), (x, bottom + 4)), "muted"))
            drawing.add(Label(x, bottom + 17, written(tick), anchor="middle", size=11))
        drawing.add(Path(((self.left, bottom), (self.left + self.width, bottom)), "muted"))
        drawing.add(Label(self.left + self.width, bottom + 33, x_name, anchor="end"))
        drawing.add(Label(self.left - 6 if len(y_name) < 4 else 4, self.top - 10, y_name))


def legend(drawing: Drawing, entries: Sequence[tuple[str, str]], y: float) -> float:
    """Draw (name, colour) entries from the height `y` on, several per row; return the height below them."""
    x, row = 4.0, 0
    for name, color in entries:
        text = shortened(name, 40)
        width = 26 + 6.6 * len(text)
        if x > 4 and x + width > drawing.width:
            x, row = 4.0, row + 1
        drawing.add(Box(x, y + 18 * row + 2, 10, 10, color), Label(x + 15, y + 18 * row + 11, text))
        x += width
    return y + 18 * (row + 1)
