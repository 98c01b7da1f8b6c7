"""Runs that learn from other runs, and heads that begin before the rest."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import FEW, cli, contents, reseal, summary
from crashes import TRAIN, forked
from safetensors.torch import load_file

from mtft.config.schema import TrainConfig
from mtft.data.dataset import sample_dir
from mtft.errors import CheckpointError, ConfigError
from mtft.io.digests import write_digests
from mtft.io.files import read_json, write_json
from mtft.outputs import Binary
from mtft.plugin.context import new_context
from mtft.runs.checkpoint import load_model
from mtft.runs.run_directory import RunDirectory
from mtft.tasks.sst import SST
from mtft.tasks.task import Task
from mtft.testing.tiny import write_tiny_model
from mtft.training import step
from mtft.training.autosave import Autosaver, StoppedError
from mtft.training.choices import ModelInputs
from mtft.training.session import Session
from mtft.training.setup import set_up
from mtft.training.teachers import add_teachers, check_teachers, teacher_outputs_complete

TEACHERS, HEADS = "teachers.safetensors", "heads.safetensors"


@pytest.fixture(scope="module")
def teachers(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place with two runs: one knows sst, the other sst and sts."""
    place = tmp_path_factory.mktemp("teachers")
    for name, tasks in (("one", "sst"), ("two", "sst,sts")):
        given = ("--tasks", tasks, "--model", tiny_model, *FEW, "--lr", "0.01", "--augment", "none")
        assert cli("train", *given, "--out", place / name, "--seed", len(tasks)).code == 0
    return place


def pupil(model: Path, out: Path, *teachers: Path) -> tuple[object, ...]:
    names = ",".join(map(str, teachers))
    return (
        "train",
        "--tasks",
        "sst,sts",
        "--model",
        model,
        *FEW,
        "--train-share",
        "0.5",
        "--teachers",
        names,
        "--out",
        out,
    )


def test_a_run_keeps_what_its_teachers_say_of_its_rows(teachers: Path, tiny_model: Path, tmp_path: Path) -> None:
    done = cli(*pupil(tiny_model, tmp_path / "run", teachers / "one", teachers / "two"))
    assert done.code == 0
    assert f"teacher {teachers / 'one'}: sst\n" in done.err
    assert f"teacher {teachers / 'two'}: sst, sts\n" in done.err
    assert "Learned from runs called one, two, less and less" in (tmp_path / "run/model/README.md").read_text()
    says = load_file(tmp_path / "run" / TEACHERS)
    assert says.keys() == {"0.sst", "1.sst", "1.sts"}
    for name in ("one", "two"):
        assert cli(*pupil(tiny_model, tmp_path / name, teachers / name)).code == 0
    one, two = (load_file(tmp_path / name / TEACHERS) for name in ("one", "two"))
    assert one.keys() == {"0.sst"}
    for kept, alone in (("0.sst", one["0.sst"]), ("1.sst", two["0.sst"]), ("1.sts", two["0.sts"])):
        torch.testing.assert_close(says[kept], alone)
    half = [words for line in done.err.splitlines() if (words := line.split())[0] == "sst:" and "share" in words]
    assert len(says["0.sst"]) == int(half[0][1].replace(",", ""))


@pytest.fixture
def asking(teachers: Path, tiny_model: Path, tmp_path: Path) -> Session[TrainConfig]:
    """A session with two teachers, which are still to be asked."""
    given: dict[str, Any] = {"tasks": ("sst", "sts"), "teachers": (str(teachers / "one"), str(teachers / "two"))}
    config = TrainConfig(**given, model=str(tiny_model), sample=True, augment=())
    served = new_context()
    run = RunDirectory.create(tmp_path / "asked", config, "train", sample_dir())
    return Session(config, served, set_up(config, run.path, served).prepared, run, Autosaver("1", None, ""))


