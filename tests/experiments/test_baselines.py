"""Settings of individual models, and sentences on unions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mtft.config.load import dump, load
from mtft.config.schema import TrainConfig
from mtft.errors import ConfigError
from mtft.experiments.baselines import advice, baseline_runs
from mtft.io.files import write_json
from mtft.plugin.context import new_context


def union(folder: Path, name: str = "both", **settings: Any) -> Path:
    """Write what says how a finished run was made."""
    run = folder / name
    run.mkdir()
    given = {"tasks": "sst,sts", **settings}
    (run / "config.toml").write_text(dump(load(TrainConfig, given=given).config))
    write_json(run / "environment.json", {"command": "train", "data_dir": str(folder / "data")})
    write_json(run / "summary.json", {"tasks": {}})
    return run


def test_a_task_alone_has_all_settings_but_those_of_the_union(tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "lr": 1e-3,
        "keep": "0.2",
        "seed": 4,
        "task_weights": "sst=2",
        "best": "sts.pearson",
        "mask": "m",
    }
    run = union(tmp_path, augment="cfimdb,sts-consistency", teachers="x", **settings)
    sst, sts = baseline_runs([run], new_context().registry, None)
    before = load(TrainConfig, file=run / "config.toml").config
    changed = {key for key in TrainConfig.settings() if getattr(sst.config, key) != getattr(before, key)}
    assert changed == {"tasks", "task_weights", "best", "mask", "teachers", "data_dir"}
    assert isinstance(sst.config, TrainConfig)
    assert isinstance(sts.config, TrainConfig)
    assert (sst.name, sts.name, sst.config.best, sts.config.best) == ("sst.s4", "sts.s4", "mean", "sts.pearson")
    assert (sst.config.augment, sts.config.augment) == (("cfimdb", "sts-consistency"), ())  # both help sst
    assert sst.config.data_dir == tmp_path / "data"


def test_seeds_of_a_union_give_a_baseline_each(tmp_path: Path) -> None:
    runs = [union(tmp_path, f"a.s{seed}", seed=seed) for seed in (0, 1)]
    found = baseline_runs(runs, new_context().registry, tmp_path)
    assert [run.name for run in found] == ["sst.s0", "sts.s0", "sst.s1", "sts.s1"]
    assert {run.config.data_dir for run in found} == {tmp_path}


@pytest.mark.parametrize(
    ("settings", "text"),
    [({"tasks": "sst"}, "has one task alone, sst"), ({"max_steps": 3}, "was stopped by max_steps")],
)
def test_runs_without_baselines(settings: dict[str, Any], text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=text):
        baseline_runs([union(tmp_path, **settings)], new_context().registry, None)


@pytest.mark.parametrize(
    ("side", "higher", "words"),
    [
        (1, True, "the union helped; it is better trained together"),
        (-1, True, "the union hurt; it would be better apart"),
        (1, False, "the union hurt; it would be better apart"),
        (0, False, "the union made no difference beyond noise"),
    ],
)
def test_advice(side: int, higher: bool, words: str) -> None:
    assert advice("sst", side, higher) == f"sst: {words}"
