"""Factors of the tasks' gradients."""

from __future__ import annotations

import pytest

from mtft.optimization.scaling import LARGEST, Scaling


def test_without_settings_every_task_counts_as_it_is() -> None:
    assert [Scaling().factor("sst", loss) for loss in (0.0, 1e-9, 3.0, -1.0)] == [1.0] * 4


def test_the_logarithm_divides_by_the_loss() -> None:
    scaling = Scaling("log", {"sts": 3.0})
    assert scaling.factor("sst", 1.6) == pytest.approx(1 / 1.6)
    assert scaling.factor("sts", 4.0) == pytest.approx(0.75)


@pytest.mark.parametrize(("loss", "expected"), [(1e-9, LARGEST), (0.0, 1.0), (-2.0, 1.0)])
def test_losses_without_a_useful_logarithm(loss: float, expected: float) -> None:
    assert Scaling("log").factor("sst", loss) == expected
