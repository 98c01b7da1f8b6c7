"""Scales: round ends that hold what they must."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtft.report.axes import WIDTH, Plot, legend, nice_range, written
from mtft.report.drawing import Drawing

NUMBERS = st.floats(-1e9, 1e9).filter(lambda value: value == 0 or abs(value) > 1e-9)


@given(st.lists(NUMBERS, min_size=1, max_size=20), st.integers(2, 8), st.booleans())
def test_a_range_holds_its_values_with_few_ticks(values: list[float], ticks: int, whole: bool) -> None:
    found = nice_range(values, ticks=ticks, whole=whole)
    slack = 1e-6 * max(map(abs, values), default=1) + 1e-9
    assert found.low - slack <= min(values)
    assert max(values) <= found.high + slack
    assert found.low < found.high
    assert (found.ticks[0], found.ticks[-1]) == (found.low, found.high)
    assert 2 <= len(found.ticks) <= ticks + 3
    if whole:
        assert all(tick == round(tick) for tick in found.ticks)


@pytest.mark.parametrize("values", [[], [math.nan], [math.inf, math.nan]])
def test_without_numbers_there_is_still_a_range(values: list[float]) -> None:
    assert (nice_range(values).low, nice_range(values).high) == (0.0, 1.0)


@pytest.mark.parametrize("values", [[0.0, 5e-324], [1e-300, 2e-300], [1.0, 1.0 + 2**-52], [-5e-324, 5e-324]])
def test_values_that_hardly_differ_have_a_range(values: list[float]) -> None:
    found = nice_range(values)
    assert found.low < min(values) < max(values) < found.high


def test_pinned_ranges() -> None:
    assert nice_range([0.4251, 0.8834]).ticks == pytest.approx((0.4, 0.6, 0.8, 1.0))
    assert nice_range([0, 756], whole=True).ticks == (0, 200, 400, 600, 800)
    assert (nice_range([3.0]).low, nice_range([3.0]).high) == pytest.approx((2.6, 3.4))


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.25, "0.25"), (12000, "12,000"), (1e-5, "1e-5"), (2.0, "2"), (3e7, "3e7")]
)
def test_ticks_are_short(value: float, text: str) -> None:
    assert written(value) == text


def test_ends_of_ranges_lie_at_the_corners() -> None:
    plot = Plot(40, 20, 300, 100, nice_range([0, 10]), nice_range([0, 1]))
    assert plot.at(0, 0) == (40, 120)
    assert plot.at(10, 1) == (340, 20)


def test_a_legend_that_is_too_long_goes_on_below() -> None:
    drawing = Drawing(WIDTH, 100, "x")
    assert legend(drawing, [("short", "series-1")], 0) == 18
    assert legend(drawing, [("a rather long name of a run", "series-1")] * 3, 0) > 18
