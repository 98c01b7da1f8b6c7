"""The head that a refinement is training."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from mtft.tasks.task import Task
from mtft.training.early_stopping import Best
from mtft.training.loop import Plan
from mtft.training.step import Stepper
from mtft.training.tally import Tally


@dataclass
class CurrentHead:
    """The head in training: its stepper, the best head so far, and how far it is."""

    task: Task
    stepper: Stepper
    plan: Plan
    best: Best
    kept: Tensor
    epochs: int = 0
    steps: int = 0
    tokens: int = 0
    bad: int = 0
    tally: Tally = field(default_factory=Tally)

    @property
    def head(self) -> Tensor:
        return self.stepper.heads[self.task.name].theta
