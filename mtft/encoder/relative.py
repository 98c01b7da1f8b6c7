"""Relative positions: a learned bias per head for the distance from query to key, added to attention scores.

Distances fall into buckets (Raffel et al. 2020, "T5", section 2.1), as in MPNet (Song et al. 2020): half of them are
for keys behind the query. In each half, distances below 8 have their own; longer ones share eight buckets, each wider
by a factor of about sqrt(2), and the last begins at 91 tokens.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from mtft.data.packing import Block

FIRST = (1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91)
"""The least distance of each bucket but the first, 0; whole numbers, because logarithms round differently elsewhere."""
BUCKETS = 2 * (len(FIRST) + 1)


def buckets(distances: Tensor) -> Tensor:
    """Return the bucket of each distance, the key's position less the query's (any shape)."""
    bounds = torch.tensor(FIRST, device=distances.device)
    near = (distances.abs()[..., None] >= bounds).sum(-1)
    return near + (distances > 0) * (BUCKETS // 2)


def distance_bias(table: nn.Embedding, blocks: Iterable[Block]) -> Tensor:
    """Return the bias [K, L, L] of head, query and key from a table [BUCKETS, K]; L is the longest block's length."""
    length = max(block.length for block in blocks)
    positions = torch.arange(length, device=table.weight.device)
    rows: Tensor = table(buckets(positions - positions[:, None]).reshape(-1))
    return rows.view(length, length, -1).permute(2, 0, 1).contiguous()
