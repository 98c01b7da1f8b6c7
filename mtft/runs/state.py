"""Everything that a training needs to go on: tensors, position and counts, in one directory."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from mtft.errors import CheckpointError
from mtft.io.digests import check_digests, check_tree, write_digests
from mtft.io.directories import recover_directory, replaced_directory
from mtft.io.files import read_json, write_json
from mtft.runs.checkpoint import write_tensors

Tensors = dict[str, Tensor]
FILES = ("tensors.safetensors", "position.json")


def save_state(directory: Path, tensors: Mapping[str, Tensor], position: Mapping[str, Any]) -> None:
    """Write tensors and position in place of the former state."""
    with replaced_directory(directory) as fresh:
        write_tensors(fresh / "tensors.safetensors", dict(sorted(tensors.items())))
        write_json(fresh / "position.json", position)
        write_digests(fresh)


def load_state(directory: Path) -> tuple[Tensors, dict[str, Any]] | None:
    """Read tensors and position, those of the former state if a crash stopped the replacing; None without any."""
    recover_directory(directory)
    if not directory.exists():
        return None
    check_tree(directory)
    check_digests(directory, FILES)
    path = directory / "tensors.safetensors"
    try:
        return load_file(path), read_json(directory / "position.json")
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: not a readable safetensors file: {error}") from None


def scores_of(found: Mapping[str, Mapping[str, float | None]]) -> dict[str, dict[str, float]]:
    """Return scores by task and metric as they were before they were saved: JSON has null for nan."""
    return {
        task: {name: math.nan if value is None else value for name, value in scores.items()}
        for task, scores in found.items()
    }


def stage(directory: Path) -> str | None:
    """Return what the state in a directory is of, without its tensors; None without any."""
    recover_directory(directory)
    path = directory / FILES[1]
    return read_json(path).get("stage") if path.is_file() else None
