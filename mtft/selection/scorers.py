"""The input and the output of selection scores; the setting `score` names one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtft.errors import PluginError, plugin_guard
from mtft.model.flat import FlatParameters
from mtft.model.multitask import MultiTaskModel
from mtft.optimization.gradients import TrainingSource, accumulate
from mtft.runtime.distributed import ALONE, Group

Combination = Literal["joint", "normalised"]
Rows = Mapping[str, NDArray[np.int64]]
ReadProgress = Callable[[int, int], None]
"""Called with the numbers of examples and tokens of each processed micro-batch."""


class Scorer(Protocol):
    """A score computed in steps; another process can resume after any step, with bitwise the same result."""

    @property
    def done(self) -> bool:
        """Whether no step is left."""

    def step(self, progress: ReadProgress | None = None) -> None:
        """Take the next step."""

    def score(self) -> Tensor:
        """Return one number per encoder weight [P], after all steps."""

    def state_dict(self) -> dict[str, Tensor]:
        """Return the tensors computed so far."""

    @property
    def position(self) -> Sequence[int]:
        """The scorer's progress, in numbers that it defines."""

    def load_state_dict(self, tensors: Mapping[str, Tensor], position: Sequence[int]) -> None:
        """Restore the state of another scorer of the same kind."""


class Checkpoints(Protocol):
    """Stores a scorer's state, so that a selection can be resumed."""

    def restore(self, scorer: Scorer) -> None:
        """Restore the scorer's last saved state, if there is one."""

    def after_step(self, scorer: Scorer) -> None:
        """Save the scorer's state if a save is due."""


@dataclass(frozen=True)
class Scoring:
    """The input of a score: the pretrained model with fresh heads, and the training data in batches.

    `batches` map names of `sources` to their rows. `budget` is the number of tokens that the encoder processes at once.
    Draw random numbers from `seed` alone, and use dropout only if `dropout` is true. A `Scorer` can be resumed if it is
    computed by `complete`; other scores start again.
    """

    model: MultiTaskModel
    encoder: FlatParameters
    sources: Sequence[TrainingSource]
    batches: Sequence[Rows]
    combination: Combination = "joint"
    budget: int = 2048
    seed: int = 0
    dropout: bool = False
    group: Group = ALONE
    progress: ReadProgress | None = None
    checkpoints: Checkpoints | None = None

    def gradients(self) -> Iterator[tuple[str, Tensor]]:
        """Yield, for each batch and task, the task and the gradient [P] of its mean loss by the encoder's weights.

        The vector is reused: clone it to keep it.
        """
        self.model.train(self.dropout)
        for number, rows in enumerate(self.batches):
            for task in dict.fromkeys(source.task for source in self.sources if source.name in rows):
                present = [source for source in self.sources if source.task == task and source.name in rows]
                weight = sum(source.weight for source in present)
                parts = [(each, rows[each.name], each.weight / weight / len(rows[each.name])) for each in present]
                names = self.dropout_names(task, number)
                self.encoder.zero_grad()
                accumulate(self.model, parts, budget=self.budget, seed=names, progress=self.progress, group=self.group)
                self.group.sum(self.encoder.grad)
                yield task, self.encoder.grad
        self.encoder.zero_grad()

    def dropout_names(self, task: str, number: int) -> tuple[object, ...]:
        """Return the seed words of dropout for a task's batch, empty without dropout."""
        return (self.seed, "select", task, number) if self.dropout else ()

    def complete(self, scorer: Scorer) -> Tensor:
        """Run a scorer's remaining steps, from the last checkpoint if there is one; return its score."""
        if self.checkpoints:
            self.checkpoints.restore(scorer)
        while not scorer.done:
            scorer.step(self.progress)
            if self.checkpoints:
                self.checkpoints.after_step(scorer)
        return scorer.score()


Score = Callable[[Scoring], Tensor]


def checked(name: str, score: Score, scoring: Scoring) -> Tensor:
    """Compute a score; PluginError names it if it fails or does not return one number per encoder weight [P]."""
    part = f"score {name}"
    with plugin_guard(f"score {name!r}", part):
        found = score(scoring)
    theta = scoring.encoder.theta
    if not isinstance(found, Tensor) or found.shape != theta.shape:
        what = f"{list(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
        raise PluginError(
            f"score {name!r} gave {what} where one number per encoder weight, [{len(theta)}], is needed", part
        )
    return found.detach().to(theta.device, torch.float32)
