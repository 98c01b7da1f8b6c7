"""Sums over the steps of an epoch, divided once at the end: losses per task, conflicts per pair of tasks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from itertools import combinations
from typing import Any

from mtft.training.step import StepResult


class Tally:
    """Sums over steps; `losses` and `conflicts` return the means."""

    def __init__(self) -> None:
        self.steps = 0
        self.tokens = 0
        self._changed = 0.0
        self._sums: defaultdict[str, float] = defaultdict(float)
        self._counts: defaultdict[str, float] = defaultdict(float)

    def add(self, result: StepResult) -> None:
        """Count one step."""
        self.steps += 1
        self.tokens += result.tokens
        self._changed += result.changed
        for task, loss in result.losses.items():
            self._sums[task] += loss
            self._counts[task] += 1
        for pair, cosine in pair_cosines(result).items():
            self._sums[pair] += cosine
            self._counts[pair] += 1
            self._counts[f"{pair} in conflict"] += cosine < 0

    def state(self) -> dict[str, Any]:
        """Return the sums as plain values."""
        sums = {"sums": dict(self._sums), "counts": dict(self._counts), "changed": self._changed}
        return {"steps": self.steps, "tokens": self.tokens, **sums}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore what `state` returned."""
        self.steps, self.tokens, self._changed = state["steps"], state["tokens"], state["changed"]
        self._sums = defaultdict(float, state["sums"])
        self._counts = defaultdict(float, state["counts"])

    def losses(self) -> dict[str, float]:
        """Return the mean loss of each task over the steps with that task."""
        return {name: self._sums[name] / self._counts[name] for name in self._sums if "/" not in name}

    def conflicts(self) -> dict[str, Any]:
        """Return surgery's mean change and, per pair of tasks, the mean cosine and the share of steps in conflict."""
        pairs = {
            name: {
                "cosine": self._sums[name] / self._counts[name],
                "conflict_rate": self._counts[f"{name} in conflict"] / self._counts[name],
                "steps": int(self._counts[name]),
            }
            for name in self._sums
            if "/" in name
        }
        return {"pairs": pairs, "changed": self._changed / max(self.steps, 1)}


def pair_cosines(result: StepResult) -> dict[str, float]:
    """Return the cosine of each pair of tasks present, under ``first/second``."""
    names = list(result.losses)
    return {f"{names[i]}/{names[j]}": float(result.cosines[i, j]) for i, j in combinations(range(len(names)), 2)}
