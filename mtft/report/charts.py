"""Charts of lines, intervals and calibration, as drawings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mtft.metrics import Calibration
from mtft.report.axes import WIDTH, Plot, Range, legend, nice_range
from mtft.report.drawing import SERIES, Box, Dot, Drawing, Label, Path, shortened

UNIT = Range(0.0, 1.0, (0.0, 0.2, 0.4, 0.6, 0.8, 1.0))


@dataclass(frozen=True)
class Series:
    """A line through (x, y) points; nan interrupts it. `number` sets its colour, `marked` is a point to highlight."""

    name: str
    points: tuple[tuple[float, float], ...]
    number: int = 0
    dots: bool = True
    marked: int | None = None


def series_color(number: int) -> str:
    """Return the colour of the n-th series, from 0; they repeat."""
    return SERIES[number % len(SERIES)]


def line_chart(title: str, series: Sequence[Series], x_name: str, y_name: str, *, by_step: bool = True) -> Drawing:
    """Return a drawing of lines over a common x, which starts at 0; one series gets no legend."""
    drawing = Drawing(WIDTH, 222, title, _in_words(series, x_name, y_name))
    top = 26.0
    if len(series) > 1:
        top = 26 + legend(drawing, [(each.name, series_color(each.number)) for each in series], 0)
        drawing.height += top - 26
    xs = [x for each in series for x, _ in each.points] + [0.0] * by_step
    ys = [y for each in series for _, y in each.points]
    plot = Plot(44, top, WIDTH - 62, 156, nice_range(xs, whole=by_step), nice_range(ys))
    plot.frame(drawing, x_name, y_name)
    for each in series:
        _line(drawing, plot, each, series_color(each.number), f"{each.name}: " if len(series) > 1 else "")
    return drawing


def _line(drawing: Drawing, plot: Plot, series: Series, color: str, prefix: str) -> None:
    part: list[tuple[float, float]] = []
    for x, y in (*series.points, (math.nan, math.nan)):
        if math.isfinite(x) and math.isfinite(y):
            part.append(plot.at(x, y))
            continue
        if len(part) > 1:
            drawing.add(Path(tuple(part), color, 2.0 if series.dots else 1.6))
        part = []
    for number, (x, y) in enumerate(series.points):
        if not (math.isfinite(x) and math.isfinite(y)):
            continue
        marked = number == series.marked
        if series.dots or marked or len(series.points) == 1:
            position, text = plot.at(x, y), f"{prefix}{y:.4f} at {x:g}{', the best' if marked else ''}"
            drawing.add(Dot(*position, 6.5 if marked else 4, color, text))
            if marked:
                drawing.add(Dot(*position, 2.5, "surface", text))


def _in_words(series: Sequence[Series], x_name: str, y_name: str) -> str:
    parts = []
    for each in series:
        points = [(x, y) for x, y in each.points if math.isfinite(y)]
        if points:
            (x0, y0), (x1, y1) = points[0], points[-1]
            parts.append(f"{each.name}: from {y0:.4g} at {x_name} {x0:g} to {y1:.4g} at {x_name} {x1:g}")
    return f"{y_name} by {x_name}. {'; '.join(parts)}."


@dataclass(frozen=True)
class Whisker:
    """A value with its interval (low and high are nan without one); `series` sets its colour."""

    row: str
    series: int
    value: float
    low: float
    high: float


def interval_chart(title: str, whiskers: Sequence[Whisker], names: Sequence[str], x_name: str) -> Drawing:
    """Return a drawing with a dot and a line per whisker, grouped by row; `names` are those of the series."""
    drawing = Drawing(WIDTH, 0, title, "; ".join(map(_whisker_text, whiskers)))
    top = legend(drawing, [(name, series_color(at)) for at, name in enumerate(names)], 0) if len(names) > 1 else 0
    numbers = [number for each in whiskers for number in (each.value, each.low, each.high)]
    heights = [18.0 + 10 * (at > 0 and each.row != whiskers[at - 1].row) for at, each in enumerate(whiskers)]
    plot = Plot(96, top + 10, WIDTH - 116, sum(heights) + 8, nice_range(numbers), Range(0, 1, ()))
    drawing.height = plot.top + plot.height + 40
    for tick in plot.x.ticks:
        x, _ = plot.at(tick, 0)
        drawing.add(Path(((x, plot.top), (x, plot.top + plot.height))))
    plot.frame(drawing, x_name, "")
    y, former = plot.top - 2.0, ""
    for each, height in zip(whiskers, heights, strict=True):
        y += height
        if each.row != former:
            drawing.add(Label(88, y, shortened(each.row, 13), "ink", anchor="end"))
        former = each.row
        _whisker(drawing, plot, each, y - 4)
    return drawing


def _whisker(drawing: Drawing, plot: Plot, each: Whisker, y: float) -> None:
    if not math.isfinite(each.value):
        return
    color = series_color(each.series)
    if math.isfinite(each.low) and math.isfinite(each.high):
        ends = ((plot.at(each.low, 0)[0], y), (plot.at(each.high, 0)[0], y))
        drawing.add(Path(ends, color, 2.0, title=_whisker_text(each)))
        drawing.add(*(Path(((x, y - 4), (x, y + 4)), color, 2.0) for x, _ in ends))
    drawing.add(Dot(plot.at(each.value, 0)[0], y, 5, color, _whisker_text(each)))


def _whisker_text(each: Whisker) -> str:
    interval = f", from {each.low:.4f} to {each.high:.4f}" if math.isfinite(each.low) else ""
    return f"{each.row}: {each.value:.4f}{interval}"


def reliability_chart(title: str, reliability: Calibration) -> Drawing:
    """Return a drawing of accuracy per bin of confidence, and below it the number of examples per bin."""
    most = max(int(reliability.counts.max()), 1)
    drawing = Drawing(WIDTH, 290, title, f"Expected calibration error {reliability.ece:.4f}. Accuracy by confidence.")
    plot = Plot(44, 26, WIDTH - 62, 170, UNIT, UNIT)
    plot.frame(drawing, "", "accuracy")
    base = plot.top + plot.height
    for at, count in enumerate(reliability.counts.tolist()):
        if not count:
            continue
        left, right = (plot.at(float(edge), 0)[0] for edge in reliability.edges[at : at + 2])
        sure, right_share = float(reliability.confidence[at]), float(reliability.accuracy[at])
        text = f"confidence {sure:.2f}, accuracy {right_share:.2f}, {count:,} examples"
        y = plot.at(0, right_share)[1]
        drawing.add(Box(left + 1, y, right - left - 2, base - y, "cool", title=text))
        size = 34 * count / most
        drawing.add(Box(left + 1, base + 64 - size, right - left - 2, size, "muted", 0.55, text))
    drawing.add(Path((plot.at(0, 0), plot.at(1, 1)), "ink", 1.5, (4, 4)))
    drawing.add(Label(4, base + 64, "examples"))
    drawing.add(Label(WIDTH - 18, base + 82, "confidence of the prediction", anchor="end"))
    return drawing
