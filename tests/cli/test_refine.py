"""`mtft refine`: what it prints and writes, and how it fails."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from commands import FEW, cli, digests, records, summary
from safetensors.torch import load_file, save_file

SAMPLE = ("--sample", "--epochs", "1")


def test_json_and_the_new_run(trained_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "refined"
    done = cli("refine", trained_run, "--tasks", "sts,quora", *SAMPLE, "--lr", "1e-3", "--out", out, "--json")
    result = done.json
    assert list(result) == ["path", "before", "after", "kept"]
    assert result["path"] == str(out)
    assert result["before"] == summary(trained_run)["dev"]
    assert result["after"] == summary(out)["dev"]
    assert result["kept"] == summary(out)["kept"]
    assert "epochs" not in summary(out)
    assert (summary(out)["command"], summary(out)["refined_from"]) == ("refine", "trained")
    assert [record["task"] for record in records(out / "metrics.jsonl")] == ["quora", "sts"]
    assert "sts epoch 1: dev pearson " in done.err


def test_a_table_for_people_and_silence_when_asked(
    trained_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ("refine", trained_run, "--tasks", "sts", *SAMPLE, "--lr", "1e-12")
    done = cli(*options, "--out", "a")
    lines = done.out.splitlines()
    assert lines[0].split("  ")[0] == "task"
    assert all(line.endswith("as before") for line in lines[1:])
    assert [line.split()[0] for line in lines[1:]] == ["sst", "sst", "quora", "quora", "sts", "sts"]
    assert done.err.splitlines()[-2:] == ["run: a", "to look at it: mtft report a"]
    done = cli(*options, "--out", "b", "--quiet")
    assert (done.code, done.out.splitlines(), done.err) == (0, lines, "")


def test_the_new_run_lies_beside_the_old_one(trained_run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(trained_run, tmp_path / "run")
    options = ("refine", run, "--tasks", "sts", *SAMPLE, "--json")
    assert [cli(*options).json["path"] for _ in range(2)] == [f"{run}-refined", f"{run}-refined-2"]
    assert cli(*options, "--overwrite").json["path"] == f"{run}-refined"


def test_a_score_that_is_undefined_is_easy_to_beat(trained_run: Path, tmp_path: Path) -> None:
    """A head whose scores are all clamped to zero has no correlation; one that has some is better."""
    run = shutil.copytree(trained_run, tmp_path / "run")
    path = run / "model" / "heads.safetensors"
    heads = load_file(path)
    last = max(name for name in heads if name.startswith("sts.") and name.endswith("bias") and heads[name].numel() == 1)
    save_file(heads | {last: heads[last] * 0 - 2.5}, path)
    done = cli("refine", run, "--tasks", "sts", "--sample", "--epochs", "3", "--lr", "0.05", "--json", "--quiet")
    assert done.json["before"]["sts"]["pearson"] is None
    best = max(record["dev"]["sts"]["pearson"] for record in records(tmp_path / "run-refined" / "metrics.jsonl"))
    assert best > 0
    assert done.json["kept"] == ["sts"]
    assert done.json["after"]["sts"]["pearson"] == best


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--tasks", "stss"], ["trained: unknown task of this run 'stss'; did you mean 'sts'? (allowed: quora, sst,"]),
        (["--tasks", "sts", "--task-lr", "st=1"], ["unknown task 'st'"]),
        (["--tasks", "sts", "--task-lr", "sts"], ["flag --task-lr: 'sts' is not task=rate, as in sst=5e-8"]),
        ([], ["tasks: required; give --tasks"]),
        (["--tasks", "sts", "--no-sample", "--data-dir", "/no/such"], ["--data-dir: /no/such is not a directory"]),
        (["--tasks", "sts", "--model", "/no/such"], ["its base model was not found", "--model says where it is now"]),
        (["--tasks", "sts", "--keep", "1"], ["no such option"]),
        (["--tasks", "sts", "--preset", "report-sam"], ["unknown preset 'report-sam'", "(allowed: report)"]),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_what_is_wrong_is_named_and_nothing_is_written(
    options: list[str], parts: list[str], trained_run: Path, tmp_path: Path
) -> None:
    done = cli("refine", trained_run, *SAMPLE, "--out", tmp_path / "out", *options)
    assert (done.code, done.out) == (2, "")
    for part in parts:
        assert part.lower() in done.err.lower()
    assert list(tmp_path.iterdir()) == []


def test_the_run_itself_is_never_changed(trained_run: Path, tmp_path: Path) -> None:
    before = digests(trained_run)
    for out in (trained_run, trained_run / ".." / "trained", trained_run / "model", trained_run / "refined"):
        done = cli("refine", trained_run, "--tasks", "sts", *SAMPLE, "--out", out, "--overwrite")
        assert done.code == 2
        assert "never changed" in done.err or "is no run of mtft" in done.err
    assert digests(trained_run) == before


def test_missing_files_are_found_before_a_former_run_is_replaced(trained_run: Path, tmp_path: Path) -> None:
    former = shutil.copytree(trained_run, tmp_path / "former")
    before = digests(former)
    empty = tmp_path / "empty"
    empty.mkdir()
    done = cli("refine", trained_run, "--tasks", "sts", "--data-dir", empty, "--out", former, "--overwrite")
    assert done.code == 2
    assert "no such file; give --data-dir" in done.err
    assert digests(former) == before


def test_no_run(tmp_path: Path) -> None:
    for run in (tmp_path, tmp_path / "gone"):
        done = cli("refine", run, "--tasks", "sts", "--sample")
        assert (done.code, done.err) == (2, f"mtft: error: {run}/model: holds no trained model (no model.json)\n")


def test_the_preset_serves_runs_without_sentiment(tiny_model: Path, tmp_path: Path) -> None:
    """Its rate for sst is no complaint about a run that has no sst."""
    run = tmp_path / "sts"
    assert cli("train", "--tasks", "sts", *FEW, "--model", tiny_model, "--out", run, "-q").code == 0
    options = ("--tasks", "sts", "--preset", "report", "--epochs", "1", "--sample", "-q")
    assert cli("refine", run, *options, "--out", tmp_path / "refined").code == 0


def test_a_run_is_not_replaced_by_what_holds_it(trained_run: Path) -> None:
    done = cli("refine", trained_run, "--tasks", "sts", *SAMPLE, "--out", trained_run.parent, "--overwrite")
    assert done.code == 2
    assert (trained_run / "summary.json").is_file()
