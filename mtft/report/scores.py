"""Scores of runs with their intervals, and how they differ from the first run's."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mtft.metrics import METRICS
from mtft.report.figure import number
from mtft.report.records import Predictions, RunRecord
from mtft.resampling import PairedDifference, bootstrap_interval, paired_bootstrap


@dataclass(frozen=True)
class Score:
    """A dev score with its interval, and how it differs from the first run's; nan or None where unknown."""

    value: float
    low: float = math.nan
    high: float = math.nan
    difference: PairedDifference | None = None

    def __str__(self) -> str:
        return number(self.value)

    @property
    def interval(self) -> str:
        return f"{number(self.low)} to {number(self.high)}" if math.isfinite(self.low) else ""

    @property
    def change(self) -> str:
        """The difference from the first run, with its interval."""
        found = self.difference
        if found is None or not math.isfinite(found.difference):
            return ""
        return f"{found.difference:+.4f} ({found.low:+.4f} to {found.high:+.4f})"

    @property
    def verdict(self) -> str:
        """What the difference is worth: its interval lies above zero, below, or around it."""
        found = self.difference
        if found is None or not math.isfinite(found.difference):
            return ""
        if found.low == found.high == 0:
            return "the same"
        if found.low <= 0 <= found.high:
            return "within noise"
        return "higher" if found.low > 0 else "lower"


def score(run: RunRecord, first: RunRecord, task: str, resamples: int) -> Score | None:
    """Return a run's primary dev score of a task, None where it has none."""
    record = run.tasks.get(task)
    if record is None:
        return None
    value = record.dev.get(record.metric, math.nan)
    found, known = record.predictions, METRICS.get(record.metric)
    if found is None or known is None:
        return Score(value)
    low, high = bootstrap_interval(known.function, found.values, found.targets, resamples=resamples)
    reference = first.tasks.get(task)
    other = reference.predictions if reference and reference.metric == record.metric else None
    difference = None
    if run is not first and other and _comparable(found, other):
        difference = paired_bootstrap(known.function, found.values, other.values, found.targets, resamples=resamples)
    return Score(value, low, high, difference)


def _comparable(a: Predictions, b: Predictions) -> bool:
    return a.ids == b.ids and np.array_equal(a.targets, b.targets) and a.values.shape == b.values.shape
