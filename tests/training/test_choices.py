"""Settings become plain values: a data directory, parts of plugins, losses."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mtft.config.schema import EvalConfig, TrainConfig, VerifyConfig
from mtft.data.dataset import sample_dir
from mtft.errors import ConfigError
from mtft.losses import consistency, folded_cross_entropy
from mtft.plugin.context import new_context
from mtft.training.choices import check_parts, chosen_parts, data_directory, loss_settings, resolve_device


def test_settings_choose_the_data_directory(tmp_path: Path) -> None:
    assert data_directory(EvalConfig(sample=True)) == sample_dir()
    assert data_directory(EvalConfig(data_dir=tmp_path)) == tmp_path


def test_parts_are_named_with_their_kind_and_must_exist() -> None:
    config = TrainConfig(tasks=("sst", "sts"), augment=("cfimdb",), score="fisher")
    assert chosen_parts(config) == ["sst", "sts", "cfimdb", "score fisher", "surgery pcgrad"]
    check_parts(config, new_context().registry)
    with pytest.raises(ConfigError, match="'sprocket'"):
        check_parts(TrainConfig(tasks=("sst",), score="sprocket"), new_context().registry)


def test_losses_get_their_settings() -> None:
    found = dict(loss_settings(TrainConfig(tasks=("sst",), cfimdb_folding="marginal", consistency="reverse")))
    assert found == {folded_cross_entropy: {"folding": "marginal"}, consistency: {"direction": "reverse"}}


@pytest.mark.parametrize(("local_rank", "number"), [(None, 0), ("2", 2)])
def test_a_process_makes_its_own_device_the_current_one(
    local_rank: str | None, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Torch and NCCL take the current device where none is named; that of all processes would be the first."""
    if local_rank:
        for name, value in {"RANK": "6", "WORLD_SIZE": "8", "LOCAL_RANK": local_rank}.items():
            monkeypatch.setenv(name, value)
    current: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    assert resolve_device(VerifyConfig(device="cuda")) == (torch.device("cuda", number), None)
    assert current == [torch.device("cuda", number)]
    resolve_device(VerifyConfig(device="cpu"))
    assert len(current) == 1
