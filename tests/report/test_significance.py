"""Quantiles, p values and Holm's correction, beside scipy and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped, unused-ignore]

from mtft.report.significance import SMALLEST, holm, normal_quantile, p_value, reach, student_quantile

TAILS = (0.9, 0.5, 0.05, 0.01, 1e-3, 1e-6)


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 8, 11, 50, 201])
def test_student_quantiles_are_those_of_scipy(freedom: int) -> None:
    found = [student_quantile(tail, freedom) for tail in TAILS]
    np.testing.assert_allclose(found, stats.t.isf(np.array(TAILS) / 2, freedom), rtol=1e-8)


def test_normal_quantiles_are_those_of_scipy() -> None:
    found = [normal_quantile(tail) for tail in (*TAILS, SMALLEST)]
    np.testing.assert_allclose(found, stats.norm.isf(np.array([*TAILS, SMALLEST]) / 2), rtol=1e-8)
    assert normal_quantile(0.05) == pytest.approx(1.959964, abs=1e-6)
    assert student_quantile(0.05, 2) == pytest.approx(4.302653, abs=1e-6)


def test_p_without_seeds_is_the_normal_one_and_with_seeds_alone_students() -> None:
    for distance in (0.1, 1.0, 2.5, 5.0):
        assert p_value(distance, 1.0) == pytest.approx(2 * stats.norm.sf(distance), rel=1e-6)
        assert p_value(distance, 0.0, 1.0, 3) == pytest.approx(2 * stats.t.sf(distance, 3), rel=1e-6)


def test_degenerate_p() -> None:
    assert p_value(0.0, 0.0) == p_value(0.0, 1.0, 1.0, 2) == 1.0
    assert p_value(0.1, 0.0) == pytest.approx(SMALLEST)  # never wrong: no doubt left
    assert p_value(1e6, 1.0) == pytest.approx(SMALLEST)
    assert math.isnan(p_value(math.nan, 1.0))
    assert math.isnan(p_value(1.0, math.nan))


@given(st.floats(0.01, 10), st.floats(0.01, 3), st.floats(0, 3), st.integers(1, 9))
def test_p_is_the_level_at_which_the_interval_reaches_zero(
    distance: float, rows: float, seeds: float, freedom: int
) -> None:
    p = p_value(distance, rows, seeds, freedom)
    if SMALLEST * 2 < p < 0.999:
        assert reach(p, rows, seeds, freedom) == pytest.approx(distance, rel=1e-4)
    assert (p < 0.05) == (reach(0.05, rows, seeds, freedom) < distance)


@given(st.lists(st.one_of(st.floats(0, 1), st.just(math.nan)), max_size=12))
def test_holm_by_its_definition(values: list[float]) -> None:
    """Naively: the largest of (m - rank) p over all p values that are not larger, at most 1."""
    known = sorted(value for value in values if not math.isnan(value))
    for value, corrected in zip(values, holm(values), strict=True):
        if math.isnan(value):
            assert math.isnan(corrected)
            continue
        steps = [(len(known) - rank) * each for rank, each in enumerate(known) if each <= value]
        assert corrected == min(1.0, max(steps[: known.index(value) + 1 + known.count(value) - 1]))


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.02]) == [0.02]
    assert holm([]) == []
    assert holm([0.6, 0.7]) == [1.0, 1.0]


@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=10))
def test_holm_rejects_what_stepping_down_rejects(values: list[float]) -> None:
    """Holm's own procedure: the smallest against .05 / m, the next against .05 / (m - 1), until one fails."""
    rejected: set[int] = set()
    for rank, at in enumerate(np.argsort(values, kind="stable")):
        if values[at] >= 0.05 / (len(values) - rank):
            break
        rejected.add(int(at))
    tied = {at for at, value in enumerate(values) if any(value == values[other] for other in rejected)}
    found = {at for at, value in enumerate(holm(values)) if value < 0.05}
    assert rejected <= found | tied
    assert found <= rejected | tied
    bonferroni = {at for at, value in enumerate(values) if value * len(values) < 0.05}
    assert bonferroni <= found
