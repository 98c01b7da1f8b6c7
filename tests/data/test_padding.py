"""Padded batches: the same modules give the same numbers as on packed ones, whatever stands in the padding."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from factories import LONGEST, TASKS, toy_model
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mtft.data.packing import TokenBatch, pack
from mtft.data.padding import PaddedBatch, padded_batch
from mtft.data.tokenization import TokenTable
from mtft.encoder.bert import EncoderOutput
from mtft.testing.tiny import tiny_table

MODEL = toy_model()[0].cpu().eval()
NAMES = [task.name for task in TASKS]
some_lengths = st.lists(st.integers(1, LONGEST), min_size=1, max_size=9)


def padded(table: TokenTable, extra: int = 0, junk: int = 0) -> PaddedBatch:
    """Pad a table's sequences to the longest and `extra` positions more, with `junk` in them."""
    longest = int(table.lengths.max()) + extra
    ids, segments, mask = (np.full((len(table), longest), fill, np.int64) for fill in (junk, junk % 2, 0))
    for row, (begin, length) in enumerate(zip(table.offsets, table.lengths, strict=False)):
        ids[row, :length] = table.ids[begin : begin + length]
        segments[row, :length] = table.segments[begin : begin + length]
        mask[row, :length] = 1
    return padded_batch(*map(torch.from_numpy, (ids, segments, mask)))


def both(lengths: list[int], **options: int) -> tuple[TokenBatch, PaddedBatch]:
    table = tiny_table(MODEL.encoder, lengths)
    return pack((table, np.arange(len(lengths)))), padded(table, **options)


def outputs(batch: PaddedBatch) -> dict[str, Tensor]:
    encoded = MODEL.encoder(batch)
    return {name: MODEL.heads[name](encoded) for name in NAMES}


@settings(deadline=None, max_examples=25)
@given(some_lengths, st.integers(0, 5), st.integers(0, 30))
def test_the_model_says_the_same_of_packed_and_padded_batches(lengths: list[int], extra: int, junk: int) -> None:
    packed, wide = both(lengths, extra=extra, junk=junk)
    with torch.no_grad():
        expected, found = MODEL(packed, NAMES), outputs(wide)
    for name in NAMES:
        torch.testing.assert_close(found[name], expected[name], rtol=0, atol=2e-6)


def test_gradients_are_the_same_too() -> None:
    lengths = [3, 7, 1, 7]
    packed, wide = both(lengths, extra=2)
    found = []
    for outcome in (MODEL(packed, NAMES), outputs(wide)):
        total = torch.cat([outcome[name] for name in NAMES], dim=1).square().sum()
        MODEL.encoder.zero_grad()
        total.backward()
        found.append([p.grad.clone() for p in MODEL.encoder.parameters() if p.grad is not None])
    assert len(found[0]) == len(list(MODEL.encoder.parameters()))
    for packed_gradient, padded_gradient in zip(*found, strict=True):
        torch.testing.assert_close(padded_gradient, packed_gradient, rtol=1e-4, atol=1e-5)


@settings(deadline=None, max_examples=25)
@given(some_lengths)
def test_what_heads_may_ask_is_answered_alike(lengths: list[int]) -> None:
    packed, wide = both(lengths, extra=1)
    with torch.no_grad():
        first, second = (MODEL.encoder(batch) for batch in (packed, wide))
    assert isinstance(first, EncoderOutput)
    for rows, other in ((first.cls(), second.cls()), (first.mean(), second.mean()), (first.pooled, second.pooled)):
        torch.testing.assert_close(other, packed.restore(rows), rtol=0, atol=2e-6)
    hidden, mask = first.padded()
    wider, wider_mask = second.padded()
    assert wider_mask[:, :-1].equal(packed.restore(mask))
    assert not wider_mask[:, -1].any()
    torch.testing.assert_close(wider[:, :-1], packed.restore(hidden), rtol=0, atol=2e-6)
    assert not wider[:, -1].any()


@pytest.mark.parametrize("mask", [[[0, 0], [1, 1]], [[0, 0], [0, 0]]])
def test_a_sequence_without_tokens_gives_no_nan(mask: list[list[int]]) -> None:
    ids = torch.tensor([[5, 6], [7, 8]])
    with torch.no_grad():
        found = outputs(padded_batch(ids, torch.zeros_like(ids), torch.tensor(mask)))
    assert all(bool(tensor.isfinite().all()) for tensor in found.values())
