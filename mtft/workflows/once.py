"""What a run makes once, before it trains, and keeps on file: a run that goes on reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping

from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from mtft.checkpoint import write_tensors
from mtft.distributed import Group
from mtft.workflows.preparation import Prepared
from mtft.workflows.resume import check_material, material
from mtft.workflows.run_directory import RunDirectory

MATERIAL = "material"
"""Key of the file's metadata under which the digests of what it was made from are."""


class Once:
    """Tensors in one file of a run's, made from what is `prepared`; of several processes the first writes."""

    def __init__(self, run: RunDirectory, group: Group, name: str, prepared: Prepared) -> None:
        self.run, self.group, self.name = run, group, name
        self.material = material(prepared.sources, prepared.digest)

    def read(self) -> dict[str, Tensor]:
        """Return what is written so far, in all processes; CheckpointError if that is of other data or weights."""
        path = self.run.path / self.name
        there = self.run.writes and path.is_file()
        if not self.group.any(there):
            return {}
        former = {}
        if there:
            with safe_open(path, "pt") as file:
                former = json.loads((file.metadata() or {}).get(MATERIAL, "{}"))
        tensors, former = self.group.of_first(load_file(path) if there else {}, former)
        check_material(self.run.path, former, self.material)
        return tensors

    def write(self, tensors: Mapping[str, Tensor], *, whole: bool = True) -> None:
        """Write the tensors in place of those there are; once they are `whole`, they stay."""
        if self.run.writes:
            write_tensors(self.run.path / self.name, tensors, {MATERIAL: json.dumps(self.material)})
            if whole:
                self.run.seal(self.name)
