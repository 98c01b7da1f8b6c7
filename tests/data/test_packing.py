"""Packing: every token of every chosen example once, outputs back in the order asked for, cuts within the budget."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtft.data.packing import SLACK, TokenBatch, make_blocks, micro_batches, pack
from mtft.data.tokenization import TokenTable
from mtft.testing.tiny import tiny_batch, tiny_encoder

Sequence = tuple[list[int], list[int]]
Part = tuple[TokenTable, list[int]]


def make_table(lengths: list[int], per_example: int = 1, first: int = 0) -> TokenTable:
    """Make a table whose ids are all different, so that a token shows where it comes from."""
    offsets = np.cumsum([0, *lengths])
    ids = np.arange(first, first + offsets[-1])
    return TokenTable(ids.astype(np.int32), (ids % 2).astype(np.uint8), offsets.astype(np.int64), per_example)


def naive(*parts: Part) -> list[Sequence]:
    """The sequences (ids, segments) of the examples asked for, one after the other."""
    found = []
    for table, rows in parts:
        for row in rows:
            for index in range(row * table.per_example, (row + 1) * table.per_example):
                span = slice(table.offsets[index], table.offsets[index + 1])
                found.append((table.ids[span].tolist(), table.segments[span].tolist()))
    return found


def unpacked(batch: TokenBatch) -> list[Sequence]:
    """The sequences of a batch in the order asked for, by restoring their order."""
    pieces = zip(batch.ids.split(batch.lengths), batch.segments.split(batch.lengths), strict=True)
    sequences = [(ids.tolist(), segments.tolist()) for ids, segments in pieces]
    return [sequences[index] for index in batch.restore(torch.arange(len(sequences))).tolist()]


def packed(*parts: Part) -> TokenBatch:
    return pack(*((table, np.array(rows, np.int64)) for table, rows in parts))


@st.composite
def chosen(draw: st.DrawFn, first: int = 0) -> Part:
    """A table and some of its examples, in any order, some twice."""
    per_example = draw(st.integers(1, 2))
    examples = draw(st.integers(1, 6))
    lengths = draw(st.lists(st.integers(1, 5), min_size=examples * per_example, max_size=examples * per_example))
    rows = draw(st.lists(st.integers(0, examples - 1), min_size=1, max_size=8))
    return make_table(lengths, per_example, first), rows


many = st.lists(st.integers(0, 2).flatmap(lambda part: chosen(100 * part)), min_size=1, max_size=4)
some = settings(max_examples=120, deadline=None)


@some
@given(many)
def test_a_batch_holds_the_sequences_of_a_naive_loop(parts: list[Part]) -> None:
    batch, expected = packed(*parts), naive(*parts)
    assert unpacked(batch) == expected
    assert sorted(batch.ids.tolist()) == sorted(token for ids, _ in expected for token in ids)
    assert batch.tokens == sum(len(ids) for ids, _ in expected)


@some
@given(many)
def test_sequences_ascend_in_length_and_owners_starts_and_positions_describe_them(parts: list[Part]) -> None:
    batch = packed(*parts)
    assert list(batch.lengths) == sorted(batch.lengths)
    assert batch.owners.tolist() == [i for i, length in enumerate(batch.lengths) for _ in range(length)]
    assert batch.starts.tolist() == [sum(batch.lengths[:i]) for i in range(len(batch.lengths))]
    assert batch.positions.tolist() == [index for length in batch.lengths for index in range(length)]
    assert {tensor.dtype for tensor in (batch.ids, batch.segments, batch.positions, batch.inverse)} == {torch.int64}


def test_restore_puts_rows_of_any_shape_into_the_order_asked_for() -> None:
    batch = packed((make_table([5, 1, 3]), [2, 0, 1, 2]))
    assert batch.lengths == (1, 3, 3, 5)
    lengths = torch.tensor(batch.lengths)
    assert batch.restore(lengths).tolist() == [3, 5, 1, 3]
    assert batch.restore(torch.stack([lengths, -lengths], dim=1)).tolist() == [[3, -3], [5, -5], [1, -1], [3, -3]]


def test_equal_lengths_keep_the_order_asked_for() -> None:
    batch = packed((make_table([2, 2, 2]), [2, 0, 1]))
    assert batch.ids.tolist() == [4, 5, 0, 1, 2, 3]
    assert batch.inverse.tolist() == [0, 1, 2]


def test_texts_apart_come_back_side_by_side() -> None:
    table = make_table([3, 1, 2, 2], per_example=2)
    batch = packed((table, [1, 0]))
    lengths = batch.restore(torch.tensor(batch.lengths))
    assert lengths.view(-1, 2).tolist() == [[2, 2], [3, 1]]
    assert unpacked(batch) == naive((table, [1, 0]))


def test_tables_of_both_kinds_share_a_batch_part_after_part() -> None:
    single, apart = make_table([4, 2], first=0), make_table([1, 3, 2, 2], per_example=2, first=50)
    parts = (single, [1]), (apart, [1, 0]), (single, [0, 1])
    assert unpacked(packed(*parts)) == naive(*parts)


def test_one_sequence_is_a_batch() -> None:
    batch = packed((make_table([1]), [0]))
    assert (batch.ids.tolist(), batch.starts.tolist(), batch.owners.tolist()) == ([0], [0], [0])


# ---- Micro-batches


@some
@given(st.lists(st.integers(1, 30), max_size=30), st.integers(1, 60))
def test_micro_batches_hold_each_row_once_within_the_budget(lengths: list[int], budget: int) -> None:
    array = np.array(lengths, np.int64)
    cuts = micro_batches(array, budget)
    assert sorted(row for cut in cuts for row in cut.tolist()) == list(range(len(lengths)))
    for cut in cuts:
        assert len(cut) == 1 or array[cut].sum() <= budget
    for cut, after in pairwise(cuts):
        assert array[cut].sum() + array[after[0]] > budget
        assert array[cut].min() >= array[after].max()


def test_an_example_above_the_budget_stands_alone() -> None:
    assert [cut.tolist() for cut in micro_batches(np.array([2, 90, 3, 80, 5]), 10)] == [[1], [3], [4, 2, 0]]


def test_micro_batches_of_equal_lengths_keep_the_order() -> None:
    assert [cut.tolist() for cut in micro_batches(np.full(5, 4), 8)] == [[0, 1], [2, 3], [4]]


def test_no_rows_make_no_micro_batches() -> None:
    assert micro_batches(np.zeros(0, np.int64), 8) == []


@pytest.mark.parametrize("budget", [1, 7, 1000])
def test_packing_micro_batch_by_micro_batch_covers_the_table(budget: int) -> None:
    table = make_table([3, 1, 4, 1, 5, 9, 2, 6], per_example=2)
    batches = [pack((table, rows)) for rows in micro_batches(table.example_lengths, budget)]
    assert sorted(token for batch in batches for token in batch.ids.tolist()) == list(range(31))


@some
@given(st.lists(st.integers(1, 40), min_size=1, max_size=30).map(sorted))
def test_blocks_hold_every_token_once_and_mask_the_rest(lengths: list[int]) -> None:
    rows = torch.arange(sum(lengths))
    start = index = 0
    for block in make_blocks(lengths):
        own = lengths[index : index + block.count]
        assert (block.start, block.tokens, block.length) == (start, sum(own), own[-1])
        assert own[-1] <= own[0] * SLACK[0] + SLACK[1]
        dense = block.pad(rows).view(block.count, block.length)
        for sequence, length in zip(dense.tolist(), own, strict=True):
            assert sequence == [start + min(i, length - 1) for i in range(block.length)]
            start += length
        real = torch.tensor([[i < length for i in range(block.length)] for length in own])
        if bool(real.all()):
            assert block.real is block.padding is block.bias is block.index is None
        else:
            assert block.real is not None
            assert block.padding is not None
            assert block.bias is not None
            assert block.real.tolist() == real.flatten().nonzero().squeeze(1).tolist()
            assert block.padding.tolist() == (~real).flatten().nonzero().squeeze(1).tolist()
            assert torch.equal(block.bias[:, 0, 0] == 0, real)
            assert bool(block.bias[:, 0, 0][~real].isneginf().all())
        index += block.count
    assert (index, start) == (len(lengths), sum(lengths))


def test_padding_puts_every_token_in_its_position_and_back() -> None:
    encoder = tiny_encoder()
    batch = tiny_batch(encoder, (3, 1, 5))
    padded = batch.pad(batch.ids, fill=-1)
    assert padded.shape == (3, 5)
    assert [row[row >= 0].tolist() for row in padded] == [part.tolist() for part in batch.ids.split(batch.lengths)]
    assert (padded >= 0).sum(1).tolist() == [1, 3, 5]
    rows = torch.randn(9, 4)
    assert torch.equal(batch.unpad(batch.pad(rows)), rows)
    assert torch.equal(batch.pad(rows), batch.padded(rows)[0])
