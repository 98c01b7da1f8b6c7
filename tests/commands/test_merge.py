"""`mtft.commands.merge`, called directly: the weights that are written, and what is never replaced."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mtft.commands.merge import check_written, merge
from mtft.config.schema import MergeConfig
from mtft.encoder.pretrained import load_encoder
from mtft.errors import ConfigError, ModelError
from mtft.model.flat import FlatParameters
from mtft.plugin.context import new_context
from mtft.selection.mask import load_mask


def test_only_selected_weights_differ_from_the_base(trained_run: Path, tiny_model: Path, tmp_path: Path) -> None:
    found = merge(trained_run, MergeConfig(out=tmp_path / "merged"), new_context())
    base, merged = (FlatParameters(load_encoder(path)).theta for path in (tiny_model, found.path))
    differ = torch.nonzero(base != merged).flatten()
    assert (found.parameters, found.changed) == (len(base), len(differ))
    assert set(differ.tolist()) <= set(load_mask(trained_run / "mask.safetensors").indices.tolist())
    assert found.changed > 0


def test_other_weights_than_those_written_are_found(tiny_model: Path) -> None:
    with pytest.raises(ModelError):
        check_written(tiny_model, "another digest", "another digest")


def test_a_directory_of_others_is_not_replaced(trained_run: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(ConfigError, match="mine exists"):
        merge(trained_run, MergeConfig(out=tmp_path / "mine", overwrite=True), new_context())
    assert list((tmp_path / "mine").iterdir()) == []
