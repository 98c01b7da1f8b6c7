"""Self-attention over packed batches: sequences of nearly equal length form one dense block.

One autograd function handles all blocks, with a few large matrix products and explicit copies; autograd on transposed
views would copy several times as much.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from mtft.data.packing import Batch, Block, TokenBatch
from mtft.encoder.dropout import keep_mask


def packed_attention(
    qkv: Tensor, batch: Batch, heads: int, probability: float = 0.0, bias: Tensor | None = None
) -> Tensor:
    """Attend inside each sequence.

    `qkv` [N, 3H] holds queries, keys and values of all tokens; returns [N, H]. Attention
    weights are dropped with `probability`. `bias` [K, L, L] is added to the scores of each head, query and key, where L
    is at least the length of the longest sequence.
    """
    trained = qkv.requires_grad or (bias is not None and bias.requires_grad)
    if not probability and not (torch.is_grad_enabled() and trained):
        if isinstance(batch, TokenBatch) and bias is None and has_varlen(qkv, heads):  # that kernel takes no bias
            return _by_length(qkv, batch, heads)
        return _inference(qkv, batch.blocks, heads, bias)
    mixed: Tensor = _Attention.apply(qkv, batch.blocks, heads, probability, bias)  # type: ignore[no-untyped-call]
    return mixed


def has_varlen(qkv: Tensor, heads: int) -> bool:
    """Return whether torch's attention for packed sequences, without dropout, takes queries, keys and values [N, 3H].

    It is flash attention: on CUDA from compute capability 8.0 on, in half precision, with heads of a size that is a
    multiple of 8 and at most 256.
    """
    size = qkv.shape[1] // 3 // heads
    return (
        qkv.is_cuda
        and qkv.dtype in (torch.bfloat16, torch.float16)
        and size % 8 == 0
        and size <= 256
        and torch.cuda.get_device_capability(qkv.device) >= (8, 0)
        and find_spec("torch.nn.attention.varlen") is not None
    )


def _by_length(qkv: Tensor, batch: TokenBatch, heads: int) -> Tensor:
    """Attend over all sequences of any lengths in one kernel."""
    from torch.nn.attention.varlen import varlen_attn

    query, key, value = qkv.view(len(qkv), 3, heads, -1).unbind(1)
    longest, ends = batch.lengths[-1], batch.ends
    mixed: Tensor = varlen_attn(query, key, value, ends, ends, longest, longest)  # type: ignore[assignment]
    return mixed.flatten(1)


def _inference(qkv: Tensor, blocks: tuple[Block, ...], heads: int, bias: Tensor | None) -> Tensor:
    """Attend without gradients, by torch's fused attention, whose memory is linear in the length without `bias`."""
    out = qkv.new_empty(qkv.shape[0], qkv.shape[1] // 3)
    for block in blocks:
        query, key, value = block.pad(qkv).view(block.count, block.length, 3, heads, -1).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value, _mask(block, bias, qkv.dtype))
        _by_token(mixed, block, heads, out)
    return out


def _mask(block: Block, bias: Tensor | None, kind: torch.dtype) -> Tensor | None:
    """Return what is added to a block's scores [count, K, length, length], broadcast; None for nothing."""
    terms = [] if block.bias is None else [block.bias]
    terms += [] if bias is None else [_square(bias, block)]
    return sum(terms[1:], terms[0]).to(kind) if terms else None


def _square(bias: Tensor, block: Block) -> Tensor:
    """Return the part of a bias [K, L, L] for the positions of a block: a view [K, length, length]."""
    return bias[:, : block.length, : block.length]


class _Attention(torch.autograd.Function):
    """Softmax attention of all blocks. Shapes below: C sequences of up to L tokens, K heads of size D.

    A padded key gets weight zero. A padded query repeats a real one; its output is dropped, and the gradient of its
    output is zero.
    """

    @staticmethod
    def forward(
        ctx: Any, qkv: Tensor, blocks: tuple[Block, ...], heads: int, probability: float, bias: Tensor | None
    ) -> Tensor:
        out = qkv.new_empty(len(qkv), qkv.shape[1] // 3)
        scale = (out.shape[1] // heads) ** -0.5
        saved: list[Tensor | None] = []
        for block in blocks:
            parts = _by_head(block.pad(qkv), block, 3, heads)
            query, key, value = parts
            scores = torch.bmm(query, key.mT).mul_(scale)
            by_sequence = scores.view(block.count, heads, *scores.shape[1:])
            if block.bias is not None:
                by_sequence.add_(block.bias)
            if bias is not None:
                by_sequence.add_(_square(bias, block))
            weights = scores.softmax(-1, torch.float32 if scores.dtype == torch.bfloat16 else None).to(scores.dtype)
            keep = keep_mask(weights, probability)
            kept = weights if keep is None else (weights * keep).to(weights.dtype)
            _by_token(torch.bmm(kept, value), block, heads, out)
            saved += [parts, weights, keep]
        ctx.blocks, ctx.heads, ctx.scale, ctx.like = blocks, heads, scale, None if bias is None else bias.detach()
        ctx.save_for_backward(*saved)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None, Tensor | None]:
        grad_qkv = grad.new_empty(len(grad), 3 * grad.shape[1])
        grad_bias = torch.zeros_like(ctx.like) if ctx.needs_input_grad[4] else None
        saved = iter(ctx.saved_tensors)
        for block, parts, weights, keep in zip(ctx.blocks, saved, saved, saved, strict=True):
            query, key, value = parts
            padded = block.pad(grad)
            if block.padding is not None:
                padded.index_fill_(0, block.padding, 0)
            (mixed,) = _by_head(padded, block, 1, ctx.heads)
            grad_parts = torch.empty_like(parts)
            kept = weights if keep is None else (weights * keep).to(weights.dtype)
            torch.bmm(kept.mT, mixed, out=grad_parts[2])
            grad_weights = torch.bmm(mixed, value.mT)
            if keep is not None:
                grad_weights.mul_(keep)
            scores = torch._softmax_backward_data(grad_weights, weights, -1, weights.dtype)
            if grad_bias is not None:
                by_sequence = scores.view(block.count, ctx.heads, *scores.shape[1:])
                _square(grad_bias, block).add_(by_sequence.sum(0, dtype=grad_bias.dtype))
            torch.bmm(scores, key, out=grad_parts[0])
            torch.bmm(scores.mT, query, out=grad_parts[1])
            grad_parts[:2].mul_(ctx.scale)
            _by_token(grad_parts, block, ctx.heads, grad_qkv)
        return grad_qkv, None, None, None, grad_bias


def _by_head(rows: Tensor, block: Block, parts: int, heads: int) -> Tensor:
    """Copy [C * L, parts * K * D] into [parts, C * K, L, D]."""
    split = rows.view(block.count, block.length, parts, heads, -1).permute(2, 0, 3, 1, 4)
    return split.contiguous().view(parts, block.count * heads, block.length, -1)


def _by_token(parts: Tensor, block: Block, heads: int, out: Tensor) -> None:
    """Undo `_by_head`, also for one part [C * K, L, D]; write into the block's rows of `out` [N, parts * K * D]."""
    split = parts.reshape(-1, block.count, heads, block.length, parts.shape[-1]).permute(1, 3, 0, 2, 4)
    own = out[block.start : block.start + block.tokens]
    if block.real is None:
        own.view(split.shape).copy_(split)
    else:
        torch.index_select(split.reshape(block.count * block.length, -1), 0, block.real, out=own)
