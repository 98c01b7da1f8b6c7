"""Each option reaches what it is for: with another value, other things are selected, trained or kept."""

from __future__ import annotations

import shutil
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import cli, contents, records, summary
from safetensors.torch import load_file

from mtft.data.dataset import sample_dir
from mtft.selection.mask import load_mask
from mtft.training import joint_training as training
from mtft.training import preparation
from mtft.training.loop import Plan
from mtft.training.step import Stepper

TRAIN = ("train", "--tasks", "sst,quora,sts", "--sample", "--max-steps", "3", "--lr", "0.01", "--quiet")
SELECT = ("select", "--tasks", "sst,quora,sts", "--sample", "--batches", "2", "--quiet")


@pytest.fixture(scope="module")
def mask(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("masks") / "all.safetensors"
    assert cli(*SELECT, "--model", tiny_model, "--out", out).code == 0
    return out


@pytest.fixture(scope="module")
def plain(mask: Path, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wiring") / "plain"
    assert cli(*TRAIN, "--model", tiny_model, "--mask", mask, "--out", out).code == 0
    return out


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "model/heads.safetensors") | load_file(run / "model/encoder.safetensors")


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--weight-decay", "1"),
        ("--optimizer-rule", "cs224n"),
        ("--eps", "0.1"),
        ("--loss-scale", "log"),
        ("--task-weights", "sst=5"),
        ("--cfimdb-folding", "marginal"),
        ("--consistency", "forward"),
        ("--dropout", "0"),
        ("--head-dropout", "0"),
        ("--sampling", "sqrt"),
        ("--max-length", "12"),
        ("--schedule", "constant"),
        ("--warmup", "0.9"),
        ("--batch-size", "48"),
        ("--augment", "none"),
        ("--average", "swa:0"),
        ("--precision", "bf16"),
    ],
)
def test_training(option: str, value: str, plain: Path, mask: Path, tiny_model: Path, tmp_path: Path) -> None:
    done = cli(*TRAIN, "--model", tiny_model, "--mask", mask, option, value, "--out", tmp_path / "run")
    assert done.code == 0, done.err
    assert not equal(weights(tmp_path / "run"), weights(plain))


