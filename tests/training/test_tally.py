"""Tallies divide sums once: over the steps that had a task, or a pair of tasks."""

from __future__ import annotations

import json

import pytest
import torch

from mtft.training.step import StepResult
from mtft.training.tally import Tally, pair_cosines


def result(losses: dict[str, float], cosines: list[list[float]], tokens: int = 10, changed: float = 0.0) -> StepResult:
    return StepResult(losses, tokens, torch.tensor(cosines, dtype=torch.float64), changed)


STEPS = [
    result({"sst": 2.0, "quora": 1.0, "sts": 6.0}, [[1, -0.5, 0.2], [-0.5, 1, 0.0], [0.2, 0.0, 1]], 30, 0.4),
    result({"sst": 1.0, "sts": 3.0}, [[1, -0.4], [-0.4, 1]], 20, 0.2),
    result({"quora": 4.0}, [[1]], 5),
]


def full() -> Tally:
    tally = Tally()
    for step in STEPS:
        tally.add(step)
    return tally


def test_losses_are_means_over_the_steps_that_had_the_task() -> None:
    assert full().losses() == {"sst": 1.5, "quora": 2.5, "sts": 4.5}


def test_conflicts_are_counted_per_pair() -> None:
    found = full().conflicts()
    assert found["changed"] == pytest.approx(0.2)
    assert list(found["pairs"]) == ["sst/quora", "sst/sts", "quora/sts"]
    assert found["pairs"]["sst/quora"] == {"cosine": -0.5, "conflict_rate": 1, "steps": 1}
    assert found["pairs"]["sst/sts"] == {"cosine": pytest.approx(-0.1), "conflict_rate": 0.5, "steps": 2}
    assert found["pairs"]["quora/sts"] == {"cosine": 0, "conflict_rate": 0, "steps": 1}


def test_pairs_are_named_in_the_order_of_the_losses() -> None:
    assert pair_cosines(STEPS[0]) == pytest.approx({"sst/quora": -0.5, "sst/sts": 0.2, "quora/sts": 0.0})
    assert pair_cosines(STEPS[2]) == {}


def test_of_no_steps_there_is_nothing_to_tell() -> None:
    assert Tally().losses() == {}
    assert Tally().conflicts() == {"pairs": {}, "changed": 0}


def test_the_state_is_plain_and_whole() -> None:
    state = full().state()
    assert json.loads(json.dumps(state)) == state
    assert (state["steps"], state["tokens"]) == (3, 55)
    assert state["sums"]["sts"] == 9
    assert state["counts"]["sts"] == 2
