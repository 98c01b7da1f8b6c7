"""Averages of the trained values over steps; they are evaluated and saved instead of the last values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor

from mtft.training.step import Stepper

Average = Literal["ema", "swa"]


def weight(kind: Average, amount: float, step: int, total: int) -> float:
    """Return the weight in the average of the values after `step` (from 1) of `total`.

    "ema" is the exponential moving average with decay `amount`. Its first steps use the plain mean, so that the initial
    values are soon forgotten. "swa" is the plain mean of the steps after the share `amount` of all steps (Izmailov et
    al. 2018, "Averaging Weights Leads to Wider Optima"); before that point it is the last values.
    """
    if kind == "ema":
        return max(1 - amount, 1 / step)
    return 1 / max(step - int(amount * total), 1)


class Averages:
    """Average of a stepper's selected encoder weights [k] and heads; `weight` explains `kind` and `amount`."""

    def __init__(self, stepper: Stepper, kind: Average, amount: float, total: int) -> None:
        self.kind, self.amount, self.total = kind, amount, total
        self.targets: dict[str, tuple[Tensor, Tensor | slice]] = {
            f"head.{task}": (head.theta, slice(None)) for task, head in stepper.heads.items()
        }
        if stepper.selection is not None:
            self.targets["encoder"] = (stepper.encoder.theta, stepper.selection)
        self.values = {name: theta[chosen].clone() for name, (theta, chosen) in self.targets.items()}
        self._swapped = False

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Add the values after a step, counted from 1, to the average."""
        share = weight(self.kind, self.amount, step, self.total)
        for name, (theta, chosen) in self.targets.items():
            self.values[name].lerp_(theta[chosen], share) if share < 1 else self.values[name].copy_(theta[chosen])

    @contextmanager
    def applied(self, applied: bool = True) -> Iterator[None]:
        """Put the averages, or with False the last values, in place inside the block, which must not change them."""
        before = self._swapped
        self._swap(applied)
        try:
            yield
        finally:
            self._swap(before)

    def _swap(self, applied: bool) -> None:
        if applied == self._swapped:
            return
        self._swapped = applied
        for name, (theta, chosen) in self.targets.items():
            now = theta[chosen].clone()
            theta[chosen] = self.values[name]
            self.values[name].copy_(now)

    def state(self) -> dict[str, Tensor]:
        """Return the averages by name."""
        return {f"average.{name}": values for name, values in self.values.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` returned."""
        for name, values in self.values.items():
            values.copy_(state[f"average.{name}"])
