"""Values shown in errors: as a user would write them, harmless and short."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtft.io.text import printable, show, worst_few

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        ("a", "'a'"),
        (["ä", 1, None], '["ä", 1, null]'),
        (Decimal("0.30"), "0.30"),
        (Path("a/b"), "a/b"),
        ("x" * 100, f"'{'x' * 76}..."),
        (["\u202e"], '["\\u202e"]'),
    ],
)
def test_a_value_is_shown_as_a_user_writes_it(value: object, text: str) -> None:
    assert show(value) == text


@given(values)
def test_whatever_is_shown_fits_on_a_line_and_steers_no_terminal(value: Any) -> None:
    text = show(value)
    assert len(text) <= 80
    assert printable(text) == text
    assert "\n" not in text


def test_a_number_with_too_many_digits_and_a_list_nested_too_deep_are_not_shown() -> None:
    value: list[Any] = []
    for _ in range(10_000):
        value = [value]
    assert show(value) == show(10**5000) == "a value too long to show"


def test_of_many_texts_the_worst_few_are_shown() -> None:
    texts = {name: name.upper() for name in "abcdefgh"}
    badness = dict(zip("abcdefgh", [0.0, 7, 1, 6, math.nan, 5, 2, 3], strict=True))
    assert worst_few(texts, badness, "losses", most=8) == "A  B  C  D  E  F  G  H"
    assert worst_few(texts, badness, "losses", most=3) == "worst 3 of 8 losses: E  B  D"
    assert worst_few({}, {}, "losses") == ""
