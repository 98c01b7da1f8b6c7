"""What a run makes once, before it trains, and keeps on file: a run that goes on reads it."""

from __future__ import annotations

from collections.abc import Mapping

from safetensors.torch import load_file
from torch import Tensor

from mtft.runs.checkpoint import write_tensors
from mtft.runs.directory import RunDirectory
from mtft.runtime.distributed import Group


class RunArtifact:
    """Tensors in one file of a run's; of several processes the first writes."""

    def __init__(self, run: RunDirectory, group: Group, name: str) -> None:
        self.run, self.group, self.name = run, group, name

    def read(self) -> dict[str, Tensor]:
        """Return what is written so far, in all processes."""
        path = self.run.path / self.name
        there = self.run.writes and path.is_file()
        if not self.group.any(there):
            return {}
        return self.group.of_first(load_file(path) if there else {}, None)[0]

    def write(self, tensors: Mapping[str, Tensor], *, whole: bool = True) -> None:
        """Write the tensors in place of those there are; once they are `whole`, they stay."""
        if self.run.writes:
            write_tensors(self.run.path / self.name, tensors)
            if whole:
                self.run.seal(self.name)
