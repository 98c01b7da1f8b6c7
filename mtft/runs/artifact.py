"""A file that a run makes once, before it trains; a resumed run reads it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from mtft.runs.checkpoint import write_tensors
from mtft.runs.run_directory import RunDirectory
from mtft.runtime.distributed import Group
from mtft.selection.mask import Mask, load_mask, save_mask

MASK = "mask.safetensors"


class RunArtifact:
    """Tensors in one file of a run, the same for all processes of a group."""

    def __init__(self, run: RunDirectory, group: Group, name: str) -> None:
        self.run, self.group, self.name = run, group, name

    def read(self) -> dict[str, Tensor]:
        """Return the tensors written so far, in all processes."""
        path = self.run.path / self.name
        found = self.group.load_on_first(lambda: (load_file(path), None) if path.is_file() else None)
        return dict(found[0]) if found else {}

    def write(self, tensors: Mapping[str, Tensor], *, whole: bool = True) -> None:
        """Replace the tensors on file; once they are `whole`, the file is final."""
        self.run.write(self.name, lambda path: write_tensors(path, tensors), final=whole)


def read_run_mask(run: Path, total: int, group: Group) -> Mask | None:
    """Return the run's mask of an encoder with `total` weights, in all processes; None without one."""

    def read() -> tuple[dict[str, Tensor], list[object]] | None:
        if not (run / MASK).is_file():
            return None
        mask = load_mask(run / MASK, total=total)
        return {"indices": mask.indices}, [mask.total, mask.base_digest, dict(mask.method)]

    if (found := group.load_on_first(read)) is None:
        return None
    size, digest, method = found[1]
    return Mask(found[0]["indices"], size, digest, method)


def write_run_mask(run: RunDirectory, mask: Mask) -> None:
    """Write the mask of a run, unless it exists; the file is final."""
    if (run.path / MASK).is_file():
        run.seal(MASK)
    else:
        run.write(MASK, lambda path: save_mask(path, mask))
        run.log_time(selected=len(mask.indices))
