"""Packed attention equals attention worked out sequence by sequence and head by head."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from mtft.data.packing import TokenBatch
from mtft.encoder.attention import packed_attention
from mtft.runtime.seeding import seeded
from mtft.testing.tiny import tiny_batch, tiny_encoder

ENCODER = tiny_encoder()


def batch_of(lengths: list[int]) -> TokenBatch:
    return tiny_batch(ENCODER, lengths)


def naive(qkv: Tensor, lengths: tuple[int, ...], heads: int) -> Tensor:
    """Softmax attention of each sequence and head on its own, by its definition."""
    size = qkv.shape[1] // 3
    done = []
    for block in qkv.split(lengths):
        mixed = []
        for query, key, value in zip(*(part.chunk(heads, dim=1) for part in block.split(size, dim=1)), strict=True):
            scores = query @ key.T / (size // heads) ** 0.5
            mixed.append(scores.softmax(dim=1) @ value)
        done.append(torch.cat(mixed, dim=1))
    return torch.cat(done)


def random(batch: TokenBatch, size: int, dtype: torch.dtype = torch.float64) -> Tensor:
    drawn = torch.randn(batch.tokens, 3 * size, generator=torch.Generator().manual_seed(0), dtype=dtype)
    return drawn.to(batch.ids.device)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.sampled_from([1, 2, 3]))
def test_it_equals_attention_per_sequence(lengths: list[int], heads: int) -> None:
    batch = batch_of(lengths)
    qkv = random(batch, 4 * heads)
    torch.testing.assert_close(packed_attention(qkv, batch, heads), naive(qkv, batch.lengths, heads))


@pytest.mark.parametrize("lengths", [[1], [1, 1, 1], [4, 4, 4], [7], [1, 7, 1, 3]])
def test_lengths_of_one_and_single_groups_are_no_special_case(lengths: list[int]) -> None:
    batch = batch_of(lengths)
    qkv = random(batch, 8)
    torch.testing.assert_close(packed_attention(qkv, batch, 2), naive(qkv, batch.lengths, 2))


@pytest.mark.parametrize("lengths", [[2, 3, 3], [1, 4]])
def test_gradients_with_dropout_are_those_of_a_fixed_mask(lengths: list[int]) -> None:
    batch = batch_of(lengths)

    def attend(qkv: Tensor) -> Tensor:
        with seeded(0):
            return packed_attention(qkv, batch, 2, 0.4)

    assert not torch.equal(attend(random(batch, 8)), packed_attention(random(batch, 8), batch, 2))
    assert torch.autograd.gradcheck(attend, random(batch, 8).requires_grad_())


def test_one_token_attends_to_itself_alone() -> None:
    batch = batch_of([1, 1])
    qkv = random(batch, 6)
    torch.testing.assert_close(packed_attention(qkv, batch, 3), qkv[:, 12:])


def test_gradients_equal_those_per_sequence_and_stay_inside_the_sequence() -> None:
    batch = batch_of([2, 3, 3])
    qkv = random(batch, 4).requires_grad_()
    weights = random(batch, 4)[:, :4]
    (found,) = torch.autograd.grad((packed_attention(qkv, batch, 2) * weights).sum(), qkv)
    (expected,) = torch.autograd.grad((naive(qkv, batch.lengths, 2) * weights).sum(), qkv)
    torch.testing.assert_close(found, expected)
    (first,) = torch.autograd.grad(packed_attention(qkv, batch, 2)[:2].sum(), qkv)
    assert bool(first[:2].any())
    assert not bool(first[2:].any())


@pytest.mark.parametrize("lengths", [[1], [3], [2, 3, 3]])
def test_the_given_numbers_are_not_written_to(lengths: list[int]) -> None:
    """One sequence of one token lies in memory as its heads do, so that nothing may be scaled in place."""
    batch = batch_of(lengths)
    qkv = random(batch, 4).requires_grad_()
    kept = qkv.detach().clone()
    packed_attention(qkv, batch, 1).sum().backward()
    assert torch.equal(qkv, kept)


class NoSumIntoFreshMemory(TorchDispatchMode):
    """Refuse products that are added to another tensor: with beta = 0 on MPS, nan of fresh memory stays nan."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert func.overloadpacket not in (torch.ops.aten.baddbmm, torch.ops.aten.addmm), func
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("probability", [0.0, 0.4])
def test_no_product_is_added_to_fresh_memory(probability: float) -> None:
    batch = batch_of([2, 3, 3])
    qkv = random(batch, 8).requires_grad_()
    with NoSumIntoFreshMemory():
        out = packed_attention(qkv, batch, 2, probability)
        out.sum().backward()
    assert qkv.grad is not None
    assert bool(qkv.grad.isfinite().all())


def test_huge_scores_stay_finite() -> None:
    batch = batch_of([3, 5])
    assert bool(packed_attention(1e4 * random(batch, 8, torch.float32), batch, 2).isfinite().all())


def test_dropout_drops_weights_and_keeps_their_mean() -> None:
    batch = batch_of([6] * 400)
    ones = torch.ones(batch.tokens, 4, device=batch.ids.device)
    qkv = torch.cat([torch.zeros_like(ones).repeat(1, 2), ones], dim=1)
    torch.manual_seed(0)
    dropped = packed_attention(qkv, batch, 2, 0.5)
    assert dropped.std() > 0.1
    assert float(dropped.mean()) == pytest.approx(1.0, abs=0.03)
    assert torch.equal(packed_attention(qkv, batch, 2, 0.0), ones)
