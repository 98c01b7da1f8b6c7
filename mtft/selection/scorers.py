"""What a selection score is made from, and what it must return; the setting `score` takes scores by name."""

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
"""Is called with the examples and the tokens of each micro-batch that was read."""


class Scorer(Protocol):
    """A score that is computed in steps, and can go on after any of them in another process, to the same bits."""

    @property
    def done(self) -> bool:
        """Whether no step is left."""

    def step(self, progress: ReadProgress | None = None) -> None:
        """Take the next step."""

    def score(self) -> Tensor:
        """Return one number per encoder weight [P], when all steps are taken."""

    def state_dict(self) -> dict[str, Tensor]:
        """Return the tensors that the steps so far led to."""

    @property
    def position(self) -> Sequence[int]:
        """How far the scorer is, in numbers of its own."""

    def load_state_dict(self, tensors: Mapping[str, Tensor], position: Sequence[int]) -> None:
        """Go on where another scorer of the same kind was."""


class Checkpoints(Protocol):
    """What keeps a scorer's state, so that a selection can go on."""

    def restore(self, scorer: Scorer) -> None:
        """Give the scorer the state that was saved last, if one was."""

    def after_step(self, scorer: Scorer) -> None:
        """Save the state of the scorer if that is due."""


@dataclass(frozen=True)
class Scoring:
    """What a score is made from: the pretrained model with fresh heads, and the training data in batches.

    `batches` map names of `sources` to their rows. `budget` is the tokens that go through the encoder at once. Draw
    from `seed` alone; dropout is wanted only if `dropout` says so. A score that is a `Scorer` can go on where it was
    stopped if it is computed by `complete`; others begin again.
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
        """Yield, batch by batch and task by task, the task and its mean loss's gradient by the encoder [P].

        The vector is the same one each time: clone it to keep it.
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
        """Return what dropout is drawn from in a task's batch, nothing if there is none."""
        return (self.seed, "select", task, number) if self.dropout else ()

    def complete(self, scorer: Scorer) -> Tensor:
        """Take all steps of a scorer that are left since the last checkpoint, if there is one; return its score."""
        if self.checkpoints:
            self.checkpoints.restore(scorer)
        while not scorer.done:
            scorer.step(self.progress)
            if self.checkpoints:
                self.checkpoints.after_step(scorer)
        return scorer.score()


Score = Callable[[Scoring], Tensor]


def checked(name: str, score: Score, scoring: Scoring) -> Tensor:
    """Return a score; PluginError names it if it fails or is not one number per encoder weight [P]."""
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
