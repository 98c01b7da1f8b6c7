"""Leave out of the backward pass what nobody will read: gradients of weights outside the selection."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mtft.encoder.linear import Linear

MAX_GATHER_FRACTION = 0.9
"""Largest share of a matrix's rows for which gathering them beats the whole product."""


def skip_unselected_gradients(module: nn.Module, selection: Tensor | slice) -> None:
    """Let autograd compute just those gradients of a module that `selection` reads from its flat vector [P].

    A tensor with nothing selected needs no gradient, nor does anything below the lowest tensor that has one; of a
    linear layer's weight, rows with nothing selected are left out. Called again, it forgets the former selection.
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
    """Return the first indices of the parameter's selected entries, each once; None for all."""
    if isinstance(selection, slice):
        return None
    ends = selection.new_tensor([start, start + parameter.numel()])
    low, high = torch.searchsorted(selection, ends).tolist()
    rows: Tensor = ((selection[low:high] - start) // parameter.shape[1:].numel()).unique_consecutive()
    return rows
