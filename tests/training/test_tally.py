"""Tallies divide sums once: over the steps that had a task, or a pair of tasks."""

from __future__ import annotations

import json

import pytest
import torch

from mtft.training.step import StepResult
from mtft.training.tally import MOST_PAIRS, Tally, step_cosines


def result(losses: dict[str, float], cosines: list[list[float]], tokens: int = 10, changed: float = 0.0) -> StepResult:
    return StepResult(losses, tokens, torch.tensor(cosines, dtype=torch.float64), changed)


TASKS = ["sst", "quora", "sts"]
STEPS = [
    result({"sst": 2.0, "quora": 1.0, "sts": 6.0}, [[1, -0.5, 0.2], [-0.5, 1, 0.0], [0.2, 0.0, 1]], 30, 0.4),
    result({"sst": 1.0, "sts": 3.0}, [[1, -0.4], [-0.4, 1]], 20, 0.2),
    result({"quora": 4.0}, [[1]], 5),
]


def full() -> Tally:
    tally = Tally(TASKS)
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
    assert step_cosines(STEPS[0]) == {"cosines": {"sst/quora": -0.5, "sst/sts": 0.2, "quora/sts": 0.0}}
    assert step_cosines(STEPS[2]) == {"cosines": {}}


def test_of_no_steps_there_is_nothing_to_tell() -> None:
    assert Tally(TASKS).losses() == {}
    assert Tally(TASKS).conflicts() == {"pairs": {}, "changed": 0}


def test_the_state_is_plain_and_whole() -> None:
    state = full().state()
    assert json.loads(json.dumps(state)) == state
    assert (state["steps"], state["tokens"]) == (3, 55)
    assert state["sums"]["sts"] == 9
    assert state["counts"]["sts"] == 2


def many(count: int, steps: int) -> tuple[list[str], list[StepResult]]:
    names = [f"t{number}" for number in range(count)]
    G = torch.randn(steps, count, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    G = G / G.norm(dim=2, keepdim=True)
    return names, [result(dict.fromkeys(names, 1.0), (each @ each.T).tolist()) for each in G]


def test_of_many_tasks_the_pairs_that_agree_least_are_named() -> None:
    names, steps = many(30, 3)
    tally = Tally(names)
    for step in steps:
        tally.add(step)
    cosines = torch.stack([step.cosines for step in steps])
    mean, rate = cosines.mean(dim=0), (cosines < 0).double().mean(dim=0)
    every = {f"t{i}/t{j}": (float(mean[i, j]), float(rate[i, j])) for i in range(30) for j in range(i + 1, 30)}
    found = tally.conflicts()
    assert found["pairs"].keys() == set(sorted(every, key=lambda pair: every[pair])[:MOST_PAIRS])
    for pair, each in found["pairs"].items():
        assert (each["cosine"], each["conflict_rate"], each["steps"]) == (*map(pytest.approx, every[pair]), 3)
    cosine, conflicts = (sum(values) / len(every) for values in zip(*every.values(), strict=True))
    assert found["all"] == {
        "pairs": 435,
        "cosine": pytest.approx(cosine),
        "conflict_rate": pytest.approx(conflicts),
    }


def test_the_log_of_a_step_stays_short_with_many_tasks() -> None:
    _, (step,) = many(100, 1)
    upper = torch.triu_indices(100, 100, 1)
    values = step.cosines[upper[0], upper[1]]
    assert step_cosines(step) == {
        "cosine": pytest.approx(float(values.mean())),
        "conflict_rate": pytest.approx(float((values < 0).double().mean())),
    }
    assert len(step_cosines(many(10, 1)[1][0])["cosines"]) == MOST_PAIRS


@pytest.mark.parametrize("count", [1, 3, 12])
def test_a_restored_tally_goes_on_as_if_never_stopped(count: int) -> None:
    names, steps = many(count, 4)
    whole, first, second = (Tally(names) for _ in range(3))
    for step in steps:
        whole.add(step)
    for step in steps[:2]:
        first.add(step)
    second.restore(json.loads(json.dumps(first.state())))
    for step in steps[2:]:
        second.add(step)
    assert second.state() == whole.state()
    assert second.conflicts() == whole.conflicts()
