"""Naive oracles: each says what a fast function should compute, as slowly and plainly as its definition."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

Array = NDArray[np.float64]


def pcgrad_direction(G: Array, orders: Sequence[Sequence[int]]) -> Array:
    """Direction [k] of PCGrad on the gradients G [T, k] themselves: algorithm 1 of Yu et al. 2020."""
    direction = np.zeros(G.shape[1])
    for task, order in enumerate(orders):
        gradient = G[task].copy()
        for other in order:
            dot = gradient @ G[other]
            if dot < 0:
                gradient -= dot / (G[other] @ G[other]) * G[other]
        direction += gradient
    return direction


def upgrad_direction(G: Array) -> Array:
    """Direction [k] of UPGrad: the sum of each gradient's projection onto {x: G x >= 0}.

    By Moreau's decomposition the projection of g is g + G^T c, with c >= 0 of least ||g + G^T c||.
    """
    return sum((g + nnls(G.T, -g)[0] @ G for g in G), np.zeros(G.shape[1]))


def adamw_values(
    values: Array,
    gradients: Iterable[Array],
    *,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.01,
    rule: str = "torch",
) -> Array:
    """Values after one AdamW step per gradient, in float64 and in the words of the two sources."""
    values, (b1, b2) = values.copy(), betas
    m, v = np.zeros_like(values), np.zeros_like(values)
    for t, g in enumerate(gradients, 1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        if rule == "torch":
            values -= lr * weight_decay * values
            values -= lr * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps)
        else:
            values -= lr * math.sqrt(1 - b2**t) / (1 - b1**t) * m / (np.sqrt(v) + eps)
            values -= lr * weight_decay * values
    return values


def top_k_indices(scores: Sequence[float], k: int) -> list[int]:
    """Indices of the k highest scores, ascending, ties to the lowest index."""
    return sorted(sorted(range(len(scores)), key=lambda index: (-scores[index], index))[:k])


def gap_code(indices: Iterable[int]) -> bytes:
    """LEB128 code of the number of weights skipped before each index."""
    code, expected = bytearray(), 0
    for index in indices:
        gap = index - expected
        while gap >= 128:
            code.append(gap % 128 + 128)
            gap //= 128
        code.append(gap)
        expected = index + 1
    return bytes(code)


def gap_decode(code: bytes) -> list[int]:
    """Indices that `gap_code` coded."""
    indices, expected, gap, factor = [], 0, 0, 1
    for byte in code:
        gap += byte % 128 * factor
        factor *= 128
        if byte < 128:
            indices.append(expected + gap)
            expected, gap, factor = expected + gap + 1, 0, 1
    return indices
