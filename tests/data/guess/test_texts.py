"""Texts, pairs of texts, and texts beside their own copies."""

from __future__ import annotations

import pytest

from mtft.data.guess.columns import profile
from mtft.data.guess.texts import choose_texts, find_copies

SENTENCE = "the late bus was not worth its price but we liked how slowly it went along our river"
WORDS = SENTENCE.split()


def texts(number: int = 30) -> list[str]:
    return [" ".join(WORDS[(n * 3 + k) % len(WORDS)] for k in range(10 + n % 3)) for n in range(number)]


def copies(first: str, second: str, make: object) -> dict[str, str]:
    rows = [{first: text, second: make(text), "label": "ab"[n % 2]} for n, text in enumerate(texts())]  # type: ignore[operator]
    columns, _ = profile(rows)
    return find_copies(columns, {name: column.role() for name, column in columns.items()}, rows)


@pytest.mark.parametrize(
    ("first", "second", "make", "expected"),
    [
        ("text", "clean_text", lambda text: text.replace("the ", "").replace("was ", ""), {"clean_text": "text"}),
        ("lemmas", "tweet", lambda text: text.upper() + "!", {"lemmas": "tweet"}),
        (
            "text",
            "textCleaned",
            lambda text: text.replace("liked", "like").replace("went", "go"),
            {"textCleaned": "text"},
        ),
        ("a note", "b note", lambda text: text.upper(), {"b note": "a note"}),
        ("raw", "short", lambda text: " ".join(text.split()[:6]), {"short": "raw"}),
        ("sentence1", "sentence2", lambda text: text, {}),  # the names belong together
        ("premise", "hypothesis", lambda text: text, {}),
        ("left", "right", lambda text: " ".join(sorted(text.split())), {}),  # the same words in another order
        ("left", "right", lambda text: text.replace("bus", "tram").replace("we", "they"), {}),
        ("text", "clean_text", lambda text: "something else is said here " + text[:3], {}),
    ],
)
def test_copies_are_told_from_second_texts(first: str, second: str, make: object, expected: dict[str, str]) -> None:
    assert copies(first, second, make) == expected


def test_a_copy_is_named_in_the_comment() -> None:
    rows = [{"text": text, "clean_text": text.replace("the ", "")} for text in texts()]
    columns, _ = profile(rows)
    chosen, comment = choose_texts(columns, list(columns), {"clean_text": "text"})
    assert chosen == ["text"]
    assert comment == "guess; 'clean_text' has the same words, or nearly; or 'clean_text' alone"
