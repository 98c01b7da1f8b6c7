"""Outputs come back in the data's order, whatever the micro-batches and however many tasks share a pass."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from factories import TASKS, packed, toy_model, toy_source

from mtft.metrics import metric
from mtft.model.inference import apply, scores
from mtft.tasks.sts import STS

NAMES = [task.name for task in TASKS]
TABLE = toy_source("quora", 25).table


def test_outputs_are_those_of_each_text_alone_in_order() -> None:
    model = toy_model()[0].eval()
    found = apply(model, TABLE, NAMES)
    with torch.no_grad():
        for row in range(len(TABLE)):
            for name, raw in model(packed((TABLE, np.array([row]))), NAMES).items():
                np.testing.assert_allclose(found[name][row], raw[0].cpu().numpy(), rtol=0, atol=1e-5)


def test_outputs_have_a_row_per_text_and_the_width_of_the_task() -> None:
    found = apply(toy_model()[0], TABLE, NAMES)
    assert {name: values.shape for name, values in found.items()} == {
        task.name: (25, task.output.width) for task in TASKS
    }
    assert {values.dtype for values in found.values()} == {np.dtype(np.float32)}
    assert list(found) == NAMES


@pytest.mark.parametrize("budget", [1, 13, 40, 100_000])
def test_the_budget_changes_nothing(budget: int) -> None:
    model = toy_model()[0]
    expected = apply(model, TABLE, NAMES)
    for name, values in apply(model, TABLE, NAMES, budget).items():
        np.testing.assert_allclose(values, expected[name], rtol=0, atol=1e-5)


def test_one_pass_for_several_tasks_gives_the_bits_of_a_pass_each() -> None:
    model, passes = toy_model()[0], []
    model.encoder.register_forward_hook(lambda *_: passes.append(1))
    together = apply(model, TABLE, NAMES)
    assert len(passes) == 1
    for name in NAMES:
        assert np.array_equal(apply(model, TABLE, [name])[name], together[name])


def test_it_repeats_bit_for_bit_and_drops_nothing_out() -> None:
    model = toy_model(0.5)[0].train()
    first, second = apply(model, TABLE, NAMES), apply(model.train(), TABLE, NAMES)
    plain = apply(toy_model()[0], TABLE, NAMES)
    for name in NAMES:
        assert np.array_equal(first[name], second[name])
        assert np.array_equal(first[name], plain[name])


def test_it_leaves_weights_and_gradients_alone() -> None:
    model, flat = toy_model()
    before = flat.theta.clone()
    apply(model, TABLE, NAMES)
    assert torch.equal(flat.theta, before)
    assert not flat.grad.any()


def test_scores_are_the_tasks_metrics_the_primary_one_first() -> None:
    values, targets = np.array([1.0, 2.0, 4.0, 3.0]), np.array([0.0, 2.5, 5.0, 4.0])
    found = scores(STS, values, targets)
    assert list(found) == ["pearson", "spearman"]
    assert found["pearson"] == metric("pearson").function(values, targets)
