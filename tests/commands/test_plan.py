"""`mtft.commands.plan`, called directly: counts, and what is unknown without data."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtft.commands.plan import plan
from mtft.config.schema import TrainConfig
from mtft.errors import ConfigError
from mtft.plugin.context import new_context
from mtft.selection.budget import budget


def config(tiny_model: Path, **changes: object) -> TrainConfig:
    few = {"tasks": ("sst",), "model": str(tiny_model), "augment": (), "max_steps": 3, "batches": 1, "sample": True}
    return TrainConfig.model_validate({**few, **changes})


def test_work_and_memory_are_those_of_the_settings_and_nothing_is_written(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = plan(config(tiny_model), new_context())
    assert found.work is not None
    assert found.work.steps == 3
    assert all(count > 0 for count in found.work.tokens.values())
    assert found.parameters.selected == budget("0.3", found.parameters.encoder)
    assert found.report()["memory_bytes"]["train"] > found.report()["memory_bytes"]["load"] > 0
    assert list(tmp_path.iterdir()) == []


def test_without_data_only_parameters_and_disk_are_known(tiny_model: Path, tmp_path: Path) -> None:
    found = plan(config(tiny_model, sample=False, data_dir=tmp_path), new_context())
    assert (found.memory, found.work, found.seconds) == (None, None, None)
    assert any("sst" in name for name in found.missing)
    assert found.parameters.encoder > found.parameters.selected > 0


def test_an_unknown_choice_is_refused(tiny_model: Path) -> None:
    with pytest.raises(ConfigError, match="'sprocket'"):
        plan(config(tiny_model, surgery="sprocket"), new_context())
