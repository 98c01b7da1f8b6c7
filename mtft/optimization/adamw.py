"""AdamW over the selected entries of one flat vector: the state covers k numbers, no other entry is written.

Both rules are one update. With c1 = 1 - beta1^t, c2 = 1 - beta2^t and alpha = lr * sqrt(c2) / c1,

    m <- beta1 * m + (1 - beta1) * g
    v <- beta2 * v + (1 - beta2) * g^2
    theta <- theta - alpha * m / (sqrt(v) + e)

where "torch" (Loshchilov and Hutter 2019, as torch.optim.AdamW) has e = eps * sqrt(c2) and multiplies theta by
1 - lr * weight_decay before, and "cs224n" (the Stanford handout; Kingma and Ba 2015, end of section 2) has e = eps and
multiplies after. They differ where sqrt(v) is not far above eps, most so in the first steps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.optim.adamw import adamw

Rule = Literal["torch", "cs224n"]
_CHUNK = 1 << 18  # entries; on a CPU the passes over a chunk stay in its cache, and temporary memory stays that small


class PackedAdamW:
    """AdamW of `theta[selection]` in place, `theta` [P] float32; every other entry keeps its bits.

    `selection` is an int64 vector [k], ascending, or a slice. The state is `exp_avg` [k], `exp_avg_sq` [k] and `steps`.
    With `fused`, the default on CUDA, torch's fused kernel makes the update of the rule "torch".
    ValueError for wrong types or shapes, for indices out of order or range, and for hyperparameters out of range.
    """

    def __init__(
        self,
        theta: Tensor,
        selection: Tensor | slice,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        rule: Rule = "torch",
        fused: bool | None = None,
    ) -> None:
        _check(theta, selection, betas, eps, weight_decay, rule)
        self.betas, self.eps, self.weight_decay, self.rule = betas, eps, weight_decay, rule
        self._target = theta[selection] if isinstance(selection, slice) else theta
        self._indices = None if isinstance(selection, slice) else selection
        size = len(self._target if self._indices is None else self._indices)
        self.exp_avg = theta.new_zeros(size)
        self.exp_avg_sq = theta.new_zeros(size)
        self.steps = 0
        self._fused = rule == "torch" and (theta.is_cuda if fused is None else fused)
        self._chunk = _CHUNK if theta.device.type == "cpu" else max(size, 1)

    @torch.no_grad()
    def step(self, direction: Tensor, lr: float) -> None:
        """Move the selected entries against `direction` [k] float32 with learning rate `lr`."""
        if direction.shape != self.exp_avg.shape or direction.dtype != self.exp_avg.dtype:
            found = f"{direction.dtype} of shape {list(direction.shape)}"
            raise ValueError(f"direction is {found}, allowed: {self.exp_avg.dtype} {list(self.exp_avg.shape)}")
        self.steps += 1
        for start in range(0, len(direction), self._chunk):
            self._update(slice(start, start + self._chunk), direction, lr)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the state by name; the moments are the live tensors, not copies."""
        return {"exp_avg": self.exp_avg, "exp_avg_sq": self.exp_avg_sq, "steps": torch.tensor(self.steps)}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Copy a state that `state_dict` returned; ValueError names missing, unknown or misshapen entries."""
        own = self.state_dict()
        if set(state) != set(own):
            raise ValueError(f"optimizer state has {sorted(state)}, allowed: {sorted(own)}")
        for name, tensor in own.items():
            if state[name].shape != tensor.shape or state[name].dtype != tensor.dtype:
                found = f"{state[name].dtype} of shape {list(state[name].shape)}"
                raise ValueError(f"optimizer state {name} is {found}, allowed: {tensor.dtype} {list(tensor.shape)}")
        self.exp_avg.copy_(state["exp_avg"])
        self.exp_avg_sq.copy_(state["exp_avg_sq"])
        self.steps = int(state["steps"])

    def _update(self, part: slice, direction: Tensor, lr: float) -> None:
        gradient, exp_avg, exp_avg_sq = direction[part], self.exp_avg[part], self.exp_avg_sq[part]
        indices = None if self._indices is None else self._indices[part]
        values = self._target[part] if indices is None else self._target.index_select(0, indices)
        update = self._in_one if self._fused and values.is_contiguous() else self._in_passes
        update(values, gradient, exp_avg, exp_avg_sq, lr)
        if indices is not None:
            self._target.index_copy_(0, indices, values)

    def _in_passes(self, values: Tensor, gradient: Tensor, exp_avg: Tensor, exp_avg_sq: Tensor, lr: float) -> None:
        beta1, beta2 = self.betas
        root = math.sqrt(1 - beta2**self.steps)
        alpha = lr * root / (1 - beta1**self.steps)
        decay = 1 - lr * self.weight_decay
        if self.rule == "torch":
            values.mul_(decay)
        exp_avg.lerp_(gradient, 1 - beta1)
        exp_avg_sq.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        scale = exp_avg_sq.sqrt().add_(self.eps * root if self.rule == "torch" else self.eps)
        values.addcdiv_(exp_avg, scale, value=-alpha)
        if self.rule == "cs224n":
            values.mul_(decay)

    def _in_one(self, values: Tensor, gradient: Tensor, exp_avg: Tensor, exp_avg_sq: Tensor, lr: float) -> None:
        done = values.new_full((), self.steps - 1)  # torch adds one
        adamw(
            [values],
            [gradient],
            [exp_avg],
            [exp_avg_sq],
            [],
            [done],
            fused=True,
            amsgrad=False,
            beta1=self.betas[0],
            beta2=self.betas[1],
            lr=lr,
            weight_decay=self.weight_decay,
            eps=self.eps,
            maximize=False,
        )


def _check(
    theta: Tensor, selection: Tensor | slice, betas: tuple[float, float], eps: float, weight_decay: float, rule: str
) -> None:
    if theta.dtype != torch.float32 or theta.ndim != 1:
        raise ValueError(f"theta is {theta.dtype} of shape {list(theta.shape)}, allowed: torch.float32 [P]")
    if rule not in get_args(Rule):
        raise ValueError(f"rule is {rule!r}, allowed: {', '.join(get_args(Rule))}")
    if not (all(0 <= beta < 1 for beta in betas) and eps >= 0 and weight_decay >= 0):
        found = f"betas {betas}, eps {eps}, weight decay {weight_decay}"
        raise ValueError(f"{found}, allowed: 0 <= beta < 1, eps and weight decay from 0")
    if isinstance(selection, slice):
        return
    if selection.dtype != torch.int64 or selection.ndim != 1:
        raise ValueError(f"selection is {selection.dtype} of shape {list(selection.shape)}, allowed: torch.int64 [k]")
    if not bool((selection[1:] > selection[:-1]).all()):
        raise ValueError("selection is not strictly increasing")
    if len(selection) and not (selection[0] >= 0 and selection[-1] < len(theta)):
        found = f"{int(selection[0])} to {int(selection[-1])}"
        raise ValueError(f"selection reaches from {found}, allowed: 0 to {len(theta) - 1}")
