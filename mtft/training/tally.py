"""Sums over the steps of an epoch, divided once at the end: losses per task, conflicts per pair of tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from mtft.training.step import StepResult

MOST_PAIRS = 45
"""Most pairs of tasks that a log names: all those of 10 tasks; of more, the pairs that agree least."""


class Tally:
    """Sums over steps for `tasks`; `losses` and `conflicts` return the means."""

    def __init__(self, tasks: Sequence[str]) -> None:
        self.tasks = list(tasks)
        self.steps = 0
        self.tokens = 0
        self._changed = 0.0
        count = len(self.tasks)
        self._losses, self._seen = np.zeros((2, count))
        self._cosines, self._together, self._opposed = np.zeros((3, count, count))

    def add(self, result: StepResult) -> None:
        """Count one step."""
        self.steps += 1
        self.tokens += result.tokens
        self._changed += result.changed
        present = [self.tasks.index(task) for task in result.losses]
        self._losses[present] += list(result.losses.values())
        self._seen[present] += 1
        pairs, cosines = np.ix_(present, present), result.cosines.numpy()
        self._cosines[pairs] += cosines
        self._together[pairs] += 1
        self._opposed[pairs] += cosines < 0

    def state(self) -> dict[str, Any]:
        """Return the sums as plain values, those of pairs under ``first/second``."""
        sums, counts = {}, {}
        for index in self._seen.nonzero()[0]:
            sums[self.tasks[index]], counts[self.tasks[index]] = float(self._losses[index]), float(self._seen[index])
        for name, i, j in self._pairs():
            sums[name], counts[name] = float(self._cosines[i, j]), float(self._together[i, j])
            counts[f"{name} in conflict"] = float(self._opposed[i, j])
        return {"steps": self.steps, "tokens": self.tokens, "sums": sums, "counts": counts, "changed": self._changed}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore what `state` returned."""
        for sums in (self._losses, self._seen, self._cosines, self._together, self._opposed):
            sums.fill(0)
        self.steps, self.tokens, self._changed = state["steps"], state["tokens"], state["changed"]
        for name, total in state["sums"].items():
            indices = [self.tasks.index(task) for task in name.split("/")]
            if len(indices) == 1:
                self._losses[indices], self._seen[indices] = total, state["counts"][name]
                continue
            for i, j in (indices, indices[::-1]):
                self._cosines[i, j], self._together[i, j] = total, state["counts"][name]
                self._opposed[i, j] = state["counts"][f"{name} in conflict"]

    def losses(self) -> dict[str, float]:
        """Return the mean loss of each task over the steps with that task."""
        return {self.tasks[i]: float(self._losses[i] / self._seen[i]) for i in self._seen.nonzero()[0]}

    def conflicts(self) -> dict[str, Any]:
        """Return surgery's mean change and, per pair of tasks, the mean cosine and the share of steps in conflict.

        Of more than `MOST_PAIRS` pairs, those with the lowest mean cosines are named; "all" sums up the others too.
        """
        every = self._pairs()
        named = every
        if len(every) > MOST_PAIRS:
            lowest = sorted(every, key=lambda pair: self._cosines[pair[1:]] / self._together[pair[1:]])[:MOST_PAIRS]
            named = [pair for pair in every if pair in lowest]
        pairs = {name: self._pair(*indices) for name, *indices in named}
        changed = self._changed / max(self.steps, 1)
        return {"pairs": pairs, "changed": changed, **({"all": self._all()} if len(named) < len(every) else {})}

    def _pairs(self) -> list[tuple[str, int, int]]:
        """Return name and indices of the pairs of tasks that were in a step together."""
        found = np.triu(self._together, 1).nonzero()
        return [(f"{self.tasks[i]}/{self.tasks[j]}", int(i), int(j)) for i, j in zip(*found, strict=True)]

    def _pair(self, i: int, j: int) -> dict[str, Any]:
        steps = self._together[i, j]
        return {
            "cosine": float(self._cosines[i, j] / steps),
            "conflict_rate": float(self._opposed[i, j] / steps),
            "steps": int(steps),
        }

    def _all(self) -> dict[str, Any]:
        upper = np.triu_indices(len(self.tasks), 1)
        steps = self._together[upper].sum()
        cosine, opposed = self._cosines[upper].sum() / steps, self._opposed[upper].sum() / steps
        return {"pairs": len(self._pairs()), "cosine": float(cosine), "conflict_rate": float(opposed)}


def step_cosines(result: StepResult) -> dict[str, Any]:
    """Return the entries of a step's record about the cosines of its tasks' gradients.

    They are "cosines", that of each pair of tasks present under ``first/second``; or, of more than `MOST_PAIRS`
    pairs, the mean "cosine" and the "conflict_rate", the share of pairs in conflict.
    """
    names = list(result.losses)
    upper = np.triu_indices(len(names), 1)
    values = result.cosines.numpy()[upper]
    if len(values) > MOST_PAIRS:
        return {"cosine": float(values.mean()), "conflict_rate": float((values < 0).mean())}
    pairs = (f"{first}/{second}" for first, second in combinations(names, 2))
    return {"cosines": dict(zip(pairs, values.tolist(), strict=True))}
