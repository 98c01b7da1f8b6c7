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
    ("NHS", "HS"),
    ("NCR", "CR"),
    ("legit", "phishing"),
    ("genuine", "deceptive"),
    ("ok", "sexist"),
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
    ("hay\u0131r", "evet"),
    ("HAYIR", "EVET"),
    ("DE\u011e\u0130L", "spam"),
    ("spam de\u011fil", "spam"),
    ("nem", "igen"),
    ("ei", "kyll\u00e4"),
    ("ne", "ano"),
    ("nei", "ja"),
    ("n\u0113", "j\u0101"),
    ("\u03cc\u03c7\u03b9", "\u03bd\u03b1\u03b9"),
    ("\u05dc\u05d0", "\u05db\u05df"),
    ("\u0644\u0627", "\u0646\u0639\u0645"),
    ("\u0928\u0939\u0940\u0902", "\u0939\u093e\u0901"),
    ("\u0e44\u0e21\u0e48\u0e43\u0e0a\u0e48", "\u0e43\u0e0a\u0e48"),
    ("tidak", "ya"),
    ("kh\u00f4ng", "c\u00f3"),
    ("na\u0303o", "sim"),
    ("\u6ca1\u6709", "\u6709"),
    ("\u975e\u5783\u573e", "\u5783\u573e"),
    ("\u5426", "\u662f"),
    ("\uc544\ub2c8\uc694", "\ub124"),
    ("\u043d\u0435\u0441\u043f\u0430\u043c", "\u0441\u043f\u0430\u043c"),
    ("ikke spam", "spam"),
    ("niet relevant", "relevant"),
    ("N", "P"),
    ("-", "+"),
    ("\u2717", "\u2713"),
    ("\U0001f44e", "\U0001f44d"),
]


@pytest.mark.parametrize("names", PAIRS, ids="/".join)
def test_the_negated_label_comes_first_in_either_order(names: tuple[str, str]) -> None:
    assert no_first(names) == no_first(names[::-1]) == (names, True)


@pytest.mark.parametrize(
    "names", [("cat", "dog"), ("F", "M"), ("TIN", "UNT"), ("a", "b"), ("O", "NO2"), ("age", "nage")]
)
def test_where_nothing_says_so_the_order_stays(names: tuple[str, str]) -> None:
    assert no_first(names) == (names, False)


@given(st.text("abcdef", min_size=2, max_size=8), st.sampled_from(NEGATIONS), st.sampled_from(["_", "-", " "]))
def test_a_label_with_a_word_for_no_before_it_is_never_positive(word: str, negation: str, gap: str) -> None:
    names = (f"{negation}{gap}{word}", word)
    assert no_first(names) == no_first(names[::-1]) == (names, True)
