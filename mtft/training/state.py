"""Everything that a training needs to go on: tensors, position and counts, in one directory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from mtft.checkpoint import write_tensors
from mtft.files import replaced_directory, write_json


def save_state(directory: Path, tensors: Mapping[str, Tensor], position: Mapping[str, Any]) -> None:
    """Write tensors and position in place of the former state."""
    with replaced_directory(directory) as fresh:
        write_tensors(fresh / "tensors.safetensors", dict(sorted(tensors.items())))
        write_json(fresh / "position.json", position)
