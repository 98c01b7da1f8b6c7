"""Parts by id: the same everywhere, even in size, and apart from each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtft.data.example import Example, text_key
from mtft.data.shares import hash_fraction, in_half, in_share
from mtft.errors import DataError

IDS = [str(number) for number in range(4000)]


def test_fractions_are_pinned() -> None:
    """What these give decides which rows old runs were chosen by; it must never change."""
    assert hash_fraction("dev", "876d0172eef5db7776e39c5de") == 0.553043052769258
    assert in_half(["1", "2", "3", "4", "5", "6"], "choose", "x").tolist() == [True, False, False, True, True, False]
    assert [in_share(row, 0.25) for row in "123456"] == [False, False, False, True, False, False]


@given(st.text(), st.floats(0, 1), st.floats(0, 1))
def test_a_share_holds_all_smaller_ones(row: str, a: float, b: float) -> None:
    assert 0 <= hash_fraction(row) < 1
    assert in_share(row, 1.0)
    assert not in_share(row, 0.0)
    assert in_share(row, max(a, b)) >= in_share(row, min(a, b))


@given(st.lists(st.text(), min_size=1))
def test_halves_part_the_rows_whatever_their_order(ids: list[str]) -> None:
    halves = {}
    for half in ("choose", "report"):
        try:
            halves[half] = in_half(ids, half, "x")
        except DataError:
            halves[half] = np.zeros(len(ids), bool)
    assert (halves["choose"] ^ halves["report"]).all()
    back = dict(zip(ids, halves["choose"], strict=True))
    assert [back[row] for row in sorted(ids)] == [hash_fraction("dev", row) < 0.5 for row in sorted(ids)]
    assert in_half(ids, "all", "x").all()


def test_parts_are_about_as_large_as_asked_and_do_not_follow_each_other() -> None:
    chosen = in_half(IDS, "choose", "x")
    quarter = np.array([in_share(row, 0.25) for row in IDS])
    for share, rows in ((0.5, chosen), (0.25, quarter), (0.125, chosen & quarter)):
        assert abs(rows.mean() - share) < 4 * np.sqrt(share * (1 - share) / len(IDS))


def test_rows_without_ids_are_distinguished_by_their_texts() -> None:
    own = Example("17", ("A text",), 1.0, "f:18")
    numbered = replace(own, numbered=True)
    assert (own.key, numbered.key) == ("17", "a text")
    assert replace(numbered, id="16").key == numbered.key
    assert text_key(("b  B", "A")) == text_key(("a", "B b")) != text_key(("ab", "b"))


def test_a_half_without_rows_is_an_error() -> None:
    with pytest.raises(DataError, match="sst: none of its 1 dev rows is in the half 'report'"):
        in_half(["1"], "report", "sst")
    with pytest.raises(DataError, match="sst: none of its 0 dev rows"):
        in_half([], "choose", "sst")
