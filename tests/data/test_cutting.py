"""Records of tables: what the csv module reads is read alike, and after a fault reading goes on with the next line."""

from __future__ import annotations

import csv

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtft.data.cutting import MAX_FIELD, cut

signs = st.text(st.sampled_from('ab,"\n'), max_size=30)


def lines_of(text: str) -> list[str]:
    return text.splitlines(keepends=True)


@settings(deadline=None)
@given(signs, st.booleans())
def test_what_the_csv_module_reads_is_read_alike(text: str, quick: bool) -> None:
    try:
        expected = list(csv.reader(lines_of(text), strict=True))
    except csv.Error:
        return
    found = list(cut(lines_of(text), ",", quotes=True, quick=quick))
    assert [each.fields for each in found] == expected
    assert not any(each.fault for each in found)


@settings(deadline=None)
@given(signs, st.booleans(), st.sampled_from([",", "\t", ""]))
def test_every_line_is_in_one_record_and_in_order(text: str, quotes: bool, delimiter: str) -> None:
    found = list(cut(lines_of(text), delimiter, quotes))
    assert [line for each in found for line in each.texts] == lines_of(text)
    number = 1
    for each in found:
        assert each.line == number
        number += len(each.texts)
        assert not each.fault or not each.fields


@settings(deadline=None)
@given(st.text(st.sampled_from('ab,"\n\r'), max_size=30))
def test_without_quoting_every_line_is_cut_at_each_delimiter(text: str) -> None:
    lines = [piece + "\n" for piece in text.split("\n")]
    found = list(cut(lines, ",", quotes=False))
    assert [",".join(each.fields) for each in found] == [line.removesuffix("\n").removesuffix("\r") for line in lines]


def test_it_says_which_fields_were_quoted_and_whether_they_had_to_be() -> None:
    found = list(cut(['a,"b"\n', '"c,d",e\n', '"say ""x"""\n', 'f,g"h"\n', '"i\n', 'j",k\n'], ",", quotes=True))
    assert [(each.line, each.quoted, each.proven) for each in found] == [
        (1, (1,), False),
        (2, (0,), True),
        (3, (0,), True),
        (4, (), False),
        (5, (0,), True),
    ]
    assert found[-1].fields == ["i\nj", "k"]


@pytest.mark.parametrize(
    ("line", "delimiter", "fault"),
    [
        ('"a"b,c\n', ",", "a comma or the end of the line expected after a closing quote, found 'b,c'"),
        ('"a";c\n', ",", "found ';c'; fields may be cut at ';': set delimiter"),
        ('"a" said he\tb\n', "\t", "a tab or the end of the line expected"),
        ('"a" b\n', "", "the end of the line expected after a closing quote"),
        ('"a', ",", "the quote is never closed"),
        ("a" * (MAX_FIELD + 1), ",", "a field of more than 10,000,000 characters"),
        ('"' + "a" * (MAX_FIELD + 1) + '"', ",", "a field of more than 10,000,000 characters"),
    ],
)
def test_a_fault_names_its_cause(line: str, delimiter: str, fault: str) -> None:
    (found,) = cut([line], delimiter, quotes=True)
    assert fault in found.fault


def test_a_quote_that_is_known_to_swallow_lines_costs_its_own_line_alone() -> None:
    lines = ["a,b\n", '1,"x\n', "2,y\n", '3,z"\n', "4,w\n"]
    swallowed = list(cut(lines, ",", quotes=True))
    assert [each.line for each in swallowed] == [1, 2, 5]
    found = list(cut(lines, ",", quotes=True, swallowing={2}))
    assert [(each.line, bool(each.fault)) for each in found] == [
        (1, False),
        (2, True),
        (3, False),
        (4, False),
        (5, False),
    ]
    assert "swallows 2 lines of other rows" in found[1].fault
    assert found[3].fields == ["3", 'z"']
