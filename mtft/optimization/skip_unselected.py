"""Skip gradients of weights outside the selection in the backward pass."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mtft.encoder.linear import Linear

MAX_GATHER_FRACTION = 0.9
"""Largest share of a matrix's rows for which gathering them is faster than the whole product."""


def skip_unselected_gradients(module: nn.Module, selection: Tensor | slice) -> None:
    """Limit autograd to those gradients of a module that `selection` reads from its flat vector [P].

    A tensor without selected entries gets no gradient, and the backward pass ends at the lowest tensor that has some.
    In a linear layer's weight, rows without selected entries are skipped. A new call replaces the former selection.
    """
    layers = {id(layer.weight): layer for layer in module.modules() if isinstance(layer, Linear)}
    start = 0
    for parameter in module.parameters():
        rows = _selected_rows(parameter, selection, start)
        start += parameter.numel()
        parameter.requires_grad_(rows is None or len(rows) > 0)
        if layer := layers.get(id(parameter)):
            layer.rows = rows if rows is not None and len(rows) < MAX_GATHER_FRACTION * len(parameter) else None


def _selected_rows(parameter: Tensor, selection: Tensor | slice, start: int) -> Tensor | None:
    """Return the rows of a parameter that hold selected entries, ascending; None for all rows."""
    if isinstance(selection, slice):
        return None
    ends = selection.new_tensor([start, start + parameter.numel()])
    low, high = torch.searchsorted(selection, ends).tolist()
    rows: Tensor = ((selection[low:high] - start) // parameter.shape[1:].numel()).unique_consecutive()
    return rows
