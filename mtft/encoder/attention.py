"""Self-attention over packed batches: sequences of equal length form one dense block, so no mask is needed."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from mtft.data.packing import TokenBatch
from mtft.encoder.dropout import dropout


def packed_attention(qkv: Tensor, batch: TokenBatch, heads: int, probability: float = 0.0) -> Tensor:
    """Attend inside each sequence.

    `qkv` [N, 3H] holds queries, keys and values of all tokens; returns [N, H]. Attention
    weights are dropped with `probability`.
    """
    sizes = [count * length for count, length in batch.groups]
    blocks = [
        _dense(block.view(count, length, 3, heads, -1), probability)
        for block, (count, length) in zip(qkv.split(sizes), batch.groups, strict=True)
    ]
    return torch.cat(blocks) if len(blocks) > 1 else blocks[0]


def _dense(qkv: Tensor, probability: float) -> Tensor:
    """Attend in a block [count, L, 3, heads, D] of equal lengths; returns [count * L, heads * D]."""
    query, key, value = qkv.permute(2, 0, 3, 1, 4)
    if probability:
        weights = (query @ key.mT).mul_(query.shape[-1] ** -0.5).softmax(-1)
        mixed = dropout(weights, probability, training=True) @ value
    else:
        mixed = functional.scaled_dot_product_attention(query, key, value)
    rows: Tensor = mixed.transpose(1, 2).flatten(2).flatten(0, 1)
    return rows
