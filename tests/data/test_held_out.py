"""A share of train that is held out, label by label."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtft.data.held_out import ENOUGH, LEAST, Strata, Stratum, hold_out, position, too_few, wanted

labels = st.sampled_from("aaaaaabbc")
tables = st.lists(st.tuples(st.integers(0, 400), labels | st.just("")), min_size=1, max_size=300)


def rows_of(table: list[tuple[int, str]]) -> list[tuple[float, list[Stratum]]]:
    return [(position([f"text {number}"]), [("label", label)] if label else []) for number, label in table]


@given(tables, st.sampled_from([0.05, 0.1, 0.25, 0.5]), st.randoms())
def test_the_order_of_rows_does_not_matter(table: list[tuple[int, str]], share: float, draw: random.Random) -> None:
    rows = rows_of(table)
    found = hold_out(rows, share)
    draw.shuffle(rows)
    assert hold_out(rows, share) == found


@given(st.lists(labels, min_size=1, max_size=300), st.sampled_from([0.05, 0.1, 0.25, 0.5]))
def test_of_each_label_the_share_is_held_out(given: list[str], share: float) -> None:
    """Texts that are all different: exactly the rows wanted, those with the lowest positions, and no others."""
    rows = rows_of(list(enumerate(given)))
    found = hold_out(rows, share)
    for label, count in Counter(given).items():
        points = sorted(point for point, strata in rows if strata == [("label", label)])
        assert {point for point in points if point in found.positions} == set(points[: wanted(count, share)])
        assert found.dev.get(("label", label), 0) + found.train.get(("label", label), 0) == count


@given(tables)
def test_rows_with_the_same_texts_stay_together_and_every_row_is_counted(table: list[tuple[int, str]]) -> None:
    rows = rows_of(table)
    found = hold_out(rows, 0.2)
    dev = Counter(each for point, strata in rows for each in strata if point in found.positions)
    train = Counter(each for point, strata in rows for each in strata if point not in found.positions)
    assert (dict(found.dev), dict(found.train)) == (dict(dev), dict(train))


@pytest.mark.parametrize(("count", "expected"), [(0, 0), (4, 0), (9, 1), (10, 5), (49, 5), (55, 6), (1000, 100)])
def test_how_many_are_held_out(count: int, expected: int) -> None:
    assert wanted(count, 0.1) == expected
    assert ENOUGH == 2 * LEAST


def test_rows_without_a_label_go_by_their_texts_alone() -> None:
    rows: list[tuple[float, list[tuple[str, str]]]] = [(position([str(number)]), []) for number in range(500)]
    found = hold_out(rows, 0.2)
    assert found.positions == {point for point, _ in rows if point < 0.2}


def test_several_columns_share_the_rows() -> None:
    """Of two columns of labels each has its share, and both have the same rows in dev."""
    strata = Strata(("mood", "topic"), ("score",))
    table = [
        {"mood": "ab"[number % 2], "topic": "xyz"[number % 3], "score": f"{number % 7},5" if number % 2 else "n/a"}
        for number in range(300)
    ]
    rows = [(position([str(number)]), strata.of(row)) for number, row in enumerate(table)]
    found = hold_out(rows, 0.1)
    for stratum, count in Counter(each for _, own in rows for each in own).items():
        assert count * 0.1 - 0.5 <= found.dev[stratum] <= count * 0.2
    assert ("score", True) in found.dev


def test_labels_with_too_few_rows_are_named_with_their_counts() -> None:
    rows = rows_of([(number, "ab"[number < 7]) for number in range(60)])
    found = hold_out(rows, 0.1)
    assert too_few(found, "label", {"a": "a"}) == ""
    assert too_few(found, "label", {"a": "a", "b": "b"}) == "'b' has 7 (1 would be dev, 6 train)"
    assert too_few(found, "label", {"a": "one", "b": "one"}) == ""  # aliases
    many = hold_out(rows_of([(number, f"{number % 10}") for number in range(40)]), 0.1)
    assert too_few(many, "label", {f"{n}": f"{n}" for n in range(10)}).endswith(", and 7 more")


def test_one_text_that_all_rows_of_a_label_share_cannot_be_parted() -> None:
    rows = rows_of([(1, "a")] * 40 + [(number, "b") for number in range(2, 60)])
    assert too_few(hold_out(rows, 0.1), "label", {"a": "a", "b": "b"}) == "'a' has 40 (40 would be dev, 0 train)"
