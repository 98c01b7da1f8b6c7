"""Keys of a table that say what labels mean and which rows a split has."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtft.data.audit.split_reader import read_split
from mtft.errors import ConfigError
from mtft.outputs import Binary
from mtft.tasks.declared import declare

TABLE: dict[str, Any] = {
    "kind": "binary",
    "text": "t",
    "label": "l",
    "names": ["OFF", "NOT"],
    "train": "a.csv",
    "dev": "b.csv",
}
SPLIT = {"column": "s", "train": ["train", "extra"], "dev": ["val"], "test": ["test"], "unused": ["x", ""]}


def read(table: dict[str, Any], split: str, folder: Path) -> tuple[list[float | None], list[str]]:
    """The targets of a split, and what is wrong with its rows."""
    source = declare("mine", table, "run.toml").source
    found = read_split("mine", split, source.reader, folder, 1)
    return [row.target for row in found.examples], [problem.text for problem in found.problems]


@pytest.mark.parametrize(
    ("positive", "names"), [("OFF", ("NOT", "OFF")), ("NOT", ("OFF", "NOT")), (None, ("OFF", "NOT"))]
)
def test_the_positive_label_is_the_second(positive: str | None, names: tuple[str, str]) -> None:
    table = TABLE if positive is None else {**TABLE, "positive": positive}
    task = declare("mine", table, "run.toml")
    assert task.output == Binary(names)
    assert task.declaration is not None
    assert declare("mine", dict(task.declaration), "model.json") == task


def test_rows_belong_to_the_split_that_the_column_says(tmp_path: Path) -> None:
    lines = ["t,l,s", "a,OFF,train", "b,NOT,val", "c,OFF,test", "d,NOT,extra", "e,NOT,x", "f,OFF,"]
    (tmp_path / "a.csv").write_text("\n".join([*lines, "g,OFF,Train"]) + "\n", encoding="utf-8")
    table = {key: value for key, value in TABLE.items() if key != "dev"} | {"split": SPLIT}
    trouble = ["column 's': 'Train' is no split: 'train', 'extra', 'val', 'test', 'x', ''"]
    assert read(table, "train", tmp_path) == ([0.0, 1.0], trouble)
    assert read(table, "dev", tmp_path) == ([1.0], trouble)
    assert read(table, "test", tmp_path) == ([0.0], trouble)


def test_a_share_is_held_out_of_the_training_rows_of_a_column(tmp_path: Path) -> None:
    lines = [f"text {n},{('OFF', 'NOT')[n % 2]},{('train', 'test')[n % 3 == 0]}" for n in range(150)]
    (tmp_path / "a.csv").write_text("\n".join(["t,l,s", *lines]) + "\n", encoding="utf-8")
    split = {"column": "s", "train": ["train"], "test": ["test"]}
    table = {**TABLE, "dev": 0.1, "split": split, "held_out": {"classes": ["l"]}}
    assert [len(read(table, each, tmp_path)[0]) for each in ("train", "dev", "test")] == [90, 10, 50]
    assert Counter(read(table, "dev", tmp_path)[0]) == {0.0: 5, 1.0: 5}


def test_labels_that_stand_for_none_and_aliases(tmp_path: Path) -> None:
    rows = ["a,OFF", "b,-", "c, NULL ", "d,off", "e,not", "f,-1.0", "g,", "h,N/A", "i,Off"]
    (tmp_path / "a.csv").write_text("\n".join(["t,l", *rows]) + "\n", encoding="utf-8")
    table = {**TABLE, "missing": ["-", "NULL", -1], "aliases": {"off": "OFF", "not": "NOT"}}
    targets, problems = read(table, "train", tmp_path)
    assert targets == [0.0, None, None, 0.0, 1.0, None, None]
    assert problems == [
        "column 'l': label 'N/A' is not one of OFF, NOT",
        "column 'l': label 'Off' is not one of OFF, NOT; 'Off' differs from 'OFF' only in case, spaces, "
        "punctuation, or characters that are invisible or look alike: mend it, or name it in aliases",
    ]


@pytest.mark.parametrize("written", ["true", "True", "TRUE"])
def test_true_is_one_label_as_json_and_tables_write_it(written: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"t,l\na,{written}\n", encoding="utf-8")
    for names in (["false", "true"], ["False", "True"]):
        assert read({**TABLE, "names": names}, "train", tmp_path) == ([1.0], [])
    (tmp_path / "a.jsonl").write_text('{"t": "a", "l": true}\n', encoding="utf-8")
    assert read({**TABLE, "names": ["false", "true"], "train": "a.jsonl"}, "train", tmp_path) == ([1.0], [])


def test_a_share_without_enough_rows_of_a_label_says_what_to_do(tmp_path: Path) -> None:
    lines = [f"text {n},{'OFF' if n < 8 else 'NOT'}" for n in range(100)]
    (tmp_path / "a.csv").write_text("\n".join(["t,l", *lines]) + "\n", encoding="utf-8")
    table = {**TABLE, "dev": 0.1, "held_out": {"classes": ["l"]}}
    for split in ("train", "dev"):
        assert read(table, split, tmp_path)[1] == [
            "a.csv: dev = 0.1 cannot hold out 5 labelled rows of each label of 'l' and leave as many to train on: "
            "'OFF' has 8 (1 would be dev, 7 train); label more rows, name a file as dev, give another share, or "
            'choose rows by their texts alone with held_out = "texts"'
        ]
    assert read({**table, "held_out": "texts"}, "dev", tmp_path)[1] == []


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    table = {**TABLE, "dev": 0.1, "held_out": {"classes": ["l"]}}
    for number in (100, 200):
        lines = [f"text {n},{('OFF', 'NOT')[n % 2]}" for n in range(number)]
        (tmp_path / "a.csv").write_text("\n".join(["t,l", *lines]) + "\n", encoding="utf-8")
        assert len(read(table, "dev", tmp_path)[0]) == number / 10


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"positive": "X"}, "positive: 'X' is not one of the names 'OFF', 'NOT'"),
        ({"kind": "ordinal", "positive": "OFF"}, "positive: only a binary task has a positive label"),
        ({"missing": []}, "missing: [] is not a list of labels that stand for no label"),
        ({"missing": "-"}, "missing: '-' is not a list"),
        ({"aliases": {"a": "b"}}, "aliases: 'a' means 'b', which is not one of the names"),
        ({"aliases": {"NOT": "OFF"}}, "aliases: 'NOT' is one of the names itself"),
        ({"aliases": []}, "aliases: [] is not a table { LABEL = NAME }"),
        ({"split": "s"}, "split: 's' is not { column = NAME, train = [VALUE, ...], dev = [...] }"),
        (
            {"split": {"column": "s", "tran": ["a"]}},
            "split: unknown key 'tran' (allowed: column, train, dev, test, unused)",
        ),
        ({"split": {"column": "s", "dev": ["a"]}, "dev": None}, "split: train: missing"),
        ({"split": {"column": "s", "train": ["a"], "test": ["a"]}}, "split: test: 'a' is given twice"),
        ({"split": {"column": "s", "train": []}}, "split: train: [] is not a list of values of the column"),
        (
            {"split": {"column": "s", "train": ["a"], "dev": ["b"]}},
            "dev: split names the values of the dev rows",
        ),
        ({"dev": 0.1, "held_out": "labels"}, "held_out: 'labels' is not \"texts\", or { classes = [COLUMN, ...]"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        declare("mine", {key: value for key, value in {**TABLE, **changes}.items() if value is not None}, "run.toml")
    assert f"run.toml: tasks.mine: {message}" in str(caught.value)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(["positive", "missing", "aliases", "split", "held_out"]), anything)
def test_whatever_stands_there_is_taken_or_refused_by_its_key(key: str, value: object) -> None:
    try:
        task = declare("mine", {**TABLE, key: value}, "run.toml")
    except ConfigError as error:
        assert all(line.startswith(f"run.toml: tasks.mine: {key}: ") for line in str(error).splitlines())  # noqa: PT017
    else:
        assert declare("mine", dict(task.declaration or {}), "model.json") == task