def test_the_seed_moves_batches_dropout_and_surgery(
    tiny_model: Path, mask: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the fresh heads, which alone make all files differ."""
    seeds: list[tuple[int, int]] = []

    def batches(self: Plan, *given: Any) -> Any:
        seeds.append((self.seed, steppers[-1].seed if steppers else -1))
        return before(self, *given)

    steppers: list[Any] = []
    build, before = preparation.build_stepper, Plan.batches
    monkeypatch.setattr(training, "build_stepper", lambda *given: steppers.append(build(*given)) or steppers[-1])
    monkeypatch.setattr(Plan, "batches", batches)
    given = ("--model", tiny_model, "--mask", mask, "--seed", "7", "--out", tmp_path / "run")
    assert cli(*TRAIN, *given).code == 0
    assert seeds[-1] == (7, 7)


def test_heads_alone_draw_batches_and_dropout_of_their_own(
    mask: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training would otherwise begin with the batches, in their order and with their dropout, that heads have seen."""
    drawn: list[tuple[int, Any]] = []

    def watched(self: Stepper, rows: Any, *given: Any) -> Any:
        drawn.append((self.seed, {name: chosen.tolist() for name, chosen in rows.items()}))
        return step(self, rows, *given)

    step = Stepper.step
    monkeypatch.setattr(Stepper, "step", watched)
    given = ("--model", tiny_model, "--mask", mask, "--head-epochs", "1", "--seed", "7", "--out", tmp_path / "run")
    assert cli(*TRAIN, *given).code == 0
    warming, training = drawn[:-3], drawn[-3:]
    assert {seed for seed, _ in training} == {7}
    assert len({seed for seed, _ in warming} | {7}) == 2
    assert not [rows for _, rows in training if rows in [earlier for _, earlier in warming]]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--batches", "1"),
        ("--selection-dropout", None),
        ("--score", "fisher"),
        ("--scope", "tensor"),
        ("--granularity", "row"),
        ("--combine", "normalised"),
        ("--max-length", "12"),
        ("--cfimdb-folding", "marginal"),
        ("--augment", "none"),
        ("--seed", "7"),
        ("--batch-size", "16"),
    ],
)
def test_selection(option: str, value: str | None, mask: Path, tiny_model: Path, tmp_path: Path) -> None:
    changed = [option] if value is None else [option, value]
    out = tmp_path / "other.safetensors"
    done = cli(*SELECT, "--model", tiny_model, *changed, "--out", out)
    assert done.code == 0, done.err
    assert not torch.equal(load_mask(out).indices, load_mask(mask).indices)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--weight-decay", "1"),
        ("--eps", "0.1"),
        ("--schedule", "linear"),
        ("--warmup", "0.9"),
        ("--seed", "7"),
        ("--batch-size", "8"),
        ("--task-lr", "sts=0.001"),
    ],
)
def test_refinement(option: str, value: str, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each epoch is better than the one before, so that the last one's head is kept."""
    better = count(1)
    monkeypatch.setattr("mtft.training.early_stopping.Best.rate", lambda *_: float(next(better)))
    given = ("refine", plain, "--tasks", "sts", "--sample", "--epochs", "1", "--lr", "0.01", "--quiet")
    for name, options in (("plain", ()), ("other", (option, value))):
        done = cli(*given, *options, "--out", tmp_path / name)
        assert done.code == 0, done.err
    assert not equal(weights(tmp_path / "other"), weights(tmp_path / "plain"))


# ---- Which epoch is kept, and when it ends


@pytest.fixture
def falling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dev scores that are best after the first epoch, whatever is trained."""
    found = iter([0.9, 0.1, 0.2, 0.3, 0.4])
    monkeypatch.setattr(training, "scores", lambda task, *_: dict.fromkeys(task.metric_names, next(found)))


@pytest.mark.usefixtures("falling")
def test_patience_ends_the_training(tiny_model: Path, tmp_path: Path) -> None:
    given = ("train", "--tasks", "sts", "--sample", "--batches", "1", "--model", tiny_model, "--augment", "none")
    done = cli(*given, "--epochs", "9", "--patience", "2", "--out", tmp_path / "run")
    assert "no better epoch for 2: stopping (--patience)" in done.err
    assert (summary(tmp_path / "run")["epochs"], summary(tmp_path / "run")["best_epoch"]) == (3, 1)
    before = contents(tmp_path / "run")
    assert cli("train", "--resume", tmp_path / "run").code == 0
    assert contents(tmp_path / "run") == before


def test_patience_ends_a_refinement(plain: Path, tmp_path: Path) -> None:
    """At a rate of almost nothing no epoch is better."""
    given = ("refine", plain, "--tasks", "sts", "--sample", "--epochs", "9", "--lr", "1e-20", "--patience", "2")
    assert cli(*given, "--out", tmp_path / "run").code == 0
    assert len(records(tmp_path / "run/metrics.jsonl")) == 2


def test_a_resume_remembers_the_best_epoch(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, falling: None
) -> None:
    given = ("train", "--tasks", "sts", "--sample", "--batches", "1", "--model", tiny_model, "--augment", "none")
    more = (*given, "--batch-size", "64", "--checkpoint-every", "1", "--epochs", "3")
    saved: list[Path] = []

    def copied(self: training.JointTraining) -> None:
        save(self)
        if self.trainer.epochs == 1 and not saved:
            saved.append(Path(shutil.copytree(self.run_directory.path, tmp_path / "cut")))

    save = training.JointTraining.save
    with monkeypatch.context() as patch:
        patch.setattr(training.JointTraining, "save", copied)
        assert cli(*more, "--out", tmp_path / "whole").code == 0
    found = iter([0.1, 0.2])
    monkeypatch.setattr(training, "scores", lambda task, *_: dict.fromkeys(task.metric_names, next(found)))
    (tmp_path / "cut/.lock").unlink(missing_ok=True)
    assert cli("train", "--resume", tmp_path / "cut").code == 0
    assert [record["best"] for record in records(tmp_path / "cut/metrics.jsonl")] == [True, False, False]
    assert summary(tmp_path / "cut")["best_epoch"] == 1
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_class_weights_reach_the_loss_of_tasks_with_classes_alone(tiny_model: Path, tmp_path: Path) -> None:
    """Of the sample, sst and quora are balanced but for the rows left out here."""
    data = tmp_path / "data"
    shutil.copytree(sample_dir(), data)
    lines = (data / "quora-train.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for number, line in enumerate(lines) if number % 4 or not line.rstrip().endswith("1.0")]
    (data / "quora-train.csv").write_text("".join(kept), encoding="utf-8")
    options = ("--tasks", "quora,sts", "--augment", "none", "--max-steps", "3", "--batches", "1", "--keep", "1")
    losses = {}
    for rule in ("none", "balanced"):
        out = tmp_path / rule
        done = cli("train", *options, "--class-weights", rule, "--data-dir", data, "--model", tiny_model, "--out", out)
        assert done.code == 0, done.err
        losses[rule] = records(out / "steps.jsonl")[0]["losses"]
    assert losses["none"]["sts"] == losses["balanced"]["sts"]
    assert losses["none"]["quora"] != losses["balanced"]["quora"]