def test_several_teachers_speak_with_their_mean_and_are_not_asked_twice(
    asking: Session[TrainConfig], teachers: Path
) -> None:
    with asking.run as run:
        add_teachers(asking)
        sources = {source.name: source for source in asking.prepared.sources}
        found = load_file(run.path / TEACHERS)
        assert teacher_outputs_complete(run.path)
        torch.testing.assert_close(sources["sst"].teacher.outputs, (found["0.sst"] + found["1.sst"]) / 2)
        torch.testing.assert_close(sources["sts"].teacher.outputs, found["1.sts"])

    write_digests(run.path, {})
    with RunDirectory(run.path) as run:
        asking.run = run
        asking.artifact(TEACHERS).write({"0.sst": found["0.sst"] + 1, "1.sst": found["1.sst"] + 2}, whole=False)
        said: list[str] = []
        asking.context = replace(asking.context, notify=lambda _level, text: said.append(text))
        add_teachers(asking)
        sources = {source.name: source for source in asking.prepared.sources}
        torch.testing.assert_close(sources["sst"].teacher.outputs, (found["0.sst"] + found["1.sst"] + 3) / 2)
        torch.testing.assert_close(sources["sts"].teacher.outputs, found["1.sts"])
        assert said == [f"teacher {teachers / 'two'}: sst, sts"]


def test_a_stop_keeps_what_was_said(asking: Session[TrainConfig], teachers: Path) -> None:
    asking.autosaver = Autosaver("1", "0.0001s", "go on")
    with asking.run as run:
        with pytest.raises(StoppedError, match=f"by max_time with what {teachers / 'one'} says of sst; go on"):
            add_teachers(asking)
        assert load_file(run.path / TEACHERS).keys() == {"0.sst"}
        assert not teacher_outputs_complete(run.path)


def test_what_teachers_say_changes_what_is_learned(teachers: Path, tiny_model: Path, tmp_path: Path) -> None:
    given = ("--tasks", "sts", "--model", tiny_model, *FEW, "--dropout", "0", "--head-dropout", "0", "--lr", "0.01")
    for name, options in (("taught", ("--teachers", teachers / "two")), ("alone", ())):
        assert cli("train", *given, *options, "--out", tmp_path / name).code == 0
    found = [(tmp_path / name / "steps.jsonl").read_text().splitlines() for name in ("taught", "alone")]
    assert all(mine != other for mine, other in zip(*found, strict=True))
    masks = [(tmp_path / name / "mask.safetensors").read_bytes() for name in ("taught", "alone")]
    assert masks[0] == masks[1]  # scores are of the labels


