"""What columns hold, told from values first and names second."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtft.data.guess.columns import MOST_VALUES, Column, profile
from mtft.data.labels import to_number


def column(name: str, *values: str) -> Column:
    found = Column(name)
    for value in values:
        found.add(value)
    return found


TEXTS = [f"sentence number {n} of a few" for n in range(12)]


@pytest.mark.parametrize(
    ("name", "values", "role"),
    [
        ("anything", TEXTS, "text"),
        ("anything", [*TEXTS[:3]] * 4, "text"),
        ("text", ["good", "bad"] * 6, "text"),
        ("review", ["good", "bad", "fair"], "text"),
        ("コメント", [f"とても良い映画でした{n}回目" for n in "一二三四五六七八"], "text"),
        ("label", ["yes", "no"] * 6, "classes"),
        ("anything", ["very good", "very bad", "so so"] * 4, "classes"),
        ("anything", ["1", "2", "3"] * 4, "classes"),
        ("anything", ["0.0", "1.0", ""] * 4, "classes"),
        ("stars", ["1", "2", "3"], "classes"),
        ("anything", ["0.5", "0.25", "0.125"], "number"),
        ("anything", ["0.5", "0.25"] * 9, "number"),
        ("anything", [str(n % 40) for n in range(200)], "number"),
        ("anything", [str(n) for n in range(40)], "row name"),
        ("anything", ["32a4f146782cbde1b7fa65799", "a7d575c9ed86ea9633660c67e"], "other"),
        ("anything", ["2024-01-01 10:00", "2024-01-02 10:30"], "other"),
        ("id", TEXTS, "row name"),
        ("", ["0", "1", "1", "1"], "row name"),
        ("userId", ["a", "a", "b", "b"], "row name"),
        ("doc_id", ["a", "a", "b", "b"], "row name"),
        ("grid", ["a", "a", "b", "b"], "classes"),
        ("anything", ["en"] * 5, "constant"),
        ("anything", ["7"] * 5, "constant"),
        ("label", ["", " "], "empty"),
    ],
)
def test_role_of_a_column(name: str, values: list[str], role: str) -> None:
    assert column(name, *values).role() == role


@pytest.mark.parametrize("name", ["label", "Label", "gold_label", "isToxic", "is_duplicate", "sentimentScore", "y"])
def test_names_of_labels(name: str) -> None:
    assert Column(name).labelled


@pytest.mark.parametrize("name", ["text", "author", "island", "labelled_by", "year"])
def test_names_of_other_things(name: str) -> None:
    assert not Column(name).labelled


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_read_as_python_writes_them(number: float) -> None:
    assert to_number(repr(number)) == number


@given(st.text())
def test_a_number_is_finite_or_none(text: str) -> None:
    found = to_number(text)
    assert found is None or math.isfinite(found)


@pytest.mark.parametrize("text", ["nan", "inf", "1_000", "1e999", "0x10", "", "-", "1,5", "١"])
def test_what_is_no_number(text: str) -> None:
    assert to_number(text) is None


def test_values_beyond_the_limit_are_not_kept() -> None:
    found = column("label", *(str(n) for n in range(3 * MOST_VALUES)))
    assert len(found.values) == MOST_VALUES + 1
    assert (found.many, found.unique, found.low, found.high) == (True, True, 0, 3 * MOST_VALUES - 1)


@given(st.lists(st.sampled_from(["1", "2", "0.5", "a b", "", "yes"])), st.lists(st.sampled_from(["3", "x", " "])))
def test_merging_is_reading_both(first: list[str], second: list[str]) -> None:
    assert column("c", *first).merged(column("c", *second)) == column("c", *first, *second)


def test_columns_of_rows_with_other_keys() -> None:
    columns, number = profile([{"a": "1"}, {"a": "2", "b": "x"}])
    assert (number, columns["a"].rows, columns["b"].rows) == (2, 2, 1)


@pytest.mark.parametrize(
    ("name", "values", "role"),
    [
        ("label", [str(n % 77) for n in range(385)], "classes"),
        ("intent", [str(n % 150) for n in range(1500)], "classes"),
        ("Class Index", ["1", "2", "3", "4"] * 5, "classes"),
        ("label", [f"intent_{n % 500}" for n in range(2000)], "classes"),
        ("target_score", [str(n % 77) for n in range(385)], "number"),
        ("price", [str(n % 77) for n in range(385)], "number"),
        ("label", [str(n * 3 % 101) for n in range(60)], "number"),
        ("answer", ["true", "false"] * 9, "classes"),
        ("answer", ["yes", "no", "maybe"] * 9, "classes"),
        ("answer", TEXTS, "text"),
        ("answer", [f"word{n}" for n in range(12)], "text"),
        ("score", ["0.5", "1.5", "NA", "-", "2.5"], "number"),
        ("label", ["1", "2", "nan", "1", "2"], "classes"),
        ("label", ["NA", "-"], "empty"),
        ("intent_id", [str(n % 30) for n in range(200)], "classes"),
        ("class_id", ["3", "5", "8"] * 9, "classes"),
        ("label_id", [str(n) for n in range(200)], "row name"),
        ("user_id", ["3", "5", "8"] * 9, "row name"),
    ],
)
def test_role_by_name_and_values(name: str, values: list[str], role: str) -> None:
    assert column(name, *values).role() == role


@given(
    st.lists(st.sampled_from(["1", "2", "-1", "a b", "NA", "-"]), max_size=30),
    st.sets(st.sampled_from(["-1", "NA", "-"])),
)
def test_a_column_without_some_values_is_that_of_the_others(values: list[str], gone: set[str]) -> None:
    found = column("c", *values).without(gone)
    rest = column("c", *(value for value in values if value not in gone))
    rest.rows = found.rows
    rest.longest = found.longest
    assert (found.values, found.filled, found.taken, found.words) == (rest.values, rest.filled, rest.taken, rest.words)
    if found.numeric == rest.numeric and rest.values and found.low <= found.high:
        assert (found.low, found.high) == (rest.low, rest.high)
