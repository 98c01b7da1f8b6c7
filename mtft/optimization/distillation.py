"""Distillation: the distance of outputs from a teacher's, one number per example [B], by kind of output.

Teacher and student have the same output kind, so both are raw outputs [B, width]. With teacher annealing (Clark et al.
2019, "BAM! Born-Again Multi-Task Networks") the loss moves from this distance to the loss of the labels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor
from torch.nn import functional

from mtft.losses import ordinal_logarithms, squared_error

Distance = Callable[[Tensor, Tensor], Tensor]


def soft_cross_entropy(outputs: Tensor, teacher: Tensor) -> Tensor:
    """Return the cross-entropy of logits [B, C] against the classes of a teacher's logits [B, C]."""
    return functional.cross_entropy(outputs, teacher.softmax(dim=-1), reduction="none")


def soft_binary_cross_entropy(outputs: Tensor, teacher: Tensor) -> Tensor:
    """Return the cross-entropy of one logit [B, 1] against the probability that a teacher's logit [B, 1] gives."""
    return functional.binary_cross_entropy_with_logits(outputs, teacher.sigmoid(), reduction="none").squeeze(-1)


def soft_cumulative_link(outputs: Tensor, teacher: Tensor) -> Tensor:
    """Return the cross-entropy of an ordinal output [B, C-1] against the classes of a teacher's."""
    return -(ordinal_logarithms(teacher).exp() * ordinal_logarithms(outputs)).sum(dim=-1)


def soft_squared_error(outputs: Tensor, teacher: Tensor) -> Tensor:
    """Return the squared error of the raw output [B, 1] against a teacher's [B, 1]."""
    return squared_error(outputs, teacher.squeeze(-1))


DISTANCES: Mapping[str, Distance] = {
    "categorical": soft_cross_entropy,
    "binary": soft_binary_cross_entropy,
    "ordinal": soft_cumulative_link,
    "bounded": soft_squared_error,
}
"""The distance of each kind of output that can be distilled."""


def teacher_share(step: int, total: int) -> float:
    """Return the teachers' share of the loss at a step (from 0): it falls from 1 to 0; labels have the rest."""
    return max(0.0, 1 - step / total)
