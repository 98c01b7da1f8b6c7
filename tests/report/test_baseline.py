"""Constant answers and doubts, against scikit-learn's dummy models and worked-out values."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from commands import Done, cli, summary
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error, mean_squared_error

from mtft.metrics import METRICS, metric
from mtft.report.baseline import baseline, doubt
from mtft.report.bootstrap import bootstrap_interval

UNKNOWN = (math.nan, math.nan)


def probabilities(answers: list[int], classes: int) -> np.ndarray:
    """Return probabilities [N, C] whose largest is that of each answer."""
    found = np.full((len(answers), classes), 0.1)
    found[np.arange(len(answers)), answers] = 0.8
    return found


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 2), min_size=1, max_size=40))
def test_classes_score_as_scikit_learns_most_frequent_class(labels: list[int]) -> None:
    targets = np.array(labels, dtype=np.float64)
    values = probabilities(labels, 3)
    dummy = DummyClassifier(strategy="prior").fit(np.zeros((len(labels), 1)), targets)
    answers = dummy.predict(np.zeros((len(labels), 1)))
    assert baseline("accuracy", values, targets) == pytest.approx(accuracy_score(targets, answers))
    assert baseline("f1", values, targets) == pytest.approx(f1_score(targets, answers, average="macro"))
    assert baseline("mcc", values, targets) == 0.0


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=2, max_size=40))
def test_numbers_score_as_scikit_learns_mean(labels: list[float]) -> None:
    targets = np.array(labels)
    answers = DummyRegressor().fit(np.zeros((len(labels), 1)), targets).predict(np.zeros((len(labels), 1)))
    assert baseline("mse", targets, targets) == pytest.approx(mean_squared_error(targets, answers), abs=1e-12)
    assert baseline("mae", targets, targets) == pytest.approx(mean_absolute_error(targets, answers), abs=1e-12)


def test_f1_of_two_classes_is_that_of_the_better_constant() -> None:
    targets = np.array([0.0] * 98 + [1.0] * 2)
    values = probabilities([0] * 100, 2)
    assert baseline("accuracy", values, targets) == 0.98
    assert baseline("f1", values, targets) == pytest.approx(2 * 2 / (2 + 100))


def test_a_correlation_with_a_constant_counts_as_none() -> None:
    targets = np.array([1.0, 2.0, 4.0])
    assert baseline("pearson", targets, targets) == 0.0
    assert baseline("spearman", targets, targets) == 0.0
    assert math.isnan(baseline("pearson", targets, np.full(3, 2.5)))
    assert math.isnan(baseline("pearson", targets[:0], targets[:0]))


def test_no_constant_is_better_than_the_baseline() -> None:
    random = np.random.default_rng(0)
    targets = random.integers(0, 2, 50).astype(np.float64)
    for name in ("accuracy", "f1"):
        scores = [metric(name).function(probabilities([each] * 50, 2), targets) for each in range(2)]
        assert baseline(name, np.zeros((50, 2)), targets) == max(scores)


def test_one_answer_for_all_rows_is_named() -> None:
    targets = np.array([0.0, 1.0, 1.0, 0.0])
    found = doubt("cola", "mcc", probabilities([1] * 4, 2), targets, UNKNOWN, ["bad", "good"])
    assert found == "cola: the model answers 'good' to each of 4 rows"
    assert doubt("sts", "pearson", np.full(4, 2.5), targets, UNKNOWN) == (
        "sts: the model answers 2.5 to each of 4 rows"
    )


def test_labels_that_are_all_equal_are_named() -> None:
    assert doubt("sts", "pearson", np.arange(4.0), np.full(4, 2.5), UNKNOWN) == (
        "sts: pearson cannot tell models apart: all 4 labels are 2.5"
    )
    found = doubt("x", "accuracy", probabilities([0, 1], 2), np.ones(2), UNKNOWN, ["no", "yes"])
    assert found == "x: accuracy cannot tell models apart: all 2 labels are 'yes'"


def test_a_score_within_its_interval_of_the_baseline_is_named() -> None:
    targets = np.array([0.0] * 60 + [1.0] * 40)
    answers = [0] * 60 + [1] * 5 + [0] * 35
    values = probabilities(answers, 2)
    interval = bootstrap_interval(metric("accuracy").function, values, targets)
    found = doubt("x", "accuracy", values, targets, interval)
    assert found == (
        f"x: accuracy 0.6500 (95 % interval from {interval[0]:.4f}) is not above the 0.6000 of a constant answer"
    )
    assert doubt("x", "accuracy", values, targets, UNKNOWN) is None
    perfect = probabilities([int(each) for each in targets], 2)
    assert doubt("x", "accuracy", perfect, targets, (1.0, 1.0)) is None


def test_errors_are_better_when_they_are_lower() -> None:
    targets = np.arange(10.0)
    assert doubt("x", "mae", targets + 0.1, targets, (0.1, 0.1)) is None
    found = doubt("x", "mae", targets[::-1].copy(), targets, (3.0, 6.0))
    assert found == "x: mae 5.0000 (95 % interval up to 6.0000) is not below the 2.5000 of a constant answer"


def test_every_metric_has_a_baseline() -> None:
    random = np.random.default_rng(1)
    targets = random.integers(0, 2, 30).astype(np.float64)
    for name in METRICS:
        values = probabilities([0] * 30, 2) if name in ("accuracy", "f1", "mcc", "kappa") else random.random(30)
        assert math.isfinite(baseline(name, values, targets))
    assert doubt("x", "accuracy", np.zeros((0, 2)), np.zeros(0), UNKNOWN) is None


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    """Settings and files of a task whose dev labels are all the same."""
    for split, labels in (("train", [1.0, 2.0, 3.0, 4.0] * 6), ("dev", [2.5] * 8)):
        lines = "".join(f"a text numbered {number},{label}\n" for number, label in enumerate(labels))
        (tmp_path / f"marks-{split}.csv").write_text(f"text,mark\n{lines}", encoding="utf-8")
    table = 'kind = "regression"\nrange = [0, 5]\ntext = "text"\nlabel = "mark"\nhead = "linear"\n'
    files = 'train = "marks-train.csv"\ndev = "marks-dev.csv"\n'
    (tmp_path / "run.toml").write_text(f'data_dir = "{tmp_path}"\n[tasks.marks]\n{table}{files}', encoding="utf-8")
    return tmp_path


def test_a_training_says_that_its_dev_data_tell_nothing(numbers: Path, tiny_model: Path) -> None:
    options = ("--epochs", "2", "--batches", "1", "--model", tiny_model, "--out", numbers / "run")
    done = cli("train", "--config", numbers / "run.toml", *options)
    assert done.code == 0, done.err
    assert "mtft: warning: marks: pearson cannot tell models apart: all 8 labels are 2.5" in done.err
    assert "best so far" not in done.err
    assert done.err.count("(kept: no score tells epochs apart)") == 2
    assert summary(numbers / "run")["best_epoch"] == 2


def test_a_training_shows_baselines_and_doubts(trained: tuple[Path, Done]) -> None:
    run, done = trained
    evaluated = cli("eval", run, "--sample", "--json").json["tasks"]
    kept = summary(run)["baselines"]
    for task, found in evaluated.items():
        assert kept[task] == {name: score["baseline"] for name, score in found["metrics"].items()}
        if found["doubt"]:
            assert f"mtft: warning: {found['doubt']}" in done.err
    assert any(found["doubt"] for found in evaluated.values())
    assert done.json["baselines"] == kept
