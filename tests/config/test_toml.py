"""Lines of TOML are read back as what was written."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtft.config.toml import COLUMN, one_line, toml_line
from mtft.io import toml_parser

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = st.booleans() | st.integers(-(2**63), 2**63 - 1) | TEXT | st.floats(allow_nan=False)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=9)


@given(VALUES, TEXT)
def test_a_value_survives_with_any_comment(value: Any, comment: str) -> None:
    line = toml_line("key", value, comment)
    assert toml_parser.loads(line) == {"key": value}
    assert len(line.splitlines()) == 1 or isinstance(value, str | list | dict)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Path("a/b"), '"a/b"'),
        (Decimal("0.30"), "0.3"),
        (("a", 1), '["a", 1]'),
        ({}, "{}"),
        ({"a.b": 1, "a_b": 2}, '{ "a.b" = 1, a_b = 2 }'),
        ("yes\u200b", r'"yes\u200b"'),
        ("a\U000e0001", r'"a\U000e0001"'),
    ],
)
def test_values_that_toml_lacks_are_written_as_what_they_mean(value: Any, written: str) -> None:
    assert toml_line("key", value) == f"key = {written}"


def test_comments_stand_in_one_column_on_one_line() -> None:
    assert toml_line("key", 1, "a\nb\x1b") == f"{'key = 1'.ljust(COLUMN)}  # a b\\u001b"
    assert one_line("  a \t b ") == "a b"
