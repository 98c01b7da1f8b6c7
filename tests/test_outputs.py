"""Outputs: labels become targets or are refused, raw numbers become probabilities and scores."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtft.outputs import Binary, Bounded, Categorical, Ordinal, Output

STARS = Categorical(("0", "1", "2", "3", "4"))
NLI = Categorical(("entailment", "neutral", "contradiction"))
YES = Binary(("0", "1"))
SCORE = Bounded(0.0, 5.0)
RANKS = Ordinal(("low", "middle", "high", "top"))
kinds = pytest.mark.parametrize("output", [STARS, NLI, YES, SCORE, RANKS])
some = settings(max_examples=80, deadline=None)
logits = st.floats(-1e4, 1e4, width=32)


# ---- Labels


@pytest.mark.parametrize(
    ("output", "label", "target"),
    [
        (STARS, "3", 3.0),
        (STARS, "3.0", 3.0),
        (STARS, "-0", 0.0),
        (NLI, "neutral", 1.0),
        (YES, "1.0", 1.0),
        (Binary(("no", "yes")), "yes", 1.0),
        (Categorical(("2", "1")), "1.0", 1.0),
        (SCORE, "4.75", 4.75),
        (SCORE, "0", 0.0),
        (SCORE, "5", 5.0),
        (SCORE, "5e-1", 0.5),
    ],
)
def test_labels_become_targets(output: Output, label: str, target: float) -> None:
    assert output.parse(label) == target


@pytest.mark.parametrize("label", ["5", "-1", "3.5", "good", "", "nan", "inf", "1e400", "3 4"])
def test_a_label_that_is_no_class_is_refused_with_those_allowed(label: str) -> None:
    with pytest.raises(ValueError, match=f"label '{label}' is not one of 0, 1, 2, 3, 4"):
        STARS.parse(label)


def test_class_names_are_taken_as_they_are_written() -> None:
    for label in ("Neutral", "1", "neutral "):
        with pytest.raises(ValueError, match="is not one of entailment, neutral, contradiction"):
            NLI.parse(label)


@pytest.mark.parametrize("label", ["5.0001", "-0.1", "nan", "inf", "high", ""])
def test_a_number_outside_the_range_is_refused_with_the_range(label: str) -> None:
    with pytest.raises(ValueError, match=f"label '{label}' is not a number from 0 to 5"):
        SCORE.parse(label)


@kinds
def test_any_text_is_parsed_or_refused_with_value_error(output: Output) -> None:
    @some
    @given(st.text(max_size=6) | st.floats().map(str) | st.integers().map(str))
    def check(label: str) -> None:
        try:
            target = output.parse(label)
        except ValueError:
            return
        assert 0 <= target <= 5

    check()


# ---- Reading


@some
@given(st.lists(st.lists(logits, min_size=3, max_size=3), min_size=1, max_size=4))
def test_classes_are_read_by_softmax(rows: list[list[float]]) -> None:
    raw = np.array(rows, np.float32)
    found = NLI.read(raw)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found.sum(-1), 1.0)
    np.testing.assert_allclose(found, NLI.read(raw + 8.0), atol=1e-2)
    for row, probabilities in zip(raw.astype(np.float64), found, strict=True):
        expected = [1 / np.exp(np.clip(row - one, None, 700)).sum() for one in row]
        np.testing.assert_allclose(probabilities, expected, rtol=1e-9, atol=1e-300)


@some
@given(st.lists(st.floats(-700, 700, width=32), min_size=1, max_size=4))
def test_no_or_yes_is_read_by_the_sigmoid(values: list[float]) -> None:
    found = YES.read(np.array(values, np.float32)[:, None])
    assert found.shape == (len(values), 2)
    np.testing.assert_allclose(found[:, 1], 1 / (1 + np.exp(-np.array(values))), rtol=1e-12)
    np.testing.assert_allclose(found.sum(-1), 1.0)


def test_an_unlikely_answer_keeps_its_small_probability() -> None:
    found = np.log(Binary().read(np.array([[40.0], [-40.0], [0.0]])))
    np.testing.assert_allclose(found, [[-40.0, 0.0], [0.0, -40.0], [-math.log(2)] * 2], rtol=1e-12, atol=1e-15)


@some
@given(st.lists(logits, min_size=1, max_size=4))
def test_numbers_are_clamped_when_read(values: list[float]) -> None:
    found = SCORE.read(np.array(values, np.float32)[:, None])
    assert found.tolist() == [min(max(value, 0.0), 5.0) for value in values]


@kinds
def test_reading_keeps_the_order_and_huge_numbers_finite(output: Output) -> None:
    raw = np.array([[-3e38] * output.width, [0.0] * output.width, [3e38] * output.width], np.float32)
    raw[:, 0] *= -1
    found = output.read(raw)
    assert len(found) == 3
    assert np.isfinite(found).all()
    for index in range(3):
        np.testing.assert_array_equal(output.read(raw[index : index + 1])[0], found[index])


def test_values_are_pinned() -> None:
    np.testing.assert_allclose(NLI.read(np.log([[1.0, 2.0, 5.0]])), [[0.125, 0.25, 0.625]])
    np.testing.assert_allclose(YES.read(np.log([[3.0]])), [[0.25, 0.75]])


# ---- Presenting and describing


@pytest.mark.parametrize(
    ("output", "value", "expected"),
    [
        (
            NLI,
            [0.2, 0.3, 0.5],
            {"label": "contradiction", "probabilities": dict(zip(NLI.names, [0.2, 0.3, 0.5], strict=True))},
        ),
        (YES, [0.75, 0.25], {"label": "0", "probabilities": {"0": 0.75, "1": 0.25}}),
        (SCORE, 3.25, {"score": 3.25}),
    ],
)
def test_values_are_presented_with_their_names(output: Output, value: Any, expected: dict[str, Any]) -> None:
    assert output.present(np.asarray(value)) == expected


def test_of_equal_classes_the_first_is_named() -> None:
    assert NLI.present(np.full(3, 1 / 3))["label"] == "entailment"


@kinds
def test_descriptions_and_answers_are_plain_json(output: Output) -> None:
    (value,) = output.read(np.zeros((1, output.width), np.float32))
    for mapping in (output.describe(), output.present(value)):
        assert json.loads(json.dumps(mapping)) == mapping
    assert output.describe()["kind"] == output.kind


@kinds
def test_widths_and_metrics_fit_the_kind(output: Output) -> None:
    classes = len(getattr(output, "names", ()))
    assert output.width == {"categorical": classes, "ordinal": classes - 1, "binary": 1, "bounded": 1}[output.kind]
    assert output.metrics


def test_ordinal_zeros_mean_that_all_ranks_are_equally_likely() -> None:
    for classes in range(2, 7):
        output = Ordinal(tuple("abcdef"[:classes]))
        np.testing.assert_allclose(output.read(np.zeros((1, output.width))), np.full((1, classes), 1 / classes))


@some
@given(st.lists(logits, min_size=3, max_size=3), st.floats(0, 100))
def test_a_higher_first_number_never_lowers_the_expected_rank(raw: list[float], more: float) -> None:
    before, after = RANKS.read(np.array([raw, [raw[0] + more, *raw[1:]]]))
    ranks = [RANKS.present(value)["rank"] for value in (before, after)]
    assert 0 <= ranks[0] <= ranks[1] + 1e-9 <= 3 + 2e-9
