"""From a mask to a table on the tiny model: every command's numbers agree with those of the others."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from commands import FEW, ROOT, TASKS, Done, cli, digests, records, summary
from safetensors.torch import load_file

SAMPLE = ROOT / "mtft" / "sample"
FILES = {"sst": "ids-sst-dev.csv", "quora": "quora-dev.csv", "sts": "sts-dev.csv"}
COLUMNS = {"sst": ("sentence",), "quora": ("sentence1", "sentence2"), "sts": ("sentence1", "sentence2")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("flow")


@pytest.fixture(scope="module")
def mask(tiny_model: Path, folder: Path) -> Path:
    options = ("--tasks", "sst,quora,sts", "--sample", "--batches", "2", "--model", tiny_model, "--keep", "0.2")
    assert cli("select", *options, "--out", folder / "mask.safetensors", "--json").json["selected"] == 1315
    return folder / "mask.safetensors"


@pytest.fixture(scope="module")
def run(tiny_model: Path, folder: Path, mask: Path) -> Path:
    options = ("--tasks", "sst,quora,sts", *FEW, "--mask", mask, "--model", tiny_model, "--lr", "1e-3")
    done = cli("train", *options, "--out", folder / "run", "--quiet")
    assert done.code == 0, done.err
    return folder / "run"


@pytest.fixture(scope="module")
def before(run: Path) -> dict[str, str]:
    """Digests of the run's files when it was finished."""
    return digests(run)


@pytest.fixture(scope="module")
def refined(run: Path, before: dict[str, str], folder: Path) -> tuple[Path, Done]:
    """The run with its head for sts refined, at a rate that helps it, and for sst, at one that changes nothing."""
    options = ("--tasks", "sst,sts", "--sample", "--epochs", "2", "--lr", "1e-3", "--task-lr", "sst=1e-12")
    return folder / "refined", cli("refine", run, *options, "--out", folder / "refined", "--json")


def test_training_uses_the_mask_it_is_given(run: Path, mask: Path) -> None:
    assert (run / "model" / "mask.safetensors").read_bytes() == mask.read_bytes()
    assert load_file(run / "model" / "encoder.safetensors")["values"].shape == (1315,)
    assert summary(run)["parameters"]["encoder"] == {"stored": 6576, "tunable": 1315}
    assert cli("count-params", run, "--json").json == summary(run)["parameters"]


def test_eval_repeats_the_scores_of_training(run: Path) -> None:
    result = cli("eval", run, "--sample", "--resamples", "0", "--json").json
    found = {
        task: {name: each["value"] for name, each in one["metrics"].items()} for task, one in result["tasks"].items()
    }
    assert found == summary(run)["dev"]


@pytest.mark.parametrize("task", TASKS)
def test_predict_repeats_what_training_predicted(task: str, run: Path) -> None:
    kept = records(run / "predictions" / f"{task}.dev.jsonl")
    with (SAMPLE / FILES[task]).open(encoding="utf-8", newline="") as file:
        dialect = "excel-tab" if "\t" in file.readline() else "excel"
        file.seek(0)
        rows = list(csv.DictReader(file, dialect=dialect))
    assert len(kept) == len(rows) == 60
    texts = [
        {"id": one["id"], **{name: row[name] for name in COLUMNS[task]}} for one, row in zip(kept, rows, strict=True)
    ]
    done = cli("predict", run, "--tasks", task, stdin="".join(json.dumps(text) + "\n" for text in texts))
    for one, answer in zip(kept, done.lines, strict=True):
        assert answer["id"] == one["id"]
        said = answer[task]
        values = [said["score"]] if "score" in said else list(said["probabilities"].values())
        assert values == pytest.approx(one["value"] if isinstance(one["value"], list) else [one["value"]], abs=1e-6)


def test_refine_keeps_a_head_only_if_it_is_better(run: Path, refined: tuple[Path, Done]) -> None:
    path, done = refined
    result = done.json
    assert result["before"] == summary(run)["dev"]
    assert result["kept"] == ["sts"]
    assert result["after"]["sts"]["pearson"] > result["before"]["sts"]["pearson"]
    scores = [one["dev"]["sts"]["pearson"] for one in records(path / "metrics.jsonl") if one["task"] == "sts"]
    assert result["after"]["sts"]["pearson"] == max(scores)
    assert all(result["after"][task] == result["before"][task] for task in ("sst", "quora"))


def test_refine_touches_neither_the_run_nor_other_tasks(
    run: Path, before: dict[str, str], refined: tuple[Path, Done]
) -> None:
    path, _ = refined
    assert digests(run) == before
    after = digests(path)
    for name in ("mask.safetensors", "encoder.safetensors"):
        assert after[f"model/{name}"] == before[f"model/{name}"]
    for task in ("sst", "quora"):  # sst was trained, and its old head kept
        assert after[f"predictions/{task}.dev.jsonl"] == before[f"predictions/{task}.dev.jsonl"]
    assert after["predictions/sts.dev.jsonl"] != before["predictions/sts.dev.jsonl"]
    ours, theirs = (load_file(each / "model" / "heads.safetensors") for each in (run, path))
    changed = {name.partition(".")[0] for name in ours if not ours[name].equal(theirs[name])}
    assert changed == {"sts"}
    ours, theirs = (load_file(each / "model" / "probe.safetensors") for each in (run, path))
    assert {name for name in ours if not ours[name].equal(theirs[name])} == {"sts"}


def test_what_was_refined_is_a_run_like_any_other(refined: tuple[Path, Done], run: Path) -> None:
    path, done = refined
    result = cli("eval", path, "--sample", "--resamples", "0", "--json").json
    for task, found in done.json["after"].items():
        assert {name: each["value"] for name, each in result["tasks"][task]["metrics"].items()} == found
    column = cli("compare", f"run={run}", f"refined={path}", "--resamples", "20", "--json").json["columns"][1]
    assert column["scores"]["sts"] == pytest.approx(done.json["after"]["sts"]["pearson"], abs=1e-12)
    assert column["differences"]["sst"]["difference"] == 0


def test_baselines_of_single_tasks_are_made_by_the_same_code(run: Path, tiny_model: Path, folder: Path) -> None:
    groups = []
    for preset, keep in (("report-vanilla", 6576), ("report-sam", 657)):
        runs = []
        for task in TASKS:
            out = folder / f"{preset}-{task}"
            options = ("--tasks", task, "--preset", preset, "--augment", "none", *FEW, "--model", tiny_model)
            result = cli("train", *options, "--out", out, "--json").json
            assert result["parameters"]["encoder"]["tunable"] == keep
            assert result["conflicts"]["pairs"] == {}
            runs.append(str(out))
        groups.append(f"{preset}={','.join(runs)}")
    columns = cli("compare", *groups, f"unified={run}", "--resamples", "20", "--json").json["columns"]
    vanilla, sam, unified = columns
    assert vanilla["stored"] == vanilla["tunable"] == sam["stored"] > unified["stored"]
    assert vanilla["bytes"] > sam["bytes"] > unified["bytes"]
    assert vanilla["stored"] - sam["tunable"] == 3 * (6576 - 657)
