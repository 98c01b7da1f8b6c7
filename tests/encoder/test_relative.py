"""Relative positions: transformers' buckets, and a bias that every path of attention adds alike."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mtft.data.packing import Block, TokenBatch, make_blocks
from mtft.encoder.attention import packed_attention
from mtft.encoder.relative import BUCKETS, buckets, distance_bias


def test_buckets_are_those_of_transformers() -> None:
    modeling = pytest.importorskip("transformers.models.mpnet.modeling_mpnet")
    distances = torch.arange(-2000, 2001)
    expected = modeling.MPNetEncoder.relative_position_bucket(distances, num_buckets=BUCKETS)
    assert torch.equal(buckets(distances), expected)


def test_buckets_pinned() -> None:
    distances = torch.tensor([0, -1, 1, -7, 8, -11, 12, 90, -91, 500, -500])
    assert buckets(distances).tolist() == [0, 1, 17, 7, 24, 8, 25, 30, 15, 31, 15]


def test_a_bias_is_looked_up_per_head_query_and_key() -> None:
    table = nn.Embedding(BUCKETS, 3)
    bias = distance_bias(table, [Block(0, 4, 2, 2), Block(4, 10, 2, 5)])
    assert bias.shape == (3, 5, 5)
    for query in range(5):
        for key in range(5):
            expected = table.weight[buckets(torch.tensor(key - query))]
            assert torch.equal(bias[:, query, key], expected)


LENGTHS = (1, 3, 4, 4, 9, 20)
HEADS, SIZE = 2, 5


def naive(qkv: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """One sequence, head and query after the other."""
    mixed, start = [], 0
    for length in LENGTHS:
        rows = qkv[start : start + length].view(length, 3, HEADS, SIZE)
        for query in range(length):
            for head in range(HEADS):
                scores = rows[:, 1, head] @ rows[query, 0, head] / SIZE**0.5 + bias[head, query, :length]
                mixed.append(scores.softmax(0) @ rows[:, 2, head])
        start += length
    return torch.stack(mixed).view(start, HEADS * SIZE)


def batch() -> TokenBatch:
    ids = torch.zeros(sum(LENGTHS), dtype=torch.int64)
    return TokenBatch(ids, ids, ids, LENGTHS, torch.arange(len(LENGTHS)))


def random_inputs(requires_grad: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    qkv = torch.randn(sum(LENGTHS), 3 * HEADS * SIZE, generator=generator, dtype=torch.float64)
    bias = torch.randn(HEADS, 24, 24, generator=generator, dtype=torch.float64)
    return qkv.requires_grad_(requires_grad), bias.requires_grad_(requires_grad)


def test_attention_with_a_bias_equals_a_naive_loop_with_and_without_gradients() -> None:
    assert any(block.bias is not None for block in make_blocks(LENGTHS))  # blocks with padding, and without
    assert any(block.bias is None for block in make_blocks(LENGTHS))
    qkv, bias = random_inputs()
    torch.testing.assert_close(packed_attention(qkv, batch(), HEADS, bias=bias), naive(qkv, bias))
    qkv, bias = random_inputs(requires_grad=True)
    torch.testing.assert_close(packed_attention(qkv, batch(), HEADS, bias=bias), naive(qkv, bias))


def test_gradients_of_a_bias_equal_those_of_a_naive_loop() -> None:
    (qkv, bias), (again, other) = random_inputs(True), random_inputs(True)
    weights = torch.randn(sum(LENGTHS), HEADS * SIZE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    (packed_attention(qkv, batch(), HEADS, bias=bias) * weights).sum().backward()
    (naive(again, other) * weights).sum().backward()
    torch.testing.assert_close(qkv.grad, again.grad)
    torch.testing.assert_close(bias.grad, other.grad)


def test_a_bias_alone_is_trained() -> None:
    (qkv, _), (_, bias) = random_inputs(), random_inputs(True)
    packed_attention(qkv, batch(), HEADS, bias=bias).square().sum().backward()
    assert bias.grad is not None
    assert bool(bias.grad.any())


def test_a_bias_keeps_off_the_kernel_that_takes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where torch's attention for packed sequences is usable, a bias goes through padded blocks."""
    import mtft.encoder.attention as module

    monkeypatch.setattr(module, "has_varlen", lambda qkv: True)
    monkeypatch.setattr(module, "_by_length", lambda *_: pytest.fail("the bias would be lost"))
    qkv, bias = random_inputs()
    torch.testing.assert_close(packed_attention(qkv, batch(), HEADS, bias=bias), naive(qkv, bias))
