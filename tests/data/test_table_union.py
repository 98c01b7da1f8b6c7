"""Merged token tables hold each row once, and every table finds its rows in them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mtft.data.table_union import merge
from mtft.data.tokenization import TokenTable

rows = st.lists(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1)), min_size=1, max_size=3), min_size=1)


def table(sequences: list[list[tuple[int, int]]]) -> TokenTable:
    flat = [token for sequence in sequences for token in sequence]
    offsets = np.cumsum([0, *map(len, sequences)])
    return TokenTable(np.array([t for t, _ in flat], np.int32), np.array([s for _, s in flat], np.uint8), offsets, 1)


def sequences(found: TokenTable) -> list[list[tuple[int, int]]]:
    ends = zip(found.offsets[:-1], found.offsets[1:], strict=True)
    return [list(zip(found.ids[a:b].tolist(), found.segments[a:b].tolist(), strict=True)) for a, b in ends]


@given(st.lists(rows, min_size=1, max_size=3))
def test_merged_rows_are_different_and_all_are_found(given_rows: list[list[list[tuple[int, int]]]]) -> None:
    merged, indices = merge([table(each) for each in given_rows])
    every = sequences(merged)
    assert len({tuple(each) for each in every}) == len(every)
    assert [[every[at] for at in own] for own in indices] == given_rows
