"""Runs that differ in their seed alone are found, and others told apart with the difference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mtft.config.load import dump, load
from mtft.config.schema import TrainConfig
from mtft.errors import ConfigError
from mtft.io.files import write_json
from mtft.runs.seed_groups import check_same_but_seed, group_by_seed, seed_of


@pytest.fixture
def make(tmp_path: Path) -> Any:
    """Write what says how a run was made."""

    def write(name: str, **settings: Any) -> Path:
        run = tmp_path / name
        run.mkdir()
        (run / "config.toml").write_text(dump(load(TrainConfig, given={"tasks": "sst", **settings}).config))
        write_json(run / "environment.json", {"command": "train"})
        return run

    return write


def test_runs_are_grouped_by_all_but_their_seed(make: Any) -> None:
    a = [make(f"a.s{seed}", seed=seed, threads=seed + 1, mask=f"x/m.s{seed}/mask.safetensors") for seed in (0, 1)]
    b = [make(f"b.s{seed}", seed=seed, lr=1e-3) for seed in (0, 1)]
    assert group_by_seed([*a, *b]) == {"a": a, "b": b}
    assert group_by_seed([]) == {}
    assert [seed_of(run) for run in a] == [0, 1]
    check_same_but_seed("a", a)


def test_other_differences_are_named(make: Any) -> None:
    one, other = make("a", seed=0), make("b", seed=1, lr=1e-3, epochs=5)
    text = f"x: {one} and {other} differ in more than their seed: .*lr: 0.0001 and 0.001"
    with pytest.raises(ConfigError, match=text):
        check_same_but_seed("x", [one, other])
    same = make("c", seed=0)
    with pytest.raises(ConfigError, match=f"x: {one} and another run have the same seed 0"):
        check_same_but_seed("x", [one, same])
    with pytest.raises(ConfigError, match="differ in more than their seed; name their groups"):
        group_by_seed([make("d.s0", seed=0), make("d.s1", seed=1, lr=1e-3)])
