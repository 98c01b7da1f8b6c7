"""From Python mtft does what its commands do, with the same settings and the same errors."""

from __future__ import annotations

import ast
import inspect
import math
import subprocess
import sys
import typing
from pathlib import Path
from typing import Any

import generate_settings
import pytest
from commands import ROOT, clean, cli, digests, summary

import mtft
from mtft.config.groups import Options
from mtft.config.schema import (
    CompareConfig,
    CountConfig,
    DataCheckConfig,
    EvalConfig,
    ExperimentConfig,
    ExportConfig,
    MergeConfig,
    RefineConfig,
    ReportConfig,
    SelectConfig,
    TrainConfig,
    VerifyConfig,
)
from mtft.errors import ConfigError, DataError

FEW: dict[str, Any] = {"sample": True, "max_steps": 4, "batches": 2}


def test_training_is_that_of_the_command(trained_run: Path, tiny_model: Path, tmp_path: Path) -> None:
    said: list[tuple[str, str]] = []
    tasks = ["sst", "quora", "sts"]
    result = mtft.train(
        tasks=tasks, model=str(tiny_model), out=str(tmp_path / "run"), notify=lambda *notice: said.append(notice), **FEW
    )
    assert result.path == tmp_path / "run"
    assert result.dev == summary(trained_run)["dev"]
    assert digests(result.path / "model") == digests(trained_run / "model")
    assert ("info", "augmentation: cfimdb, quora-consistency, sts-consistency") in said


def test_scores_are_those_of_the_command(trained_run: Path) -> None:
    found = mtft.evaluate(trained_run, sample=True, resamples=0, tasks=["sts"])
    reported = cli("eval", trained_run, "--sample", "--resamples", "0", "--tasks", "sts", "--json").json
    assert found.tasks["sts"].metrics["pearson"].value == reported["tasks"]["sts"]["metrics"]["pearson"]["value"]


def test_refine_writes_a_run_of_its_own(trained_run: Path, tmp_path: Path) -> None:
    result = mtft.refine(str(trained_run), tasks=["sts"], sample=True, epochs=1, out=tmp_path / "refined")
    assert summary(result.path)["before"] == summary(trained_run)["dev"]


def test_answers_are_those_of_the_command(trained_run: Path) -> None:
    model = mtft.Model(trained_run)
    assert model.tasks == ("sst", "quora", "sts")
    found = model.predict(["A film.", ("One?", "Two?"), {"sentence1": "One?", "sentence2": "Two?"}])
    assert found == cli("predict", trained_run, stdin="A film.\nOne?\tTwo?\nOne?\tTwo?\n").lines
    assert [set(answer) - {"id"} for answer in found] == [{"sst"}, {"quora", "sts"}, {"quora", "sts"}]
    assert model.predict([]) == []
    more = {"id": 7, "sentence": "A film.", "tags": ["a"]}
    assert model.predict([more]) == model.predict(["A film."]) == model.predict(iter(["A film."]))


def test_a_table_with_the_columns_of_a_task_is_answered_row_by_row(trained_run: Path) -> None:
    pandas = pytest.importorskip("pandas")
    model = mtft.Model(trained_run)
    table = pandas.DataFrame({"sentence1": ["One?", "A"], "sentence2": ["Two?", "B"], "stars": [1, 2]})
    assert model.predict(table) == model.predict([("One?", "Two?"), ("A", "B")])
    assert model.predict(table["sentence1"]) == model.predict(["One?", "A"])
    table.loc[1, "sentence2"] = None
    with pytest.raises(ValueError, match=r"^inputs\[1\]\['sentence2'\] is (nan|None), not a text$"):
        model.predict(table)
    with pytest.raises(ValueError, match=r"^inputs has the columns stars; the tasks need sentence or "):
        model.predict(table[["stars"]])


def test_a_table_of_polars_is_answered_row_by_row(trained_run: Path) -> None:
    polars = pytest.importorskip("polars")
    model = mtft.Model(trained_run)
    table = polars.DataFrame({"sentence1": ["One?", "A"], "sentence2": ["Two?", "B"], "stars": [1, 2]})
    assert model.predict(table) == model.predict([("One?", "Two?"), ("A", "B")])
    assert model.predict(table["sentence1"]) == model.predict(["One?", "A"])
    assert model.predict(table.head(0)) == []
    category = table.with_columns(polars.col("sentence1").cast(polars.Categorical))
    assert model.predict(category) == model.predict(table)
    gap = table.with_columns(sentence2=polars.Series(["Two?", None]))
    with pytest.raises(ValueError, match=r"^inputs\[1\]\['sentence2'\] is None, not a text$"):
        model.predict(gap)
    kept = mtft.Model(trained_run, on_error="null").predict(gap)
    assert (kept[0], set(kept[1])) == (model.predict(table.head(1))[0], {"id", "error"})
    with pytest.raises(ValueError, match=r"^inputs has the columns stars; the tasks need sentence or "):
        model.predict(table.select("stars"))
    with pytest.raises(ValueError, match=r"^inputs is a LazyFrame.*; give inputs\.collect\(\)$"):
        model.predict(table.lazy())


