"""Same seed, same bits: two processes write identical files, and those hold no time and no path."""

from __future__ import annotations

import datetime
import shutil
from pathlib import Path

import pytest
from commands import FEW, cli, digests, process

OWN = ("environment.json", "times.jsonl", "config.toml", "digests.json")
"""Files for what differs from run to run: times, paths, environment."""


def train(model: Path, out: Path, seed: int, hashing: str) -> Path:
    """Train in a process of its own, in a folder of its own, with its own order of hashes."""
    out.parent.mkdir(parents=True)
    options = ("--tasks", "sst,quora,sts", *FEW, "--lr", "1e-3", "--model", model)
    done = process("train", *options, "--seed", seed, "--out", out.name, cwd=out.parent, PYTHONHASHSEED=hashing)
    assert done.code == 0, done.err
    return out


def lasting(run: Path) -> dict[str, str]:
    """Return digests of the files that must be the same for the same seed."""
    return {name: digest for name, digest in digests(run).items() if name not in OWN}


@pytest.fixture(scope="module")
def runs(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two runs with the same seed, to different paths."""
    folder = tmp_path_factory.mktemp("twice")
    return train(tiny_model, folder / "a" / "first", 3, "1"), train(tiny_model, folder / "b" / "second", 3, "2")


def test_two_processes_write_the_same_files(runs: tuple[Path, Path]) -> None:
    first, second = map(lasting, runs)
    assert first == second
    groups = {name.partition("/")[0] for name in first}
    assert groups == {
        "model",
        "state",
        "predictions",
        "metrics.jsonl",
        "steps.jsonl",
        "conflicts.jsonl",
        "summary.json",
        "mask.safetensors",
    }
    assert {name for name in first if name.startswith("model/")} >= {
        "model/mask.safetensors",
        "model/encoder.safetensors",
        "model/heads.safetensors",
        "model/model.json",
    }


def test_what_lasts_holds_no_time_and_no_path(runs: tuple[Path, Path]) -> None:
    first, _ = runs
    year = str(datetime.datetime.now(datetime.timezone.utc).year)
    for name in lasting(first):
        content = (first / name).read_bytes()
        assert str(first.parent).encode() not in content, name
        assert f"{year}-".encode() not in content, name
    assert year in (first / "environment.json").read_text()


def test_another_seed_gives_another_run(runs: tuple[Path, Path], tiny_model: Path, tmp_path: Path) -> None:
    first, other = lasting(runs[0]), lasting(train(tiny_model, tmp_path / "c" / "other", 4, "1"))
    assert first.keys() == other.keys()
    assert {name for name in first if first[name] == other[name]} == {"model/model.json"}


def test_refining_twice_writes_the_same_files(runs: tuple[Path, Path], tmp_path: Path) -> None:
    found = []
    for index, run in enumerate(runs):
        copy = shutil.copytree(run, tmp_path / str(index) / "run")
        done = cli("refine", copy, "--tasks", "sst,sts", "--sample", "--epochs", "1", "--lr", "1e-3", "--quiet")
        assert done.code == 0, done.err
        found.append(lasting(copy.with_name("run-refined")))
    assert found[0] == found[1]
