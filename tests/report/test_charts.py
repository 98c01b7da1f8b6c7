"""Charts: every number that is given is drawn where it belongs, and what is no number is not."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from mtft.metrics import calibration
from mtft.report.charts import Series, Whisker, interval_chart, line_chart, reliability_chart
from mtft.report.drawing import Box, Dot, Drawing, Label, Path
from mtft.report.heatmaps import Cell, Heatmap

NAN = math.nan


def inside(drawing: Drawing) -> bool:
    """Tell whether all shapes lie on the drawing."""
    places = [point for shape in drawing.shapes if isinstance(shape, Path) for point in shape.points]
    places += [(shape.x, shape.y) for shape in drawing.shapes if not isinstance(shape, Path)]
    places += [(s.x + s.width, s.y + s.height) for s in drawing.shapes if isinstance(s, Box)]
    return all(-0.01 <= x <= drawing.width + 0.01 and -0.01 <= y <= drawing.height + 0.01 for x, y in places)


def lines(drawing: Drawing) -> list[Path]:
    return [shape for shape in drawing.shapes if isinstance(shape, Path) and shape.color.startswith("series")]


def test_lines_go_up_where_numbers_do_and_break_where_there_are_none() -> None:
    points = ((0.0, 0.0), (1.0, 1.0), (2.0, NAN), (3.0, 1.0), (4.0, 2.0))
    drawing = line_chart("title", [Series("a", points, marked=4), Series("b", ((0.0, 5.0),), 1)], "step", "loss")
    assert inside(drawing)
    first, second = lines(drawing)
    for line in (first, second):
        (x0, y0), (x1, y1) = line.points
        assert x0 < x1
        assert y0 > y1
    dots = [shape for shape in drawing.shapes if isinstance(shape, Dot)]
    assert len(dots) == 4 + 1 + 1  # the ring of the marked one, and b's only point
    assert "a: 2.0000 at 4, the best" in [dot.title for dot in dots]
    assert "b: from 5 at step 0 to 5 at step 0" in drawing.description


@pytest.mark.parametrize("points", [(), ((1.0, NAN),), ((0.0, 0.0),), ((5.0, 1e15), (6.0, -1e15))])
def test_degenerate_lines(points: tuple[tuple[float, float], ...]) -> None:
    assert inside(line_chart("title", [Series("a", points)], "step", "loss"))


def test_whiskers_span_their_intervals() -> None:
    whiskers = [Whisker("sst", 0, 0.5, 0.4, 0.7), Whisker("sst", 1, 0.6, NAN, NAN), Whisker("sts", 0, NAN, NAN, NAN)]
    drawing = interval_chart("title", whiskers, ["a", "b"], "score")
    assert inside(drawing)
    span, *_ = lines(drawing)
    (low, y), (high, _) = span.points
    dots = [shape for shape in drawing.shapes if isinstance(shape, Dot)]
    assert len(dots) == 2
    assert dots[0].y == y
    assert (dots[0].x - low) / (high - low) == pytest.approx(1 / 3)
    assert drawing.description == "sst: 0.5000, from 0.4000 to 0.7000; sst: 0.6000; sts: nan"


def test_bars_are_as_high_as_the_accuracy() -> None:
    values = np.array([[0.9, 0.1]] * 10 + [[0.35, 0.65]] * 4)
    targets = np.array([0.0] * 9 + [1.0] + [1.0, 1.0, 0.0, 0.0])
    drawing = reliability_chart("title", calibration(values, targets))
    assert inside(drawing)
    bars = [shape for shape in drawing.shapes if isinstance(shape, Box) and shape.color == "cool"]
    assert [bar.title for bar in bars] == [
        "confidence 0.65, accuracy 0.50, 4 examples",
        "confidence 0.90, accuracy 0.90, 10 examples",
    ]
    assert bars[0].height / bars[1].height == pytest.approx(0.5 / 0.9)


def test_cells_show_strength_and_sign() -> None:
    cells = [[Cell(1, "7", "seven"), Cell(-0.5, "x" * 99, "half")], [Cell(0), Cell(NAN, "?")]]
    drawing = Heatmap("title", "words", ["a", "b"], ["c", "d" * 99], cells, "x", "y").draw()
    assert inside(drawing)
    boxes = [shape for shape in drawing.shapes if isinstance(shape, Box) and shape.color != "grid"]
    assert [(box.color, box.title) for box in boxes] == [("cool", "seven"), ("warm", "half")]
    assert [box.opacity for box in boxes] == pytest.approx([0.85, 0.425])
    texts = [shape.text for shape in drawing.shapes if isinstance(shape, Label)]
    assert "7" in texts
    assert "x" * 99 not in texts  # no room: the title has it
    assert not any(len(text) > 40 for text in texts)


def test_names_of_points_in_time_do_not_run_into_each_other() -> None:
    names = [str(step) for step in range(1000, 25000, 1000)]
    drawing = Heatmap("t", "", ["a"], names, [[Cell(0)] * 24], ordered=True).draw()
    labels = [shape for shape in drawing.shapes if isinstance(shape, Label) and shape.text in names]
    assert 2 <= len(labels) < 24
    for left, right in pairwise(labels):
        assert right.x - left.x >= 6.4 * len(right.text)
