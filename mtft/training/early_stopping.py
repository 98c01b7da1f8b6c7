"""Find the best epoch so far, and stop when no better one comes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mtft.errors import ConfigError, unknown
from mtft.metrics import metric
from mtft.tasks.task import Task


@dataclass
class Best:
    """Follows a score over epochs.

    `rule` is "mean" (of the tasks' primary metrics), "last", or one "task.metric". In the mean an undefined score
    counts as 0, an undefined error as infinite. While no score is defined, the last epoch is kept. `cut_at` is the step
    at which the best epoch was cut short, 0 if it was whole.
    """

    rule: str
    patience: int | None = None
    score: float = -math.inf
    epoch: int = 0
    stale: int = 0
    cut_at: int = 0

    def check(self, tasks: tuple[Task, ...]) -> None:
        """Raise ConfigError unless the rule names a metric of these tasks."""
        allowed = ["mean", "last", *(f"{task.name}.{name}" for task in tasks for name in task.metric_names)]
        if self.rule not in allowed:
            raise ConfigError(unknown("rule", self.rule, allowed), setting="best")

    def rate(self, primary: Mapping[str, str], scores: Mapping[str, Mapping[str, float]]) -> float:
        """Return the score of an epoch, -inf if none is defined; `primary` names each task's primary metric."""
        if all(math.isnan(scores[task][name]) for task, name in primary.items()):
            return -math.inf
        if self.rule in ("mean", "last"):
            return sum(_oriented(name, scores[task][name], 0.0) for task, name in primary.items()) / len(primary)
        task, _, name = self.rule.partition(".")
        return _oriented(name, scores[task][name], -math.inf)

    def update(self, epoch: int, score: float, cut_at: int = 0) -> bool:
        """Add an epoch's score; return whether this epoch is the best so far."""
        nothing_known = self.epoch >= 0 and score == self.score == -math.inf
        if self.rule == "last" or score > self.score or nothing_known or not self.epoch:
            self.score, self.epoch, self.stale, self.cut_at = score, epoch, 0, cut_at
            return True
        self.stale += 1
        return False

    def state(self) -> dict[str, Any]:
        """Return the state as plain values."""
        return {"score": self.score, "epoch": self.epoch, "stale": self.stale, "cut_at": self.cut_at}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore what `state` returned; in JSON a score of -inf is null."""
        self.score = -math.inf if state["score"] is None else state["score"]
        self.epoch, self.stale, self.cut_at = state["epoch"], state["stale"], state.get("cut_at", 0)

    @property
    def exhausted(self) -> bool:
        """Whether patience has run out."""
        return self.patience is not None and self.stale >= self.patience


def _oriented(name: str, value: float, undefined: float) -> float:
    """Return a metric's value such that more is better; without one `undefined`, or -inf if the metric is an error."""
    if metric(name).higher_is_better:
        return undefined if math.isnan(value) else value
    return -math.inf if math.isnan(value) else -value
