"""The null directory has all that a run's directory has, and writes nothing."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
import torch

from mtft.config.schema import TrainConfig
from mtft.errors import ConfigError
from mtft.runs.null_directory import NullRunDirectory, share_run
from mtft.runs.run_directory import RunDirectory
from mtft.runtime.distributed import ALONE

MAKERS = {"create", "reopen"}


def test_every_method_is_replaced_and_takes_the_same() -> None:
    methods = {name for name in vars(RunDirectory) if not name.startswith("_")} - MAKERS
    assert len(methods) > 10
    for name in methods | {"__exit__"}:
        assert name in vars(NullRunDirectory), name
        ours, theirs = (inspect.signature(getattr(cls, name)) for cls in (NullRunDirectory, RunDirectory))
        assert list(ours.parameters) == list(theirs.parameters), name


def test_it_writes_nothing(tmp_path: Path) -> None:
    def never(*_: object) -> None:
        raise AssertionError

    with NullRunDirectory(tmp_path / "run") as run:
        run.follow(never)  # type: ignore[arg-type]
        run.write("mask.safetensors", never)
        run.log("steps", {"step": 1})
        run.log_time(saved=1)
        run.seal("mask.safetensors")
        run.save_state({"a": torch.ones(1)}, {"stage": "train"})
        run.cut_logs({"steps.jsonl": {}})
        run.write_predictions("dev", {}, {})
        run.write_summary({})
        run.drop_state("train")
        assert (run.logged(), run.load_state("train")) == ({}, None)
    assert list(tmp_path.iterdir()) == []


def test_alone_a_process_has_the_real_one_and_its_errors(tmp_path: Path) -> None:
    config = TrainConfig(tasks=("sst",))
    with share_run(
        tmp_path / "run", ALONE, lambda: RunDirectory.create(tmp_path / "run", config, "train", tmp_path)
    ) as run:
        assert type(run) is RunDirectory

    def fails() -> RunDirectory:
        raise ConfigError("no")

    with pytest.raises(ConfigError, match="no"):
        share_run(tmp_path / "other", ALONE, fails)


def test_a_state_is_of_its_stage(tmp_path: Path) -> None:
    with RunDirectory.create(tmp_path / "run", TrainConfig(tasks=("sst",)), "train", tmp_path) as run:
        assert run.load_state("heads") is None
        run.save_state({"a": torch.ones(2)}, {"stage": "heads", "steps": 3})
        assert run.load_state("train") is None
        tensors, position = run.load_state("heads") or ({}, {})
        assert (tensors["a"].tolist(), position) == ([1, 1], {"stage": "heads", "steps": 3})
        run.drop_state("train")
        assert run.load_state("heads") is not None
        run.drop_state("heads")
        assert run.load_state("heads") is None
