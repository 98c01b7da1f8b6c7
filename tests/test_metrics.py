"""Metrics agree with scikit-learn and scipy, with values worked out by hand, and with their own definitions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped, unused-ignore]
from sklearn import metrics as reference  # type: ignore[import-untyped, unused-ignore]

from mtft.errors import ConfigError
from mtft.metrics import METRICS, calibration, confusion, metric
from mtft.outputs import Binary, Bounded, Categorical

Array = NDArray[np.float64]
CLASS_METRICS = ("accuracy", "f1", "mcc", "kappa")
NUMBER_METRICS = ("pearson", "spearman", "mse", "mae")
few = settings(max_examples=30, deadline=None)


def score(name: str, values: Any, targets: Any) -> float:
    return metric(name).function(np.asarray(values, dtype=np.float64), np.asarray(targets, dtype=np.float64))


def certain(predictions: Any, classes: int) -> Array:
    """Probabilities [N, C] that name the classes predicted."""
    return np.asarray(np.eye(classes)[np.asarray(predictions, dtype=np.int64)], dtype=np.float64)


def shuffled(values: Array, targets: Array, seed: int = 3) -> tuple[Array, Array]:
    rows = np.random.default_rng(seed).permutation(len(targets))
    return values[rows], targets[rows]


@st.composite
def labelled(draw: st.DrawFn) -> tuple[Array, Array, int]:
    """Probabilities [N, C] (coarse, so that many are tied), class indices [N] and C."""
    classes, examples = draw(st.integers(2, 6)), draw(st.integers(1, 40))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    weights = random.integers(0, 4, (examples, classes)) + 0.5
    values: Array = weights / weights.sum(axis=1, keepdims=True)
    return values, random.integers(0, classes, examples).astype(np.float64), classes


@st.composite
def scored(draw: st.DrawFn) -> tuple[Array, Array]:
    """Scores and targets [N], neither constant; on a coarse grid (tied) or a fine one."""
    numbers = st.integers(-10, 10) if draw(st.booleans()) else st.integers(-(10**6), 10**6)
    pairs = draw(
        st.lists(st.tuples(numbers, numbers), min_size=2, max_size=40).filter(
            lambda pairs: all(len(set(side)) > 1 for side in zip(*pairs, strict=True))
        )
    )
    table = np.array(pairs, dtype=np.float64) / 8.0
    return table[:, 0], table[:, 1]


# Agreement with scikit-learn and scipy


@few
@given(labelled())
def test_class_metrics_agree_with_scikit_learn(case: tuple[Array, Array, int]) -> None:
    values, targets, classes = case
    predictions = values.argmax(axis=1)
    assert score("accuracy", values, targets) == pytest.approx(reference.accuracy_score(targets, predictions))
    average = "binary" if classes == 2 else "macro"
    expected = reference.f1_score(targets, predictions, average=average, zero_division=0)
    assert score("f1", values, targets) == pytest.approx(expected)


@few
@given(labelled())
def test_mcc_agrees_with_scikit_learn_and_is_zero_for_one_class(case: tuple[Array, Array, int]) -> None:
    values, targets, _ = case
    predictions = values.argmax(axis=1)
    found = score("mcc", values, targets)
    if len({*targets, *predictions}) > 1:
        assert found == pytest.approx(reference.matthews_corrcoef(targets, predictions), abs=1e-12)
    else:
        assert found == 0.0


@few
@given(labelled())
def test_confusion_agrees_with_scikit_learn(case: tuple[Array, Array, int]) -> None:
    values, targets, classes = case
    expected = reference.confusion_matrix(targets, values.argmax(axis=1), labels=range(classes))
    found = confusion(values, targets, classes)
    assert found.dtype == np.int64
    assert found.tolist() == expected.tolist()


@few
@given(scored())
def test_number_metrics_agree_with_scipy_and_scikit_learn(case: tuple[Array, Array]) -> None:
    values, targets = case
    assert score("pearson", values, targets) == pytest.approx(stats.pearsonr(values, targets).statistic, abs=1e-9)
    assert score("spearman", values, targets) == pytest.approx(stats.spearmanr(values, targets).statistic, abs=1e-9)
    assert score("mse", values, targets) == pytest.approx(reference.mean_squared_error(targets, values))
    assert score("mae", values, targets) == pytest.approx(reference.mean_absolute_error(targets, values))


@pytest.mark.parametrize("decimals", [0, 1, 12])
def test_correlations_agree_with_scipy_on_many_examples(decimals: int) -> None:
    random = np.random.default_rng(decimals)
    targets = random.normal(size=5000)
    values = np.round(targets + random.normal(size=5000), decimals)
    targets = np.round(targets, decimals)
    assert score("pearson", values, targets) == pytest.approx(stats.pearsonr(values, targets).statistic, abs=1e-12)
    assert score("spearman", values, targets) == pytest.approx(stats.spearmanr(values, targets).statistic, abs=1e-12)


# Values worked out by hand


def test_two_classes_by_hand() -> None:
    targets, values = [1, 1, 1, 0, 0, 0, 0, 1], certain([1, 1, 0, 1, 0, 0, 0, 0], 2)
    assert confusion(values, np.array(targets) * 1.0, 2).tolist() == [[3, 1], [2, 2]]
    assert score("accuracy", values, targets) == pytest.approx(5 / 8)
    assert score("f1", values, targets) == pytest.approx(2 * 2 / (2 * 2 + 1 + 2))
    assert score("mcc", values, targets) == pytest.approx((2 * 3 - 1 * 2) / math.sqrt(3 * 4 * 4 * 5))


def test_f1_of_more_classes_is_the_mean_over_those_that_occur() -> None:
    targets, predictions = [0, 0, 1, 1], [0, 1, 1, 3]  # class 2 of 5 and class 4 occur nowhere
    class_f1 = (2 / 3, 2 / 4, 0.0)  # classes 0, 1 and 3
    assert score("f1", certain(predictions, 5), targets) == pytest.approx(sum(class_f1) / 3)


def test_f1_of_two_classes_ignores_the_first_class() -> None:
    assert score("f1", certain([0, 0, 0], 2), [0, 0, 1]) == 0.0
    assert score("f1", certain([0, 0], 2), [0, 0]) == 0.0
    assert score("f1", certain([1, 1], 2), [1, 1]) == 1.0


def test_rows_of_confusion_are_truth() -> None:
    assert confusion(certain([2], 3), np.array([1.0]), 3).tolist() == [[0, 0, 0], [0, 0, 1], [0, 0, 0]]


def test_first_of_equal_probabilities_is_predicted() -> None:
    assert score("accuracy", [[0.5, 0.5], [0.5, 0.5]], [0, 1]) == 0.5


def test_numbers_by_hand() -> None:
    values, targets = [1.0, 2.0, 3.0, 6.0], [1.0, 3.0, 2.0, 4.0]
    assert score("mse", values, targets) == pytest.approx((0 + 1 + 1 + 4) / 4)
    assert score("mae", values, targets) == pytest.approx((0 + 1 + 1 + 2) / 4)
    assert score("pearson", values, targets) == pytest.approx(7 / math.sqrt(14 * 5))
    assert score("spearman", values, targets) == pytest.approx(1 - 6 * 2 / (4 * 15))


def test_ties_share_their_average_rank() -> None:
    # ranks 1.5 1.5 3 4 against 1 2 3 4: covariance 4.5, variances 4.5 and 5
    assert score("spearman", [7, 7, 8, 9], [1, 2, 3, 4]) == pytest.approx(4.5 / math.sqrt(4.5 * 5))


def test_perfect_predictions_score_one() -> None:
    targets = [0, 1, 2, 2, 1]
    for name in CLASS_METRICS:
        assert score(name, certain(targets, 3), targets) == pytest.approx(1.0)
    for name in ("pearson", "spearman"):
        assert score(name, targets, targets) == pytest.approx(1.0)
        assert score(name, targets, [-t for t in targets]) == pytest.approx(-1.0)
    for name in ("mse", "mae"):
        assert score(name, targets, targets) == 0.0


# Degenerate cases: a number or nan, and never a warning (pytest turns warnings into errors)


@pytest.mark.parametrize("name", sorted(METRICS))
@pytest.mark.parametrize("shape", [(0,), (0, 3)])
def test_no_examples_score_nan(name: str, shape: tuple[int, ...]) -> None:
    assert math.isnan(score(name, np.zeros(shape), []))


@pytest.mark.parametrize("name", ["pearson", "spearman"])
@pytest.mark.parametrize(
    ("values", "targets"),
    [
        ([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]),
        ([1.0, 2.0, 3.0], [0.1, 0.1, 0.1]),  # the mean of three 0.1 is not 0.1
        ([0.1] * 7, [0.3] * 7),
        ([2.0], [3.0]),
    ],
)
def test_correlation_with_a_constant_is_nan(name: str, values: list[float], targets: list[float]) -> None:
    assert math.isnan(score(name, values, targets))


def test_correlation_of_two_examples_is_their_direction() -> None:
    for name in ("pearson", "spearman"):
        assert score(name, [1.0, 2.0], [5.0, 9.0]) == pytest.approx(1.0)
        assert score(name, [1.0, 2.0], [9.0, 5.0]) == pytest.approx(-1.0)


@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1e200])
def test_correlation_holds_for_tiny_and_huge_numbers(scale: float) -> None:
    values = np.array([1.0, 2.0, 4.0]) * scale
    assert score("pearson", values, [1.0, 3.0, 2.0]) == pytest.approx(score("pearson", [1, 2, 4], [1, 3, 2]))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_score_nan(bad: float) -> None:
    for name in NUMBER_METRICS:
        assert math.isnan(score(name, [bad, 1.0, 2.0], [1.0, 2.0, 3.0]))
        assert math.isnan(score(name, [1.0, 2.0, 3.0], [1.0, bad, 3.0]))
    values = [[0.2, 0.8], [bad, 0.5]]
    for name in CLASS_METRICS:
        assert math.isnan(score(name, values, [1, 0]))
    assert confusion(np.array(values), np.array([1.0, 0.0]), 2).tolist() == [[0, 0], [0, 1]]


def test_confusion_of_no_examples_is_all_zeros() -> None:
    assert confusion(np.zeros(0), np.zeros(0), 3).tolist() == [[0] * 3] * 3


@pytest.mark.parametrize("target", [-1.0, 2.0, 0.5, math.nan])
def test_targets_that_are_no_classes_are_refused(target: float) -> None:
    with pytest.raises(ValueError, match="class indices from 0 to 1"):
        confusion(certain([0, 1], 2), np.array([0.0, target]), 2)


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="not of the same examples"):
        score("accuracy", certain([0, 1], 2), [0])
    with pytest.raises(ValueError, match="probabilities of 3 classes, found 2"):
        confusion(certain([0, 1], 2), np.array([0.0, 1.0]), 3)
    for name in CLASS_METRICS:
        with pytest.raises(ConfigError, match="needs probabilities"):
            score(name, [0.5, 1.0], [0, 1])
    for name in NUMBER_METRICS:
        with pytest.raises(ConfigError, match="needs scores"):
            score(name, certain([0, 1], 2), [0, 1])


# The registry


def test_registry_names_its_metrics() -> None:
    assert set(METRICS) == {*CLASS_METRICS, *NUMBER_METRICS}
    for name, entry in METRICS.items():
        assert entry.name == name
        assert entry.description
        assert entry.higher_is_better == (name not in ("mse", "mae"))


def test_unknown_metric_gets_a_hint() -> None:
    with pytest.raises(ConfigError, match=r"unknown metric 'acuracy'; did you mean 'accuracy'\?"):
        metric("acuracy")


@pytest.mark.parametrize(
    ("output", "raw", "targets"),
    [
        (Categorical(("a", "b", "c")), [[3.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 3.0]], [0, 1, 2]),
        (Binary(), [[3.0], [-3.0], [1.0]], [1, 0, 1]),
        (Bounded(0.0, 5.0), [[-1.0], [2.0], [7.0]], [0, 2, 5]),
    ],
)
def test_outputs_name_metrics_that_take_their_values(output: Any, raw: list[list[float]], targets: list[int]) -> None:
    for name in output.metrics:
        assert score(name, output.read(np.array(raw)), targets) == pytest.approx(1.0)


# Properties


@few
@given(labelled(), scored())
def test_order_of_examples_does_not_matter(classes: tuple[Array, Array, int], numbers: tuple[Array, Array]) -> None:
    for names, values, targets in ((CLASS_METRICS, *classes[:2]), (NUMBER_METRICS, *numbers)):
        for name in names:
            assert score(name, *shuffled(values, targets)) == pytest.approx(score(name, values, targets), abs=1e-12)


@few
@given(scored(), st.floats(0.01, 100), st.floats(-100, 100))
def test_pearson_ignores_scale_and_offset(case: tuple[Array, Array], scale: float, offset: float) -> None:
    values, targets = case
    moved = score("pearson", values * scale + offset, targets)
    assert moved == pytest.approx(score("pearson", values, targets), abs=1e-6)
    assert score("pearson", -values, targets) == pytest.approx(-score("pearson", values, targets), abs=1e-12)


@few
@given(scored())
def test_spearman_depends_on_order_only(case: tuple[Array, Array]) -> None:
    values, targets = case
    assert score("spearman", values**3, targets) == pytest.approx(score("spearman", values, targets), abs=1e-12)


@few
@given(scored())
def test_correlations_are_symmetric_and_within_one(case: tuple[Array, Array]) -> None:
    for name in ("pearson", "spearman"):
        found = score(name, *case)
        assert -1.0 <= found <= 1.0
        assert found == pytest.approx(score(name, *case[::-1]), abs=1e-12)


@few
@given(labelled())
def test_renaming_classes_keeps_accuracy_and_mcc(case: tuple[Array, Array, int]) -> None:
    _, targets, classes = case
    predictions = case[0].argmax(axis=1)
    order = np.random.default_rng(0).permutation(classes)
    for name in ("accuracy", "mcc"):
        renamed = score(name, certain(order[predictions], classes), order[targets.astype(int)])
        assert renamed == pytest.approx(score(name, certain(predictions, classes), targets), abs=1e-12)


# Calibration


def test_calibration_by_hand() -> None:
    values = np.array([[0.05, 0.95], [0.93, 0.07], [0.6, 0.4], [0.38, 0.62]])
    found = calibration(values, np.array([1.0, 1.0, 0.0, 1.0]), bins=5)
    assert found.edges.tolist() == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert found.counts.tolist() == [0, 0, 1, 1, 2]
    assert found.confidence.tolist() == pytest.approx([math.nan, math.nan, 0.6, 0.62, 0.94], nan_ok=True)
    assert found.accuracy.tolist() == pytest.approx([math.nan, math.nan, 1.0, 1.0, 0.5], nan_ok=True)
    assert found.ece == pytest.approx((0.4 + 0.38 + 2 * 0.44) / 4)


def test_exactly_calibrated_predictions_have_no_error() -> None:
    values = np.array([[0.75, 0.25]] * 4 + [[0.0, 1.0]] * 3)
    found = calibration(values, np.array([0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0]))
    assert found.ece == pytest.approx(0.0, abs=1e-12)


def test_sampled_calibrated_predictions_have_little_error_and_overconfident_ones_much() -> None:
    random = np.random.default_rng(0)
    yes = random.uniform(size=50_000)
    targets = (random.uniform(size=yes.size) < yes).astype(np.float64)
    assert calibration(np.stack([1 - yes, yes], axis=1), targets).ece < 0.01
    sure = np.where(yes > 0.5, 0.999, 0.001)
    assert calibration(np.stack([1 - sure, sure], axis=1), targets).ece == pytest.approx(0.249, abs=0.01)


@few
@given(labelled(), st.integers(1, 20))
def test_bins_hold_every_example_and_agree_with_the_definition(case: tuple[Array, Array, int], bins: int) -> None:
    values, targets, _ = case
    found = calibration(values, targets, bins)
    top, right = values.max(axis=1), values.argmax(axis=1) == targets
    assert found.counts.sum() == len(targets)
    assert np.nansum(found.counts * found.accuracy) / len(targets) == pytest.approx(score("accuracy", values, targets))
    ece = 0.0
    for k in range(bins):
        inside = (top > found.edges[k]) & (top <= found.edges[k + 1])
        assert found.counts[k] == inside.sum()
        ece += abs(float(right[inside].sum()) - float(top[inside].sum())) / len(targets)
    assert found.ece == pytest.approx(ece, abs=1e-12)
    assert 0.0 <= found.ece <= 1.0
    assert calibration(*shuffled(values, targets), bins).ece == pytest.approx(found.ece, abs=1e-12)


@few
@given(labelled())
def test_one_bin_compares_accuracy_with_mean_confidence(case: tuple[Array, Array, int]) -> None:
    values, targets, _ = case
    expected = abs(score("accuracy", values, targets) - values.max(axis=1).mean())
    assert calibration(values, targets, bins=1).ece == pytest.approx(expected, abs=1e-12)


def test_calibration_of_certainty_and_of_rounding_above_one_is_in_the_last_bin() -> None:
    values = np.array([[1.0, 0.0], [1.0 + 1e-12, 0.0]])
    assert calibration(values, np.zeros(2)).counts.tolist() == [0] * 9 + [2]


def test_calibration_without_examples_or_with_nan_says_nan() -> None:
    for shape in ((0,), (0, 3)):
        empty = calibration(np.zeros(shape), np.zeros(0))
        assert math.isnan(empty.ece)
        assert empty.counts.tolist() == [0] * 10
    found = calibration(np.array([[0.9, 0.1], [math.nan, math.nan]]), np.zeros(2))
    assert math.isnan(found.ece)
    assert found.counts.sum() == 1


def test_calibration_refuses_what_it_cannot_bin() -> None:
    with pytest.raises(ConfigError, match="bins must be at least 1"):
        calibration(certain([0], 2), np.zeros(1), bins=0)
    with pytest.raises(ConfigError, match="needs probabilities"):
        calibration(np.zeros(2), np.zeros(2))


@few
@given(st.integers(2, 6), st.integers(1, 40), st.integers(0, 2**31))
def test_kappa_is_that_of_scikit_learn(classes: int, rows: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    targets = generator.integers(classes, size=rows).astype(np.float64)
    values = generator.random((rows, classes))
    found = METRICS["kappa"].function(values, targets)
    predicted = values.argmax(axis=1)
    if len({*targets.tolist(), *predicted.tolist()}) == 1:  # 0/0: scikit-learn warns
        assert found == 0.0
    else:
        expected = reference.cohen_kappa_score(targets, predicted, weights="quadratic", labels=list(range(classes)))
        assert found == pytest.approx(expected, abs=1e-12)


def test_kappa_knows_how_far_off_a_rank_is() -> None:
    near, far = np.eye(3)[[0, 1, 1]], np.eye(3)[[0, 1, 0]]
    targets = np.array([0, 1, 2])
    assert METRICS["kappa"].function(np.eye(3), targets) == 1.0
    assert METRICS["kappa"].function(near, targets) > METRICS["kappa"].function(far, targets)
