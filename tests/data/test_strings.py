"""Strings in one piece of memory are those that were put in, in order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtft.data.strings import Listing, Strings

any_text = st.text(st.characters(exclude_categories=()))  # halves of surrogate pairs too: ids of plugins may hold them


@settings(max_examples=60, deadline=None)
@given(st.lists(any_text, max_size=8), st.integers(0, 9))
def test_strings_are_a_sequence_of_what_was_put_in(texts: list[str], count: int) -> None:
    found = Strings(texts)
    assert list(found) == texts
    assert len(found) == len(texts)
    assert [found[number] for number in range(-len(texts), len(texts))] == texts + texts
    assert found[1:-1] == texts[1:-1]
    before = found.digest()
    found.cut(min(count, len(texts)))
    assert list(found) == texts[:count]
    assert found.digest() == Strings(texts[:count]).digest()
    for text in texts[count:]:
        found.append(text)
    assert found.digest() == before


def test_the_digest_sees_where_a_string_ends() -> None:
    parts = [["ab", "c"], ["a", "bc"], ["abc"], ["abc", ""], ["", "abc"], []]
    assert len({Strings(texts).digest() for texts in parts}) == len(parts)


def test_there_is_nothing_behind_the_end() -> None:
    with pytest.raises(IndexError):
        Strings(["a"])[1]


def test_a_listing_makes_what_is_asked_for() -> None:
    made: list[int] = []

    def make(row: int) -> str:
        made.append(row)
        return f"row {row}"

    found = Listing(np.array([7, 3, 5]), make)
    assert (len(found), made) == (3, [])
    assert (found[1], found[1:], list(found)) == ("row 3", ["row 3", "row 5"], ["row 7", "row 3", "row 5"])
    assert made[0] == 3
