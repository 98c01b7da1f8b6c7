"""The state directory: tensors and position, replaced as a whole, equal states being equal bytes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from commands import reseal
from safetensors.torch import load_file

from mtft.errors import CheckpointError
from mtft.runs.state import load_state, save_state

TENSORS = {"b": torch.arange(6.0).view(2, 3).T, "a": torch.tensor(3), "c": torch.nn.Parameter(torch.ones(2))}
POSITION = {"epoch": 2, "step": 40, "best": {"score": 0.1 + 0.2}}


def test_what_is_saved_is_there(tmp_path: Path) -> None:
    save_state(tmp_path / "state", TENSORS, POSITION)
    found = load_file(tmp_path / "state" / "tensors.safetensors")
    assert found.keys() == TENSORS.keys()
    assert all(torch.equal(found[name], tensor.detach()) for name, tensor in TENSORS.items())
    assert json.loads((tmp_path / "state" / "position.json").read_text(encoding="utf-8")) == POSITION


def test_equal_states_give_equal_bytes(tmp_path: Path) -> None:
    save_state(tmp_path / "one", TENSORS, POSITION)
    save_state(tmp_path / "two", dict(reversed(TENSORS.items())), POSITION)
    for name in ("tensors.safetensors", "position.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_the_former_state_is_replaced_whole(tmp_path: Path) -> None:
    save_state(tmp_path / "state", TENSORS, POSITION)
    save_state(tmp_path / "state", {"d": torch.zeros(1)}, {"epoch": 3})
    assert list(load_file(tmp_path / "state" / "tensors.safetensors")) == ["d"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state"]


def test_a_state_that_cannot_be_written_leaves_the_former(tmp_path: Path) -> None:
    save_state(tmp_path / "state", TENSORS, POSITION)
    with pytest.raises(TypeError, match="not JSON serializable"):
        save_state(tmp_path / "state", {"d": torch.zeros(1)}, {"epoch": object()})
    assert set(load_file(tmp_path / "state" / "tensors.safetensors")) == set(TENSORS)


def test_a_state_is_read_back(tmp_path: Path) -> None:
    assert load_state(tmp_path / "state") is None
    save_state(tmp_path / "state", TENSORS, POSITION)
    found = load_state(tmp_path / "state")
    assert found is not None
    assert found[1] == POSITION
    assert all(torch.equal(found[0][name], tensor.detach()) for name, tensor in TENSORS.items())


def test_a_state_put_aside_by_a_crash_is_found(tmp_path: Path) -> None:
    save_state(tmp_path / "state", TENSORS, POSITION)
    (tmp_path / "state").rename(tmp_path / ".state.old")
    assert load_state(tmp_path / "state") is not None


def test_a_damaged_state_is_named(tmp_path: Path) -> None:
    save_state(tmp_path / "state", TENSORS, POSITION)
    (tmp_path / "state" / "tensors.safetensors").write_bytes(b"no tensors")
    with pytest.raises(CheckpointError, match=r"tensors.safetensors: was truncated .* it has 10 of \d+ bytes"):
        load_state(tmp_path / "state")
    reseal(tmp_path / "state" / "tensors.safetensors")
    with pytest.raises(CheckpointError, match=r"tensors.safetensors: not a readable safetensors file"):
        load_state(tmp_path / "state")
