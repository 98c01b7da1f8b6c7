"""Turn a score per weight and a budget into the sorted indices of the weights to train.

The k-th highest score is found by counting: a float32 maps to a 32-bit key of the same order, and the key's upper and
lower halves are counted in one pass each. The time does not depend on the values; quickselect is ten times slower on
the many zero scores of weights without a gradient. The memory is that of the k indices.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_CHUNK = 1 << 20
Scores = NDArray[np.float32]
Keys = NDArray[np.uint32]


def budget(keep: Decimal | str, total: int) -> int:
    """Number of weights k = floor(keep * total) for a share `keep` of `total` weights, computed exactly.

    `keep` is read as a decimal number with 0 < keep <= 1. ValueError if it is not, or if k would be 0.
    """
    if total < 1:
        raise ValueError(f"total is {total}, allowed: 1 or more weights")
    selected = _floor(_share(keep), total)
    if selected == 0:
        raise ValueError(f"keep {keep} of {total} weights selects none, allowed: {1 / total:.3g} to 1")
    return selected


def top_k(scores: Tensor, k: int) -> Tensor:
    """Indices [k] of the k highest of float32 `scores` [P], ascending; equal scores go to the lowest index.

    ValueError for another dtype or shape, for NaN scores and unless 1 <= k <= P.
    """
    values = _values(scores)
    if not 1 <= k <= len(values):
        raise ValueError(f"k is {k}, allowed: 1 to {len(values)}")
    return torch.from_numpy(_select(values, k))


def top_k_per_tensor(scores: Tensor, sizes: Sequence[int], keep: Decimal | str) -> Tensor:
    """Indices [k], ascending, of the floor(keep * size) highest of float32 `scores` [P] in each tensor.

    The tensors are stored one after another, and `sizes` sum to P. A tensor with fewer than 1 / keep weights selects
    none. ValueError as for `budget` and `top_k`.
    """
    values, share = _values(scores), _share(keep)
    if sum(sizes) != len(values):
        raise ValueError(f"sizes sum to {sum(sizes)}, allowed: {len(values)}, the number of scores")
    starts = np.cumsum([0, *sizes])
    pieces = [
        start + _select(values[start : start + size], k)
        for start, size in zip(starts[:-1], sizes, strict=True)
        if (k := _floor(share, size))
    ]
    if not pieces:
        raise ValueError(f"keep {keep} selects no weight in any tensor, the largest has {max(sizes)}")
    return torch.from_numpy(np.concatenate(pieces))


def top_groups(scores: Tensor, sizes: Sequence[int], k: int) -> Tensor:
    """Indices, ascending, of whole groups with the highest mean of float32 `scores` [P], at most k weights in all.

    The groups are stored one after another, and `sizes` sum to P. From the best group down, each that still fits is
    selected; of equal means, the first. ValueError as for `top_k`, and if no group fits.
    """
    values, lengths = _values(scores), np.asarray(sizes, np.int64)
    if int(lengths.sum()) != len(values) or not 1 <= k <= len(values):
        raise ValueError(f"k is {k} and sizes sum to {int(lengths.sum())}, allowed: 1 to {len(values)}, {len(values)}")
    starts = np.cumsum(lengths) - lengths
    means = np.add.reduceat(values, starts, dtype=np.float64) / lengths
    taken = np.zeros(len(lengths), np.bool_)
    for group in np.argsort(-means, kind="stable").tolist():
        if lengths[group] <= k:
            taken[group] = True
            k -= int(lengths[group])
    if not taken.any():
        raise ValueError(f"{k} weights hold no whole group, the smallest has {int(lengths.min())}")
    return torch.from_numpy(np.flatnonzero(np.repeat(taken, lengths)))


def _share(keep: Decimal | str) -> Decimal:
    try:
        share = Decimal(str(keep))
    except InvalidOperation:
        share = Decimal("nan")
    if not (share.is_finite() and 0 < share <= 1):
        raise ValueError(f"keep is {keep}, allowed: a decimal number above 0 and up to 1")
    return share


def _floor(share: Decimal, size: int) -> int:
    return 0 if share.adjusted() < -20 else int(Fraction(share) * size)  # 1e-999999999 as a fraction takes for ever


def _values(scores: Tensor) -> Scores:
    if scores.dtype != torch.float32 or scores.ndim != 1:
        raise ValueError(f"scores are {scores.dtype} of shape {list(scores.shape)}, allowed: torch.float32 [P]")
    if scores.numel() and bool(scores.max().isnan()):
        raise ValueError(f"{int(scores.isnan().sum())} of {scores.numel()} scores are NaN")
    values: Scores = scores.detach().cpu().numpy()
    return values


def _select(values: Scores, k: int) -> NDArray[np.int64]:
    """Indices [k] of the k highest `values`, ascending, ties to the lowest index."""
    limit, ties = _threshold(values, k)
    chosen, filled = np.empty(k, np.int64), 0
    for start, keys in _chunks(values):
        keep = keys > limit
        if ties:
            equal = np.flatnonzero(keys == limit)[:ties]
            keep[equal] = True
            ties -= len(equal)
        found = np.flatnonzero(keep)
        chosen[filled : filled + len(found)] = found + start
        filled += len(found)
    return chosen


def _threshold(values: Scores, k: int) -> tuple[int, int]:
    """Key of the k-th highest value, and how many of the values equal to it are among the k highest."""
    upper = np.zeros(1 << 16, np.int64)
    for _, keys in _chunks(values):
        upper += np.bincount(keys >> 16, minlength=1 << 16)
    high, k = _from_top(upper, k)
    lower = np.zeros(1 << 16, np.int64)
    for _, keys in _chunks(values):
        lower += np.bincount(keys[keys >> 16 == high] & 0xFFFF, minlength=1 << 16)
    low, k = _from_top(lower, k)
    return high << 16 | low, k


def _from_top(counts: NDArray[np.int64], k: int) -> tuple[int, int]:
    """Bin of the k-th item, counted from the last bin down, and its rank inside that bin, from 1."""
    at_or_above = counts[::-1].cumsum()
    from_end = int(np.searchsorted(at_or_above, k))
    return len(counts) - 1 - from_end, k - int(at_or_above[from_end] - counts[::-1][from_end])


def _chunks(values: Scores) -> Iterator[tuple[int, Keys]]:
    """Start and unsigned keys of each piece of `values`; the keys sort like the numbers, with -0 equal to 0."""
    for start in range(0, len(values), _CHUNK):
        bits = (values[start : start + _CHUNK] + np.float32(0)).view(np.uint32)
        yield start, bits ^ np.where(bits >> 31 == 1, np.uint32(0xFFFFFFFF), np.uint32(1 << 31))
