"""What a run makes once, before it trains, and keeps on file: a run that goes on reads it."""

from __future__ import annotations

from collections.abc import Callable

from safetensors.torch import load_file
from torch import Tensor

from mtft.checkpoint import write_tensors
from mtft.distributed import Group
from mtft.workflows.run_directory import RunDirectory


def once(run: RunDirectory, group: Group, name: str, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """Return the tensors in a file of the run's, in all processes of the group; without the file make and write it."""
    path = run.path / name
    there = group.any(run.writes and path.is_file())
    found = group.of_first(load_file(path) if run.writes else {}, None)[0] if there else make()
    if run.writes:
        if not there:
            write_tensors(path, found)
        run.seal(name)
    return found
