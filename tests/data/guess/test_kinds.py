"""What labels mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtft.data.guess.columns import Column
from mtft.data.guess.kinds import SCALES, guess_kind
from mtft.outputs import Binary, Bounded, Categorical


def column(name: str, values: list[str]) -> Column:
    found = Column(name)
    for value in values:
        found.add(value)
    return found


@pytest.mark.parametrize(
    ("name", "values", "kind", "names"),
    [
        ("label", ["1", "0"], "binary", ("0", "1")),
        ("label", ["1.0", "0.0", "1"], "binary", ("0", "1")),
        ("label", ["True", "False"], "binary", ("False", "True")),
        ("label", ["entailment", "not_entailment"], "binary", ("not_entailment", "entailment")),
        ("label", ["acceptable", "unacceptable"], "binary", ("unacceptable", "acceptable")),
        ("label", ["spam", "ham"], "binary", ("ham", "spam")),
        ("label", ["positive", "negative"], "binary", ("negative", "positive")),
        ("label", ["cat", "dog"], "binary", ("cat", "dog")),
        (
            "label",
            ["neutral", "entailment", "contradiction"],
            "classification",
            ("contradiction", "entailment", "neutral"),
        ),
        ("label", ["positive", "neutral", "negative"], "ordinal", ("negative", "neutral", "positive")),
        ("level", ["High", "low", "medium"], "ordinal", ("low", "medium", "High")),
        ("label", ["2", "10", "0"], "classification", ("0", "2", "10")),
        ("label", ["0", "1", "2"], "classification", ("0", "1", "2")),
        ("label", ["1", "2", "3"], "classification", ("1", "2", "3")),
        ("Class Index", ["1", "2", "3", "4"], "classification", ("1", "2", "3", "4")),
        ("rating", ["1", "2", "3"], "ordinal", ("1", "2", "3")),
        ("stars", ["0", "2", "4"], "ordinal", ("0", "2", "4")),
    ],
)
def test_kind_and_names_in_order(name: str, values: list[str], kind: str, names: tuple[str, ...]) -> None:
    found = guess_kind(column(name, values * 5))
    assert (found.kind, found.names) == (kind, names)


def test_numbers_of_another_column_order_the_names() -> None:
    order = {"bad": 0.0, "awful": -1.0, "superb": 2.0}
    found = guess_kind(column("label", ["bad", "superb", "awful"] * 3), order)
    assert (found.kind, found.names, found.others) == ("classification", ("awful", "bad", "superb"), ("ordinal",))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["0.1", "0.9"], (0, 1)),
        (["0.2", "4.8"], (0, 5)),
        (["-0.9", "0.5"], (-1, 1)),
        (["1.5", "4.5"], (0, 5)),
        (["3.5", "97"], (0, 100)),
        (["-12.5", "80"], (-13, 80)),
        (["0.25", "0.3"], (0, 1)),
        (["2.0", "2.5"], (2, 3)),
    ],
)
def test_a_usual_range_or_whole_numbers_around(values: list[str], expected: tuple[float, float]) -> None:
    assert guess_kind(column("score", values)).range == expected


@given(st.lists(st.floats(-1e6, 1e6).filter(lambda x: not x.is_integer()), min_size=2, unique=True))
def test_every_value_lies_in_the_range(numbers: list[float]) -> None:
    found = guess_kind(column("score", [repr(number) for number in numbers]))
    assert found.range
    output = Bounded(*found.range)
    assert [output.parse(repr(number)) for number in numbers] == numbers


@given(st.lists(st.text("abc 01", min_size=1).map(str.strip).filter(bool), min_size=2, max_size=9, unique=True))
def test_every_label_is_one_of_the_names(labels: list[str]) -> None:
    found = guess_kind(column("label", labels * 3))
    if found.range is None and len(found.names) > 1:
        output = Binary(found.names) if found.kind == "binary" else Categorical(found.names)  # type: ignore[arg-type]
        assert {output.parse(label) for label in labels} == set(range(len(found.names)))


def test_scales_name_no_rank_twice() -> None:
    assert all(len(set(scale.split())) == len(scale.split()) for scale in SCALES)
