"""Settings become plain values: a data directory, parts of plugins, losses."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtft.config.schema import EvalConfig, TrainConfig
from mtft.data.dataset import sample_dir
from mtft.errors import ConfigError
from mtft.losses import consistency, folded_cross_entropy
from mtft.plugin.context import new_context
from mtft.training.choices import check_parts, chosen_parts, data_directory, loss_settings


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
