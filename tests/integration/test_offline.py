"""No command but an explicit download needs a network: all of them where asking for a socket is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from commands import clean
from faulty_data import write

from mtft.cli.main import COMMANDS

SCRIPT = """
import contextlib, json, sys

with contextlib.suppress(ImportError):
    import urllib3.util  # binds a socket of this machine when it is imported, to see whether IPv6 works

from mtft.cli.main import run

asked = []

def hook(event, arguments):  # of Python itself: no module can get around it
    if event.startswith("socket."):
        asked.append(event)
        raise AssertionError("a socket was asked for")

sys.addaudithook(hook)
print(json.dumps([[run(command) for command in json.loads(sys.argv[1])], asked]), file=sys.stderr)
"""


def commands(model: Path) -> list[list[str]]:
    """Return the whole way, each command at least once but for those that only download."""
    tasks = ["--tasks", "sst,quora,sts"]
    small = [*tasks, "--sample", "--model", str(model), "--batches", "1", "--quiet"]
    return [
        ["env"],
        ["tasks"],
        ["plugins"],
        ["plugins", "new", "reviews", "--out", "reviews"],
        ["completion", "bash"],
        ["config", "show", *tasks],
        ["init", "sts-train.csv", "--out", "sts.toml"],
        ["data", "check", "--tasks", "sst,sts", "--data-dir", ".", "--model", str(model), "--fix", "clean"],
        ["count-params", *tasks, "--model", "bert-base-uncased"],
        ["plan", *small],
        ["select", *small, "--out", "mask.safetensors"],
        ["train", *small, "--mask", "mask.safetensors", "--max-steps", "1", "--out", "run"],
        ["train", "--resume", "run"],
        ["refine", "run", "--tasks", "sts", "--sample", "--epochs", "1", "--out", "refined", "--quiet"],
        ["verify", "refined"],
        ["eval", "refined", "--sample", "--resamples", "10", "--quiet"],
        ["predict", "refined", "texts.txt"],
        ["experiment", "plan.toml", "--jobs", "1", "--out", "made"],
        ["compare", "a=run", "b=refined", "--resamples", "10"],
        ["report", "run", "refined", "--resamples", "10", "--quiet"],
        ["merge", "refined", "--out", "merged"],
        ["export", "refined", "--format", "bundle", "--out", "bundle"],
        ["predict", "bundle", "texts.txt"],
        ["train", *tasks, "--sample", "--model", "merged", "--max-steps", "1", "--batches", "1", "--out", "again"],
    ]


def test_everything_works_without_a_network(tiny_model: Path, tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "texts.txt").write_text("What a film.\nOne.\tTwo.\n")
    plan = f'[runs.one]\ntasks = ["sts"]\nsample = true\nmax_steps = 1\nmodel = "{tiny_model}"\n'
    (tmp_path / "plan.toml").write_text(plan)
    every = commands(tiny_model)
    assert {command[0] for command in every} == COMMANDS.keys() - {"models"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, json.dumps(every)],
        capture_output=True,
        text=True,
        check=False,
        env=clean(),
        cwd=tmp_path,
    )
    codes, asked = json.loads(done.stderr.splitlines()[-1])
    assert dict(zip(map(str, every), codes, strict=True)) == dict.fromkeys(map(str, every), 0), done.stderr
    assert asked == []


@pytest.mark.parametrize("command", ["init hub:someone/reviews:train", "init hub:someone/reviews@en:train"])
def test_a_dataset_that_is_not_here_is_an_error_and_no_download(command: str, tmp_path: Path) -> None:
    pytest.importorskip("datasets", reason="needs the extra hub")
    script = [sys.executable, "-c", SCRIPT, json.dumps([command.split()])]
    done = subprocess.run(script, capture_output=True, text=True, check=False, env=clean(), cwd=tmp_path)
    assert "not in the local cache, or not a dataset" in done.stderr
    assert json.loads(done.stderr.splitlines()[-1]) == [[2], []]


def test_a_model_that_is_not_here_is_an_error_and_no_download(tmp_path: Path) -> None:
    command = ["count-params", "--tasks", "sts", "--model", "someone/some-model"]
    script = [sys.executable, "-c", SCRIPT, json.dumps([command])]
    done = subprocess.run(script, capture_output=True, text=True, check=False, env=clean(), cwd=tmp_path)
    *messages, last = done.stderr.splitlines()
    assert json.loads(last)[0] == [2]
    assert any("someone/some-model" in line for line in messages)
    assert not any("a socket was asked for" in line for line in messages)
