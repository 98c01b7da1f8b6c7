"""In what state a run is found: new, stopped or finished, also by processes that are started anew."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from commands import FEW, cli, contents, records, summary
from crashes import TRAIN, forked

from mtft.config.schema import TrainConfig
from mtft.errors import ConfigError
from mtft.io import toml_parser
from mtft.plugin.context import new_context
from mtft.runs.manifest import read_manifest
from mtft.runs.opening import Contents, Finished, New, Resumed, Target, open_run
from mtft.runs.run_directory import RunDirectory

ANEW = {"TORCHELASTIC_RESTART_COUNT": "1", "TORCHELASTIC_MAX_RESTARTS": "3"}
"""What ``torchrun`` tells the processes that it has started a second time."""


@pytest.fixture
def target(tmp_path: Path) -> Target[TrainConfig]:
    config = TrainConfig(tasks=("sst",), sample=True, out=tmp_path / "run")
    return Target("train", config, lambda: tmp_path / "run")


def start(target: Target[TrainConfig]) -> RunDirectory:
    opened = open_run(target, new_context())
    assert isinstance(opened, (New, Resumed))
    return opened.start(opened.config, Contents({"data": "1"}, {}, Path("data")), new_context().group)


def test_a_run_is_new_then_stopped_then_finished(target: Target[TrainConfig], tmp_path: Path) -> None:
    assert isinstance(open_run(target, new_context()), New)
    assert not (tmp_path / "run").exists()
    with start(target):
        pass
    going_on = replace(target, resume=tmp_path / "run")
    opened = open_run(going_on, new_context())
    assert isinstance(opened, Resumed)
    assert (opened.path, opened.directory) == (tmp_path / "run", tmp_path / "run")
    with start(going_on) as run:
        run.write_summary({"command": "train", "epochs": 3})
    assert open_run(going_on, new_context()) == Finished(tmp_path / "run", {"command": "train", "epochs": 3})


@pytest.mark.parametrize("may_go_on", [True, False])
def test_a_finished_run_goes_on_with_more_epochs_only_if_it_may(
    may_go_on: bool, target: Target[TrainConfig], tmp_path: Path
) -> None:
    with start(target) as run:
        run.write_summary({"command": "train"})
    config = target.config.model_copy(update={"epochs": 9})
    longer = replace(target, config=config, resume=tmp_path / "run", may_go_on=may_go_on)
    if may_go_on:
        assert isinstance(open_run(longer, new_context()), Resumed)
    else:
        with pytest.raises(ConfigError, match="has finished; epochs: 3 -> 9: cannot change any more"):
            open_run(longer, new_context())


def test_a_result_that_is_complete_without_a_run_is_finished_only_for_those_that_go_on(
    target: Target[TrainConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete = replace(target, complete=lambda _: True)
    assert isinstance(open_run(complete, new_context()), New)
    resumed = replace(complete, resume=tmp_path / "run")
    assert open_run(resumed, new_context()) == Finished(tmp_path / "run", {})
    for name, value in ANEW.items():
        monkeypatch.setenv(name, value)
    assert open_run(complete, new_context()) == Finished(tmp_path / "run", {})
    with start(replace(target, new_path=lambda: tmp_path / "run")):
        pass
    assert isinstance(open_run(complete, new_context()), Resumed)


def test_a_run_next_to_its_result_replaces_one_that_is_there(target: Target[TrainConfig], tmp_path: Path) -> None:
    other = replace(target, directory=lambda path: path.with_name(f"{path.name}.part"))
    for _ in range(2):
        with start(other) as run:
            assert run.path == tmp_path / "run.part"
    with start(target), pytest.raises(ConfigError, match="is a run in progress; choose another"):
        start(target)


@pytest.mark.parametrize("command", ["train", "select"])
def test_processes_that_may_be_started_anew_need_a_path(command: str, tiny_model: Path) -> None:
    done = cli(command, "--tasks", "sts", "--sample", "--model", tiny_model, TORCHELASTIC_MAX_RESTARTS="1")
    assert done.code == 2
    assert "--out: give it with torchrun --max-restarts, so that restarted processes find the run" in done.err


def test_processes_started_anew_go_on_and_report_what_is_finished(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = (*TRAIN, "--model", tiny_model, "--out")
    code, operations = forked((*given, "whole"))
    assert code == 0
    assert forked((*given, "run"), die_at=operations // 2)[0] is None
    done = cli(*given, "run", "--json", **ANEW)
    assert "going on after step" in done.err
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")
    again = cli(*given, "run", "--json", **ANEW)
    assert again.json == done.json
    assert "run has finished: nothing is left to do" in again.err
    assert summary(tmp_path / "run")["epochs"] == again.json["epochs"]
    done = cli(*given, "run", "--lr", "1", **ANEW)
    assert (done.code, "--lr: 0.0001 -> 1.0: cannot change" in done.err) == (2, True)


def test_a_refinement_started_anew_goes_on(trained_run: Path, tmp_path: Path) -> None:
    given = ("refine", trained_run, "--tasks", "sts", "--sample", "--epochs", "1", "--out", tmp_path / "run")
    first = cli(*given, "--json", **ANEW)
    again = cli(*given, "--json", **ANEW)
    assert again.json == first.json
    assert "has finished: nothing is left to do" in again.err


def test_the_record_of_a_run_says_what_it_needs(tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert cli("train", "--tasks", "sts", *FEW, "--augment", "none", "--model", tiny_model, "--out", out).code == 0
    found = toml_parser.loads((out / "config.toml").read_text())
    assert found["tasks"] == ["sts"]
    names = {"the pretrained weights", "the data of sts", "the dev data of sts"}

    record = json.loads((out / "environment.json").read_text())
    assert set(record["material"]) == names
    assert (record["command"], record["plugins"]) == ("train", {})


def test_a_model_given_by_a_relative_path_is_found_from_elsewhere(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, elsewhere, run = tmp_path / "here", tmp_path / "elsewhere", tmp_path / "here" / "run"
    here.mkdir()
    elsewhere.mkdir()
    shutil.copytree(tiny_model, here / "tiny")
    monkeypatch.chdir(here)
    done = cli("train", "--tasks", "sst", *FEW, "--model", "tiny", "--out", "run")
    assert done.code == 0, done.err
    recorded = toml_parser.loads((run / "config.toml").read_text(encoding="utf-8"))["model"]
    assert recorded == read_manifest(run / "model")["base"]["name"] == str(here / "tiny")
    assert str(here) not in (run / "model" / "README.md").read_text(encoding="utf-8")
    monkeypatch.chdir(elsewhere)
    assert cli("predict", run, stdin="a film\n").code == 0
    steps = len(records(run / "steps.jsonl"))
    done = cli("train", "--resume", run, "--max-steps", steps + 1)
    assert done.code == 0, done.err
    assert "--model" not in done.err
    assert len(records(run / "steps.jsonl")) == steps + 1
    monkeypatch.chdir(here)
    done = cli("refine", "run", "--tasks", "sst", "--epochs", 1, "--model", "tiny", "--out", "finer")
    assert done.code == 0, done.err
    monkeypatch.chdir(elsewhere)
    assert cli("predict", here / "finer", stdin="a film\n").code == 0
