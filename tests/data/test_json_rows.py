"""JSON Lines and arrays: what json reads is read, record by record, whatever the line ends and the pieces."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtft.data.json_rows import json_array, json_lines, json_object

values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
objects = st.lists(st.dictionaries(st.text(max_size=4), values, max_size=4), max_size=6)


@settings(deadline=None)
@given(objects, st.sampled_from([None, 0, 2]), st.booleans(), st.integers(1, 50))
def test_an_array_is_read_whatever_its_layout_and_its_pieces(
    records: list[dict[str, Any]], indent: int | None, ascii_only: bool, size: int
) -> None:
    text = json.dumps(records, indent=indent, ensure_ascii=ascii_only) + "\n"
    for pieces in (text.splitlines(keepends=True), [text[i : i + size] for i in range(0, len(text), size)]):
        found = list(json_array(pieces))
        assert [each.value for each in found] == records
        assert not any(each.fault for each in found)
        at = 0
        for each in found:  # each owns its text, and knows its line
            assert text[at : at + len(each.before)] == each.before
            at += len(each.before)
            assert each.line == 1 + text.count("\n", 0, at)
            assert json.loads(text[at : at + len(each.text)]) == each.value
            at += len(each.text)


@settings(deadline=None)
@given(objects, st.booleans())
def test_lines_are_read_one_by_one(records: list[dict[str, Any]], blank: bool) -> None:
    lines = [line for each in records for line in (json.dumps(each) + "\n", *(["\n"] if blank else []))]
    found = list(json_lines(lines))
    assert [each.value for each in found] == records
    assert [each.line for each in found] == [1 + (1 + blank) * number for number in range(len(records))]


@pytest.mark.parametrize(
    ("text", "count", "fault"),
    [
        ('[{"a": 1}, 7, {"a": 2}]', 3, "found int where an object is needed"),
        ('[{"a": 1, "a": 2}, {"a": 2}]', 2, "key 'a' appears twice"),
        ('[{"a": 1},\n{"a": }]', 2, "not JSON: Expecting value (line 2)"),
        ('[{"a": 1} {"a": 2}]', 2, "a comma or ] expected"),
        ('[{"a": 1}', 2, "a comma or ] expected"),
        ('[{"a": 1}, ', 2, "not JSON"),
        ('[{"a": 1}] x', 2, "text after the end of the array"),
        ("[" * 100_000, 1, "not JSON"),
        ('[{"a": ' + "9" * 5000 + "}]", 1, "not JSON"),
    ],
)
def test_what_is_no_object_is_named_and_the_others_are_read(text: str, count: int, fault: str) -> None:
    found = list(json_array(text.splitlines(keepends=True)))
    assert len(found) == count
    (bad,) = [each for each in found if each.fault]
    assert fault in bad.fault


@settings(deadline=None)
@given(st.text(st.sampled_from('[]{},: "a1\n\\u'), max_size=40))
def test_any_text_ends(text: str) -> None:
    found = list(json_array(["[", *text.splitlines(keepends=True)]))
    assert sum(bool(each.fault) for each in found) <= len(found)


def test_nested_keys_that_come_twice_are_an_error() -> None:
    with pytest.raises(ValueError, match="key 'b' appears twice"):
        json_object('{"a": [{"b": 1, "b": 2}]}')