def test_teachers_are_heard_over_the_whole_training(
    teachers: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares: list[float] = []

    def accumulate(*args: Any, taught: float, **given: Any) -> float:
        shares.append(taught)
        return original(*args, taught=taught, **given)

    original = step.accumulate
    monkeypatch.setattr(step, "accumulate", accumulate)
    given = ("--tasks", "sts", "--model", tiny_model, "--sample", "--batches", "1", "--max-steps", "4")
    assert cli("train", *given, "--teachers", teachers / "two", "--out", tmp_path / "run").code == 0
    assert list(dict.fromkeys(shares)) == [1, 0.75, 0.5, 0.25]


def test_a_calibrated_teacher_speaks_at_its_temperature(teachers: Path, tiny_model: Path, tmp_path: Path) -> None:
    warm = shutil.copytree(teachers / "one", tmp_path / "warm")
    manifest = read_json(warm / "model/model.json")
    manifest["tasks"][0]["temperature"] = 2.0
    write_json(warm / "model/model.json", manifest)
    reseal(warm / "model/model.json")
    for name, teacher in (("plain", teachers / "one"), ("tempered", warm)):
        assert cli(*pupil(tiny_model, tmp_path / name, teacher)).code == 0
    plain, tempered = (load_file(tmp_path / name / TEACHERS)["0.sst"] for name in ("plain", "tempered"))
    torch.testing.assert_close(tempered, plain / 2)


def test_a_plan_counts_heads_and_teachers(teachers: Path, tiny_model: Path) -> None:
    given = ("--tasks", "sst,sts", "--model", tiny_model, *FEW, "--augment", "none", "--epochs", "1")
    plain = cli("plan", *given, "--json").json
    extra = ("--head-epochs", "2", "--teachers", f"{teachers / 'one'},{teachers / 'two'}")
    found = cli("plan", *given, *extra, "--json").json
    assert list(plain["tokens"]) == ["select", "train", "evaluate"]
    assert list(found["tokens"]) == ["start heads", "select", "ask teachers", "train", "evaluate"]
    assert {name: found["tokens"][name] for name in plain["tokens"]} == plain["tokens"]
    own = cli("plan", *given, "--max-steps", "1000", "--json").json["tokens"]["train"]  # an epoch
    sst = cli("plan", "--tasks", "sst", *given[2:], "--max-steps", "1000", "--json").json["tokens"]["train"]
    assert found["tokens"]["start heads"] == 2 * own
    assert found["tokens"]["ask teachers"] == own + sst
    assert all(found["seconds"][name] > 0 for name in found["tokens"])
    assert cli("plan", *given, "--teachers", "none").code == 2


@pytest.mark.parametrize("die", [0.2, 0.5, 0.8])
def test_what_is_made_before_training_survives_a_kill(
    die: float, teachers: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    own = shutil.copytree(teachers, tmp_path / "own")
    start = (*TRAIN, "--model", tiny_model, "--head-epochs", "1", "--teachers", "own/one,own/two")
    code, operations = forked((*start, "--out", "whole"))
    assert code == 0
    assert forked((*start, "--out", "killed"), die_at=round(die * operations))[0] is None
    if teacher_outputs_complete(tmp_path / "killed"):  # they are needed no more
        shutil.rmtree(own)
    assert cli("train", "--resume", "killed").code == 0
    found, expected = contents(tmp_path / "killed"), contents(tmp_path / "whole")
    assert {TEACHERS, HEADS} <= expected.keys()
    assert [name for name in expected if found.get(name) != expected[name]] == []


def test_heads_that_began_alone_score_and_train_from_there(tiny_model: Path, tmp_path: Path) -> None:
    given = ("train", "--tasks", "sst,sts", "--model", tiny_model, *FEW)
    for name, epochs in (("fresh", 0), ("begun", 2)):
        assert cli(*given, "--head-epochs", epochs, "--out", tmp_path / name).code == 0
    assert not (tmp_path / "fresh" / HEADS).exists()
    assert (tmp_path / "begun" / HEADS).is_file()
    masks = [(tmp_path / name / "mask.safetensors").read_bytes() for name in ("fresh", "begun")]
    assert masks[0] != masks[1]
    lines = [(tmp_path / name / "steps.jsonl").read_text().splitlines() for name in ("fresh", "begun")]
    assert len(lines[0]) == len(lines[1])
    assert lines[0][0] != lines[1][0]
    assert cli("verify", tmp_path / "begun").code == 0


def test_heads_alone_leave_the_encoder_as_it_is(tiny_model: Path, tmp_path: Path) -> None:
    given = ("train", "--tasks", "sts", "--model", tiny_model, *FEW, "--head-epochs", "1", "--keep", "0.01")
    assert cli(*given, "--out", tmp_path / "run").code == 0
    assert summary(tmp_path / "run")["epochs"] == 1
    assert cli("verify", tmp_path / "run").code == 0  # what is not selected has the bits of the base


@pytest.mark.parametrize(
    ("teacher", "tasks", "words"),
    [
        ("one", "sts", "knows sst, none of this run's tasks (sts)"),
        ("none", "sst", "no trained model"),
        ("other", "sst", "task 'sst' was trained with"),
        ("one,one", "sst", "is given twice"),
        ("begun", "sst", "--teachers: begun has not finished; mtft train --resume begun goes on"),
        ("torn", "sst", "heads.safetensors"),
    ],
)
def test_who_cannot_teach_is_named_before_anything_is_written(
    teacher: str,
    tasks: str,
    words: str,
    teachers: Path,
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(teachers / "one", tmp_path / "one")
    file = shutil.copytree(teachers / "one", tmp_path / "other") / "model" / "model.json"
    manifest = read_json(file)
    manifest["tasks"][0]["output"]["names"] = list("54321")
    write_json(file, manifest)
    reseal(file)
    (shutil.copytree(teachers / "one", tmp_path / "begun") / "summary.json").unlink()
    with (shutil.copytree(teachers / "one", tmp_path / "torn") / "model/heads.safetensors").open("r+b") as torn:
        torn.truncate(1000)
    done = cli("train", "--tasks", tasks, "--model", tiny_model, *FEW, "--teachers", teacher, "--out", "run")
    assert (done.code, words in done.err) == (2, True), done.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("out", ["runs/sst", "runs/sst/again"])
def test_a_teacher_is_never_overwritten(
    out: str, teachers: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(teachers / "one", "runs/sst")
    before = contents(tmp_path)
    given = ("--tasks", "sst", "--model", tiny_model, *FEW, "--teachers", "runs/sst", "--out", out, "--overwrite")
    done = cli("train", *given)
    assert done.code == 2
    assert f"--out: {out} is, holds or is in the run that teaches, runs/sst; it is never changed" in done.err
    assert contents(tmp_path) == before


def test_a_base_model_that_has_moved_may_be_this_runs(tiny_model: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(tiny_model, tmp_path / "moved")
    given = ("train", "--tasks", "sst", *FEW, "--augment", "none")
    assert cli(*given, "--model", moved, "--out", tmp_path / "one").code == 0
    moved.rename(tmp_path / "elsewhere")
    taught = (*given, "--teachers", tmp_path / "one", "--out", tmp_path / "run", "--model")
    assert cli(*taught, tmp_path / "elsewhere").code == 0
    other = write_tiny_model(tmp_path / "other", seed=1)
    done = cli(*taught, other, "--overwrite")
    assert done.code == 2
    assert f"--teachers: {tmp_path / 'one'}: its base model is not where it was" in done.err
    assert "is not the one this run was trained from" in done.err


def test_memory_for_teachers_is_planned(teachers: Path, tiny_model: Path) -> None:
    given = ("plan", "--tasks", "sst,sts", "--model", tiny_model, *FEW, "--teachers", teachers / "two", "--json")
    found = cli(*given).json["memory_bytes"]
    weights = load_model(teachers / "two/model", new_context().registry)
    held = 4 * (2 * len(weights.encoder) + sum(weights.parameters().heads.values()))
    assert found["ask teachers"] > found["load"] - 4 * len(weights.encoder) + held
    assert cli(*given[:-3], "--json").json["memory_bytes"].keys() == found.keys() - {"ask teachers"}


@pytest.mark.parametrize(
    ("task", "error", "words"),
    [
        (replace(SST, output=Binary()), CheckpointError, "the output of task 'sst' is .*categorical.* there, .*binary"),
        (replace(SST, source=replace(SST.source, input="apart")), ConfigError, "task 'sst', categorical, cannot be"),
    ],
    ids=["other output", "apart"],
)
def test_a_task_that_means_something_else_cannot_be_taught(
    task: Task, error: type[Exception], words: str, teachers: Path
) -> None:
    names, path = [str(teachers / "one")], teachers / "new"
    student = ModelInputs("minilm", None, 0, torch.device("cpu"), None)
    check_teachers(names, path, student, [SST], new_context().registry)
    with pytest.raises(error, match=words):
        check_teachers(names, path, student, [task], new_context().registry)
