"""Tasks declared in the settings file, from training to prediction, as a user gives the commands."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import tomli_w
from commands import Done, cli, process, records, reseal, summary

from mtft.data.example import text_key
from mtft.data.held_out import position
from mtft.data.shares import half_of
from mtft.encoder.bert import Encoder
from mtft.io import toml_parser

TABLES: dict[str, dict[str, Any]] = {
    "mood": {"kind": "classification", "text": "review", "label": "mood", "names": ["bad", "mixed", "good"]},
    "stars": {"kind": "ordinal", "text": "review", "label": "stars", "names": ["1", "2", "3", "4"]},
    "useful": {"kind": "binary", "text": "review", "label": "useful", "names": ["no", "yes"], "head": "linear"},
    "near": {"kind": "regression", "text": ["first", "second"], "label": "nearness", "range": [0, 1]},
}
FILES = {"mood": "reviews", "stars": "reviews", "useful": "reviews", "near": "pairs"}


def rows(number: int, offset: int) -> Iterator[dict[str, str]]:
    """Reviews labelled for only some tasks: stars for every second, usefulness for every third."""
    for n in range(offset, offset + number):
        yield {
            "review": "a " * (n - offset) + ("bad", "fine", "good")[n % 3],
            "mood": ("bad", "mixed", "good")[n % 3],
            "stars": str(1 + n % 4) if n % 2 else "",
            "useful": ("no", "yes")[n % 2] if n % 3 == 0 else "",
        }


def write(folder: Path, name: str, found: list[dict[str, str]]) -> None:
    lines = [",".join(found[0]), *(",".join(row.values()) for row in found)]
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def settings(path: Path, **changes: dict[str, Any]) -> Path:
    """Write a settings file with some keys of some tables changed, or taken out where they are None."""
    tables = {}
    for name, table in TABLES.items():
        files = {"train": f"{FILES[name]}-train.csv", "dev": f"{FILES[name]}-dev.csv"}
        merged = {**table, **files, **changes.get(name, {})}
        tables[name] = {key: value for key, value in merged.items() if value is not None}
    path.write_text(tomli_w.dumps({"batches": 2, "tasks": tables}), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for split, number, offset in (("train", 48, 0), ("dev", 24, 100)):
        write(folder, f"reviews-{split}.csv", list(rows(number, offset)))
        numbers = range(number // 3)
        pairs = [{"first": "a " * n, "second": f"b{offset}", "nearness": str(n % 5 / 4)} for n in numbers]
        write(folder, f"pairs-{split}.csv", pairs)
    return folder


@pytest.fixture(scope="module")
def config(data: Path) -> Path:
    return settings(data / "run.toml")


@pytest.fixture(scope="module")
def own_run(data: Path, config: Path, tiny_model: Path) -> Path:
    out = data / "run"
    done = process(
        "train", "--config", config, "--data-dir", data, "--model", tiny_model, "--max-steps", 3, "--out", out
    )
    assert done.code == 0, done.err
    assert "useful: 32 of 48 rows have no label" in done.err
    return out


def test_training_scores_every_task(own_run: Path) -> None:
    assert summary(own_run)["tasks"] == {"mood": "accuracy", "stars": "kappa", "useful": "accuracy", "near": "pearson"}
    manifest = json.loads((own_run / "model" / "model.json").read_text(encoding="utf-8"))
    assert [entry["plugin"] for entry in manifest["tasks"]] == [{"name": "declared"}] * 4
    assert manifest["tasks"][1]["declaration"]["names"] == ["1", "2", "3", "4"]
    assert manifest["tasks"][2]["parameters"] < manifest["tasks"][0]["parameters"]
    written = toml_parser.loads((own_run / "config.toml").read_text(encoding="utf-8"))
    assert list(written["tasks"]) == list(TABLES)


def test_the_settings_of_a_run_train_it_again(own_run: Path, data: Path, tmp_path: Path) -> None:
    done = cli("train", "--config", own_run / "config.toml", "--out", tmp_path / "again")
    assert done.code == 0, done.err
    assert (tmp_path / "again/model/model.json").read_bytes() == (own_run / "model/model.json").read_bytes()
    assert summary(tmp_path / "again")["dev"] == summary(own_run)["dev"]


def test_eval_needs_no_settings_and_agrees_with_training(own_run: Path, data: Path) -> None:
    result = process("eval", own_run, "--data-dir", data, "--resamples", 0, "--json").json
    assert {task: found["n"] for task, found in result["tasks"].items()} == {
        "mood": 24,
        "stars": 12,
        "useful": 8,
        "near": 8,
    }
    assert result["tasks"]["stars"]["labels"] == ["1", "2", "3", "4"]
    for task, found in summary(own_run)["dev"].items():
        for name, value in found.items():
            assert result["tasks"][task]["metrics"][name]["value"] == pytest.approx(value, abs=1e-5)


def test_rows_without_ids_stay_in_their_half_when_others_go(data: Path, tiny_model: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(data, tmp_path / "data", ignore=shutil.ignore_patterns("run"))
    files = {"train": "reviews-train.csv", "dev": "reviews-dev.csv"}
    (copy / "mood.toml").write_text(tomli_w.dumps({"batches": 1, "tasks": {"mood": {**TABLES["mood"], **files}}}))
    given = ("--config", copy / "mood.toml", "--data-dir", copy, "--model", tiny_model, "--max-steps", 1)
    assert cli("train", *given, "--dev-split", "half", "--out", tmp_path / "run").code == 0
    found = list(rows(24, 100))
    halves = [half_of(text_key((row["review"],))) for row in found]
    half = ("--half", "report", "--resamples", "1", "--json")
    assert cli("compare", f"a={tmp_path / 'run'}", *half).json["examples"]["mood"] == halves.count("report")
    for gone in range(8):
        write(copy, "reviews-dev.csv", found[gone:])
        scored = cli("eval", tmp_path / "run", "--data-dir", copy, *half).json["tasks"]["mood"]["n"]
        assert scored == halves[gone:].count("report")


def test_cleaned_copies_keep_what_another_task_trains_on(tmp_path: Path) -> None:
    lines = ["text,mood,topic", "a,good,food", "b,bad,", "c,,food", "d,,", "e,good,rent", "e,good,food", "a,good,food"]
    (tmp_path / "data").mkdir()
    (tmp_path / "data/t.csv").write_text("\n".join([*lines, "f,worse,rent", "g,bad,rent", "h,odd,odd"]) + "\n")
    mood = {"kind": "binary", "text": "text", "label": "mood", "names": ["bad", "good"], "train": "t.csv", "dev": 0.3}
    topic = {**mood, "label": "topic", "names": ["food", "rent"]}
    (tmp_path / "c.toml").write_text(tomli_w.dumps({"tasks": {"mood": mood, "topic": topic}}))
    given = ("data", "check", "--config", tmp_path / "c.toml", "--data-dir", tmp_path / "data")
    cli(*given, "--fix", tmp_path / "clean")
    kept = (tmp_path / "clean/t.csv").read_text().splitlines()
    assert kept == [lines[0], *lines[1:4], *lines[5:7], "f,worse,rent", "g,bad,rent"]
    diff = (tmp_path / "clean/changes.diff").read_text()
    assert [line for line in diff.splitlines() if line[:1] == "-" != line[1:2]] == [
        "-d,,",
        "-a,good,food",
        "-h,odd,odd",
    ]


def test_bad_rows_of_a_parquet_file_can_be_left_out(data: Path, tiny_model: Path, tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow", reason="needs the extra parquet")
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra parquet")
    for split in ("train", "dev"):
        found = [{**row, "mood": "odd" if number == 5 else row["mood"]} for number, row in enumerate(rows(24, 0))]
        parquet.write_table(arrow.Table.from_pylist(found), tmp_path / f"m-{split}.parquet")
    files = {"train": "m-train.parquet", "dev": "m-dev.parquet"}
    (tmp_path / "m.toml").write_text(tomli_w.dumps({"batches": 1, "tasks": {"mood": {**TABLES["mood"], **files}}}))
    given = ("train", "--config", tmp_path / "m.toml", "--data-dir", tmp_path, "--model", tiny_model, "--max-steps", 1)
    done = cli(*given, "--out", tmp_path / "run")
    assert done.code == 2
    assert "m-train.parquet:6: column 'mood': label 'odd' is not one of" in done.err
    done = cli(*given, "--out", tmp_path / "run", "--skip-bad-rows")
    assert done.code == 0, done.err
    assert "mood: 1 of 24 rows of train are bad" in done.err


def test_a_share_that_holds_out_nothing_is_named(tiny_model: Path, tmp_path: Path) -> None:
    write(tmp_path, "few.csv", list(rows(4, 0)))
    table = {**TABLES["mood"], "train": "few.csv", "dev": 0.001, "held_out": "texts"}
    (tmp_path / "m.toml").write_text(tomli_w.dumps({"batches": 1, "tasks": {"mood": table}}))
    done = cli("train", "--config", tmp_path / "m.toml", "--data-dir", tmp_path, "--model", tiny_model)
    assert done.code == 2
    assert (
        f"mood: dev has no labelled row (rows: 0 of {tmp_path / 'few.csv'}); dev = 0.001 holds out too few" in done.err
    )


def encoded(*args: object, stdin: str = "") -> tuple[Done, int]:
    """Run a command and count the sequences that went through the encoder."""
    seen = []
    forward = Encoder.forward

    def count(self: Encoder, batch: Any) -> Any:
        seen.append(len(batch.lengths))
        return forward(self, batch)

    with mock.patch.object(Encoder, "forward", count):
        done = cli(*args, stdin=stdin)
    return done, sum(seen)


def test_a_row_labelled_for_several_tasks_is_encoded_once_in_eval_and_predict(own_run: Path, data: Path) -> None:
    done, count = encoded("eval", own_run, "--data-dir", data, "--resamples", 0)
    assert done.code == 0, done.err
    assert count == 24 + 8
    done, count = encoded("predict", own_run, stdin='{"review": "a good film"}\n{"sentence": "a bad one"}\n')
    assert count == 2
    assert [list(line) for line in done.lines] == [["id", "mood", "stars", "useful"]] * 2
    first = done.lines[0]["stars"]
    assert set(first) == {"label", "rank", "probabilities"}
    assert first["rank"] == pytest.approx(sum(n * p for n, p in enumerate(first["probabilities"].values())))


def test_records_hold_texts_under_their_columns_or_the_usual_keys(own_run: Path) -> None:
    done = cli("predict", own_run, stdin="first\tsecond\none\ttwo\n")
    assert list(done.lines[0]) == ["id", "near"]
    usual = cli("predict", own_run, stdin='{"sentence1": "one", "sentence2": "two"}\n').lines[0]["near"]["score"]
    assert done.lines[0]["near"]["score"] == pytest.approx(usual, abs=1e-5)
    done = cli("predict", own_run, "--tasks", "near", stdin='{"first": "one"}\n')
    assert (done.code, done.err) == (
        2,
        "mtft: error: input line 1: task 'near' needs first and second or sentence1 and sentence2\n"
        "mtft: all before it is answered; --on-error skip or --on-error null goes on after it\n",
    )


def test_every_command_that_loads_tasks_knows_declared_ones(
    own_run: Path, data: Path, config: Path, tiny_model: Path, tmp_path: Path
) -> None:
    common = ("--config", config, "--data-dir", data)
    done = cli("select", *common, "--model", tiny_model, "--keep", 0.1, "--out", tmp_path / "mask.safetensors")
    assert done.code == 0, done.err
    heads = cli("count-params", "--config", config, "--json").json["heads"]
    assert set(heads) == set(TABLES)
    check = cli("data", "check", *common, "--json").json
    assert {each["source"] for each in check["files"]} == set(TABLES)
    assert {each["source"] for each in check["findings"] if each["check"] == "label-missing"} == {"stars", "useful"}
    done = cli("refine", own_run, "--tasks", "stars", "--epochs", 1, "--data-dir", data, "--out", tmp_path / "refined")
    assert done.code == 0, done.err
    refined = cli("compare", f"a={own_run}", f"b={tmp_path / 'refined'}", "--json").json
    assert set(refined["metrics"]) == set(TABLES)
    assert cli("predict", tmp_path / "refined", stdin='{"review": "x"}\n').code == 0


def test_declared_and_installed_tasks_train_together(data: Path, tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    table = {**TABLES["mood"], "train": str(data / "reviews-train.csv"), "dev": 0.25}
    path.write_text(tomli_w.dumps({"tasks": {"mood": table, "sts": {}}}), encoding="utf-8")
    done = cli(
        "train",
        "--config",
        path,
        "--sample",
        "--augment",
        "none",
        "--model",
        tiny_model,
        "--batches",
        1,
        "--max-steps",
        2,
        "--out",
        tmp_path / "run",
    )
    assert done.code == 0, done.err
    assert list(summary(tmp_path / "run")["tasks"]) == ["mood", "sts"]


@pytest.mark.parametrize("names", [["good", "mixed", "bad"], ["bad", "mixed"], ["bad", "mixed", "fine"]])
def test_labels_in_another_order_or_others_are_refused(
    own_run: Path, data: Path, tmp_path: Path, names: list[str]
) -> None:
    path = settings(tmp_path / "run.toml", mood={"names": names})
    done = cli("eval", own_run, "--config", path, "--data-dir", data)
    assert done.code == 2
    assert "task 'mood' was trained with {'kind': 'categorical', 'names': ['bad', 'mixed', 'good']}" in done.err
    assert f"but it is now declared with {{'kind': 'categorical', 'names': {names}}}" in done.err


def test_settings_may_name_other_files_of_a_finished_run(own_run: Path, data: Path, tmp_path: Path) -> None:
    shutil.copy(data / "reviews-dev.csv", tmp_path / "moved.csv")
    path = settings(tmp_path / "run.toml", mood={"dev": "moved.csv"})
    done = cli("eval", own_run, "--config", path, "--tasks", "mood", "--data-dir", tmp_path, "--resamples", 0, "--json")
    expected = summary(own_run)["dev"]["mood"]["accuracy"]
    assert done.json["tasks"]["mood"]["metrics"]["accuracy"]["value"] == expected


def test_another_number_of_texts_is_refused(own_run: Path, data: Path, tmp_path: Path) -> None:
    path = settings(tmp_path / "run.toml", mood={"text": ["review", "useful"]})
    done = cli("eval", own_run, "--config", path, "--data-dir", data)
    assert done.code == 2
    assert "task 'mood' was trained with the text columns ['review'], but is now declared with" in done.err


def test_a_damaged_declaration_in_a_model_is_refused(own_run: Path, data: Path, tmp_path: Path) -> None:
    shutil.copytree(own_run, tmp_path / "run")
    path = tmp_path / "run/model/model.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["tasks"][0]["declaration"]["head"] = "os:system"
    path.write_text(json.dumps(manifest), encoding="utf-8")
    reseal(path)
    done = cli("predict", tmp_path / "run", stdin="x\n")
    assert done.code == 2
    assert "model.json: tasks.mood: head: unknown value 'os:system' (allowed: linear, report)" in done.err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"mood": {"kind": "clasification"}},
            "{config}: tasks.mood: kind: unknown value 'clasification'; did you mean",
        ),
        (
            {"mood": {"names": ["bad", "good"]}},
            "reviews-train.csv:3: column 'mood': label 'mixed' is not one of bad, g",
        ),
        (
            {"mood": {"text": "text"}},
            "no column 'text' (columns: review, mood, stars, useful); change text = ... in [tasks.mood] of {config}",
        ),
        (
            {"mood": {"train": "none.csv"}},
            "mood: {data}/none.csv: no such file; change train = ... in [tasks.mood] of {config}, or give --data",
        ),
        ({"mood": {"dev": "reviews-train.csv"}}, "warning: leakage: mood: 48 of 48 rows are in train too"),
        ({"near": {"range": [0, 0.5]}}, "pairs-train.csv:5: column 'nearness': label '0.75' is not a number from 0 to"),
        (
            {"near": {"train": "a.parquet"}, "mood": {"label": None}},
            "{config}: tasks.mood: label: missing; give a column",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_place(
    data: Path, tiny_model: Path, tmp_path: Path, changes: dict[str, dict[str, Any]], message: str
) -> None:
    path = settings(tmp_path / "run.toml", **changes)
    done = cli(
        "train",
        "--config",
        path,
        "--data-dir",
        data,
        "--model",
        tiny_model,
        "--max-steps",
        1,
        "--batches",
        1,
        "--out",
        tmp_path / "run",
    )
    assert done.code == (0 if message.startswith("warning: ") else 2)
    assert message.format(config=path, data=data) in done.err


def test_data_check_names_the_keys_of_a_declared_task(data: Path, tmp_path: Path) -> None:
    path = settings(tmp_path / "run.toml", mood={"text": "text", "dev": "none.csv"})
    found = json.loads(cli("data", "check", "--config", path, "--data-dir", data, "--json").out)["findings"]
    advice = {(each["split"], each["check"]): each["advice"] for each in found if each["source"] == "mood"}
    assert advice["train", "columns"] == f"change text = ... in [tasks.mood] of {path}"
    assert advice["dev", "file"] == f"change dev = ... in [tasks.mood] of {path}"


def test_a_run_says_that_its_declaration_can_be_declared_anew(own_run: Path, data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(data, folder)
    text = (folder / "reviews-dev.csv").read_text(encoding="utf-8")
    (folder / "reviews-dev.csv").write_text(text.replace("review,", "opinion,", 1), encoding="utf-8")
    done = cli("eval", own_run, "--tasks", "mood", "--data-dir", folder)
    assert done.code == 2
    advice = "change text = ... in [tasks.mood], which the run recorded (--config can declare it anew)"
    assert f"no column 'review' (columns: opinion, mood, stars, useful); {advice}" in done.err


def test_predictions_on_dev_are_kept_for_labelled_rows_alone(own_run: Path) -> None:
    assert len(records(own_run / "predictions/useful.dev.jsonl")) == 8


def test_runs_made_before_keep_their_rule_and_new_ones_stratify(tiny_model: Path, tmp_path: Path) -> None:
    write(tmp_path, "all.csv", list(rows(90, 0)))
    table = {**TABLES["mood"], "train": "all.csv", "dev": 0.2}
    counts = {"old": sum(position((row["review"],)) < 0.2 for row in rows(90, 0)), "new": 18}
    assert counts["old"] != counts["new"]
    path = tmp_path / "run.toml"
    path.write_text(tomli_w.dumps({"batches": 1, "tasks": {"mood": table}}))
    given = ("--config", path, "--data-dir", tmp_path, "--model", tiny_model)
    with mock.patch("mtft.config.load.with_rules", lambda tables: tables):  # a run of before knows no rule
        assert cli("train", *given, "--max-steps", 2, "--out", tmp_path / "old").code == 0
    assert cli("train", *given, "--max-steps", 2, "--out", tmp_path / "new").code == 0
    for name, rule in (("old", None), ("new", {"classes": ["mood"]})):
        run, count = tmp_path / name, counts[name]
        recorded = toml_parser.loads((run / "config.toml").read_text(encoding="utf-8"))["tasks"]["mood"]
        manifest = json.loads((run / "model/model.json").read_text(encoding="utf-8"))["tasks"][0]["declaration"]
        assert recorded.get("held_out") == manifest.get("held_out") == rule
        for more in ((), ("--config", path)):
            done = cli("eval", run, "--data-dir", tmp_path, "--resamples", 0, "--json", *more)
            assert done.json["tasks"]["mood"]["n"] == count
        resumed = cli("train", "--resume", run, "--max-steps", 3, "--data-dir", tmp_path)
        assert resumed.code == 0, resumed.err
        assert len(records(run / "predictions/mood.dev.jsonl")) == count
        again = cli("train", "--config", run / "config.toml", "--data-dir", tmp_path, "--out", tmp_path / f"{name}-2")
        assert again.code == 0, again.err
        assert len(records(tmp_path / f"{name}-2/predictions/mood.dev.jsonl")) == count


def test_files_beside_the_settings_are_found_from_anywhere(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own").mkdir()
    write(tmp_path / "own", "big.csv", list(rows(60, 0)))
    table = {**TABLES["mood"], "train": "big.csv", "dev": 0.2}
    (tmp_path / "own/run.toml").write_text(tomli_w.dumps({"batches": 1, "tasks": {"mood": table}}))
    monkeypatch.chdir(tmp_path)
    done = cli("train", "--config", "own/run.toml", "--model", tiny_model, "--max-steps", 1, "--out", "run")
    assert done.code == 0, done.err
    monkeypatch.chdir("/")
    assert cli("eval", tmp_path / "run", "--resamples", 0, "--json").json["tasks"]["mood"]["n"] == 15
    assert cli("train", "--resume", tmp_path / "run", "--max-steps", 2).code == 0


def test_the_data_check_names_labels_that_look_the_same(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", [{"text": f"row {n}", "mood": ("good", "Good", "bad|good")[n % 3]} for n in range(60)])
    names = ["good", "Good", "bad|good"]
    table = {"kind": "classification", "text": "text", "label": "mood", "names": names, "train": "a.csv", "dev": 0.3}
    (tmp_path / "c.toml").write_text(tomli_w.dumps({"tasks": {"mood": table}}))
    found = cli("data", "check", "--config", tmp_path / "c.toml", "--data-dir", tmp_path, "--json").json["findings"]
    told = {(each["check"], each["split"]): each["message"] for each in found}
    assert told["labels-alike", "train"].endswith("look alike: 'good' and 'Good'")
    assert told["labels-several", "dev"] == "labels look like several labels in one ('bad|good')"
