"""Everything that a resume needs, in one directory: tensors, position and counts."""

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
    """Replace the state by these tensors and this position."""
    with replaced_directory(directory) as fresh:
        write_tensors(fresh / "tensors.safetensors", dict(sorted(tensors.items())))
        write_json(fresh / "position.json", position)
        write_digests(fresh)


def load_state(directory: Path) -> tuple[Tensors, dict[str, Any]] | None:
    """Read tensors and position, after a crash while replacing those of the former state; None without any."""
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
    """Return saved scores by task and metric, with nan for JSON's null."""
    return {
        task: {name: math.nan if value is None else value for name, value in scores.items()}
        for task, scores in found.items()
    }


def stage(directory: Path) -> str | None:
    """Return the stage of the state in a directory, without reading tensors; None without a state."""
    recover_directory(directory)
    path = directory / FILES[1]
    return read_json(path).get("stage") if path.is_file() else None
