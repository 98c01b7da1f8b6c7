"""Scores of the importance of each encoder weight at the start of training.

The second-order approximation of Fu et al. 2022 (arXiv 2211.15583) keeps the weights with the largest squared gradient
of the training loss. Heads are still untrained, so random heads are used. The other scores are baselines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from mtft.optimization.gradients import MicroBatches, TrainingSource
from mtft.runtime.seeding import torch_generator
from mtft.selection.scorers import ReadProgress, Rows, Scoring

Statistic = Literal["sum", "abs", "fisher"]


class GradientScorer:
    """Scores every encoder weight [P] by the gradient of the whole loss over some batches.

    "sum" squares the summed gradient, "abs" sums absolute gradients over batches and squares the sum, and "fisher"
    sums squared gradients over batches. Each task's loss is its mean over all rows, so that all tasks have equal
    weight. "joint" adds the tasks' gradients (with "sum"), their absolute gradients ("abs") or their scores ("fisher");
    with the latter two, each task has its own batches. "normalised" first divides each task's score by its sum.

    A step is a micro-batch. With several processes, which read a share each and get the same score, a step is a batch.
    The position counts the finished tasks, the finished batches of the current task, and the finished micro-batches of
    the current batch.
    """

    def __init__(self, scoring: Scoring, statistic: Statistic) -> None:
        self.scoring, self.statistic = scoring, statistic
        self.model, self.flat, self.group = scoring.model, scoring.encoder, scoring.group
        self.counts = {
            source.name: sum(len(rows.get(source.name, ())) for rows in scoring.batches) for source in scoring.sources
        }
        self.tasks = list(dict.fromkeys(source.task for source in scoring.sources))
        self.total = torch.zeros_like(self.flat.theta)
        self.normalised = scoring.combination == "normalised"
        self._score = torch.zeros_like(self.total) if self.normalised else self.total
        self.model.train(scoring.dropout)
        self.flat.zero_grad()
        self._task = self._batch = self._micro = 0
        self._begin_task()

    @property
    def done(self) -> bool:
        return self._task == len(self.tasks)

    @property
    def position(self) -> Sequence[int]:
        return self._task, self._batch, self._micro

    def step(self, progress: ReadProgress | None = None) -> None:
        """Process the next micro-batch (several processes: the next batch); call `progress` for each micro-batch."""
        current = self._micro_batches()
        while self._micro < len(current):
            current.add(self._micro, progress)
            self._micro += 1
            if self.group.size == 1:
                break
        if self._micro == len(current):
            self._end_batch()

    def score(self) -> Tensor:
        """Return the score [P] after all steps."""
        return self.total

    def state_dict(self) -> dict[str, Tensor]:
        """Return the sums so far, and the gradient of the current batch."""
        sums = {"total": self.total, "score": self._score} if self.normalised else {"total": self.total}
        return {**sums, "grad": self.flat.grad}

    def load_state_dict(self, tensors: Mapping[str, Tensor], position: Sequence[int]) -> None:
        """Restore what `state_dict` and `position` returned; several processes restart their current batch."""
        self.total.copy_(tensors["total"])
        if self.normalised:
            self._score.copy_(tensors["score"])
        self._task, self._batch, self._micro = position
        if self.group.size == 1:
            self.flat.grad.copy_(tensors["grad"])
        else:  # one process's part of a batch cannot be divided among several
            self._micro = 0
        self._begin_task()

    def _begin_task(self) -> None:
        """Find the sources and batches of the next task that has any, and start at the current position."""
        while not self.done:
            task = self.tasks[self._task]
            self._present = [each for each in self.scoring.sources if each.task == task and self.counts[each.name]]
            self._batches = _batches_of(self._present, self.scoring.batches, whole=self.statistic == "sum")
            self._open: MicroBatches | None = None
            if self._batch < len(self._batches):
                return
            self._end_task()

    def _micro_batches(self) -> MicroBatches:
        """Return the micro-batches of the current batch."""
        if self._open is None:
            rows, task = self._batches[self._batch], self.tasks[self._task]
            weight = sum(source.weight for source in self._present)
            scales = {source.name: source.weight / weight / self.counts[source.name] for source in self._present}
            parts = [(each, rows[each.name], scales[each.name]) for each in self._present if each.name in rows]
            names = self.scoring.dropout_names(task, self._batch)
            self._open = MicroBatches(self.model, parts, budget=self.scoring.budget, seed=names, group=self.group)
        return self._open

    def _end_batch(self) -> None:
        """Add a batch's gradient to the score."""
        grad = self.group.sum(self.flat.grad)
        if self.statistic == "sum":
            self._score += grad
        elif self.statistic == "abs":
            self._score += grad.abs()
        else:
            self._score.addcmul_(grad, grad)
        self.flat.zero_grad()
        self._batch, self._micro, self._open = self._batch + 1, 0, None
        if self._batch == len(self._batches):
            self._end_task()
            self._begin_task()

    def _end_task(self) -> None:
        """Add a task's score to the total if tasks are normalised; else finish the joint score after the last task."""
        self._task, self._batch, self._micro = self._task + 1, 0, 0
        if self.statistic != "fisher" and (self.normalised or self.done):
            self._score.square_()
        if self.normalised:
            whole = self._score.cpu().sum(dtype=torch.float64).clamp_min(torch.finfo(self._score.dtype).tiny)
            self.total += self._score / float(whole)
            self._score.zero_()


def _batches_of(sources: Sequence[TrainingSource], batches: Sequence[Rows], *, whole: bool) -> list[Rows]:
    """Return the batches that hold any of the sources or, if only the total matters, all rows as one batch."""
    names = [source.name for source in sources]
    held = [rows for rows in batches if any(name in rows for name in names)]
    if not whole or not held:
        return held
    return [{name: np.concatenate([rows[name] for rows in held if name in rows]) for name in names}]


def sum_score(scoring: Scoring) -> Tensor:
    """Return the squared gradient [P] of the whole loss."""
    return scoring.complete(GradientScorer(scoring, "sum"))


def abs_score(scoring: Scoring) -> Tensor:
    """Return the squared sum [P] of the batches' absolute gradients."""
    return scoring.complete(GradientScorer(scoring, "abs"))


def fisher_score(scoring: Scoring) -> Tensor:
    """Return the sum [P] of the batches' squared gradients."""
    return scoring.complete(GradientScorer(scoring, "fisher"))


def random_score(scoring: Scoring) -> Tensor:
    """Draw scores [P] uniformly: a random mask."""
    return torch.rand(len(scoring.encoder), generator=torch_generator(scoring.seed, "random-score"))


def magnitude_score(scoring: Scoring) -> Tensor:
    """Score weights [P] by their absolute value."""
    return scoring.encoder.theta.abs()


def bias_score(scoring: Scoring) -> Tensor:
    """Score biases one and all other weights zero (BitFit, Zaken et al. 2022)."""
    score = torch.zeros_like(scoring.encoder.theta)
    for name, part in zip(scoring.encoder.names, score.split(scoring.encoder.sizes), strict=True):
        if name.endswith(".bias"):
            part.fill_(1.0)
    return score
