"""`mtft compare`: what it prints, and how it fails."""

from __future__ import annotations

import json
import math
import re
import shutil
from pathlib import Path

import pytest
from commands import FEW, TASKS, cli, records, reseal, summary

from mtft.commands.compare import verdict
from mtft.outputs import Categorical
from mtft.report.bootstrap import PairedDifference
from mtft.tasks.task import Task

FAST = ("--resamples", "50")


@pytest.fixture(scope="module")
def single(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One run for each task."""
    folder = tmp_path_factory.mktemp("single")
    for task in TASKS:
        done = cli("train", "--tasks", task, *FEW, "--model", tiny_model, "--out", folder / task, "--quiet")
        assert done.code == 0, done.err
    return {task: folder / task for task in TASKS}


def test_json(single: dict[str, Path], trained_run: Path, tiny_model: Path) -> None:
    runs = ",".join(map(str, single.values()))
    done = cli("compare", f"individual={runs}", f"unified={trained_run}", *FAST, "--json")
    result = done.json
    assert list(result) == ["metrics", "examples", "baselines", "columns", "verdicts", "scope", "doubts"]
    assert done.err == "".join(f"mtft: warning: {text}\n" for text in result["doubts"])
    baselines = cli("eval", trained_run, "--sample", "--resamples", "0", "--json").json["tasks"]
    for task, name in result["metrics"].items():
        assert result["baselines"][task] == pytest.approx(baselines[task]["metrics"][name]["baseline"])
    assert result["metrics"] == {"sst": "accuracy", "quora": "accuracy", "sts": "pearson"}
    assert result["examples"] == dict.fromkeys(TASKS, 60)
    assert result["columns"][0]["base_bytes"] == (tiny_model / "model.safetensors").stat().st_size
    individual, unified = result["columns"]
    counts = ["stored", "tunable", "bytes", "base_bytes"]
    assert list(unified) == ["name", "runs", "scores", "differences", *counts, "seeds", "deviations"]
    assert (individual["name"], individual["runs"]) == ("individual", [str(run) for run in single.values()])
    for task, name in result["metrics"].items():
        assert individual["scores"][task] == pytest.approx(summary(single[task])["dev"][task][name], abs=1e-12)
        assert unified["scores"][task] == pytest.approx(summary(trained_run)["dev"][task][name], abs=1e-12)
        found = unified["differences"][task]
        assert found["difference"] == pytest.approx(unified["scores"][task] - individual["scores"][task], abs=1e-12)
        assert found["low"] <= found["high"]
    assert individual["differences"] == {}
    for key in ("stored", "tunable"):
        assert individual[key] == sum(summary(run)["parameters"][key] for run in single.values())
        assert unified[key] == summary(trained_run)["parameters"][key]
    assert unified["bytes"] == sum(file.stat().st_size for file in (trained_run / "model").iterdir())


def test_a_table_for_people(single: dict[str, Path], trained_run: Path) -> None:
    runs = ",".join(map(str, single.values()))
    header, *lines = cli("compare", f"individual={runs}", f"unified={trained_run}", *FAST).out.splitlines()
    assert header.split() == ["individual", "unified", "baseline"]
    names = ["sst accuracy (n=60)", "quora accuracy (n=60)", "sts pearson (n=60)", "stored parameters"]
    names += ["tunable parameters", "bytes of model files", "bytes of base models"]
    assert [line.split("  ")[0] for line in lines[: len(names)]] == names
    assert [line.split(":")[0] for line in lines[len(names) : -2]] == list(TASKS)
    assert lines[-2].endswith("runs: individual (seed 0), unified (seed 0)")
    assert lines[-1].endswith("verdicts are corrected for 3 comparisons (Holm), intervals are not")
    accuracy = summary(trained_run)["dev"]["sst"]["accuracy"]
    assert f"{accuracy:.4f} (" in lines[0]
    stored = [summary(run)["parameters"]["stored"] for run in (*single.values(), trained_run)]
    assert f"{stored[-1]:,} ({stored[-1] / sum(stored[:-1]):.1%})" in lines[3]


def test_the_same_seed_gives_the_same_intervals(trained_run: Path) -> None:
    assert len({cli("compare", f"a={trained_run}", f"b={trained_run}", *FAST).out for _ in range(2)}) == 1


def test_a_run_does_not_differ_from_itself(trained_run: Path) -> None:
    _, again = cli("compare", f"a={trained_run}", f"b={trained_run}", *FAST, "--json").json["columns"]
    same = {"difference": 0.0, "low": 0.0, "high": 0.0, "p": 1.0, "corrected": 1.0}
    assert all(found == same for found in again["differences"].values())


def test_groups_that_do_not_fit_are_refused(single: dict[str, Path], trained_run: Path, tmp_path: Path) -> None:
    sts, gone, unfinished = single["sts"], tmp_path / "gone", tmp_path / "unfinished"
    unfinished.mkdir()
    for groups, message in (
        ((f"a={sts}", f"b={trained_run}"), "b covers sst, quora, sts but a covers sts"),
        ((f"a={sts},{trained_run}",), f"a: both {sts} and {trained_run} cover task 'sts'"),
        ((f"a={sts}", f"a={sts}"), "group 'a' is given twice"),
        ((f"a={gone}",), f"{gone}: no such run directory"),
        ((f"a={unfinished}",), f"{unfinished}: no finished run of mtft (no summary.json)"),
        ((str(sts),), f"{str(sts)!r} is not NAME=RUN[,RUN...]"),
        ((f"={sts}",), "is not NAME=RUN[,RUN...]"),
        ((f"a={sts},",), "is not NAME=RUN[,RUN...]"),
        ((), "missing argument"),
        ((f"a={sts}", "--resamples", "0"), "--resamples"),
    ):
        done = cli("compare", *groups)
        assert (done.code, done.out) == (2, "")
        assert message in done.err


def test_runs_on_other_examples_are_refused(trained_run: Path, tmp_path: Path) -> None:
    other = shutil.copytree(trained_run, tmp_path / "other")
    path = other / "predictions" / "sts.dev.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    assert f"{path}: was truncated or replaced" in cli("compare", f"a={trained_run}", f"b={other}", *FAST).err
    reseal(path)
    done = cli("compare", f"a={trained_run}", f"b={other}", *FAST)
    assert (done.code, done.err) == (2, "mtft: error: b and a were evaluated on different sts dev examples\n")
    lines = (trained_run / "predictions/sts.dev.jsonl").read_text().splitlines(keepends=True)
    path.write_text("".join([json.dumps({**json.loads(lines[0]), "target": 4.9}) + "\n", *lines[1:]]))
    reseal(path)
    done = cli("compare", f"a={trained_run}", f"b={other}", *FAST)
    assert (done.code, done.err) == (2, "mtft: error: b and a were evaluated on different sts dev examples\n")
    path.write_text('{"id": 1}\n')
    reseal(path)
    done = cli("compare", f"a={other}", *FAST)
    assert done.code == 2
    assert f"{path}: not a predictions file" in done.err
    path.unlink()
    done = cli("compare", f"a={other}", *FAST)
    assert done.code == 2
    assert str(path) in done.err
    assert records(trained_run / "predictions" / "sts.dev.jsonl")


def number(value: float | None) -> float:
    """Return a number of JSON, which has no nan."""
    return math.nan if value is None else value


@pytest.mark.slow
def test_seeds_are_one_column(trained_run: Path, tiny_model: Path, tmp_path: Path) -> None:
    given = ("--tasks", ",".join(TASKS), *FEW, "--model", tiny_model, "--quiet")
    runs = [tmp_path / f"a.s{seed}" for seed in (3, 1)]
    for run in runs:
        assert cli("train", *given, "--seed", run.name[-1], "--out", run).code == 0
    found = cli("compare", "--seeds", f"one={trained_run}", f"two={runs[0]},{runs[1]}", *FAST, "--json").json
    one, two = found["columns"]
    assert (one["seeds"], two["seeds"]) == ([0], [1, 3])
    for task, name in found["metrics"].items():
        each = [number(summary(run)["dev"][task][name]) for run in runs]
        spread = abs(each[0] - each[1]) / math.sqrt(2)
        assert number(two["scores"][task]) == pytest.approx(sum(each) / 2, nan_ok=True)
        assert number(two["deviations"][task]) == pytest.approx(spread, abs=1e-12, nan_ok=True)
        assert one["deviations"][task] is None
        difference = number(two["scores"][task]) - number(one["scores"][task])
        assert number(two["differences"][task]["difference"]) == pytest.approx(difference, abs=1e-12, nan_ok=True)
    assert (one["stored"], one["tunable"]) == (two["stored"], two["tunable"])
    assert "runs: one (seed 0), two (seeds 1, 3)" in found["scope"][0]
    assert found["scope"][1].startswith("95 % intervals over rows and seeds;")
    shown = cli("compare", "--seeds", *runs, *FAST).out
    assert shown.splitlines()[0].split() == ["a", "baseline"]
    assert re.search(r"^seeds +1, 3$", shown, re.MULTILINE)
    assert f"{found['columns'][1]['scores']['sst']:.4f} (s " in shown
    plain = cli("compare", f"a={runs[0]},{runs[1]}")
    assert "--seeds takes their mean if only their seeds differ" in plain.err
    mixed = cli("compare", "--seeds", f"a={trained_run},{runs[0]},{runs[0]}")
    assert (mixed.code, "have the same seed 3" in mixed.err) == (2, True)


def test_a_base_model_that_is_gone_is_no_hindrance(trained_run: Path, tiny_model: Path, tmp_path: Path) -> None:
    run = shutil.copytree(trained_run, tmp_path / "run")
    path = run / "model" / "model.json"
    path.write_text(path.read_text().replace(str(tiny_model), "/no/such/place"))
    assert cli("compare", f"a={run}", *FAST, "--json").json["columns"][0]["base_bytes"] is None
    assert "not found" in cli("compare", f"a={run}", *FAST).out


@pytest.mark.parametrize(
    ("difference", "words"),
    [
        ((0.004, 0.001, 0.008), "sst: new is better than old by 0.0040 (0.0010 to 0.0080)"),
        ((-0.004, -0.008, -0.001), "sst: old is better than new by 0.0040 (0.0010 to 0.0080)"),
        ((0.004, -0.001, 0.008), "sst: no difference beyond noise between new and old (-0.0010 to +0.0080)"),
        ((0.0, 0.0, 0.0), "sst: no difference beyond noise between new and old (+0.0000 to +0.0000)"),
        ((-2e-5, -4e-5, -1e-5), "sst: no difference beyond noise between new and old (-0.0000 to -0.0000)"),
        ((0.004, math.nan, math.nan), "sst: no difference can be measured between new and old"),
    ],
)
@pytest.mark.parametrize("less", [False, True])
def test_a_sentence_says_what_a_difference_is_worth(
    difference: tuple[float, float, float], words: str, less: bool
) -> None:
    """Of a metric where less is better, the same numbers speak for the other."""
    task = Task("sst", Categorical(("a", "b")), None, metrics=("mse",) if less else ())  # type: ignore[arg-type]
    found = verdict(task, "new", "old", PairedDifference(*difference))
    if less and "is better" in words:
        pair = ("new is better than old", "old is better than new")
        words = words.replace(*(pair if pair[0] in words else pair[::-1]))
    assert found == words