@pytest.mark.parametrize("on_error", ["skip", "null"])
def test_an_input_that_cannot_be_answered_is_left_out_or_stays_in_place(trained_run: Path, on_error: Any) -> None:
    inputs: list[Any] = ["A film.", {"text": "b"}, None, math.nan, ("a", 1)]
    said: list[str] = []
    model = mtft.Model(trained_run, notify=lambda _level, text: said.append(text), on_error=on_error)
    found = model.predict(inputs)
    errors = [answer["error"] for answer in found if "error" in answer]
    assert found[0] == mtft.Model(trained_run).predict(["A film."])[0]
    assert len(found) == (5 if on_error == "null" else 1)
    assert [error.partition(":")[0].partition(" ")[0] for error in errors] == [
        f"inputs[{number}]" for number in range(1, len(found))
    ]
    what = "answered with an error" if on_error == "null" else "left out"
    assert said[-1].startswith(f"4 records {what}; first: inputs[1]: no task applies; a record needs sentence or ")


def test_an_input_that_fits_no_task_is_an_error(trained_run: Path) -> None:
    with pytest.raises(mtft.MtftError, match=r"^inputs\[1\]: no task applies") as caught:
        mtft.Model(trained_run).predict(["A film.", {"text": "b"}])
    assert str(caught.value).endswith("\non_error='skip' or on_error='null' goes on after it")


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        ("one text", r"^inputs is one text, 'one text'; give a list of them, as in \[text\]$"),
        ({"sentence": "a"}, r"^inputs is one record, .*as in \[record\]$"),
        (("q1", "q2"), r"^inputs is a tuple; .*\[\('a', 'b'\)\] is one pair of texts, \['a', 'b'\] are two texts$"),
        (7, "^inputs is 7, not a list of inputs; each is a text, a pair"),
        (None, "^inputs is None, not a list"),
        (math.nan, "^inputs is nan, not a list"),
        (b"one text", "^inputs is b'one text', not a list"),
        ([None], r"^inputs\[0\] is None, not a text, a pair of texts"),
        ([math.nan], r"^inputs\[0\] is nan, not a text"),
        (["a", 7], r"^inputs\[1\] is 7, not"),
        ([("a", "b", "c")], r"^inputs\[0\] is \('a', 'b', 'c'\), not"),
        ([("a", 1)], r"^inputs\[0\] holds 1, not a text$"),
        ([()], r"^inputs\[0\] is \(\), not"),
        ([{"sentence": 7}], r"^inputs\[0\]\['sentence'\] is 7, not a text$"),
    ],
)
def test_what_is_no_input_is_refused_by_name(trained_run: Path, inputs: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        mtft.Model(trained_run).predict(inputs)


def test_settings_come_from_a_file_and_a_preset_too(tiny_model: Path, tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text(f'tasks = ["sst"]\nmodel = "{tiny_model}"\nkeep = "0.5"\n', encoding="utf-8")
    result = mtft.train(config=file, preset="report-sam", augment="none", out=tmp_path / "run", **FEW)
    assert list(result.dev) == ["sst"]
    assert result.parameters.selected == round(result.parameters.encoder / 2)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"tasks": ["sst"], "epoch": 3}, "epochs"),
        ({"tasks": ["sts"], "lr": -1}, "argument lr: -1"),
        ({}, "tasks: required"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(mtft.MtftError, match=text):
        mtft.train(**settings)


def test_the_example_runs(tiny_model: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", str(ROOT / "examples" / "api" / "train.py")]
    done = subprocess.run(
        [*command, f"model={tiny_model}", "max_steps=2", "batches=1"],
        cwd=tmp_path,
        text=True,
        capture_output=True,
        check=False,
        env=clean(),
    )
    assert done.returncode == 0, done.stderr
    assert "sts pearson: " in done.stdout
    assert "{'id': 2, 'quora': {" in done.stdout


# ---- the functions as they are seen before they are called --------------------------------------------------------

FUNCTIONS: dict[str, type[Options]] = {
    "train": TrainConfig,
    "plan": TrainConfig,
    "select": SelectConfig,
    "refine": RefineConfig,
    "evaluate": EvalConfig,
    "compare": CompareConfig,
    "experiment": ExperimentConfig,
    "write_report": ReportConfig,
    "export": ExportConfig,
    "merge": MergeConfig,
    "verify": VerifyConfig,
    "count_params": CountConfig,
    "check_data": DataCheckConfig,
}


def test_public_names_are_listed_typed_and_no_modules() -> None:
    assert set(dir(mtft)) == set(mtft.__all__) >= {"train", "Model", "metrics"}
    source = ast.parse((ROOT / "mtft" / "__init__.py").read_text(encoding="utf-8"))
    block = next(node for node in source.body if isinstance(node, ast.If))
    typed = {alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert typed == set(mtft.__all__) - {"__version__"}
    files = {path.stem for path in (ROOT / "mtft").iterdir()}  # importing such a module would hide the name
    assert set(mtft.__all__) & files == {"heads", "losses", "metrics"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_setting_is_in_signature_and_help_and_every_hint_is_a_setting(name: str) -> None:
    function = getattr(mtft, name)
    schema: type[Options] = FUNCTIONS[name]
    shown = inspect.signature(function).parameters
    assert set(schema.settings()) <= set(shown)
    assert all(f"    {key}: " in (inspect.getdoc(function) or "") for key in schema.settings())
    hinted = set(typing.get_type_hints(typing.get_type_hints(inspect.unwrap(function))["settings"].__args__[0]))
    assert hinted == set(schema.settings())


def test_the_types_of_settings_are_those_of_the_schema() -> None:
    for name, text in generate_settings.documents().items():
        assert (generate_settings.FOLDER / name).read_text(encoding="utf-8") == text, "run: make docs"


def test_a_run_that_was_stopped_goes_on(tiny_model: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"tasks": ["sts"], "model": str(tiny_model), "sample": True, "batches": 1}
    first = mtft.train(**settings, epochs=1, out=tmp_path / "run")
    again = mtft.train(resume=first.path, epochs=2)
    assert (first.epochs, again.epochs, again.path) == (1, 2, first.path)
    with pytest.raises(mtft.MtftError, match=r"^resume: .*run has its own out; leave that out"):
        mtft.train(resume=first.path, out=tmp_path / "other")


def test_finished_runs_are_compared_merged_exported_and_verified(trained_run: Path, tmp_path: Path) -> None:
    compared = mtft.compare({"one": trained_run, "same": [trained_run]}, resamples=10)
    assert all(found.difference == 0 for found in compared.columns[1].differences.values())
    assert mtft.merge(trained_run, out=tmp_path / "encoder").path == tmp_path / "encoder"
    bundle = mtft.export(trained_run, out=tmp_path / "model.mtft").path
    assert mtft.verify(bundle).problems == ()
    page = mtft.write_report(trained_run, out=tmp_path / "page.html", examples=0, resamples=10).path
    assert page.read_text(encoding="utf-8").startswith("<!")
    assert mtft.count_params(trained_run).encoder == mtft.Model(bundle)._trained.mask.total


def test_close_readings_are_chosen_by_arguments(tmp_path: Path) -> None:
    file = tmp_path / "reviews.csv"
    labels = ("yes", "no", "Yes", "no", "NONE", "no")
    rows = [f"a film number {number},{labels[number % 6]}" for number in range(60)]
    file.write_text("text,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"choose: read='label=joined' .*\nor take the first of each.*: yes=True"):
        mtft.init(file)
    for given in ({"read": "label=joined", "missing": ["NONE"]}, {"yes": True, "missing": "NONE"}):
        (task,) = mtft.init(file, **given).tasks
        assert (task.table["names"], task.table["missing"]) == (["no", "yes"], ["NONE"])
    with pytest.raises(ConfigError, match="read: label: unknown value 'joint'; did you mean 'joined'"):
        mtft.init(file, read=["label=joint"])


def test_data_are_looked_at_before_a_training(tiny_model: Path, tmp_path: Path) -> None:
    file = tmp_path / "reviews.csv"
    rows = [f"a film number {number},{'bad' if number % 2 else 'good'}" for number in range(40)]
    file.write_text("text,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
    made = mtft.init(file, tmp_path / "run.toml")
    (task,) = made.tasks
    checked = mtft.check_data(config=tmp_path / "run.toml")
    assert checked.files[0].rows == 40
    planned = mtft.plan(config=tmp_path / "run.toml", model=str(tiny_model), out=tmp_path / "run", batches=1)
    assert planned.work is not None
    assert task.name in planned.parameters.heads


def test_the_form_of_files_is_an_argument_of_init(tmp_path: Path) -> None:
    file = tmp_path / "reviews.csv"
    rows = [f"a film number {number};{'bad' if number % 2 else 'good'}" for number in range(40)]
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    (task,) = mtft.init(file, header=False, columns=["text", "label"], delimiter="semicolon").tasks
    assert (task.table["columns"], task.table["delimiter"]) == (["text", "label"], "semicolon")
    with pytest.raises(ConfigError, match=r"header=False needs the names of the columns: columns='NAME,\.\.\.'"):
        mtft.init(file, header=False)
