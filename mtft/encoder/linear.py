"""The layers that hold an encoder's weights; their gradients are added directly to ``weight.grad``.

Autograd would build each micro-batch's gradient separately and then add it, and it cannot compute the gradient of some
rows only. Without a ``.grad`` (nothing was accumulated yet) the layers are ordinary autograd functions.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class Linear(nn.Linear):
    """``nn.Linear`` that can skip the gradient of some rows of its weight.

    `rows` are the ascending indices of the rows whose gradient is needed; None means all.
    """

    rows: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, in] to [N, out]; inputs of other ranks are handled by torch, with the gradient of all rows."""
        if x.ndim != 2:
            return super().forward(x)
        if not x.is_meta and torch.is_autocast_enabled(x.device.type):
            x = x.to(torch.get_autocast_dtype(x.device.type))
        mapped: Tensor = _Linear.apply(x, self.weight, self.bias, self.rows)  # type: ignore[no-untyped-call]
        return mapped


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, rows: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.parameters, ctx.rows = (weight, bias), rows
        matrix = weight.to(x.dtype).t()
        return x @ matrix if bias is None else torch.addmm(bias.to(x.dtype), x, matrix)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        x, _ = ctx.saved_tensors
        weight, bias = ctx.parameters
        grad_x = grad @ weight.to(grad.dtype) if ctx.needs_input_grad[0] else None
        new_weight = new_bias = None
        if ctx.needs_input_grad[1]:
            into, new_weight = _target(weight)
            if ctx.rows is not None:
                into.index_add_(0, ctx.rows, (grad.index_select(1, ctx.rows).t() @ x).to(into.dtype))
            elif x.dtype == into.dtype:
                into.addmm_(grad.t(), x)
            else:
                into.add_(grad.t() @ x)
        if ctx.needs_input_grad[2]:
            into, new_bias = _target(bias)
            if grad.dtype == into.dtype:
                into.addmv_(grad.t(), grad.new_ones(len(grad)))
            else:
                into.add_(grad.sum(0, dtype=into.dtype))
        return grad_x, new_weight, new_bias, None


class Embedding(nn.Embedding):
    """``nn.Embedding`` whose gradient touches only the rows looked up."""

    def reset_parameters(self) -> None:
        """Draw fresh weights, except on the meta device, where torch would import its compiler (2 s)."""
        if not self.weight.is_meta:
            super().reset_parameters()

    def forward(self, ids: Tensor) -> Tensor:
        """Return the rows [N, H] of ids [N]."""
        rows: Tensor = _Lookup.apply(self.weight, ids)  # type: ignore[no-untyped-call]
        return rows


class _Lookup(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, ids: Tensor) -> Tensor:
        ctx.save_for_backward(ids)
        ctx.weight = weight
        return weight.index_select(0, ids)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None]:
        (ids,) = ctx.saved_tensors
        into, made = _target(ctx.weight)
        into.index_add_(0, ids, grad)
        return made, None


def _target(parameter: Tensor) -> tuple[Tensor, Tensor | None]:
    """Return the tensor to add a parameter's gradient to, and the gradient to return to autograd."""
    if parameter.grad is not None:
        return parameter.grad, None
    fresh = torch.zeros_like(parameter)
    return fresh, fresh
