"""Equal rows are found as a dictionary finds them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mtft.data.equal_rows import digests, distinct, first_equal

some = settings(max_examples=60, deadline=None)


@some
@given(st.integers(1, 3).flatmap(lambda width: st.lists(st.lists(st.integers(-2, 2), min_size=width, max_size=width))))
def test_the_first_equal_row_is_that_of_a_dictionary(rows: list[list[int]]) -> None:
    first: dict[tuple[int, ...], int] = {}
    expected = [first.setdefault(tuple(row), number) for number, row in enumerate(rows)]
    shaped = np.array(rows, np.int64).reshape(len(rows), -1 if rows else 1)
    assert first_equal(shaped).tolist() == expected


@some
@given(st.lists(st.text(max_size=2)))
def test_texts_are_equal_where_their_digests_are(texts: list[str]) -> None:
    found = digests(iter(texts))
    assert found.shape == (len(texts), 2)
    assert first_equal(found).tolist() == [texts.index(text) for text in texts]


def test_both_halves_of_a_digest_count() -> None:
    rows = np.array([[1, 2], [1, 3], [2, 2], [1, 2], [2**64 - 1, 0]], np.uint64)
    assert first_equal(rows).tolist() == [0, 1, 2, 0, 4]


def test_digests_are_pinned() -> None:
    """BLAKE2b of 16 bytes, as two little-endian numbers."""
    assert digests(["", "a"])[0].tobytes().hex() == "cae66941d9efbd404e4d88758ea67670"


@some
@given(st.lists(st.integers(0, 5)))
def test_distinct_numbers_come_in_order(numbers: list[int]) -> None:
    assert distinct(np.array(numbers, np.int64)).tolist() == list(dict.fromkeys(numbers))
