"""The flat vector: all weights of a module in one tensor, all gradients in another, parameters as views."""

from __future__ import annotations

import torch
from torch import nn


def flatten(module: nn.Module) -> torch.Tensor:
    """Move a module's weights into one float32 vector [P], make the parameters views of it, and return it.

    On a CPU the last bits of a product depend on where its matrices begin in memory, so modules with the same layout
    give the same bits.
    """
    parameters = list(module.parameters())
    vector = torch.cat([parameter.detach().reshape(-1).float() for parameter in parameters])
    parts = vector.split([parameter.numel() for parameter in parameters])
    for parameter, part in zip(parameters, parts, strict=True):
        parameter.data = part.view(parameter.shape)
    return vector


class FlatParameters:
    """One vector `theta` [P] that holds a module's weights and one `grad` [P] that autograd adds into.

    Every parameter and its ``.grad`` are views, so whatever acts on the vector acts on the module. Zero with
    `zero_grad` here, never with ``module.zero_grad()``, which would drop the views.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.names = [name for name, _ in module.named_parameters()]
        self.shapes = [parameter.shape for parameter in module.parameters()]
        self.sizes = [shape.numel() for shape in self.shapes]
        self.theta = flatten(module)
        self.grad = torch.zeros_like(self.theta)
        self._bind()

    def __len__(self) -> int:
        return len(self.theta)

    def _bind(self) -> None:
        for vector, name in ((self.theta, "data"), (self.grad, "grad")):
            if len(vector):  # frozen, there are no gradients to bind
                parts = vector.split(self.sizes)
                for parameter, shape, part in zip(self.module.parameters(), self.shapes, parts, strict=True):
                    setattr(parameter, name, part.view(shape))

    def zero_grad(self) -> None:
        """Zero all gradients in place."""
        self.grad.zero_()

    def freeze(self) -> None:
        """Drop the gradient vector and freeze the module, which is only read from then on."""
        self.grad = self.theta.new_zeros(0)
        for parameter in self.module.parameters():
            parameter.grad = None
            parameter.requires_grad_(False)

    def thaw(self) -> None:
        """Undo `freeze`; gradients are zero."""
        self.grad = torch.zeros_like(self.theta)
        for parameter in self.module.parameters():
            parameter.requires_grad_(True)
        self._bind()

    def to(self, device: torch.device | str) -> None:
        """Move the vectors, and buffers if there are any, and bind the views again."""
        self.theta, self.grad = self.theta.to(device), self.grad.to(device)
        for buffer in self.module.buffers():
            buffer.data = buffer.to(device)
        self._bind()
