"""A sequence that makes its items behaves like a list of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtft.data.lazy_sequence import LazySequence


class Squares(LazySequence[int]):
    def __init__(self, count: int) -> None:
        self.size = count

    def __len__(self) -> int:
        return self.size

    def at(self, number: int) -> int:
        assert 0 <= number < self.size
        return number**2


NUMBERS = st.none() | st.integers(-9, 9)


@given(st.integers(0, 6), NUMBERS, NUMBERS, st.none() | st.integers(-3, 3).filter(bool))
def test_items_and_slices_equal_a_list(count: int, start: int | None, stop: int | None, step: int | None) -> None:
    made, whole = Squares(count), [number**2 for number in range(count)]
    assert list(made) == whole
    assert made[start:stop:step] == whole[start:stop:step]
    assert [made[index] for index in range(-count, count)] == whole + whole


@pytest.mark.parametrize("index", [2, -3])
def test_an_index_outside_is_an_error(index: int) -> None:
    with pytest.raises(IndexError):
        Squares(2)[index]
