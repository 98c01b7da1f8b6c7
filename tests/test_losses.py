"""Losses equal torch's own and their definitions, per example, with the gradients that the report implies."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import logistic  # type: ignore[import-untyped, unused-ignore]
from torch import Tensor
from torch.nn import functional

from mtft.losses import (
    ClassWeighted,
    balanced_weights,
    binary_cross_entropy,
    consistency,
    cross_entropy,
    cumulative_link,
    folded_cross_entropy,
    squared_error,
)
from mtft.outputs import Ordinal, ordinal_starts

DIRECTIONS = ("symmetric", "forward", "reverse")
some = settings(max_examples=60, deadline=None)
seeds = st.integers(0, 2**31)
scales = st.sampled_from([0.0, 1e-3, 1.0, 30.0, 1e4])


def draw(shape: tuple[int, ...], seed: int, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def labels(rows: int, classes: int, seed: int) -> Tensor:
    """Class indices as datasets hold them: as float32."""
    return torch.randint(classes, (rows,), generator=torch.Generator().manual_seed(seed)).float()


def kl(p: Tensor, q: Tensor) -> Tensor:
    """KL(p || q) of two rows of probabilities."""
    return (p * (p / q).log()).sum()


# ---- One loss per example


@some
@given(st.integers(1, 5), st.integers(2, 6), seeds, scales)
def test_cross_entropy_is_minus_the_log_probability_of_the_label(
    rows: int, classes: int, seed: int, scale: float
) -> None:
    outputs, targets = draw((rows, classes), seed, scale), labels(rows, classes, seed)
    expected = [-outputs[i].log_softmax(0)[int(targets[i])] for i in range(rows)]
    torch.testing.assert_close(cross_entropy(outputs, targets), torch.stack(expected))


@some
@given(st.integers(1, 5), seeds, st.sampled_from([0.0, 1e-3, 1.0, 10.0]))
def test_binary_cross_entropy_is_minus_the_log_probability_of_the_label(rows: int, seed: int, scale: float) -> None:
    outputs, targets = draw((rows, 1), seed, scale), labels(rows, 2, seed).double()
    yes, no = torch.nn.functional.logsigmoid(outputs[:, 0]), torch.nn.functional.logsigmoid(-outputs[:, 0])
    torch.testing.assert_close(binary_cross_entropy(outputs, targets), -(targets * yes + (1 - targets) * no))


def test_binary_cross_entropy_of_huge_logits_is_finite() -> None:
    outputs = torch.tensor([[1e4], [-1e4], [1e4]])
    assert binary_cross_entropy(outputs, torch.tensor([1.0, 0.0, 0.0])).tolist() == [0.0, 0.0, 1e4]


def test_squared_error_is_on_the_raw_output_beyond_the_range_too() -> None:
    outputs = torch.tensor([[7.0], [-1.0], [2.5]], requires_grad=True)
    found = squared_error(outputs, torch.tensor([5.0, 0.0, 2.5]))
    assert found.tolist() == [4.0, 1.0, 0.0]
    found.sum().backward()
    assert outputs.grad is not None
    assert outputs.grad.tolist() == [[4.0], [-2.0], [0.0]]


@pytest.mark.parametrize(
    ("loss", "width", "classes"),
    [(cross_entropy, 5, 5), (binary_cross_entropy, 1, 2), (squared_error, 1, 5), (folded_cross_entropy, 5, 2)],
)
def test_the_loss_of_an_example_does_not_depend_on_the_others(
    loss: Callable[[Tensor, Tensor], Tensor], width: int, classes: int
) -> None:
    outputs, targets = draw((7, width), 0).float(), labels(7, classes, 0)
    together = loss(outputs, targets)
    assert together.shape == (7,)
    alone = torch.cat([loss(outputs[i : i + 1], targets[i : i + 1]) for i in range(7)])
    torch.testing.assert_close(together, alone)


# ---- Folding five classes to two


@some
@given(st.integers(1, 5), seeds, st.sampled_from([0.0, 1e-3, 1.0, 10.0]))
def test_report_folding_adds_logits(rows: int, seed: int, scale: float) -> None:
    outputs, targets = draw((rows, 5), seed, scale), labels(rows, 2, seed)
    a, b, c, d, e = outputs.T
    expected = functional.cross_entropy(torch.stack([a + b + c, e + d + c], 1), targets.long(), reduction="none")
    torch.testing.assert_close(folded_cross_entropy(outputs, targets), expected)
    torch.testing.assert_close(folded_cross_entropy(outputs, targets, "report"), expected)


@some
@given(seeds)
def test_report_folding_gives_the_neutral_logit_no_gradient(seed: int) -> None:
    outputs = draw((4, 5), seed).requires_grad_()
    (grad,) = torch.autograd.grad(folded_cross_entropy(outputs, labels(4, 2, seed)).sum(), outputs)
    torch.testing.assert_close(grad[:, 2], torch.zeros(4).double(), rtol=0, atol=1e-15)
    torch.testing.assert_close(grad[:, 0], grad[:, 1])
    torch.testing.assert_close(grad[:, 3], grad[:, 4])
    torch.testing.assert_close(grad[:, 0], -grad[:, 4])


@some
@given(st.integers(1, 5), seeds, st.sampled_from([0.0, 1e-3, 1.0, 5.0]))
def test_marginal_folding_adds_probabilities(rows: int, seed: int, scale: float) -> None:
    outputs, targets = draw((rows, 5), seed, scale), labels(rows, 2, seed)
    p = outputs.softmax(1)
    sides = torch.stack([p[:, 0] + p[:, 1] + p[:, 2] / 2, p[:, 4] + p[:, 3] + p[:, 2] / 2], 1)
    expected = -sides.gather(1, targets.long()[:, None])[:, 0].log()
    torch.testing.assert_close(folded_cross_entropy(outputs, targets, "marginal"), expected)


def test_marginal_folding_is_pinned_and_moves_the_neutral_logit() -> None:
    """From equal logits it draws to both positive classes alike; elsewhere neutral is drawn to or pushed away."""
    outputs = torch.zeros(2, 5, requires_grad=True)
    skewed = outputs + torch.tensor([[0.0], [1.0]]) * torch.tensor([1.0, 1.0, 0.0, 0.0, 0.0])
    (grad,) = torch.autograd.grad(folded_cross_entropy(skewed, torch.ones(2), "marginal").sum(), outputs)
    torch.testing.assert_close(grad[0], torch.tensor([0.2, 0.2, 0.0, -0.2, -0.2]))
    assert grad[1, 2] < -0.01


@pytest.mark.parametrize("folding", ["report", "marginal"])
def test_foldings_are_mirror_images_and_pinned_for_equal_logits(folding: str) -> None:
    outputs, targets = draw((6, 5), 3), labels(6, 2, 3)
    torch.testing.assert_close(
        folded_cross_entropy(outputs, targets, folding), folded_cross_entropy(outputs.flip(1), 1 - targets, folding)
    )
    equal = folded_cross_entropy(torch.full((2, 5), 7.0), torch.tensor([0.0, 1.0]), folding)
    torch.testing.assert_close(equal, torch.full((2,), math.log(2.0)))


@pytest.mark.parametrize("folding", ["report", "marginal"])
def test_foldings_of_huge_logits_are_finite(folding: str) -> None:
    outputs = (1e4 * draw((20, 5), 0)).float().requires_grad_()
    loss = folded_cross_entropy(outputs, labels(20, 2, 0), folding)
    (grad,) = torch.autograd.grad(loss.sum(), outputs)
    assert bool(loss.isfinite().all())
    assert bool(grad.isfinite().all())


def test_an_unknown_folding_is_refused() -> None:
    with pytest.raises(ValueError, match="folding is 'mean', not 'report' or 'marginal'"):
        folded_cross_entropy(torch.zeros(1, 5), torch.zeros(1), "mean")


# ---- Consistency


@some
@given(st.integers(1, 4), st.integers(2, 6), seeds, st.sampled_from([0.0, 1e-3, 1.0, 5.0]))
def test_consistency_is_the_divergence_by_its_definition(rows: int, classes: int, seed: int, scale: float) -> None:
    outputs = draw((2, rows, classes), seed, scale)
    p, q = outputs.softmax(-1)
    forward = torch.stack([kl(p[i], q[i]) for i in range(rows)])
    reverse = torch.stack([kl(q[i], p[i]) for i in range(rows)])
    zeros = torch.zeros(rows)
    close: dict[str, Any] = {"rtol": 1e-6, "atol": 1e-9}
    torch.testing.assert_close(consistency(outputs, zeros, "forward"), forward, **close)
    torch.testing.assert_close(consistency(outputs, zeros, "reverse"), reverse, **close)
    torch.testing.assert_close(consistency(outputs, zeros), (forward + reverse) / 2, **close)


def test_consistency_equals_torch() -> None:
    first, second = outputs = draw((2, 5, 4), 0)
    expected = functional.kl_div(second.log_softmax(1), first.log_softmax(1), log_target=True, reduction="none").sum(1)
    torch.testing.assert_close(consistency(outputs, torch.zeros(5), "forward"), expected)


@some
@given(st.integers(1, 4), seeds, scales)
def test_consistency_is_never_negative_and_symmetric_by_default(rows: int, seed: int, scale: float) -> None:
    outputs, zeros = draw((2, rows, 5), seed, scale), torch.zeros(rows)
    found = consistency(outputs, zeros)
    assert bool((found >= -1e-12).all())
    assert bool(found.isfinite().all())
    torch.testing.assert_close(found, consistency(outputs.flip(0), zeros))
    torch.testing.assert_close(consistency(outputs, zeros, "forward"), consistency(outputs.flip(0), zeros, "reverse"))


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_equal_texts_have_no_loss_and_no_gradient(direction: str) -> None:
    same = draw((1, 3, 5), 0)
    outputs = (torch.cat([same, same + 7.0])).requires_grad_()
    loss = consistency(outputs, torch.zeros(3), direction)
    (grad,) = torch.autograd.grad(loss.sum(), outputs)
    torch.testing.assert_close(loss, torch.zeros(3).double(), rtol=0, atol=1e-12)
    torch.testing.assert_close(grad, torch.zeros(2, 3, 5).double(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_both_texts_get_a_gradient(direction: str) -> None:
    outputs = draw((2, 3, 5), 0).requires_grad_()
    (grad,) = torch.autograd.grad(consistency(outputs, torch.zeros(3), direction).sum(), outputs)
    assert bool(grad.abs().amax(-1).gt(1e-3).all())


def test_directions_are_pinned() -> None:
    """P = (3/4, 1/4), q = (1/2, 1/2)."""
    outputs = torch.tensor([[[math.log(3.0), 0.0]], [[0.0, 0.0]]])
    forward, reverse = 0.75 * math.log(1.5) + 0.25 * math.log(0.5), 0.5 * math.log(2 / 3) + 0.5 * math.log(2.0)
    found = [float(consistency(outputs, torch.zeros(1), direction)) for direction in DIRECTIONS]
    assert found == pytest.approx([(forward + reverse) / 2, forward, reverse])


def test_an_unknown_direction_is_refused() -> None:
    with pytest.raises(ValueError, match="direction is 'both', not 'symmetric', 'forward' or 'reverse'"):
        consistency(torch.zeros(2, 1, 5), torch.zeros(1), "both")


@some
@given(st.integers(2, 6), st.integers(1, 7), seeds, st.sampled_from([0.1, 1.0, 10.0]))
def test_cumulative_link_is_minus_the_log_of_what_an_ordinal_output_reads(
    classes: int, rows: int, seed: int, scale: float
) -> None:
    """Against the textbook: differences of logistic distribution functions at thresholds that rise, by scipy."""
    generator = torch.Generator().manual_seed(seed)
    raw = scale * torch.randn(rows, classes - 1, generator=generator, dtype=torch.float64)
    targets = torch.randint(classes, (rows,), generator=generator).double()
    first, others = ordinal_starts(classes)
    rises = np.logaddexp(0, raw[:, 1:].numpy() + others)
    thresholds = np.cumsum(np.concatenate([-raw[:, :1].numpy() - first, rises], axis=1), axis=1)
    below = np.concatenate([np.zeros((rows, 1)), logistic.cdf(thresholds), np.ones((rows, 1))], axis=1)
    expected = np.diff(below, axis=1)
    np.testing.assert_allclose(Ordinal(tuple("abcdef"[:classes])).read(raw.numpy()), expected, atol=1e-12)
    chosen = expected[np.arange(rows), targets.long().numpy()]
    losses = cumulative_link(raw, targets).numpy()
    np.testing.assert_allclose(losses[chosen > 1e-8], -np.log(chosen[chosen > 1e-8]), rtol=1e-6, atol=1e-9)


def test_cumulative_link_of_huge_numbers_is_finite_and_has_gradients() -> None:
    raw = torch.tensor([[1e4, -1e4], [-1e4, 1e4], [1e4, 1e4]], requires_grad=True)
    losses = cumulative_link(raw.repeat_interleave(3, dim=0), torch.tensor([0.0, 1, 2] * 3))
    losses.sum().backward()
    assert torch.isfinite(losses).all()
    assert raw.grad is not None
    assert torch.isfinite(raw.grad).all()


def test_cumulative_link_of_zeros_is_the_same_for_all_classes() -> None:
    for classes in range(2, 7):
        losses = cumulative_link(torch.zeros(classes, classes - 1), torch.arange(classes).float())
        torch.testing.assert_close(losses, torch.full((classes,), math.log(classes)))


def test_cumulative_link_gradients_equal_finite_differences() -> None:
    raw = torch.randn(4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda outputs: cumulative_link(outputs, torch.arange(4).double()), raw)


@pytest.mark.parametrize("labels", [[0, 0, 0, 1], [0, 1, 2, 2, 2, 2], [2, 2, 0]])
def test_balanced_weights_are_those_of_scikit_learn(labels: list[int]) -> None:
    from sklearn.utils.class_weight import compute_class_weight

    present = sorted(set(labels))
    expected = dict(zip(present, compute_class_weight("balanced", classes=np.array(present), y=labels), strict=True))
    found = balanced_weights(torch.tensor(labels, dtype=torch.float32), 3)
    assert found.tolist() == pytest.approx([expected.get(number, 0.0) for number in range(3)])
    assert float(found[labels].mean()) == pytest.approx(1.0)


def test_weights_of_classes_multiply_the_loss_of_each_row() -> None:
    outputs, targets = torch.randn(5, 3, requires_grad=True), torch.tensor([0.0, 2.0, 1.0, 1.0, 2.0])
    weights = torch.tensor([0.5, 1.0, 3.0])
    found = ClassWeighted(cross_entropy, weights)(outputs, targets)
    expected = torch.nn.functional.cross_entropy(outputs, targets.long(), weight=weights, reduction="none")
    torch.testing.assert_close(found, expected)
    (gradient,) = torch.autograd.grad(found.sum(), outputs, retain_graph=True)
    (same,) = torch.autograd.grad(expected.sum(), outputs)
    torch.testing.assert_close(gradient, same)


def test_weights_of_one_logit_are_those_of_torch() -> None:
    outputs, targets = torch.randn(4, 1), torch.tensor([0.0, 1.0, 1.0, 0.0])
    found = ClassWeighted(binary_cross_entropy, torch.tensor([1.0, 2.5]))(outputs, targets)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(
        outputs.squeeze(1), targets, pos_weight=torch.tensor(2.5), reduction="none"
    )
    torch.testing.assert_close(found, expected)
