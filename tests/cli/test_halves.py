"""`--dev-split half`, `--half` and `--train-share`: one half of dev chooses, the other is scored, by ids alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import FEW, TASKS, cli, records, summary

from mtft.data.dataset import sample_dir
from mtft.data.shares import in_half, in_share
from mtft.metrics import metric
from mtft.runs.dev_predictions import read_predictions

ALL = ("train", "--tasks", ",".join(TASKS), "--quiet")
METRICS = {"sst": "accuracy", "quora": "accuracy", "sts": "pearson"}


@pytest.fixture(scope="module")
def halved(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose epoch was chosen by half of dev."""
    path = tmp_path_factory.mktemp("runs") / "halved"
    done = cli(*ALL, *FEW, "--dev-split", "half", "--model", tiny_model, "--out", path)
    assert done.code == 0, done.err
    return path


def score(run: Path, task: str, half: str) -> tuple[float, int]:
    ids, targets, values = read_predictions(run, task, "dev")
    rows = in_half(ids, half, task)  # type: ignore[arg-type]
    return metric(METRICS[task]).function(values[rows], targets[rows]), int(rows.sum())


def test_the_run_is_judged_by_one_half_and_keeps_predictions_of_both(halved: Path, trained_run: Path) -> None:
    assert 'dev_split = "half"' in (halved / "config.toml").read_text()
    (epoch,) = records(halved / "metrics.jsonl")
    assert epoch["dev"] == summary(halved)["dev"]
    for task, name in METRICS.items():
        assert epoch["dev"][task][name] == score(halved, task, "choose")[0]
        assert len(read_predictions(halved, task, "dev")[0]) == 60
    assert (halved / "model/heads.safetensors").read_bytes() == (trained_run / "model/heads.safetensors").read_bytes()


@pytest.mark.parametrize("half", ["all", "choose", "report"])
def test_each_half_can_be_scored(halved: Path, tmp_path: Path, half: str) -> None:
    options = ("--half", half, "--resamples", "20")
    found = cli("eval", halved, "--sample", *options, "--json").json["tasks"]
    compared = cli("compare", f"a={halved}", *options, "--json").json
    assert cli("report", halved, *options, "--out", tmp_path / "r.html").code == 0
    page = (tmp_path / "r.html").read_text()
    for task, name in METRICS.items():
        value, count = score(halved, task, half)
        assert found[task]["n"] == compared["examples"][task] == count
        assert found[task]["metrics"][name]["value"] == pytest.approx(value, abs=1e-12)
        assert compared["columns"][0]["scores"][task] == pytest.approx(value, abs=1e-12)
        assert f"{value:.4f}" in page


def test_halves_are_of_dev(halved: Path) -> None:
    done = cli("eval", halved, "--sample", "--split", "train", "--half", "report")
    assert done.code == 2
    assert "--half: 'report' is a half of dev, not of train (--split)" in done.err


def test_refining_judges_by_the_same_half(halved: Path, tmp_path: Path) -> None:
    out = tmp_path / "refined"
    done = cli("refine", halved, "--tasks", "sts", "--sample", "--epochs", "1", "--dev-split", "half", "--out", out)
    assert done.code == 0, done.err
    assert summary(out)["before"] == summary(halved)["dev"]
    assert summary(out)["dev"]["sts"]["pearson"] == score(out, "sts", "choose")[0]


def test_a_share_of_the_training_rows(tiny_model: Path, tmp_path: Path) -> None:
    done = cli(
        "train", "--tasks", "sst,quora", *FEW, "--train-share", "0.5", "--model", tiny_model, "--out", tmp_path / "r"
    )
    assert done.code == 0, done.err
    ids = [line.split("\t")[1] for line in (sample_dir() / "quora-train.csv").read_text().splitlines()[1:]]
    kept = sum(in_share(row, 0.5) for row in ids)
    assert 0 < kept < len(ids)
    assert f"quora: {kept} of {len(ids)} rows are in the share of 0.5" in done.err.splitlines()


def test_sources_that_a_share_leaves_without_rows(tiny_model: Path, tmp_path: Path) -> None:
    tiny = ("--sample", "--train-share", "0.001", "--model", tiny_model, "--out", tmp_path / "r")
    done = cli("train", "--tasks", "sst", *tiny)
    assert done.code == 2
    assert "augmentation: none" in done.err.splitlines()
    assert "sst: train has no labelled row (rows: 0" in done.err


@pytest.mark.slow
def test_with_the_other_half_the_two_change_places(tiny_model: Path, halved: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    done = cli(*ALL, *FEW, "--dev-split", "other-half", "--model", tiny_model, "--out", other)
    assert done.code == 0, done.err
    for task, name in METRICS.items():
        assert summary(other)["dev"][task][name] == score(other, task, "report")[0]
    for half, chosen in (("choose", "report"), ("report", "choose")):
        evaluated = cli("eval", other, "--sample", "--half", half, "--resamples", "0", "--json").json["tasks"]
        (column,) = cli("compare", f"a={other}", "--half", half, "--resamples", "1", "--json").json["columns"]
        for task, name in METRICS.items():
            expected, rows = score(other, task, chosen)
            assert evaluated[task]["n"] == rows
            assert evaluated[task]["metrics"][name]["value"] == pytest.approx(expected, abs=1e-6, nan_ok=True)
            assert column["scores"][task] == pytest.approx(expected)
    done = cli("compare", f"a={halved}", f"b={other}", "--half", "report", "--resamples", "1")
    assert "b and a were evaluated on different sst dev examples" in done.err
