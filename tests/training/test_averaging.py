"""Averages of steps: equal to plain sums over all values, and out of the way of training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from factories import toy_model, toy_sources
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from mtft.data.sampling import epoch_batches
from mtft.model.flat import FlatParameters
from mtft.training.averaging import Average, Averages, weight
from mtft.training.step import Stepper

SIZES = {"sst": 9, "quora": 8, "sts": 7}
SOURCES = toy_sources(SIZES)
RULES: list[tuple[Average, float]] = [("ema", 0.7), ("swa", 0.5), ("swa", 0.0)]
STEPS = 10


def build() -> tuple[FlatParameters, Stepper, Callable[[int], Any]]:
    model, flat = toy_model()
    stepper = Stepper(model, flat, SOURCES, torch.arange(1, len(flat), 3))
    batches = epoch_batches(SIZES, 3, 0, 1)
    return flat, stepper, lambda number: stepper.step(batches[number % len(batches)], 1e-2, number)


def values(stepper: Stepper) -> dict[str, Tensor]:
    """What training changes, copied."""
    every = {name: tensor.clone() for name, tensor in stepper.state().items() if name.endswith(".theta")}
    return {name.removesuffix(".theta"): tensor for name, tensor in every.items()}


@pytest.mark.parametrize(("kind", "amount"), RULES)
def test_an_average_is_the_weighted_sum_of_all_values(kind: Average, amount: float) -> None:
    _, stepper, step = build()
    averages = Averages(stepper, kind, amount, STEPS)
    shares: dict[int, float] = {}
    seen = {}
    for number in range(STEPS):
        step(number)
        averages.update(number + 1)
        seen[number] = values(stepper)
        share = weight(kind, amount, number + 1, STEPS)
        shares = {before: part * (1 - share) for before, part in shares.items()} | {number: share}
    assert sum(shares.values()) == pytest.approx(1)
    for name, found in averages.values.items():
        expected = sum((part * seen[number][name].double() for number, part in shares.items()), torch.zeros(()))
        torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-6)
        assert not torch.equal(found, seen[STEPS - 1][name])


@given(st.floats(0, 0.999), st.integers(1, 50), st.integers(0, 50))
def test_weights(amount: float, step: int, more: int) -> None:
    assert weight("ema", amount, step, step + more) == max(1 - amount, 1 / step)
    begin = int(amount * (step + more))
    assert weight("swa", amount, step, step + more) == (1.0 if step <= begin else 1 / (step - begin))


@pytest.mark.parametrize(("kind", "amount"), RULES)
def test_applying_an_average_changes_nothing_but_inside(kind: Average, amount: float) -> None:
    flat, stepper, step = build()
    averages = Averages(stepper, kind, amount, STEPS)
    for number in range(8):
        step(number)
        averages.update(number + 1)
    before, theta = values(stepper), flat.theta.clone()
    kept = {name: tensor.clone() for name, tensor in averages.values.items()}
    with averages.applied():
        assert all(torch.equal(tensor, kept[name]) for name, tensor in values(stepper).items())
        chosen = torch.zeros(len(flat), dtype=torch.bool)
        chosen[stepper.selection] = True
        assert torch.equal(flat.theta[~chosen], theta[~chosen])
        with averages.applied(False):  # as for a state that is saved while the average is judged
            assert torch.equal(flat.theta, theta)
            assert all(torch.equal(tensor, kept[name]) for name, tensor in averages.values.items())
        assert not torch.equal(flat.theta, theta)
    assert torch.equal(flat.theta, theta)
    assert all(torch.equal(tensor, before[name]) for name, tensor in values(stepper).items())
    assert all(torch.equal(tensor, kept[name]) for name, tensor in averages.values.items())


def test_training_with_an_average_takes_the_same_steps() -> None:
    plain, averaged = build(), build()
    averages = Averages(averaged[1], "ema", 0.9, STEPS)
    for number in range(STEPS):
        plain[2](number)
        averaged[2](number)
        averages.update(number + 1)
    assert torch.equal(plain[0].theta, averaged[0].theta)


def test_it_goes_on_from_its_state() -> None:
    _, stepper, step = build()
    averages = Averages(stepper, "ema", 0.9, STEPS)
    step(0)
    averages.update(1)
    again = Averages(stepper, "ema", 0.9, STEPS)
    again.restore({name: tensor.clone() for name, tensor in averages.state().items()})
    step(1)
    averages.update(2)
    again.update(2)
    assert all(torch.equal(tensor, again.values[name]) for name, tensor in averages.values.items())
