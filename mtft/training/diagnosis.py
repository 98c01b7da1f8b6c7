"""Find where numbers stop being finite: the examples, the layer, the parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mtft.data.packing import micro_batches, pack
from mtft.model.flat import FlatParameters
from mtft.model.multitask import MultiTaskModel
from mtft.optimization.gradients import TrainingSource, example_losses

SHOWN = 5
"""Largest number of examples that are named."""


def usable(x: Tensor) -> bool:
    """Return whether all entries of a gradient [k] and their squares, which AdamW sums, are finite; takes one pass."""
    return bool(torch.dot(x, x).isfinite())


@torch.no_grad()
def not_finite_outputs(
    model: MultiTaskModel, sources: Sequence[TrainingSource], rows: Mapping[str, NDArray[np.int64]], budget: int
) -> list[str]:
    """Run one task's rows again, without dropout, and name the examples and the first layer that are not finite.

    If every loss is finite this time, all examples are named.
    """
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
    found, every = [], []
    device = next(model.parameters()).device
    for source in sources:
        names = source.ids or range(len(source))
        every += [f"{source.name} {names[row]}" for row in rows[source.name].tolist()]
        for cut in micro_batches(source.table.example_lengths[rows[source.name]], budget):
            mine = rows[source.name][cut]
            outputs = model(pack((source.table, mine), device=device), [source.task])[source.task]
            wrong = ~example_losses(source, outputs, mine).isfinite().cpu().numpy()
            found += [f"{source.name} {names[row]}" for row in np.sort(mine[wrong]).tolist()]
    model.train(training)
    for hook in hooks:
        hook.remove()
    shown = found or every
    more = f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
    named = f"{'examples' if found else 'one of the examples'} {', '.join(shown[:SHOWN])}{more}"
    return [named, *(f"first in layer {name}" for name in layers)]


def not_finite_entries(flat: FlatParameters, selection: Tensor | slice | None, gradient: Tensor) -> list[str]:
    """Name the first parameter with an entry of `gradient` [k] that is not `usable`."""
    return first_entry(flat, selection, gradient, ~gradient.square().isfinite(), "gradient")


def first_entry(
    flat: FlatParameters, selection: Tensor | slice | None, numbers: Tensor, wrong: Tensor, what: str
) -> list[str]:
    """Name the parameter of the first of the `numbers` [k] that is marked as `wrong` [k], if there is one."""
    if not bool(wrong.any()):
        return []
    at = int(wrong.nonzero()[0])
    entry = at if selection is None or isinstance(selection, slice) else int(selection[at])
    owner = int(np.searchsorted(np.cumsum(flat.sizes), entry, side="right"))
    return [f"{what} of {flat.names[owner]}: {float(numbers[at]):.3g}"]
