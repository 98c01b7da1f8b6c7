"""Signals and rivals of real processes: what is asked to stop saves first, and one run has one process."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from commands import MTFT, clean, cli, contents
from crashes import TRAIN
from soak import counted

from mtft.training import joint_training as training

pytestmark = pytest.mark.soak
SAVES = "SIGINT and SIGTERM save and exit 130 and 143 within one step"
RIVALS = "of two processes on one run the second is refused"


def started(*args: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*MTFT, *map(str, args)], env=clean(), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    while not path.exists() and process.poll() is None:
        time.sleep(0.01)


def slow_start(command: str, tiny_model: Path, trained_run: Path) -> tuple[object, ...]:
    """A command that would take a minute, saving after each step."""
    return {
        "train": (*TRAIN, "--model", tiny_model, "--epochs", "400", "--checkpoint-every", "1"),
        "select": (
            "select",
            "--tasks",
            "sst,sts",
            "--sample",
            "--model",
            tiny_model,
            "--score",
            "fisher",
            "--batch-size",
            "1",
            "--keep",
            "0.3",
            "--checkpoint-every",
            "1",
        ),
        "refine": (
            "refine",
            trained_run,
            "--tasks",
            "sst,sts",
            "--sample",
            "--epochs",
            "400",
            "--checkpoint-every",
            "1",
        ),
    }[command]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("command", ["train", "select", "refine"])
def test_a_signal_saves_and_nothing_is_lost(
    command: str, number: signal.Signals, code: int, tiny_model: Path, trained_run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    part = tmp_path / "out.part" if command == "select" else out
    with (
        counted(SAVES, "faults") as tried,
        started(*slow_start(command, tiny_model, trained_run), "--out", out) as process,
    ):
        wait_for(part / ("steps.jsonl" if command == "train" else "state"), process)
        process.send_signal(number)
        _, error = process.communicate()
        tried.one()
        assert process.returncode == code, error
        assert cli("verify", part).code == 0
        assert not (part / ".lock").exists()
        position = json.loads((part / "state" / "position.json").read_text())
        if command == "train":
            assert position["steps"] == len((out / "steps.jsonl").read_text().splitlines())


@pytest.mark.slow
def test_the_second_signal_leaves_at_once_and_the_last_checkpoint_is_whole(tiny_model: Path, tmp_path: Path) -> None:
    """One step takes long here, so that both signals come within it."""
    run = tmp_path / "run"
    long = (
        "train",
        "--tasks",
        "sts",
        "--sample",
        "--augment",
        "none",
        "--score",
        "random",
        "--model",
        tiny_model,
        "--checkpoint-every",
        "1",
        "--batch-size",
        "20000",
        "--epochs",
        "8",
    )
    with counted("a second SIGINT leaves at once, with the last checkpoint whole", "faults") as tried:
        for _ in range(2):
            with started(*(("train", "--resume", run) if run.exists() else (*long, "--out", run))) as process:
                wait_for(run / ".lock", process)
                wait_for(run / "state", process)
                time.sleep(0.3)
                process.send_signal(signal.SIGINT)
                time.sleep(0.002)
                process.send_signal(signal.SIGINT)
                _, error = process.communicate()
            assert process.returncode == 130, error
            tried.one()
            assert cli("verify", run).code == 0
        assert cli("train", "--resume", run).code == 0
        assert cli(*long, "--out", tmp_path / "whole").code == 0
        assert contents(run) == contents(tmp_path / "whole")


@pytest.mark.parametrize("average", ["none", "ema:0.9"])
def test_a_signal_in_an_evaluation_does_not_wait_for_its_end(
    average: str, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, apply, seen = tmp_path / "run", training.apply, []
    given = (*TRAIN, "--model", tiny_model, "--average", average)

    def interrupted(*args: Any, **options: Any) -> Any:
        seen.append(args)
        signal.raise_signal(signal.SIGINT)
        return apply(*args, **options)

    with counted(SAVES, "faults", 1):
        with monkeypatch.context() as patch:
            patch.setattr(training, "apply", interrupted)
            assert cli(*given, "--out", run).code == 130
        assert len(seen) == 1  # of two tasks
        position = json.loads((run / "state" / "position.json").read_text())
        assert (position["epochs"], position["steps"] > 0) == (0, True)
        assert cli("train", "--resume", run).code == 0
        assert cli(*given, "--out", tmp_path / "whole").code == 0
        assert contents(run) == contents(tmp_path / "whole")


@pytest.mark.slow
def test_a_run_in_progress_is_neither_resumed_nor_replaced(tiny_model: Path, trained_run: Path, tmp_path: Path) -> None:
    start = slow_start("train", tiny_model, trained_run)
    run = tmp_path / "run"
    with counted(RIVALS, "faults") as tried, started(*start, "--out", run) as process:
        wait_for(run / "state", process)
        for rival in (("train", "--resume", run), (*start, "--out", run, "--overwrite")):
            done = cli(*rival)
            assert done.code == 2
            assert f"{run}: in use by another process ({process.pid})" in done.err
            tried.one()
        process.send_signal(signal.SIGTERM)
        process.communicate()
    assert process.returncode == 143
    assert cli("verify", run).code == 0


@pytest.mark.slow
def test_of_two_that_start_at_once_one_has_the_run(tiny_model: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    whole = tmp_path / "whole"
    assert cli(*TRAIN, "--model", tiny_model, "--out", whole).code == 0
    with counted(RIVALS, "faults") as tried:
        both = [started(*TRAIN, "--model", tiny_model, "--out", run) for _ in range(2)]
        said = [process.communicate()[1] for process in both]
        codes = [process.returncode for process in both]
        tried.one()
        assert sorted(codes) == [0, 2], said
        assert any(
            text in said[codes.index(2)]
            for text in ("exists; choose another", "is a run in progress", "in use by another process (")
        )
        assert contents(run) == contents(whole)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "whole"]


def test_a_finished_refinement_and_mask_are_left_as_they_are(
    tiny_model: Path, trained_run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "refined"
    refine = ("refine", trained_run, "--tasks", "sts", "--sample", "--epochs", "1", "--out", out)
    first = cli(*refine, "--json")
    before = contents(out)
    again = cli("refine", "--resume", out, "--json")
    assert again.json == first.json
    assert "has finished: nothing is left to do" in again.err
    done = cli("refine", "--resume", out, "--epochs", "2")
    assert (done.code, "has finished; --epochs: 1 -> 2: cannot change any more" in done.err) == (2, True)
    mask = tmp_path / "mask"
    select = ("select", "--tasks", "sts", "--sample", "--model", tiny_model, "--batches", "1", "--out", mask, "--json")
    first = cli(*select)
    assert first.code == 0
    again = cli("select", "--resume", mask, "--model", tiny_model, "--json")
    assert (again.code, again.json) == (0, first.json)
    assert again.err == f"{mask} is complete: nothing is left to do\n"
    shutil.copy(trained_run / "config.toml", mask)
    assert cli("select", "--resume", mask).code == 2  # no mask
    assert contents(out) == before
