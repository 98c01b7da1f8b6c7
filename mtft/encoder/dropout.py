"""Dropout whose mask comes from 16 random bits per number: several times faster on a CPU than one float each.

Probabilities are rounded to 1/65536; what is kept is scaled by exactly the share that is. Off the CPU torch's own is
used. Either draws from torch's default generator, which `mtft.seeding.seeded` seeds.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

LEVELS = 1 << 16


class _Dropout(torch.autograd.Function):
    """Zeroes a share of the entries, on both ways; keeps one byte per entry for the way back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, probability: float) -> Tensor:
        dropped = min(round(probability * LEVELS), LEVELS - 1)
        words = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(1 << 63), None)
        bits = words.view(torch.int16)[: x.numel()].view(x.shape)
        keep = bits >= dropped - LEVELS // 2
        ctx.scale = LEVELS / (LEVELS - dropped)
        ctx.save_for_backward(keep)
        return keep.to(x.dtype).mul_(ctx.scale).mul_(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (keep,) = ctx.saved_tensors
        return keep.to(grad.dtype).mul_(ctx.scale).mul_(grad), None


def dropout(x: Tensor, probability: float, training: bool) -> Tensor:
    """Zero entries of `x` with a probability in [0, 1) and scale up the rest; `x` itself unless `training`."""
    if not training or probability == 0:
        return x
    if x.device.type != "cpu":
        return functional.dropout(x, probability)
    dropped: Tensor = _Dropout.apply(x, probability)  # type: ignore[no-untyped-call]
    return dropped
