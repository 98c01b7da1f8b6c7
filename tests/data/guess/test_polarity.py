"""Which of two labels stands for no."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtft.data.guess.polarity import NEGATIONS, no_first

PAIRS = [
    ("NOT", "OFF"),
    ("NOT", "HOF"),
    ("low", "high"),
    ("nein", "ja"),
    ("non", "oui"),
    ("no", "s\u00ed"),
    ("NO", "YES"),
    ("not_offensive", "offensive"),
    ("non-toxic", "toxic"),
    ("Not Sarcastic", "Sarcastic"),
    ("no hate", "hate speech"),
    ("negative", "neutral"),
    ("NEG", "POS"),
    ("unhappy", "happy"),
    ("irregular", "regular"),
    ("normal", "abusive"),
    ("low_risk", "high_risk"),
    ("disagree", "agree"),
    ("REFUTES", "SUPPORTS"),
    ("ham", "spam"),
    ("real", "fake"),
    ("nie", "tak"),
    ("\u043d\u0435\u0442", "\u0434\u0430"),
    ("N", "Y"),
    ("F", "T"),
    ("0", "1"),
    ("-1", "1"),
    ("1", "2"),
    ("-1", "0"),
    ("9", "10"),
    ("Kein Befund", "Befund"),
    ("without", "with"),
    ("off", "on"),
    ("human", "machine"),
]


@pytest.mark.parametrize("names", PAIRS, ids="/".join)
def test_the_negated_label_comes_first_in_either_order(names: tuple[str, str]) -> None:
    assert no_first(names) == no_first(names[::-1]) == (names, True)


@pytest.mark.parametrize("names", [("cat", "dog"), ("F", "M"), ("TIN", "UNT"), ("a", "b")])
def test_where_nothing_says_so_the_order_stays(names: tuple[str, str]) -> None:
    assert no_first(names) == (names, False)


@given(st.text("abcdef", min_size=2, max_size=8), st.sampled_from(NEGATIONS), st.sampled_from(["_", "-", " "]))
def test_a_label_with_a_word_for_no_before_it_is_never_positive(word: str, negation: str, gap: str) -> None:
    names = (f"{negation}{gap}{word}", word)
    assert no_first(names) == no_first(names[::-1]) == (names, True)
