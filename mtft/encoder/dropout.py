"""Dropout with a mask from 16 random bits per number; on a CPU, several times faster than one random float each.

Probabilities are rounded to 1/65536, and kept numbers are scaled by exactly the rounded share. On other devices torch's
own dropout is used. Both draw from torch's default generator, which `mtft.runtime.seeding.seeded` seeds.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

LEVELS = 1 << 16


def keep_mask(x: Tensor, probability: float) -> Tensor | None:
    """Draw a factor for each entry of `x`: 0 with a probability in [0, 1), else 1 over the share that is kept.

    Return None if the probability is 0. For types narrower than float32 the factors are float32, so that the scale is
    exact.
    """
    if probability == 0:
        return None
    kind = torch.promote_types(x.dtype, torch.float32)
    if x.device.type != "cpu":
        return functional.dropout(torch.ones_like(x, dtype=kind), probability)
    dropped = min(round(probability * LEVELS), LEVELS - 1)
    words = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(1 << 63), None)
    bits = words.view(torch.int16)[: x.numel()].view(x.shape)
    return (bits >= dropped - LEVELS // 2).to(kind).mul_(LEVELS / (LEVELS - dropped))


def dropout(x: Tensor, probability: float, training: bool) -> Tensor:
    """Zero entries of `x` with a probability in [0, 1) and scale up the rest; `x` itself unless `training`."""
    keep = keep_mask(x, probability) if training else None
    return x if keep is None else x * keep


def add_dropped(residual: Tensor, x: Tensor, probability: float, training: bool) -> Tensor:
    """Return `residual` plus `x` after dropout, in one pass."""
    keep = keep_mask(x, probability) if training else None
    return residual + x if keep is None else torch.addcmul(residual, x, keep)
