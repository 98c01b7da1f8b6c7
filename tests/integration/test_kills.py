"""A command that is killed, as often as you like, and resumed ends with the same bytes as one that never was."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest
from commands import contents
from crashes import TRAIN, forked, half_written
from soak import PART, counted, kills

from mtft.runs.integrity import check_files

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

Command = tuple[object, ...]


class Chain:
    """A command with the result that it has when nothing stops it, to kill and resume."""

    def __init__(self, start: Command, folder: Path) -> None:
        self.start, self.folder = start, folder
        begin = time.monotonic()
        code, self.operations = forked((*start, "--out", "whole"))
        assert code == 0
        self.seconds = time.monotonic() - begin
        self.expected = contents(folder / "whole")

    def run(self, out: Path, most: int, draw: random.Random) -> list[bool]:
        """Start, kill and resume until the command ends, killing it `most` times at most.

        Returns for each kill whether something was half-written then. After each, nothing is found damaged.
        """
        survived: list[bool] = []
        while True:
            part = out.with_name(f"{out.name}.part")
            args = (self.start[0], "--resume", out) if out.exists() or part.exists() else (*self.start, "--out", out)
            if len(survived) >= most:
                code, _ = forked(args)
            elif draw.random() < 0.6:
                code, _ = forked(args, die_at=draw.randint(1, self.operations))
            else:
                code, _ = forked(args, after=draw.uniform(0, self.seconds))
            if code is not None:
                assert code == 0
                return survived
            survived.append(half_written(out))
            for run in (out, part):
                if run.is_dir():
                    assert check_files(run).problems == []


@pytest.mark.soak
@pytest.mark.parametrize("command", ["train", "select", "refine"])
def test_killed_runs_end_with_the_same_bytes(
    command: str, tiny_model: Path, trained_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    starts: dict[str, Command] = {
        "train": (*TRAIN, "--model", tiny_model),
        "select": (
            "select",
            "--tasks",
            "sst,sts",
            "--sample",
            "--model",
            tiny_model,
            "--batches",
            "3",
            "--keep",
            "0.3",
            "--combine",
            "normalised",
            "--checkpoint-every",
            "1",
        ),
        "refine": ("refine", trained_run, "--tasks", "sst,sts", "--sample", "--epochs", "3", "--checkpoint-every", "2"),
    }
    chain = Chain(starts[command], tmp_path)
    survived, seed, most = 0, 0, -(-kills() // len(starts))
    while survived < most:
        out, draw = tmp_path / f"killed-{seed}", random.Random(f"{command} {seed}")
        with counted(f"`mtft {command}` killed at random moments ends with the same bytes", "kills") as tried:
            halves = chain.run(out, draw.randint(1, min(9, most - survived)), draw)
            tried.count = len(halves)
            assert contents(out) == chain.expected
        with counted(f"{PART}, kills in the middle of a write", "kills") as tried:
            tried.count = sum(halves)
        survived += len(halves)
        seed += 1
