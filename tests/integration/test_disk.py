"""A full, limited or read-only disk is reported before anything starts if possible, and nothing is lost."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

import pytest
from commands import MTFT, clean, cli, contents
from crashes import TRAIN
from small_disks import disk, fill, limited, remount_read_only, restricted, without_override
from soak import counted

pytestmark = pytest.mark.soak
PROMISE = "a disk that is full, limited or read-only is reported in bytes, and nothing is lost"


@pytest.fixture(scope="module")
def whole(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that nothing stops."""
    run = tmp_path_factory.mktemp("whole") / "run"
    assert cli(*TRAIN, "--model", tiny_model, "--out", run).code == 0
    return run


def starts(command: str, tiny_model: Path, run: Path) -> tuple[object, ...]:
    return {
        "train": (*TRAIN, "--model", tiny_model),
        "select": ("select", "--tasks", "sst,sts", "--sample", "--model", tiny_model, "--batches", "2"),
        "refine": ("refine", run, "--tasks", "sts", "--sample", "--epochs", "1"),
    }[command]


@pytest.mark.parametrize("command", ["train", "select", "refine"])
@counted(PROMISE, "faults", 1)
def test_a_disk_that_is_too_small_is_reported_before_anything_starts(
    command: str, tiny_model: Path, whole: Path, tmp_path: Path
) -> None:
    with disk(tmp_path / "disk", "64k") as folder:
        done = cli(*starts(command, tiny_model, whole), "--out", folder / "out")
        assert done.code == 2, done.err
        assert re.search(r"--out: .*out(.part)? has [\d,]+ bytes free; this run needs [\d,]+$", done.err, re.MULTILINE)
        assert list(folder.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("command", ["train", "select", "refine"])
@counted(PROMISE, "faults", 1)
def test_a_directory_that_is_read_only_is_reported_before_anything_starts(
    command: str, tiny_model: Path, whole: Path, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "closed").mkdir(mode=0o555)
    done = restricted(without_override, *starts(command, tiny_model, whole), "--out", tmp_path / "closed" / "out")
    assert done.code == 2, done.err
    assert f"--out: {tmp_path}/closed/out cannot be written: permission denied" in done.err
    assert "selecting" not in done.err


@counted(PROMISE, "faults", 1)
def test_a_limit_that_free_bytes_do_not_show_is_reported_before_the_start(tiny_model: Path, tmp_path: Path) -> None:
    """The limit on the size of files stands for a quota: the system refuses what the count of free bytes allows."""
    done = restricted(lambda: limited(50_000)(), *TRAIN, "--model", tiny_model, "--out", tmp_path / "run")
    assert done.code == 2, done.err
    assert re.search(r"run has no room for the [\d,]+ bytes that this run needs: file too large", done.err)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@counted(PROMISE, "faults", 1)
def test_a_disk_that_fills_up_stops_the_run_and_nothing_is_lost(tiny_model: Path, tmp_path: Path) -> None:
    long = (*TRAIN, "--model", tiny_model, "--epochs", "300", "--schedule", "constant", "--warmup", "0")
    with disk(tmp_path / "disk", "8m") as folder:
        run = folder / "run"
        process = subprocess.Popen(
            [*MTFT, *map(str, long), "--out", str(run)], env=clean(), stderr=subprocess.PIPE, text=True
        )
        while not (run / "state").exists() and process.poll() is None:
            time.sleep(0.02)
        junk = fill(folder)
        error = process.communicate()[1]
        assert process.returncode == 1, error
        assert "mtft: error: no space left on device (" in error
        assert "bytes are needed, 0 free)" in error
        assert f"; the last checkpoint is complete; make room, then go on with mtft train --resume {run}" in error
        assert cli("verify", run).code == 0
        done = cli("train", "--resume", run)
        assert done.code == 2
        assert re.search(r"run has [\d,]+ bytes free; this run needs [\d,]+$", done.err, re.MULTILINE)
        junk.unlink()
        epochs = 1 + len((run / "metrics.jsonl").read_text().splitlines()) if (run / "metrics.jsonl").exists() else 1
        assert cli("train", "--resume", run, "--epochs", epochs).code == 0
        assert cli(*long, "--epochs", epochs, "--out", tmp_path / "whole").code == 0
        assert contents(run) == contents(tmp_path / "whole")


@counted(PROMISE, "faults", 1)
def test_a_run_on_a_read_only_disk_can_be_used_but_not_resumed(tiny_model: Path, tmp_path: Path) -> None:
    with disk(tmp_path / "disk", "8m") as folder:
        run = folder / "run"
        assert cli(*TRAIN, "--model", tiny_model, "--out", run, "--max-time", "0.001s").code == 4
        before = contents(run)
        remount_read_only(folder)
        done = cli("train", "--resume", run, "--max-time", "1h")
        assert done.code == 2
        assert f"--out: {run} cannot be written: read-only file system" in done.err
        assert cli("verify", run).code == 0
        assert contents(run) == before
