"""Tasks declared by tables: what they become, and how what is wrong with a table is worded."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from mtft.data.declared_reader import DeclaredReader
from mtft.data.dialect import Layout
from mtft.errors import ConfigError
from mtft.io import toml_parser
from mtft.metrics import METRICS
from mtft.outputs import Binary, Bounded, Categorical, Ordinal
from mtft.plugin.manager import build_registry
from mtft.tasks.declared import HEADS, LOSSES, declare, with_declared
from mtft.tasks.task import resolve

GOOD: dict[str, Any] = {
    "kind": "classification",
    "text": "review",
    "label": "mood",
    "names": ["bad", "good", "mixed"],
    "train": "a.csv",
    "dev": "b.tsv",
}

words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).map(str.strip).filter(bool)
files = st.sampled_from(["a.csv", "sub/b.tsv", "../c.jsonl", "/d/e.parquet", "hub:owner/name:train", "hub:glue@cola:x"])


@st.composite
def tables(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(sorted(LOSSES)))
    columns = draw(st.lists(words, min_size=2, max_size=3, unique=True))
    table: dict[str, Any] = {"kind": kind, "text": columns[1:], "label": columns[0], "train": draw(files)}
    table["dev"] = draw(files | st.floats(0.001, 0.999))
    if kind == "regression":
        low = draw(st.floats(-1e6, 1e6))
        table["range"] = [low, low + draw(st.floats(1, 1e6))]
    else:
        most = 2 if kind == "binary" else 6
        table["names"] = draw(st.lists(words, min_size=2, max_size=most, unique=True))
    if draw(st.booleans()):
        table["test"] = draw(files)
        table["head"] = draw(st.sampled_from(sorted(HEADS)))
    return table


@given(tables())
def test_every_good_table_becomes_a_task_that_survives_toml_and_json(table: dict[str, Any]) -> None:
    task = declare("mine", table, "run.toml")
    assert task.name == task.source.name == "mine"
    assert (task.source.input == "pair") == (len(table["text"]) == 2)
    for part in (task.head, task.source.loss):
        assert callable(resolve(part))
    assert task.declaration is not None
    for text in (json.dumps(task.declaration), json.dumps(toml_parser.loads(tomli_w.dumps(dict(task.declaration))))):
        again = declare("mine", json.loads(text), "model.json")
        assert again == task
        assert again.declaration == task.declaration


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)


@given(st.sampled_from([*GOOD, "range", "test", "head", "metrics", "description", "nmaes"]), anything)
def test_whatever_stands_in_a_table_is_taken_or_refused_by_its_key(key: str, value: object) -> None:
    try:
        declare("mine", {**GOOD, key: value}, "run.toml")
    except ConfigError as error:
        for line in str(error).splitlines():
            assert line.startswith("run.toml: tasks.mine: ")
        assert re.search(rf"\b{key}\b", str(error))  # noqa: PT017


@pytest.mark.parametrize(
    ("kind", "more", "output"),
    [
        ("classification", {"names": ["a", "b", "c"]}, Categorical(("a", "b", "c"))),
        ("binary", {"names": ["no", "yes"]}, Binary(("no", "yes"))),
        ("ordinal", {"names": [1, 2, 3]}, Ordinal(("1", "2", "3"))),
        ("regression", {"range": [0, 5]}, Bounded(0.0, 5.0)),
    ],
)
def test_the_kind_decides_what_the_numbers_mean(kind: str, more: dict[str, Any], output: object) -> None:
    table = {key: value for key, value in GOOD.items() if key != "names"}
    assert declare("mine", {**table, "kind": kind, **more}, "run.toml").output == output


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "clasification"}, "kind: unknown value 'clasification'; did you mean 'classification'?"),
        ({"kind": None}, "kind: missing; give one of classification, binary, ordinal, regression"),
        ({"text": ["a", "b", "c"]}, 'text: ["a", "b", "c"] is not a column, or a list of two columns'),
        ({"text": ["a", "a"]}, "text: 'a' is given twice"),
        ({"label": "review"}, "label: column 'review' is a text column too"),
        ({"label": 3}, "label: 3 is not a column"),
        ({"names": ["bad"]}, 'names: ["bad"] is not a list of two or more label names'),
        ({"names": ["bad", "bad"]}, "names: 'bad' is given twice"),
        ({"names": ["bad", " good"]}, "names: ' good' is not a label name: text, without white space around it"),
        ({"names": [True, False]}, "names: true is not a label name"),
        ({"kind": "binary"}, 'names: ["bad", "good", "mixed"] is not a list of two label names, the one for no first'),
        ({"kind": "regression", "range": [0, 1]}, "names: a regression has a range instead of names"),
        ({"kind": "regression", "names": None}, "range: missing; give [LOWEST, HIGHEST], two numbers"),
        ({"kind": "regression", "names": None, "range": [5, 0]}, "range: [5, 0] is not [LOWEST, HIGHEST], two numbers"),
        (
            {"kind": "regression", "names": None, "range": [0, 10**400]},
            "is not [LOWEST, HIGHEST], two numbers of 32 bits",
        ),
        ({"kind": "regression", "names": None, "range": [0, 1e39]}, "[0, 1e+39] is not [LOWEST, HIGHEST], two numbers"),
        ({"dev": 10**400}, "0000... is not a file .csv, .tsv, .jsonl, .json (also .gz, .zst) or .parquet"),
        ({"range": [0, 5]}, "range: only a regression has a range; classes have names"),
        (
            {"train": None},
            "train: missing; give a file .csv, .tsv, .jsonl, .json (also .gz, .zst) or .parquet, or hub",
        ),
        ({"train": "a.xlsx"}, "train: 'a.xlsx' is not a file .csv, .tsv, .jsonl, .json (also .gz, .zst) or .parquet"),
        ({"train": "hub:glue"}, "train: 'hub:glue' is not"),
        ({"dev": 1.5}, "or the share of train's rows that is held out, between 0 and 1"),
        ({"dev": None}, "or the share of train's rows that is held out"),
        ({"head": "os:system"}, "head: unknown value 'os:system' (allowed: linear, report)"),
        ({"metrics": ["pearson"]}, "metrics: unknown metric 'pearson' (allowed: accuracy, f1, kappa, mcc)"),
        ({"metrics": []}, "metrics: [] is not a list of metrics (allowed: accuracy, f1, mcc, kappa)"),
        ({"lable": "mood"}, "unknown key 'lable'; did you mean 'label'?"),
        ({"labels": ["a", "b"]}, "unknown key 'labels'; did you mean 'names'?"),
        ({"validation": "x.csv"}, "unknown key 'validation'; did you mean 'dev'?"),
    ],
)
def test_an_error_names_file_key_value_and_what_is_allowed(changes: dict[str, Any], message: str) -> None:
    table = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
    with pytest.raises(ConfigError) as caught:
        declare("mine", table, "run.toml")
    assert str(caught.value).startswith("run.toml: tasks.mine: ")
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_all_errors_come_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        declare("mine", {"kind": "binary", "text": 1, "x": 2}, "run.toml")
    keys = [line.split(": ")[2] for line in str(caught.value).splitlines()]
    assert keys == ["text", "label", "names", "train", "dev", "unknown key 'x' (allowed"]


@pytest.mark.parametrize("name", ["Mine", "all", "ä", "-x"])
def test_a_name_is_what_a_file_may_be_called(name: str) -> None:
    with pytest.raises(ConfigError, match=r"^run.toml: tasks\..*: task name"):
        declare(name, GOOD, "run.toml")


def test_declared_tasks_stand_beside_those_of_plugins_and_never_replace_them() -> None:
    registry = build_registry()
    found = with_declared(registry, {"mine": GOOD}, "run.toml")
    assert set(found.tasks) == {*registry.tasks, "mine"}
    assert (found.owner("mine"), found.owner("sst")) == ("declared", registry.owner("sst"))
    assert "mine" not in registry.tasks
    with pytest.raises(ConfigError, match=r"run.toml: tasks.sst: plugin 'builtin' has this name; choose another"):
        with_declared(registry, {"sst": GOOD}, "run.toml")
    with pytest.raises(ConfigError, match=r"(?s)tasks\.a: .*tasks\.b: "):
        with_declared(registry, {"a": {}, "b": {}}, "run.toml")


def test_every_metric_is_for_numbers_or_for_classes() -> None:
    for name in METRICS:
        for table in (GOOD, {**{k: v for k, v in GOOD.items() if k != "names"}, "kind": "regression", "range": [0, 1]}):
            try:
                task = declare("mine", {**table, "metrics": [name]}, "run.toml")
            except ConfigError:
                continue
            raw = task.output.read(np.zeros((3, task.output.width)))
            METRICS[name].function(raw, np.zeros(3))
            break
        else:
            pytest.fail(f"{name} is for no kind")


# ---- How files are written


def test_keys_of_a_file_s_form_reach_its_reader_and_survive_json() -> None:
    form = {
        "delimiter": "semicolon",
        "quotes": False,
        "header": False,
        "columns": ["mood", "review"],
        "encoding": "cp1252",
        "decimal": ",",
    }
    files = {"train": ["a-*.csv", "more.csv"], "dev": ["b.csv"]}
    task = declare("mine", {**GOOD, **files, **form}, "run.toml")
    reader = task.source.reader
    assert isinstance(reader, DeclaredReader)
    assert reader.layout == Layout(";", False, False, ("mood", "review"), "cp1252", ",")
    assert reader.splits == (("train", ("a-*.csv", "more.csv")), ("dev", ("b.csv",)))
    again = declare("mine", json.loads(json.dumps(task.declaration)), "model.json")
    assert again.source.reader == reader
    assert declare("mine", toml_parser.loads(tomli_w.dumps(dict(task.declaration or {}))), "x").source.reader == reader


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"delimiter": "x"}, "delimiter: 'x' is not one of tab, comma, semicolon, bar"),
        ({"quotes": "no"}, "quotes: 'no' is not true or false"),
        ({"header": False}, "columns: missing; header = false needs a list of the columns' names"),
        ({"columns": ["a", "b"]}, "columns: they name the columns of files without a header line; set header = false"),
        ({"encoding": "x"}, "encoding: 'x' is not an encoding that Python knows"),
        ({"decimal": "."}, ""),
        ({"train": ["a.csv", "a.csv"]}, "train: 'a.csv' is given twice"),
        ({"train": ["a.csv", "a.xlsx"]}, 'train: ["a.csv", "a.xlsx"] is not a file .csv'),
        ({"test": []}, "test: [] is not a file .csv"),
    ],
)
def test_what_is_wrong_with_such_a_key_is_named(changes: dict[str, Any], message: str) -> None:
    if not message:
        declare("mine", {**GOOD, **changes}, "run.toml")
        return
    with pytest.raises(ConfigError, match=re.escape(f"run.toml: tasks.mine: {message}")):
        declare("mine", {**GOOD, **changes}, "run.toml")


def test_weights_of_classes_are_in_the_order_of_the_names() -> None:
    task = declare("mine", {**GOOD, "class_weights": {"good": 2}}, "run.toml")
    names = task.output.describe()["names"]
    assert task.source.class_weights == tuple(2.0 if name == "good" else 1.0 for name in names)
    assert declare("mine", json.loads(json.dumps(task.declaration)), "x").source == task.source


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"god": 2}, "class_weights: 'god' is not one of the names"),
        ({"good": 0}, "class_weights: 'good': 0 is not a weight above 0"),
        ({"good": True}, "class_weights: 'good': true is not a weight above 0"),
        ("balanced", "class_weights: 'balanced' is not a table"),
        ({}, "class_weights: {} is not a table"),
    ],
)
def test_weights_that_are_none_are_named(weights: object, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"run.toml: tasks.mine: {message}")):
        declare("mine", {**GOOD, "class_weights": weights}, "run.toml")
