"""What is loaded and checked before a training, and how settings are fitted to the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtft.config.schema import TrainConfig
from mtft.data.dataset import sample_dir
from mtft.errors import ConfigError
from mtft.plugin.context import new_context
from mtft.runs.run_directory import RunDirectory
from mtft.training.setup import check_choices, set_up


def config(tiny_model: Path, **changes: object) -> TrainConfig:
    few = {"tasks": ("sst",), "model": str(tiny_model), "augment": (), "batches": 1, "sample": True, "max_length": 32}
    return TrainConfig.model_validate({**few, **changes})


def test_a_new_run_must_fit_into_memory_and_a_resumed_one_keeps_its_settings(tiny_model: Path, tmp_path: Path) -> None:
    given = config(tiny_model)
    new = set_up(given, tmp_path / "run", new_context())
    assert new.config == given
    assert new.memory is not None
    with pytest.raises(ConfigError, match=r"^max_memory is 1 bytes; this run needs"):
        set_up(given.model_copy(update={"max_memory": 1}), tmp_path / "run", new_context())
    assert list(tmp_path.iterdir()) == []
    with RunDirectory.create(tmp_path / "run", given, "train", sample_dir()):
        resumed = set_up(given, tmp_path / "run", new_context(), resumed=True)
    assert (resumed.config, resumed.memory, resumed.mask) == (given, None, None)


def test_settings_reach_model_and_data(tiny_model: Path, tmp_path: Path) -> None:
    found = set_up(config(tiny_model, dropout=0.2, head_dropout=0.4), tmp_path / "run", new_context()).prepared
    encoder = found.model.encoder.config
    assert (encoder.dropout, encoder.attention_dropout, encoder.head_dropout) == (0.2, 0.2, 0.4)
    assert found.max_length == 32
    assert list(found.dev) == [source.name for source in found.sources] == ["sst"]


@pytest.mark.parametrize(
    ("changes", "setting", "value"),
    [
        ({"task_weights": {"sts": 2.0}}, "task_weights", "'sts'"),
        ({"best": "sst.pearson"}, "best", "'sst.pearson'"),
        ({"surgery": "sprocket"}, "surgery", "'sprocket'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_unknown_choice_is_refused(changes: dict[str, object], setting: str, value: str, tiny_model: Path) -> None:
    with pytest.raises(ConfigError, match=value) as caught:
        check_choices(config(tiny_model, **changes), new_context())
    assert setting in str(caught.value)
