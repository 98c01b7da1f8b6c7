"""Losses: (outputs, targets) -> one loss per example [B]; the training step averages them per task."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from mtft.outputs import ordinal_starts


def cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the cross-entropy of logits [B, C] against class indices [B]."""
    return functional.cross_entropy(outputs, targets.long(), reduction="none")


def binary_cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the cross-entropy of one logit [B, 1] against 0 or 1 [B]."""
    return functional.binary_cross_entropy_with_logits(outputs.squeeze(-1), targets, reduction="none")


def squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the squared error of the raw output [B, 1]; clamping belongs to reading, not to training."""
    return functional.mse_loss(outputs.squeeze(-1), targets, reduction="none")


def cumulative_link(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the cross-entropy of an ordinal output [B, C-1] (`mtft.outputs.Ordinal`) against ranks [B]."""
    return -ordinal_logarithms(outputs).gather(1, targets.long()[:, None]).squeeze(1)


def ordinal_logarithms(outputs: Tensor) -> Tensor:
    """Return the logarithms of the class probabilities [B, C] of an ordinal output [B, C-1].

    With logits a > b of being above class k - 1 and above class k, class k has the probability s(a) - s(b) =
    s(a) s(-b) (1 - exp(b - a)). The last factor is s(r) if a - b is the softplus of r: all logarithms stay finite.
    """
    first, others = (outputs.new_tensor(starts) for starts in ordinal_starts(outputs.shape[1] + 1))
    rest = outputs[:, 1:] + others
    logits = torch.cat([outputs[:, :1] + first, -functional.softplus(rest)], dim=1).cumsum(dim=1)
    above, below = functional.logsigmoid(logits), functional.logsigmoid(-logits)
    within = above[:, :-1] + below[:, 1:] + functional.logsigmoid(rest)
    return torch.cat([below[:, :1], within, above[:, -1:]], dim=1)


def folded_cross_entropy(outputs: Tensor, targets: Tensor, folding: str = "report") -> Tensor:
    """Return the two-class cross-entropy of five sentiment logits [B, 5] against 0 or 1 [B].

    "report" adds logits, l0 + l1 + l2 against l4 + l3 + l2: the neutral logit cancels and gets no gradient.
    "marginal" adds probabilities, p0 + p1 + p2/2 against p4 + p3 + p2/2.
    """
    if folding == "report":
        folded = torch.stack([outputs[:, 0:3].sum(-1), outputs[:, 2:5].sum(-1)], dim=-1)
    elif folding == "marginal":
        half = outputs - outputs.new_tensor([0.0, 0.0, math.log(2.0), 0.0, 0.0])
        folded = torch.stack([half[:, 0:3].logsumexp(-1), half[:, 2:5].logsumexp(-1)], dim=-1)
    else:
        raise ValueError(f"folding is {folding!r}, not 'report' or 'marginal'")
    return functional.cross_entropy(folded, targets.long(), reduction="none")


class ClassWeighted:
    """A loss (outputs, targets) -> [B] multiplied by the weight of each example's class; `weights` [C]."""

    def __init__(self, loss: Callable[[Tensor, Tensor], Tensor], weights: Tensor) -> None:
        self.loss, self.weights = loss, weights

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        losses = self.loss(outputs, targets)
        return losses * self.weights.to(losses)[targets.long()]


def balanced_weights(targets: Tensor, classes: int) -> Tensor:
    """Return weights [C] of classes in inverse proportion to their rows in targets [N], whose mean over rows is 1.

    A class without rows has weight 0. The same as scikit-learn's "balanced".
    """
    counts = torch.bincount(targets.long(), minlength=classes).double()
    present = counts > 0
    return torch.where(present, len(targets) / (counts.clamp_min(1) * int(present.sum())), 0.0).float()


def consistency(outputs: Tensor, targets: Tensor, direction: str = "symmetric") -> Tensor:  # noqa: ARG001 - every loss takes targets
    """Return the Kullback-Leibler divergence between the classes of two texts, logits [2, B, C].

    "forward" is KL(first || second), "reverse" KL(second || first), "symmetric" their mean. Targets are not used.
    """
    first, second = functional.log_softmax(outputs, dim=-1)
    forward: Tensor = (first.exp() * (first - second)).sum(-1)
    reverse: Tensor = (second.exp() * (second - first)).sum(-1)
    if direction == "forward":
        return forward
    if direction == "reverse":
        return reverse
    if direction == "symmetric":
        return (forward + reverse) / 2
    raise ValueError(f"direction is {direction!r}, not 'symmetric', 'forward' or 'reverse'")
