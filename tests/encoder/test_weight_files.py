"""Files of weights: looked for in a fixed order, and forms that are not read are named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mtft.encoder.weight_files import NAMES, check_archives, weight_files
from mtft.errors import ModelError


def test_the_first_of_the_names_counts(tmp_path: Path) -> None:
    for name in reversed(NAMES):
        index = json.dumps({"weight_map": {"a": "b.bin", "c": "a.bin", "d": "b.bin"}})
        (tmp_path / name).write_text(index, encoding="utf-8")
        shards = [tmp_path / "a.bin", tmp_path / "b.bin"]
        assert weight_files(tmp_path) == (shards if name.endswith("index.json") else [tmp_path / name])


@pytest.mark.parametrize("name", ["tf_model.h5", "flax_model.msgpack"])
def test_other_forms_are_named(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    with pytest.raises(ModelError, match=rf"no model\.safetensors, .*\({name} is not read; save the model"):
        weight_files(tmp_path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").mkdir()
    with pytest.raises(ModelError, match=r"pytorch_model\.bin: not a regular file"):
        check_archives(tmp_path)
