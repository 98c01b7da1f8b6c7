"""Self-attention over packed batches: sequences of equal length form one dense block, so no mask is needed."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from mtft.data.packing import TokenBatch


def packed_attention(qkv: Tensor, batch: TokenBatch, heads: int, dropout: float = 0.0) -> Tensor:
    """Attend inside each sequence.

    `qkv` [N, 3H] holds queries, keys and values of all tokens; returns [N, H]. `dropout` is the probability
    on attention weights.
    """
    sizes = [count * length for count, length in batch.groups]
    blocks = [
        _dense(block.view(count, length, 3, heads, -1), dropout)
        for block, (count, length) in zip(qkv.split(sizes), batch.groups, strict=True)
    ]
    return torch.cat(blocks) if len(blocks) > 1 else blocks[0]


def _dense(qkv: Tensor, dropout: float) -> Tensor:
    """Attend in a block [count, L, 3, heads, D] of equal lengths; returns [count * L, heads * D]."""
    query, key, value = qkv.permute(2, 0, 3, 1, 4)
    mixed = functional.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
    return mixed.transpose(1, 2).flatten(2).flatten(0, 1)
