"""Temperatures: the least likelihood by scipy's word, labels as they were, and sane where there is nothing to fit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize_scalar

from mtft.metrics import calibration
from mtft.model.calibration import HIGHEST, LOWEST, can_calibrate, fit_temperature, negative_log_likelihood
from mtft.outputs import Binary, Bounded, Categorical, Ordinal, Tempered

FIVE, TWO = Categorical(("a", "b", "c", "d", "e")), Binary()
Kind = Categorical | Binary


def draw(output: Kind, sharpness: float, seed: int = 0, count: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Draw logits and classes that fit them, then make the logits too sharp by a factor."""
    generator = np.random.default_rng(seed)
    raw = generator.normal(size=(count, output.width)) * 2
    chances = output.read(raw).cumsum(axis=1)
    targets = (generator.random((count, 1)) > chances).sum(axis=1).clip(0, chances.shape[1] - 1)
    return (raw * sharpness).astype(np.float32), targets.astype(np.float64)


def loss(output: Kind, temperature: float, raw: np.ndarray, targets: np.ndarray) -> float:
    return negative_log_likelihood(Tempered(output, temperature).read(raw), targets)


@pytest.mark.parametrize("output", [FIVE, TWO], ids=["five", "two"])
@pytest.mark.parametrize("sharpness", [0.2, 1.0, 3.0, 9.0])
def test_it_is_the_least_and_undoes_what_was_done(output: Kind, sharpness: float) -> None:
    raw, targets = draw(output, sharpness)
    found = fit_temperature(output, raw, targets)
    oracle = minimize_scalar(
        lambda log: loss(output, np.exp(log), raw, targets),
        bounds=np.log([LOWEST, HIGHEST]),
        method="bounded",
        options={"xatol": 1e-9},
    )
    assert found == pytest.approx(np.exp(oracle.x), rel=1e-4)
    assert loss(output, found, raw, targets) <= oracle.fun + 1e-12
    assert found == pytest.approx(sharpness, rel=0.35)


def test_a_model_that_is_too_sure_becomes_better_calibrated() -> None:
    raw, targets = draw(FIVE, 5.0)
    found = fit_temperature(FIVE, raw, targets)
    before, after = (calibration(each.read(raw), targets).ece for each in (FIVE, Tempered(FIVE, found)))
    assert after < before / 3


@settings(max_examples=60)
@given(
    arrays(np.float32, (7, 5), elements=st.floats(-1e4, 1e4, width=32)),
    st.floats(LOWEST, HIGHEST),
)
def test_labels_never_change(raw: np.ndarray, temperature: float) -> None:
    for output in (FIVE, TWO):
        numbers = raw[:, : output.width]
        plain, tempered = output.read(numbers), Tempered(output, temperature).read(numbers)
        np.testing.assert_array_equal(tempered.argmax(axis=1), plain.argmax(axis=1))
        np.testing.assert_allclose(tempered.sum(axis=1), 1)
        for one, other in zip(plain, tempered, strict=True):
            assert Tempered(output, temperature).present(other)["label"] == output.present(one)["label"]


def test_numbers_that_rounding_makes_equal_keep_their_label() -> None:
    raw = np.array([[0.0, 0.0, 3e-16, 0.0, 0.0]])
    assert FIVE.read(raw).argmax() == 2
    assert Tempered(FIVE, HIGHEST).read(raw).argmax() == 2


@pytest.mark.parametrize(
    ("raw", "targets", "expected"),
    [
        ([[9.0], [-9.0]], [1, 0], LOWEST),
        ([[9.0], [-9.0]], [0, 1], HIGHEST),
        ([[0.0], [0.0]], [0, 1], 1.0),
        ([[1e30], [-1e30]], [1, 0], 1.0),
        ([[1e30], [-1e30]], [0, 1], HIGHEST),
        ([[np.nan], [np.inf]], [0, 1], 1.0),
        (np.zeros((0, 1)), [], 1.0),
    ],
    ids=["all right", "all wrong", "no answer", "huge and right", "huge and wrong", "not finite", "nothing"],
)
def test_where_there_is_nothing_to_fit(raw: list[list[float]], targets: list[int], expected: float) -> None:
    assert fit_temperature(TWO, np.array(raw), np.array(targets, float)) == expected


def test_only_softmax_and_sigmoid_have_a_temperature() -> None:
    assert [can_calibrate(output) for output in (FIVE, TWO, Ordinal(("1", "2")), Bounded(0, 5))] == [
        True,
        True,
        False,
        False,
    ]


def test_a_tempered_output_is_otherwise_the_one_that_it_wraps() -> None:
    tempered = Tempered(FIVE, 2.0)
    assert (tempered.kind, tempered.width, tempered.metrics) == (FIVE.kind, FIVE.width, FIVE.metrics)
    assert (tempered.describe(), tempered.parse("c")) == (FIVE.describe(), 2.0)
    assert negative_log_likelihood(np.array([[0.25, 0.75]]), np.array([1.0])) == pytest.approx(-np.log(0.75))
    assert negative_log_likelihood(np.array([[1.0, 0.0]]), np.array([1.0])) < 1000
