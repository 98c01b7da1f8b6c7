"""`mtft refine`: what it prints and writes, and how it fails."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from commands import FEW, clamp, cli, digests, records, summary

from mtft.data.packing import TokenBatch
from mtft.encoder.bert import Encoder, EncoderOutput
from mtft.model import features
from mtft.training.refinement import Refinement

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
    run = shutil.copytree(trained_run, tmp_path / "v1.2")
    options = ("refine", run, "--tasks", "sts", *SAMPLE, "--json")
    assert [cli(*options).json["path"] for _ in range(2)] == [f"{run}-refined", f"{run}-refined-2"]
    assert cli(*options, "--overwrite").json["path"] == f"{run}-refined"


def test_a_score_that_is_undefined_is_easy_to_beat(trained_run: Path, tmp_path: Path) -> None:
    """One that has some correlation is better."""
    run = shutil.copytree(trained_run, tmp_path / "run")
    clamp(run)
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


def test_the_run_itself_is_never_changed(trained_run: Path) -> None:
    before = digests(trained_run)
    for out in (trained_run, trained_run / ".." / "trained", trained_run / "model", trained_run / "refined"):
        done = cli("refine", trained_run, "--tasks", "sts", *SAMPLE, "--out", out, "--overwrite")
        assert done.code == 2
        assert "never changed" in done.err or "is not an mtft run" in done.err
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


def test_features_on_disk_change_nothing_but_the_work(
    trained_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each text goes through the encoder once, and at the end nothing is left of it on the disk."""
    encoded: list[int] = []
    forward = Encoder.forward

    def counted(encoder: Encoder, batch: TokenBatch) -> EncoderOutput:
        encoded.append(len(batch.lengths))
        return forward(encoder, batch)

    monkeypatch.setattr(Encoder, "forward", counted)
    options = ("refine", trained_run, "--tasks", "sts,sst", "--sample", "--epochs", "3", "--lr", "1e-3", "--json")
    texts = {}
    for setting in ("off", "auto", "1G"):
        encoded.clear()
        assert cli(*options, "--out", tmp_path / setting, "--feature-cache", setting).code == 0
        texts[setting] = sum(encoded)
        assert sorted(path.name for path in (tmp_path / setting).iterdir()) == [
            "config.toml",
            "digests.json",
            "environment.json",
            "metrics.jsonl",
            "model",
            "predictions",
            "state",
            "summary.json",
            "times.jsonl",
        ]
    train, dev, probes = 192 + 190, 3 * 60, 2 * 4
    assert texts["off"] == 3 * train + 2 * dev + 6 * 60 + probes  # dev of all tasks before and after, of one each epoch
    assert texts["auto"] == texts["1G"] == train + dev + probes
    for task in ("sst", "sts"):
        found = {name: records(tmp_path / name / "predictions" / f"{task}.dev.jsonl") for name in texts}
        values = {name: [record["value"] for record in rows] for name, rows in found.items()}
        assert values["auto"] == values["1G"]
        np.testing.assert_allclose(values["auto"], values["off"], atol=1e-3)
    assert summary(tmp_path / "auto")["kept"] == summary(tmp_path / "off")["kept"] != []


def test_features_that_do_not_fit_are_named_and_the_encoder_serves(trained_run: Path, tmp_path: Path) -> None:
    options = ("refine", trained_run, "--tasks", "sts", *SAMPLE)
    done = cli(*options, "--feature-cache", "200K", "--out", tmp_path / "out")
    assert done.code == 0
    said = [line for line in done.err.splitlines() if "--feature-cache 200K leaves" in line]
    assert [line.split()[2] for line in said] == ["quora.dev", "sts.dev", "sts.train"]
    done = cli(*options, "--feature-cache", "much", "--out", tmp_path / "other")
    assert (done.code, done.out) == (2, "")
    assert "flag --feature-cache: 'much' is not auto, off or a size, as in 8G or 512M" in done.err


def test_a_full_disk_is_told_and_the_encoder_serves(
    trained_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(features, "_encode", full)
    done = cli("refine", trained_run, "--tasks", "sts", *SAMPLE, "--out", tmp_path / "out")
    assert done.code == 0
    assert "features of sts.train cannot be kept ([Errno 28] No space left on device)" in done.err
    assert not (tmp_path / "out" / "features").exists()


def test_features_of_a_stopped_refinement_are_used_if_they_are_whole(
    trained_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where by now they would not be kept: a run that goes on does as it began."""
    options = ("refine", trained_run, "--tasks", "sts", "--sample", "--epochs", "2", "--checkpoint-every", "3")
    assert cli(*options, "--out", tmp_path / "whole").code == 0
    save = Refinement.save

    def stopping(refinement: Refinement) -> None:
        save(refinement)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Refinement, "save", stopping)
        assert cli(*options, "--out", tmp_path / "stopped").code == 130
    kept = tmp_path / "stopped" / "features"
    assert sorted(path.name for path in kept.glob("*.features")) == [
        "quora.dev.features",
        "sst.dev.features",
        "sts.dev.features",
        "sts.train.features",
    ]
    (kept / "sts.train.features").write_bytes(b"damaged")
    monkeypatch.setattr("mtft.training.feature_cache.free_disk_bytes", lambda path: 0)
    done = cli("refine", "--resume", tmp_path / "stopped")
    assert done.code == 0
    assert "every epoch goes through the encoder" not in done.err
    found, expected = digests(tmp_path / "stopped"), digests(tmp_path / "whole")
    assert found.keys() == expected.keys()
    differ = {name for name in expected if found[name] != expected[name]}
    assert differ <= {"config.toml", "digests.json", "environment.json", "times.jsonl"}
