"""Factors of the tasks' gradients, applied before surgery and to the heads too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

LARGEST = 1000.0
"""Largest factor that "log" gives a gradient."""


@dataclass(frozen=True)
class Scaling:
    """Factors of the tasks' gradients: a constant of `weights` (default 1), times a factor of the loss by `kind`.

    "log" descends on the logarithm of each task's loss: its gradient is that of the loss divided by the loss, so that
    cross entropies and squared errors count alike (Lin et al. 2023, "Dual-Balancing for Multi-Task Learning").
    """

    kind: Literal["none", "log"] = "none"
    weights: Mapping[str, float] = field(default_factory=dict)

    def factor(self, task: str, loss: float) -> float:
        """Return the factor of a task's gradient, given its loss."""
        scale = min(LARGEST, 1 / loss) if self.kind == "log" and loss > 0 else 1.0
        return scale * self.weights.get(task, 1.0)


NO_SCALING = Scaling()
"""All factors are 1."""
