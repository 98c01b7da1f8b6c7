"""Columns that tell the split of each row."""

from __future__ import annotations

from typing import Any

import pytest

from mtft.data.guess.columns import profile
from mtft.data.guess.doubts import Decisions
from mtft.data.guess.split_columns import check_agreement, find_split_column
from mtft.errors import DataError


def table(name: str, *values: str) -> dict[str, Any]:
    """A profiled table with a text, a label, and a column whose values go round."""
    rows = [{"text": f"row {n}", "label": "ab"[n % 2], name: values[n % len(values)]} for n in range(4 * len(values))]
    return profile(rows)[0]


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("split", ["train", "val", "test"], {"train": ["train"], "dev": ["val"], "test": ["test"]}),
        ("part", ["Training", "Held-out"], {"train": ["Training"], "test": ["Held-out"]}),
        ("anything", ["train", "trainset", "eval"], {"train": ["train", "trainset"], "dev": ["eval"]}),
        ("is_valid", ["True", "False"], {"train": ["False"], "dev": ["True"]}),
        ("is_test", ["0", "1"], {"train": ["0"], "test": ["1"]}),
        ("is_train", ["0", "1"], {"train": ["1"], "dev": ["0"]}),
        ("partition", ["tr", "te", "va"], {"train": ["tr"], "dev": ["va"], "test": ["te"]}),
        (
            "Usage",
            ["Training", "PublicTest", "private_test"],
            {"train": ["Training"], "test": ["PublicTest", "private_test"]},
        ),
        ("conjunto", ["entrenamiento", "prueba"], {"train": ["entrenamiento"], "test": ["prueba"]}),
    ],
)
def test_clear_columns_need_no_question(name: str, values: list[str], expected: dict[str, list[str]]) -> None:
    decisions = Decisions()
    plan = find_split_column(table(name, *values), "all.csv", decisions)
    assert plan is not None
    assert plan.table() == {"column": name, **expected}
    decisions.close()


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("genre", ["news", "talk"]),
        ("subset", ["a", "b"]),
        ("set", ["1", "2"]),
        ("is_spam", ["0", "1"]),
        ("x", ["1"]),
        ("gold", ["0", "1"]),
        ("valid", ["yes", "no"]),
        ("lang", ["en", "tr", "te"]),
    ],
)
def test_other_columns_tell_nothing(name: str, values: list[str]) -> None:
    decisions = Decisions()
    assert find_split_column(table(name, *values), "all.csv", decisions) is None
    decisions.close()


@pytest.mark.parametrize(
    ("name", "values", "question", "likelier"),
    [
        ("fold", ["0", "1", "2", "10"], "has 4 numbers", {"train": ["0", "1", "2"], "dev": ["10"]}),
        (
            "split",
            ["train", "dev", "extra"],
            r"but 'extra' \(4 rows\) is no split",
            {"train": ["train"], "dev": ["dev"], "unused": ["extra"]},
        ),
        (
            "source",
            ["train", "dev", "extra"],
            r"but 'extra' \(4 rows\) is no split",
            {"train": ["train"], "dev": ["dev"], "unused": ["extra"]},
        ),
        ("split_id", ["1", "2"], "has 2 numbers", {"train": ["1"], "dev": ["2"]}),
        ("partition", ["A", "B"], r"its values \('A', 'B'\) are no splits", None),
    ],
)
def test_doubtful_columns_are_asked_about(name: str, values: list[str], question: str, likelier: Any) -> None:
    decisions = Decisions()
    find_split_column(table(name, *values), "all.csv", decisions)
    with pytest.raises(
        DataError, match=rf"all\.csv: column '{name}' seems to tell splits, .*{question}; choose: read="
    ):
        decisions.close()
    plan = find_split_column(table(name, *values), "all.csv", Decisions(likely=True))
    assert (plan and plan.table()) == (likelier and {"column": name, **likelier})
    decisions = Decisions(columns={name: ["unused"]})
    assert find_split_column(table(name, *values), "all.csv", decisions) is None
    decisions.close()


@pytest.mark.parametrize(
    ("name", "split", "kept"),
    [
        ("test", "test", {"train": ["0"], "test": ["1"]}),
        ("train", "train", {"train": ["1"], "dev": ["0"]}),
        ("validation", "dev", {"train": ["0"], "dev": ["1"]}),
    ],
)
def test_a_yes_no_column_called_as_a_split_is_asked_about(name: str, split: str, kept: dict[str, list[str]]) -> None:
    decisions = Decisions()
    find_split_column(table(name, "0", "1", "0"), "all.csv", decisions)
    with pytest.raises(DataError, match=f"column '{name}' seems to tell which rows are for {split}; choose: read="):
        decisions.close()
    decisions = Decisions({name: ["split"]})
    plan = find_split_column(table(name, "0", "1", "0"), "all.csv", decisions)
    assert plan is not None
    assert plan.table() == {"column": name, **kept}
    assert find_split_column(table(name, "0", "1", "0"), "all.csv", Decisions({name: ["unused"]})) is None


def test_rows_without_a_value_are_named_and_not_used() -> None:
    plan = find_split_column(table("split", "train", "dev", ""), "all.csv", Decisions())
    assert plan is not None
    assert plan.table()["unused"] == [""]
    assert plan.comment == "4 rows have no value in it and are not used"


def test_a_column_that_leaves_nothing_to_train_on_is_refused() -> None:
    with pytest.raises(
        DataError, match=r"all\.csv: no row to train on: column 'split' has 'dev' \(dev\), 'test' \(test"
    ):
        find_split_column(table("split", "dev", "test"), "all.csv", Decisions(likely=True))


def test_splits_that_cannot_be_used_become_rows_that_are_not_used() -> None:
    plan = find_split_column(table("split", "train", "dev", "test"), "all.csv", Decisions())
    assert plan is not None
    assert plan.table(("train", "dev")) == {"column": "split", "train": ["train"], "dev": ["dev"], "unused": ["test"]}


def test_a_column_must_agree_with_the_name_of_its_file() -> None:
    check_agreement(table("split", "train"), "x-train.csv", "train", Decisions())
    check_agreement(table("genre", "news"), "x-train.csv", "train", Decisions())
    with pytest.raises(DataError, match=r"x-train\.csv: is train by its name, but column 'split' gives test for"):
        check_agreement(table("split", "train", "test"), "x-train.csv", "train", Decisions(likely=True))
    check_agreement(table("split", "train", "test"), "x-train.csv", "train", Decisions(columns={"split": ["unused"]}))
