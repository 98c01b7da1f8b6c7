"""From Python mtft does what its commands do, with the same settings and the same errors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from commands import ROOT, clean, cli, digests, summary

import mtft

FEW = {"sample": True, "max_steps": 4, "batches": 2}


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
    told = cli("eval", trained_run, "--sample", "--resamples", "0", "--tasks", "sts", "--json").json
    assert found.tasks["sts"].metrics["pearson"].value == told["tasks"]["sts"]["metrics"]["pearson"]["value"]


def test_refine_writes_a_run_beside(trained_run: Path, tmp_path: Path) -> None:
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
    assert model.predict([more]) == model.predict(["A film."])
    with pytest.raises(ValueError, match="input has 7 under 'sentence', which is not a text"):
        model.predict([{"sentence": 7}])


def test_an_input_that_cannot_be_answered_is_an_error_or_stays_in_place(trained_run: Path) -> None:
    inputs = ["A film.", {"text": "b"}]
    with pytest.raises(mtft.MtftError, match="input line 2: no task applies"):
        mtft.Model(trained_run).predict(inputs)
    said: list[str] = []
    found = mtft.Model(trained_run, notify=lambda _level, text: said.append(text), on_error="null").predict(inputs)
    assert [set(answer) - {"id"} for answer in found] == [{"sst"}, {"error"}]
    assert said == [f"1 record answered with an error; first: {found[1]['error']}"]


@pytest.mark.parametrize("wrong", [("a", "b", "c"), ("a", 1), (), 7])
def test_what_is_no_input_is_named(trained_run: Path, wrong: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        mtft.Model(trained_run).predict([wrong])  # type: ignore[list-item]


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
def test_wrong_settings_are_named(settings: dict[str, object], text: str) -> None:
    with pytest.raises(mtft.MtftError, match=text):
        mtft.train(**settings)


def test_the_example_runs(tiny_model: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", str(ROOT / "examples" / "api" / "train.py")]
    done = subprocess.run([*command, f"model={tiny_model}", "max_steps=2", "batches=1"], cwd=tmp_path, text=True,
                          capture_output=True, check=False, env=clean())  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "sts pearson: " in done.stdout
    assert "{'id': 2, 'quora': {" in done.stdout
