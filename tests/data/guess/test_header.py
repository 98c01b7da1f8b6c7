"""A first line that is a row is told from one that names columns."""

from __future__ import annotations

import pytest

from mtft.data.guess.columns import profile
from mtft.data.guess.header import no_header, value_in_header

FILMS = [(f"the film number {n} was long", ("good", "bad")[n % 2]) for n in range(10)]


def found(first: str, second: str, rows: list[tuple[str, str]] = FILMS) -> str | None:
    columns, _ = profile([{first: one, second: two} for one, two in rows])
    return value_in_header(columns)


@pytest.mark.parametrize(
    ("first", "second", "value"),
    [
        ("text", "label", None),
        ("text", "good", None),  # a column may be called as one of its labels
        ("review of the film", "label", None),
        ("a great film for all", "good", "a great film for all"),
        ("Great quality for the price", "good", "Great quality for the price"),
        ("what I saw", "good", "good"),
        ("a film", "neutral", None),
        ("a film that I would see again", "neutral", "a film that I would see again"),
        ("text", "1", "1"),
        ("x" * 101, "label", "x" * 101),
    ],
)
def test_what_looks_like_a_value(first: str, second: str, value: str | None) -> None:
    assert found(first, second) == value


def test_a_value_with_a_word_for_labels_in_it_is_no_name() -> None:
    rows = [(text, f"__label__{label}") for text, label in FILMS]
    assert found("a film", "__label__good", rows) == "__label__good"


def test_the_error_says_what_helps() -> None:
    assert "a.csv:1: 'good' looks like a value" in no_header("a.csv", "good")
    assert "or name the columns: header=False columns='NAME,...'" in no_header("a.csv", "good")
