"""How much each task's gradient counts, before surgery and for its head alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

LARGEST = 1000.0
"""Most that the logarithm of a loss can multiply its gradient by."""


@dataclass(frozen=True)
class Scaling:
    """Factors of the tasks' gradients: a constant `weights` each, 1 if not named, and what `kind` makes of the loss.

    "log" descends on the logarithm of each task's loss: its gradient is that of the loss divided by the loss, so that
    cross entropies and squared errors count alike (Lin et al. 2023, "Dual-Balancing for Multi-Task Learning").
    """

    kind: Literal["none", "log"] = "none"
    weights: Mapping[str, float] = field(default_factory=dict)

    def factor(self, task: str, loss: float) -> float:
        """Return what multiplies the gradient of a task whose loss has this value."""
        scale = min(LARGEST, 1 / loss) if self.kind == "log" and loss > 0 else 1.0
        return scale * self.weights.get(task, 1.0)


NO_SCALING = Scaling()
"""Every task counts as its loss does."""
