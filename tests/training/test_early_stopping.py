"""The best epoch by each rule, and when patience runs out."""

from __future__ import annotations

import json
import math

import pytest
from factories import TASKS

from mtft.errors import ConfigError
from mtft.io.files import to_json
from mtft.runs.state import scores_of
from mtft.training.early_stopping import Best

PRIMARY = {"sst": "accuracy", "sts": "pearson"}


def scores(accuracy: float, pearson: float, spearman: float = 0.5) -> dict[str, dict[str, float]]:
    return {"sst": {"accuracy": accuracy, "f1": 0.0}, "sts": {"pearson": pearson, "spearman": spearman}}


@pytest.mark.parametrize("rule", ["mean", "last", "sst.accuracy", "sst.f1", "sts.spearman"])
def test_rules_that_name_a_metric_are_taken(rule: str) -> None:
    Best(rule).check(TASKS)


@pytest.mark.parametrize(
    ("rule", "hint"),
    [
        ("meen", "did you mean 'mean'"),
        ("sst.acuracy", "did you mean 'sst.accuracy'"),
        ("sst.pearson", "allowed: .*sts.pearson"),
        ("sst", "allowed: "),
        ("", "allowed: "),
    ],
)
def test_other_rules_are_refused_with_those_allowed(rule: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=f"best: unknown rule.*{hint}"):
        Best(rule).check(TASKS)


def test_the_mean_is_of_primary_metrics_alone_and_counts_undefined_ones_as_zero() -> None:
    assert Best("mean").rate(PRIMARY, scores(0.4, 0.8)) == pytest.approx(0.6)
    assert Best("last").rate(PRIMARY, scores(0.4, 0.8)) == pytest.approx(0.6)
    assert Best("mean").rate(PRIMARY, scores(0.4, math.nan)) == pytest.approx(0.2)


def test_an_undefined_error_is_no_small_one() -> None:
    found = {"a": {"mse": math.nan}, "b": {"mae": 0.5}}
    assert Best("mean").rate({"a": "mse", "b": "mae"}, found) == -math.inf
    assert Best("mean").rate({"b": "mae"}, found) == -0.5


def test_one_metric_is_that_metric_and_undefined_is_worse_than_any() -> None:
    assert Best("sts.spearman").rate(PRIMARY, scores(0.4, 0.8, -0.3)) == -0.3
    assert Best("sts.spearman").rate(PRIMARY, scores(0.4, 0.8, math.nan)) == -math.inf


def test_scores_come_back_from_json_as_they_were() -> None:
    before = scores(0.4, math.nan)
    after = scores_of(json.loads(to_json(before)))
    assert str(after) == str(before)
    assert Best("mean").rate(PRIMARY, after) == pytest.approx(0.2)


def follow(best: Best, values: list[float]) -> list[bool]:
    return [best.update(epoch, value) for epoch, value in enumerate(values, 1)]


def test_the_first_of_equal_epochs_is_kept() -> None:
    best = Best("mean")
    assert follow(best, [0.5, 0.5, 0.4, 0.6, 0.6]) == [True, False, False, True, False]
    assert (best.epoch, best.score, best.stale) == (4, 0.6, 1)


def test_last_keeps_every_epoch() -> None:
    best = Best("last", patience=1)
    assert follow(best, [0.5, 0.4, 0.3]) == [True, True, True]
    assert (best.epoch, best.score, best.exhausted) == (3, 0.3, False)


def test_the_first_epoch_is_kept_however_bad() -> None:
    best = Best("sts.pearson")
    assert follow(best, [-math.inf, -math.inf, -0.9, -math.inf]) == [True, True, True, False]
    assert follow(Best("sts.pearson"), [-0.9, -1.0]) == [True, False]


def test_a_head_without_a_score_is_not_replaced_by_another() -> None:
    best = Best("sts.pearson", epoch=-1)
    assert follow(best, [-math.inf, -0.9]) == [False, True]


def test_a_start_to_beat_is_no_epoch() -> None:
    """Refinement starts from the score of the head that is there, under epoch -1."""
    best = Best("mean", score=0.5, epoch=-1)
    assert follow(best, [0.5, 0.4]) == [False, False]
    assert best.epoch == -1
    assert best.update(3, 0.51)


def test_patience_counts_epochs_since_the_best() -> None:
    best = Best("mean", patience=2)
    found = []
    for epoch, score in enumerate([0.5, 0.4, 0.6, 0.5, 0.6], 1):
        best.update(epoch, score)
        found.append(best.exhausted)
    assert found == [False, False, False, False, True]
    assert not Best("mean").exhausted


def test_without_patience_it_never_gives_up() -> None:
    best = Best("mean")
    follow(best, [0.5] * 50)
    assert not best.exhausted


def test_less_is_better_for_errors() -> None:
    best = Best("mean")
    assert best.rate({"t": "mse"}, {"t": {"mse": 0.5}}) > best.rate({"t": "mse"}, {"t": {"mse": 2.0}})
    assert Best("t.mae").rate({"t": "pearson"}, {"t": {"pearson": 0.9, "mae": 1.5}}) == -1.5


def test_a_state_comes_back_from_json_as_it_was() -> None:
    for values in ([], [0.5, 0.4], [-math.inf, -math.inf]):
        before, after = Best("mean", patience=3), Best("mean", patience=3)
        follow(before, values)
        after.restore(json.loads(to_json(before.state())))
        assert after == before


def test_a_state_is_read_by_its_names_in_any_order() -> None:
    best = Best("mean")
    best.restore({"stale": 1, "epoch": 2, "score": 0.5})
    assert (best.score, best.epoch, best.stale) == (0.5, 2, 1)


def test_while_no_score_is_defined_the_last_epoch_is_kept() -> None:
    best = Best("mean")
    primary = {"sts": "pearson"}
    assert best.rate(primary, {"sts": {"pearson": math.nan}}) == -math.inf
    assert [best.update(epoch, -math.inf) for epoch in (1, 2)] == [True, True]
    assert (best.epoch, best.score) == (2, -math.inf)
    assert best.update(3, -0.5)
    assert not best.update(4, -math.inf)
    assert (best.epoch, best.score, best.stale) == (3, -0.5, 1)


def test_an_undefined_score_of_one_task_counts_as_zero_among_others() -> None:
    scores = {"sts": {"pearson": math.nan}, "sst": {"accuracy": 0.5}}
    assert Best("mean").rate({"sts": "pearson", "sst": "accuracy"}, scores) == 0.25
