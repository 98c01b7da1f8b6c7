"""Selection scores, by the names that the setting `score` takes: each returns a number per encoder weight [P]."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mtft.data.sampling import Rows
from mtft.errors import PluginError, plugin_guard
from mtft.model.flat import FlatParameters
from mtft.model.multitask import MultiTaskModel
from mtft.optimization.gradients import TrainingSource, accumulate
from mtft.runtime.distributed import ALONE, Group
from mtft.selection.gradient_score import (
    Combination,
    Position,
    Save,
    Statistic,
    bias_score,
    gradient_score,
    magnitude_score,
    random_score,
)


@dataclass(frozen=True)
class Scoring:
    """What a score is made from: the pretrained model with fresh heads, and the training data in batches.

    `batches` map names of `sources` to their rows. `budget` is the tokens that go through the encoder at once. Draw
    from `seed` alone; dropout is wanted only if `dropout` says so. `start` and `keep` are for those that can go on
    where they were stopped (`mtft.selection.gradient_score.gradient_score`); others begin again.
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
    progress: Callable[[int, int], None] | None = None
    start: tuple[Mapping[str, Tensor], Position] | None = None
    keep: Callable[[Save], None] | None = None

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
                names = (self.seed, "select", task, number) if self.dropout else ()
                self.encoder.zero_grad()
                accumulate(self.model, parts, budget=self.budget, seed=names, progress=self.progress, group=self.group)
                self.group.sum(self.encoder.grad)
                yield task, self.encoder.grad
        self.encoder.zero_grad()


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


def by_sum(scoring: Scoring) -> Tensor:
    """Squared gradient of the whole loss."""
    return _by_gradient(scoring, "sum")


def by_abs(scoring: Scoring) -> Tensor:
    """Absolute gradients, batch by batch, added and squared."""
    return _by_gradient(scoring, "abs")


def by_fisher(scoring: Scoring) -> Tensor:
    """Squared gradients, batch by batch, added."""
    return _by_gradient(scoring, "fisher")


def by_chance(scoring: Scoring) -> Tensor:
    """Uniform draws: a random mask."""
    return random_score(len(scoring.encoder), scoring.seed)


def by_magnitude(scoring: Scoring) -> Tensor:
    """Absolute values."""
    return magnitude_score(scoring.encoder.theta)


def by_bias(scoring: Scoring) -> Tensor:
    """One for biases, zero for the rest."""
    return bias_score(scoring.encoder)


def _by_gradient(scoring: Scoring, statistic: Statistic) -> Tensor:
    return gradient_score(
        scoring.model,
        scoring.encoder,
        scoring.sources,
        scoring.batches,
        statistic=statistic,
        combination=scoring.combination,
        budget=scoring.budget,
        seed=scoring.seed if scoring.dropout else None,
        progress=scoring.progress,
        group=scoring.group,
        start=scoring.start,
        keep=scoring.keep,
    )
