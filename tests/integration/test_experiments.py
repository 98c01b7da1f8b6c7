"""The experiments of examples/report: made by `mtft experiment`, and tables made of their records alone."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import ROOT, clean, cli

from mtft.config.schema import TrainConfig
from mtft.data.dataset import sample_dir
from mtft.data.shares import in_share
from mtft.errors import DataError
from mtft.io.files import read_json
from mtft.plugin.context import new_context
from mtft.predictor import Model
from mtft.report.bootstrap import PairedDifference
from mtft.runs.checkpoint import load_model

sys.path.insert(0, str(ROOT / "examples/report"))  # the scripts import each other from where they are
from neighbours import by_standards, by_votes, cosines
from plans import FILE, Row, read_plans, settings
from record import Truth, check_length, keep, read_outputs
from results import Book
from silver import silver

HERE = FILE.parent
FEW = ("--sample", "--max-steps", "3", "--batches", "1", "--checkpoint-every", "1")
PRIMARY = {"sst": "accuracy", "quora": "accuracy", "sts": "pearson"}
SINGLE = ("vanilla-sst.s0", "vanilla-quora.s0", "vanilla-sts.s0")


def command(name: str, *args: object) -> list[str]:
    return [sys.executable, str(HERE / f"{name}.py"), *map(str, args)]


def script(name: str, *args: object) -> str:
    """Run a script to its end and return what it printed."""
    done = subprocess.run(command(name, *args), env=clean(), text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def small(tiny_model: Path, file: Path) -> Path:
    """Write the plan with a tiny model, few steps and the sample data."""
    few = f'sample = true\nmax_steps = 3\nbatches = 1\nmodel = "{tiny_model}"\n'
    text = FILE.read_text(encoding="utf-8")
    assert text.count("[settings]\n") == 1
    file.write_text(text.replace("[settings]\n", f"[settings]\n{few}"), encoding="utf-8")
    return file


def test_the_plan_and_the_tables_name_the_same_runs() -> None:
    plans = read_plans()
    assert all(run.config.dev_split == "half" for run in plans.planned.values())
    tabled = {run for table in plans.tables.values() for row in table.rows for run in row.runs}
    assert tabled - {run.entry for run in plans.planned.values()} == {"quarter-lora"}
    assert plans.needed("refined.s1") == {"unified.s1"}
    assert plans.needed("taught.s1") == {"unified.s1", *(f"vanilla-{task}.s1" for task in PRIMARY)}
    assert (plans.mask_of("taught.s1"), plans.mask_of("unified.s1")) == ("unified.s1", "")
    quarter, summed = (plans.planned[f"{name}.s0"].config for name in ("quarter", "quarter-sum"))
    assert isinstance(summed, TrainConfig)
    assert summed.model_copy(update={"surgery": "pcgrad", "mask": None}) == quarter


@pytest.mark.slow
def test_from_the_plan_to_tables_without_weights(tiny_model: Path, tmp_path: Path) -> None:
    made, records, out = tmp_path / "made", tmp_path / "records", tmp_path / "out"
    file = small(tiny_model, tmp_path / "experiments.toml")
    names = ",".join((*SINGLE, "refined.s0", "taught.s0"))
    done = cli("experiment", file, "--out", made, "--only", names, "--quiet")
    assert done.code == 0, done.err
    script("record", *sorted((made / "records").iterdir()), "--records", records)
    assert script("record", *sorted((made / "records").iterdir()), "--records", records) == ""  # all are there
    found, chosen = (
        cli("compare", f"a={made / 'records/unified.s0'}", "--half", half, "--resamples", "1", "--json").json[
            "columns"
        ][0]
        for half in ("report", "choose")
    )
    shutil.rmtree(made)

    script("tables", "--records", records, "--out", out, "--data-dir", sample_dir(), "--resamples", "20")
    scores, differences = (out / "results.md").read_text().split("Differences from individual, all weights:")
    rows = {
        line.split(" | ")[0].strip("| "): line.split(" | ") for line in scores.splitlines() if line.startswith("| ")
    }
    for index, task in enumerate(PRIMARY):
        assert rows["unified, SAM 30 %"][2 + index].startswith(f"{found['scores'][task]:.4f} (")
    choosing = next(line for line in differences.split("half that chooses:")[1].splitlines() if "unified, SAM" in line)
    assert [float(cell) for cell in choosing.strip("| ").split(" | ")[1:]] == pytest.approx(
        [chosen["scores"][task] for task in PRIMARY], abs=6e-5
    )
    stored = [read_json(records / run / "record.json")["summary"]["parameters"]["stored"] for run in SINGLE]
    assert rows["individual, all weights"][5] == f"{sum(stored):,}"
    (missing,) = (line for line in differences.split("## ")[0].splitlines() if line.startswith("Not run yet: "))
    assert "individual, SAM 10 %;" in missing
    assert "unified, SAM 30 %" not in missing

    (taught,) = Book(read_plans(), records, new_context().registry, sample_dir()).results([Row("", ("taught",))], 1)
    seconds = [read_json(records / run / "record.json")["processor_seconds"] for run in (*SINGLE, "taught.s0")]
    selection = read_json(records / "unified.s0/record.json")["selection_seconds"]
    assert 0 < selection < read_json(records / "unified.s0/record.json")["processor_seconds"]
    assert taught.counts["processor_seconds"] == pytest.approx(sum(seconds) + selection)


def test_records_hold_neither_texts_nor_labels_and_belong_to_their_data(trained_run: Path, tmp_path: Path) -> None:
    keep(trained_run, tmp_path / "r")
    assert {path.name for path in (tmp_path / "r").iterdir()} == {"config.toml", "record.json", "outputs.json"}
    outputs = json.loads((tmp_path / "r" / "outputs.json").read_text())
    assert {task: len(values) for task, values in outputs.items()} == {"sst": 60, "quora": 60, "sts": 60}
    assert str(trained_run.parent) not in "".join(path.read_text() for path in (tmp_path / "r").iterdir())
    values = read_outputs(tmp_path / "r")["sts"]
    with pytest.raises(DataError, match="59 outputs of sts, but the data have 60 dev rows"):
        check_length(tmp_path / "r", "sts", values[:59], Truth(("x",) * 60, values))


@pytest.mark.slow
def test_rows_are_compared_over_the_seeds_that_both_have(trained_run: Path, tmp_path: Path) -> None:
    rows = [Row("first", ("vanilla-sts",)), Row("other", ("sam-sts",))]
    book = Book(read_plans(), tmp_path, new_context().registry, sample_dir())
    keep(trained_run, tmp_path / "vanilla-sts.s0")
    shutil.copytree(tmp_path / "vanilla-sts.s0", tmp_path / "sam-sts.s1")
    first, other = book.results(rows, 20)
    assert (first.seeds, other.seeds, other.scores["sts"].difference) == ((0,), (1,), None)

    outputs = read_outputs(tmp_path / "sam-sts.s1")
    shutil.copytree(tmp_path / "sam-sts.s1", tmp_path / "vanilla-sts.s1")
    (tmp_path / "vanilla-sts.s0/outputs.json").write_text(json.dumps({"sts": list(outputs["sts"][::-1])}))
    first, other = book.results(rows, 20)
    assert (first.seeds, other.seeds) == ((0, 1), (1,))
    assert other.scores["sts"].value == first.apart["sts"][1] != first.apart["sts"][0]
    assert other.scores["sts"].difference == PairedDifference(0, 0, 0, 1)  # the same outputs with the common seed


@pytest.mark.slow
def test_a_row_may_have_tasks_that_the_first_lacks(trained_run: Path, tmp_path: Path) -> None:
    keep(trained_run, tmp_path / "unified.s0")
    keep(trained_run, tmp_path / "vanilla-sts.s0")
    record = tmp_path / "vanilla-sts.s0/outputs.json"
    record.write_text(json.dumps({"sts": json.loads(record.read_text())["sts"]}))
    book = Book(read_plans(), tmp_path, new_context().registry, sample_dir())
    first, other = book.results([Row("alone", ("vanilla-sts",)), Row("both", ("unified",))], 20)
    assert list(first.scores) == ["sts"]
    assert other.scores["sts"].difference == PairedDifference(0, 0, 0, 1)
    assert {task for task, score in other.scores.items() if score.difference is None} == other.scores.keys() - {"sts"}
    assert len(other.scores) > 1


def test_overlap_of_selections_is_measured_once(tiny_model: Path, tmp_path: Path) -> None:
    where = ("--work", tmp_path, "--records", tmp_path / "r", "--data-dir", sample_dir())
    lines = script("overlap", *where, "--", "--batches", "1", "--model", tiny_model).splitlines()
    found = read_json(tmp_path / "r" / "overlap.json")
    assert len(lines) == len(found["pairs"]) == 12
    assert all(0 < pair["jaccard"] < 1 for pair in found["pairs"])
    assert found["chance"] == pytest.approx(0.3 / 1.7)
    masks = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")}
    assert len(masks) == 13
    again = script("overlap", *where, "--", "--batches", "1", "--model", tiny_model).splitlines()
    assert again == lines  # nothing is made again
    assert masks == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")}
    rows = [
        (sample_dir() / "sts-train.csv").read_bytes(),
        *(next(tmp_path.glob(f"masks-*/half{n}/sts-train.csv")).read_bytes() for n in (0, 1)),
    ]
    whole, *halves = (set(each.splitlines()) for each in rows)
    assert halves[0] | halves[1] == whole
    assert len(halves[0] & halves[1]) == 1  # the header


@pytest.mark.slow
def test_a_peer_leaves_a_record_like_any_other(tiny_model: Path, tmp_path: Path) -> None:
    record_directory = tmp_path / "records" / "quarter-lora.s0"
    few = ("--epochs", "1", "--train-share", "1", "--model", tiny_model, "--sample")
    script("lora", "--record", record_directory, "--", *few)
    script("lora", "--record", tmp_path / "again", "--", *few)
    assert (record_directory / "outputs.json").read_bytes() == (tmp_path / "again/outputs.json").read_bytes()
    assert "train_share = 1.0" in (record_directory / "config.toml").read_text()
    record, outputs = read_json(record_directory / "record.json"), read_outputs(record_directory)
    assert {task: len(values) for task, values in outputs.items()} == {"sst": 60, "quora": 60, "sts": 60}
    counts = record["summary"]["parameters"]
    assert 0 < counts["tunable"] < counts["stored"]
    assert str(tiny_model) not in (record_directory / "record.json").read_text()
    out = tmp_path / "out"
    script(
        "tables", "--records", record_directory.parent, "--out", out, "--data-dir", sample_dir(), "--resamples", "20"
    )
    assert "| LoRA of rank 8 (peft) | 1 |" in (out / "results.md").read_text()


def test_neighbours_say_what_similarity_knows_of_sentiment(trained_run: Path) -> None:
    lines = script("neighbours", trained_run, "--data-dir", sample_dir(), "--resamples", "20").splitlines()
    found = cli("eval", trained_run, "--sample", "--tasks", "sst", "--half", "report", "--json").json
    alone = found["tasks"]["sst"]["metrics"]["accuracy"]["value"]
    assert lines[0].startswith("trained: the head alone: ")
    assert lines[0].endswith(f", {alone:.4f}")
    assert [line.split(": ")[1].split(",")[0] for line in lines[1:]] == ["standard sentences", "training sentences"]
    similar = cosines(np.eye(3)[:1], np.array([[3.0, 0, 0], [1, 1, 0], [0, 0, 1], [2, 1, 0]]))
    votes = by_votes(similar, np.array([4.0, 1, 0, 1]), 3)
    np.testing.assert_allclose(votes, [[0, 2 / 3, 0, 0, 1 / 3]])
    nearness = np.zeros((1, 5, 2))
    nearness[0, 3] = 1.0, 2.0
    np.testing.assert_allclose(by_standards(nearness, 0.5)[0, 3], np.exp(3) / (np.exp(3) + 4))


def test_two_tasks_of_pairs_label_each_others_training_rows(trained_run: Path, tmp_path: Path) -> None:
    options = ("--sample", "--train-share", "0.5", "--max-steps", "4", "--best", "last")
    said = script("silver", trained_run, "--out", tmp_path / "out", "--", *options)
    assert "augmentation: silver-sts, silver-quora" in said
    run, registry = load_model(trained_run / "model", new_context().registry), new_context().registry
    config = settings(["--config", str(trained_run / "config.toml"), *options, "--out", str(tmp_path / "x")])
    sources = {source.name: source for source in silver(run, registry, config)}
    for task, other in (("sts", "quora"), ("quora", "sts")):
        source, gold = sources[f"silver-{task}"], registry.task(other).source.reader("train", sample_dir())
        rows = {row.id: row.texts for row in gold if in_share(row.key, 0.5)}
        found = source.reader("train", sample_dir())
        assert {row.id: row.texts for row in found} == rows
        assert not source.reader("dev", sample_dir())
        answers = Model(trained_run, tasks=[task]).predict([{"sentence1": a, "sentence2": b} for a, b in rows.values()])
        scores = [said[task]["score"] if task == "sts" else said[task]["probabilities"]["1"] for said in answers]
        np.testing.assert_allclose([row.target or 0.0 for row in found], scores, atol=1e-4)
    again = script("silver", trained_run, "--out", tmp_path / "out", "--", *options)
    assert "has finished: nothing is left to do" in again
    for wrong, reported in (
        (("--tasks", "sst,sts"), "has no task quora"),
        (("--epoch", "3"), "no such option"),
    ):
        done = subprocess.run(
            command("silver", trained_run, "--out", tmp_path / "no", "--", "--sample", *wrong),
            env=clean(),
            text=True,
            capture_output=True,
            check=False,
        )
        assert (done.returncode, reported in done.stderr.lower()) == (2, True), done.stderr
    assert not (tmp_path / "no").exists()
