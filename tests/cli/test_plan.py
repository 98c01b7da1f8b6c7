"""`mtft plan` and `mtft train --dry-run`: what a training would take, without training."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from commands import FEW, TASKS, Done, cli, process, summary

from mtft.cli.console import duration

OPTIONS = ("--tasks", ",".join(TASKS), *FEW)


@pytest.fixture(scope="module")
def planned(tiny_model: Path) -> Done:
    return cli("plan", *OPTIONS, "--model", tiny_model, "--json")


def test_a_plan_equals_the_run_that_follows_it(planned: Done, trained_run: Path) -> None:
    found, made = planned.json, summary(trained_run)
    assert found["parameters"] == made["parameters"]
    assert found["optimizer"] == {"entries": made["parameters"]["tunable"], "moments": 2}
    assert found["steps"] == 4
    model = sum(path.stat().st_size for path in (trained_run / "model").glob("[meh]*.safetensors"))
    state = (trained_run / "state" / "tensors.safetensors").stat().st_size
    assert found["checkpoint_bytes"]["model"] == pytest.approx(model, rel=0.1)
    assert found["checkpoint_bytes"]["state"] == pytest.approx(state, rel=0.1)
    times = (trained_run / "times.jsonl").read_text()
    assert f'"tokens": {found["tokens"]["train"]}' in times


def test_a_plan_adds_up(planned: Done) -> None:
    found = planned.json
    memory = found["memory_bytes"]
    assert list(memory) == ["load", "select", "train", "evaluate", "save", "check", "peak"]
    assert memory["peak"] == max(size for phase, size in memory.items() if phase != "peak")
    assert found["micro_batch_tokens"] == 2048
    assert all(spent > 0 for spent in found["seconds"].values())
    assert found["seconds"]["total"] == pytest.approx(sum(list(found["seconds"].values())[:-1]))
    assert found["missing"] == []


def test_a_dry_run_prints_the_plan_and_writes_nothing(tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = cli("train", *OPTIONS, "--model", tiny_model, "--out", out, "--dry-run")
    assert done.code == 0, done.err
    lines = dict(re.split(r" {2,}", line) for line in done.out.splitlines())
    assert lines["optimizer state"].startswith("2 x ")
    assert lines["steps"] == "4"
    assert re.fullmatch(r"[\d.]+ [MG]iB of [\d.]+ [MG]iB available", lines["peak memory"])
    assert re.fullmatch(r"\d+:\d\d:\d\d", lines["time in all"])
    assert not out.exists()


def test_without_data_there_is_what_needs_none(tmp_path: Path) -> None:
    options = ("plan", "--model", "bert-base-uncased", "--tasks", "sst,quora,sts", "--data-dir", tmp_path)
    found = cli(*options, "--json").json
    assert (found["parameters"]["stored"], found["parameters"]["tunable"]) == (137_839_111, 61_201_543)
    assert found["optimizer"]["entries"] == 61_201_543
    assert found["checkpoint_bytes"]["state"] == 12 * 61_201_543
    assert (found["memory_bytes"], found["steps"], found["seconds"]) == (None, None, None)
    assert found["missing"][0] == str(tmp_path / "ids-sst-train.csv")
    biases = cli(*options, "--score", "bitfit", "--json").json["parameters"]["tunable"]
    assert biases == 137_839_111 - 109_482_240 + 102_912
    done = cli(*options)
    assert "ids-sst-train.csv: no such file; memory, steps, tokens and time need the data" in done.err
    assert "peak memory" not in done.out


def test_a_plan_refuses_what_training_would(tmp_path: Path) -> None:
    for options, said in (
        (("--best", "sst.nonsense"), "nonsense"),
        (("--task-weights", "sst=1,foo=2"), "--task-weights: unknown task of this run 'foo'"),
    ):
        done = cli("plan", "--tasks", "sst", "--data-dir", tmp_path, *options)
        assert done.code == 2
        assert said in done.err


def test_memory_is_told_before_training_and_kept_to(tiny_model: Path, tmp_path: Path) -> None:
    """In processes of their own, as the memory of the tests' process depends on the tests before."""
    large = ("--batch-size", 2048, "--micro-batch-tokens", 65536)
    options = ("--tasks", "sst,quora,sts", "--sample", "--max-steps", 1, "--batches", 1, "--model", tiny_model, *large)
    memory = process("plan", *options, "--json").json["memory_bytes"]
    limit = memory["train"] - (memory["train"] - memory["load"]) // 2
    out = tmp_path / "run"
    done = process("train", *options, "--out", out, "--max-memory", limit)
    assert done.code == 0, done.err
    told = re.search(r"memory: up to ([\d.]+) ([MG])iB \(to \w+\); disk: ", done.err)
    assert told
    unit = {"M": 1 << 20, "G": 1 << 30}[told[2]]
    assert float(told[1]) * unit < limit + unit / 100 + (1 << 20)
    used = re.search(r"micro_batch_tokens = (\d+)", (out / "config.toml").read_text())
    assert used
    assert used[1] in ("16384", "8192", "4096")


@pytest.mark.parametrize("command", ["plan", "train"])
def test_what_cannot_fit_is_refused_with_the_bytes_needed(command: str, tiny_model: Path, tmp_path: Path) -> None:
    options = (*OPTIONS, "--model", tiny_model, "--out", tmp_path / "run", "--max-memory", "50M")
    done = process(command, *options)
    assert (done.code, done.out) == (2, "")
    assert re.search(r"--max-memory is 52,428,800 bytes; this run needs [\d,]+ to \w+, with", done.err)
    assert not (tmp_path / "run").exists()


def test_durations() -> None:
    assert [duration(seconds) for seconds in (0.4, 61, 3600 * 25)] == ["0:00:00", "0:01:01", "25:00:00"]
