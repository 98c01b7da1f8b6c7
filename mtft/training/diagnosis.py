"""Where numbers stop being finite: which examples, which layer, which weights' gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mtft.data.packing import micro_batches, pack
from mtft.model import MultiTaskModel
from mtft.optimization.flat import FlatParameters
from mtft.optimization.gradients import TrainingSource, example_losses

SHOWN = 5
"""Examples named at most."""


def all_finite(x: Tensor) -> bool:
    """Tell whether all entries of a vector are finite: one pass; a second only where their squares overflow."""
    return bool(torch.dot(x, x).isfinite()) or bool(x.isfinite().all())


@torch.no_grad()
def not_finite_outputs(
    model: MultiTaskModel, sources: Sequence[TrainingSource], rows: Mapping[str, NDArray[np.int64]], budget: int
) -> list[str]:
    """Run one task's rows again, without dropout, and name the examples and the first layer that are not finite."""
    layers: list[str] = []

    def look(name: str) -> Any:
        def hook(_module: nn.Module, _inputs: object, output: object) -> None:
            if isinstance(output, Tensor) and not layers and not bool(output.isfinite().all()):
                layers.append(name)

        return hook

    leaves = [(name, part) for name, part in model.named_modules() if not list(part.children())]
    hooks = [part.register_forward_hook(look(name)) for name, part in leaves]
    training = model.training
    model.eval()
    found = []
    device = next(model.parameters()).device
    for source in sources:
        every = rows[source.name]
        for cut in micro_batches(source.table.example_lengths[every], budget):
            mine = every[cut]
            outputs = model(pack((source.table, mine), device=device), [source.task])[source.task]
            wrong = ~example_losses(source, outputs, mine).isfinite().cpu().numpy()
            found += [
                f"{source.name} {source.ids[row] if source.ids else row}" for row in np.sort(mine[wrong]).tolist()
            ]
    model.train(training)
    for hook in hooks:
        hook.remove()
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    named = [f"examples {', '.join(found[:SHOWN])}{more}"] if found else []
    return named + [f"first in layer {name}" for name in layers]


def not_finite_entries(flat: FlatParameters, selection: Tensor | slice | None, gradient: Tensor) -> list[str]:
    """Name the first parameter with an entry in `gradient` [k] of its selected weights that is not finite."""
    wrong = (~gradient.isfinite()).nonzero()
    if not len(wrong):
        return []
    place = int(wrong[0]) if selection is None or isinstance(selection, slice) else int(selection[int(wrong[0])])
    owner = int(np.searchsorted(np.cumsum(flat.sizes), place, side="right"))
    return [f"gradient of {flat.names[owner]}"]
