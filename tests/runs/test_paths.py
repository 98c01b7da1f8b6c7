"""Where results go: paths that are free, and what is said of those that are not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mtft.errors import CheckpointError, ConfigError
from mtft.io.digests import write_digests
from mtft.io.directories import DirectoryLock
from mtft.runs.manifest import read_manifest
from mtft.runs.paths import default_name, free_path, stopped_command, taken


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """What a training leaves that is stopped before its first epoch has ended."""
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.toml").write_text("", encoding="utf-8")
    (run / "environment.json").write_text(json.dumps({"command": "train"}), encoding="utf-8")
    return run


def test_a_default_is_numbered_and_a_given_path_is_not(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    assert free_path(None, str(tmp_path / "run"), overwrite=False) == tmp_path / "run-2"
    assert free_path(tmp_path / "run", "", overwrite=True) == tmp_path / "run"
    with pytest.raises(ConfigError, match="run exists; choose another or give overwrite"):
        free_path(tmp_path / "run", "", overwrite=False)
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(ConfigError, match="file exists; choose another"):
        free_path(tmp_path / "file", "", overwrite=False)


def test_a_stopped_run_is_offered_to_be_continued(stopped: Path) -> None:
    assert stopped_command(stopped) == "train"
    assert taken(stopped) == (
        f"{stopped} is a run that was stopped; mtft.train(resume={str(stopped)!r}) continues it, "
        "overwrite=True replaces it"
    )
    with pytest.raises(
        CheckpointError, match=r"run: was stopped before its first epoch ended and has no model yet; mtft"
    ):
        read_manifest(stopped / "model")


def test_a_run_in_progress_is_not_called_stopped(stopped: Path) -> None:
    lock = DirectoryLock(stopped)
    try:
        assert taken(stopped) == f"{stopped} is a run in progress; choose another"
        with pytest.raises(CheckpointError, match="holds no trained model"):
            read_manifest(stopped / "model")
    finally:
        lock.release()


def test_a_finished_run_just_exists(stopped: Path) -> None:
    (stopped / "summary.json").write_text("{}", encoding="utf-8")
    write_digests(stopped)
    assert stopped_command(stopped) == ""
    assert taken(stopped) == f"{stopped} exists; choose another or give overwrite=True"


def test_a_default_name_is_short_with_many_tasks() -> None:
    assert default_name(["sst", "quora", "sts"]) == "sst-quora-sts"
    many = [f"task-{number}" for number in range(300)]
    assert default_name(many) == "task-0-and-299-more"
    assert default_name(["x" * 200]) == "x" * 80
    assert len(default_name(["y" * 90, "z"])) == 80
