"""Check whether the first line of a table names its columns or is a row itself."""

from __future__ import annotations

from collections.abc import Mapping

from mtft.data.guess.columns import Column
from mtft.data.labels import to_number
from mtft.errors import setting

LONGEST_NAME = 100
"""Characters of a name."""


def value_in_header(columns: Mapping[str, Column]) -> str | None:
    """Return a column name that looks like a value of its column, None if none does.

    A number or a very long name looks like a value. Unless some column has a usual name of one or two words, as in
    text,spam, so does a sentence above a column of texts, and a name that is also a value of its own column.
    """
    known = has_known_name(columns)
    for name, column in columns.items():
        sentence = len(name.split()) > 3 and column.mean_words > 2 and not known
        if to_number(name) is not None or len(name) > LONGEST_NAME or sentence:
            return name
        if name and name in column.values and not known:
            return name
    return None


def has_known_name(columns: Mapping[str, Column]) -> bool:
    """Return whether some column has a usual name of one or two words, which is not one of its values."""
    return any(
        column.known and len(name.split()) <= 2 and name not in column.values for name, column in columns.items()
    )


def no_header(file: str, name: str) -> str:
    """Return the error for a first line that looks like a row, with the remedy."""
    return (
        f"{file}:1: {name[:60]!r} looks like a value, not the name of a column; put a line with names first, as in "
        f"text,label, or name the columns: {setting('header', False)} {setting('columns', 'NAME,...')}"
    )
