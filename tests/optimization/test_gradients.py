"""Accumulated gradients equal one naive pass, however the work is cut into micro-batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from factories import Part, mean_parts, naive_gradient, toy_model, toy_source, toy_sources
from torch import Tensor

from mtft.errors import PluginError
from mtft.model.flat import FlatParameters
from mtft.optimization.distillation import DISTANCES
from mtft.optimization.gradients import Teacher, TrainingSource, accumulate

SIZES = {"sst": 9, "quora": 8, "sts": 7, "cfimdb": 5, "quora-consistency": 6, "sts-consistency": 3}
SOURCES = toy_sources(SIZES)
CASES: dict[str, tuple[str, tuple[str, ...]]] = {
    "one text": ("sst", ("sst",)),
    "a pair": ("quora", ("quora",)),
    "a number": ("sts", ("sts",)),
    "two texts apart": ("sst", ("quora-consistency",)),
    "four sources": ("sst", ("sst", "cfimdb", "quora-consistency", "sts-consistency")),
}
cases = pytest.mark.parametrize("case", CASES)


def parts_of(case: str) -> list[Part]:
    task, names = CASES[case]
    return mean_parts(SOURCES, {name: np.arange(SIZES[name])[::-1] for name in names}, task)


def gradients(
    parts: list[Part], budget: int, seed: tuple[object, ...] = (), dropout: float = 0.0
) -> tuple[float, Tensor, Tensor]:
    """Loss and gradients of encoder and head by `accumulate`."""
    model, flat = toy_model(dropout)
    head = FlatParameters(model.heads[parts[0][0].task])
    model.train()
    return accumulate(model, parts, budget=budget, seed=seed), flat.grad, head.grad


def assert_close(found: Tensor, expected: Tensor, tolerance: float = 1e-5) -> None:
    """Equal to a share of the largest entry."""
    torch.testing.assert_close(found.double(), expected.double(), rtol=0, atol=tolerance * float(expected.abs().max()))


@cases
@pytest.mark.parametrize("budget", [1, 30, 10_000])
def test_it_equals_one_pass_over_single_sequences(case: str, budget: int) -> None:
    parts = parts_of(case)
    loss, encoder, head = naive_gradient(toy_model()[0], parts)
    found = gradients(parts, budget)
    assert found[0] == pytest.approx(loss, rel=1e-5)
    assert_close(found[1], encoder)
    assert_close(found[2], head)


@cases
def test_the_micro_batch_budget_changes_nothing(case: str) -> None:
    parts = parts_of(case)
    whole = gradients(parts, 10_000)
    for budget in (7, 25, 60):
        found = gradients(parts, budget)
        assert found[0] == pytest.approx(whole[0], rel=1e-5)
        assert_close(found[1], whole[1], 1e-6)
        assert_close(found[2], whole[2], 1e-6)


def test_sources_that_share_micro_batches_equal_sources_done_one_by_one() -> None:
    parts = parts_of("four sources")
    together = gradients(parts, 40)
    apart = [gradients([part], 40) for part in parts]
    assert together[0] == pytest.approx(sum(loss for loss, _, _ in apart), rel=1e-5)
    assert_close(together[1], sum((encoder for _, encoder, _ in apart), torch.zeros(())), 1e-6)
    assert_close(together[2], sum((head for _, _, head in apart), torch.zeros(())), 1e-6)


def test_the_order_of_rows_and_of_parts_changes_nothing() -> None:
    parts = parts_of("four sources")
    turned = [(source, rows[::-1].copy(), scale) for source, rows, scale in reversed(parts)]
    assert_close(gradients(turned, 40)[1], gradients(parts, 40)[1], 1e-6)


def test_a_row_given_twice_counts_twice() -> None:
    source = toy_source("sts", 4)
    once = gradients([(source, np.array([2]), 0.5)], 100)
    twice = gradients([(source, np.array([2, 2]), 0.5)], 100)
    assert twice[0] == pytest.approx(2 * once[0], rel=1e-6)
    assert_close(twice[1], 2 * once[1], 1e-6)


def test_gradients_are_added_to_those_that_are_there() -> None:
    model, flat = toy_model()
    flat.grad.fill_(1.0)
    parts = parts_of("a pair")
    accumulate(model, parts, budget=50)
    assert_close(flat.grad - 1, gradients(parts, 50)[1], 1e-4)


def test_other_heads_get_no_gradient() -> None:
    model, _ = toy_model()
    accumulate(model, parts_of("a pair"), budget=50)
    assert all(parameter.grad is None for parameter in model.heads["sst"].parameters())


@pytest.mark.parametrize(
    ("loss", "shape"),
    [
        (lambda outputs, targets: (outputs.squeeze(-1) - targets).square().mean(), r"\[\]"),
        (lambda outputs, targets: outputs, r"\[4, 1\]"),
        (lambda outputs, targets: torch.zeros(3), r"\[3\]"),
    ],
)
def test_a_loss_of_another_shape_is_named(loss: Callable[[Tensor, Tensor], Tensor], shape: str) -> None:
    source = replace(toy_source("sts", 4), loss=loss)
    message = rf"source 'sts': its loss gave torch.float32 {shape}, not one loss per example, floats \[4\]"
    with pytest.raises(PluginError, match=message):
        gradients([(source, np.arange(4), 1.0)], 1000)


# ---- Dropout


def test_dropout_is_drawn_from_the_seed_alone() -> None:
    parts = parts_of("four sources")
    first = gradients(parts, 40, (1, "dropout"), 0.3)
    torch.manual_seed(5)
    second = gradients(parts, 40, (1, "dropout"), 0.3)
    other = gradients(parts, 40, (2, "dropout"), 0.3)
    assert first[0] == second[0] != other[0]
    assert torch.equal(first[1], second[1])
    assert torch.equal(first[2], second[2])
    assert not torch.equal(first[1], other[1])


def test_dropout_leaves_torchs_own_generator_as_it_was() -> None:
    model = toy_model(0.3)[0].train()
    state = torch.get_rng_state()
    accumulate(model, parts_of("one text"), budget=40, seed=(1,))
    assert torch.equal(torch.get_rng_state(), state)


def test_micro_batches_draw_dropout_of_their_own() -> None:
    """Two equal examples, each a micro-batch: with the same draw the loss would be twice that of the first."""
    model, source = toy_model(0.5)[0].train(), toy_source("sts", 2)
    one = accumulate(model, [(source, np.array([0]), 1.0)], budget=1, seed=(0,))
    two = accumulate(model, [(source, np.array([0, 0]), 1.0)], budget=1, seed=(0,))
    assert two != pytest.approx(2 * one, rel=1e-3)


@pytest.mark.parametrize("taught", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(("task", "kind", "width"), [("sst", "categorical", 5), ("quora", "binary", 1)])
def test_teachers_have_their_share_in_the_loss(task: str, kind: str, width: int, taught: float) -> None:
    plain = next(source for source in SOURCES if source.name == task)
    says = torch.randn(len(plain), width, generator=torch.Generator().manual_seed(0))
    pupil = replace(plain, teacher=Teacher(says, DISTANCES[kind]))
    rows = np.arange(len(plain))[::-1].copy()

    def gradient(source: TrainingSource, share: float) -> Tensor:
        model, flat = toy_model()
        accumulate(model, [(source, rows, 1 / len(rows))], budget=30, taught=share)
        return flat.grad

    labels, teacher = gradient(plain, 1.0), gradient(pupil, 1.0)
    assert not torch.allclose(labels, teacher)
    assert_close(gradient(pupil, taught), taught * teacher + (1 - taught) * labels)
