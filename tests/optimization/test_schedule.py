"""The learning rate: stairs up, then constant, linear or cosine down."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtft.optimization.schedule import Schedule, learning_rate


def rates(schedule: Schedule, total: int, warmup: int, peak: float = 1.0) -> list[float]:
    return [
        learning_rate(step, peak=peak, total_steps=total, warmup_steps=warmup, schedule=schedule)
        for step in range(total + 2)
    ]


def test_pinned() -> None:
    assert rates("constant", 4, 0) == [1, 1, 1, 1, 1, 1]
    assert rates("linear", 4, 0) == [1, 0.75, 0.5, 0.25, 0, 0]
    assert rates("linear", 6, 2) == pytest.approx([1 / 3, 2 / 3, 1, 0.75, 0.5, 0.25, 0, 0])
    assert rates("cosine", 4, 0) == pytest.approx([1, (1 + 0.5**0.5) / 2, 0.5, (1 - 0.5**0.5) / 2, 0, 0])
    assert rates("constant", 3, 3) == pytest.approx([0.25, 0.5, 0.75, 1, 1])
    assert rates("linear", 3, 3) == pytest.approx([0.25, 0.5, 0.75, 0, 0])
    assert rates("linear", 0, 0) == [0, 0]


@given(
    schedule=st.sampled_from(["constant", "linear", "cosine"]),
    total=st.integers(1, 200),
    share=st.floats(0, 1),
    peak=st.floats(1e-8, 1),
)
def test_it_climbs_to_the_peak_and_falls(schedule: Schedule, total: int, share: float, peak: float) -> None:
    warmup = min(int(share * total), total - 1)
    values = rates(schedule, total, warmup, peak)
    assert values[warmup] == peak == max(values)
    assert values[:warmup] == sorted(set(values[:warmup]))
    assert values[warmup:] == sorted(values[warmup:], reverse=True)
    assert all(value > 0 for value in values[:total])
    assert values[total:] == ([peak, peak] if schedule == "constant" else [0, 0])


@pytest.mark.parametrize(("step", "total", "warmup"), [(-1, 5, 0), (0, 5, 6), (0, 5, -1), (0, -1, 0)])
def test_counts_that_make_no_sense_are_refused(step: int, total: int, warmup: int) -> None:
    with pytest.raises(ValueError, match=f"step {step}, {warmup} warm-up steps of {total}, allowed"):
        learning_rate(step, peak=1.0, total_steps=total, warmup_steps=warmup, schedule="linear")


def test_another_schedule_is_refused() -> None:
    with pytest.raises(ValueError, match="schedule is 'step', allowed: constant, linear, cosine"):
        learning_rate(0, peak=1.0, total_steps=5, warmup_steps=0, schedule="step")  # type: ignore[arg-type]
