"""Scores of runs with their intervals, and how they differ from the first run's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mtft.errors import ConfigError
from mtft.metrics import METRICS
from mtft.report.baseline import baseline, doubt
from mtft.report.bootstrap import PairedDifference, bootstrap_interval, correct, paired_bootstrap
from mtft.report.figure import number
from mtft.report.run_record import Predictions, RunRecord, TaskRecord


@dataclass(frozen=True)
class Score:
    """A dev score with its interval and its difference from the first run's; nan or None if unknown."""

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
        """The difference from the first run with its interval, as text; "" without one."""
        bounds = self.difference
        if bounds is None or not math.isfinite(bounds.difference) or bounds.low == bounds.high == 0:
            return ""
        return f"{bounds.difference:+.4f} ({bounds.low:+.4f} to {bounds.high:+.4f})"

    @property
    def verdict(self) -> str:
        """Whether the difference, after its correction, is more than noise; and in which direction."""
        bounds = self.difference
        if bounds is None or not math.isfinite(bounds.difference):
            return ""
        if bounds.low == bounds.high == 0:
            return "the same"
        return {1: "higher", -1: "lower", 0: "within noise"}[bounds.side]


@dataclass(frozen=True)
class Line:
    """One metric of one task: the number of examples (0 if unknown), and each run's score (None without one).

    `baseline` is the score of a constant answer on the known examples of the first run that has any, else nan.
    """

    task: str
    metric: str
    primary: bool
    examples: int
    baseline: float
    scores: tuple[Score | None, ...]

    @property
    def constant(self) -> str:
        """The baseline as the page shows it."""
        return number(self.baseline)


def score_lines(runs: Sequence[RunRecord], resamples: int) -> list[Line]:
    """Return the scores of all runs by all metrics, task by task, the primary metric first."""
    lines = []
    for name in dict.fromkeys(name for run in runs for name in run.tasks):
        records = [run.tasks.get(name) for run in runs]
        known = [record for record in records if record]
        primary = known[0].metric
        examples = max(len(record.predictions.ids) if record.predictions else 0 for record in known)
        for metric in dict.fromkeys([primary, *(metric for record in known for metric in record.dev)]):
            scores = tuple(_score(record, records[0], metric, resamples) for record in records)
            lines.append(Line(name, metric, metric == primary, examples, _baseline(known, metric), scores))
    return corrected(lines)


def differences(lines: Sequence[Line]) -> list[PairedDifference]:
    """Return all differences, line by line."""
    return [score.difference for line in lines for score in line.scores if score and score.difference]


def corrected(lines: Sequence[Line]) -> list[Line]:
    """Return lines that are shown together, their differences corrected for their number."""
    found = iter(correct(differences(lines)))
    return [
        replace(
            line,
            scores=tuple(
                replace(score, difference=next(found)) if score and score.difference else score for score in line.scores
            ),
        )
        for line in lines
    ]


def doubts(runs: Sequence[RunRecord], lines: Sequence[Line]) -> list[str]:
    """Return why primary scores say little or nothing, a line for each."""
    reasons = []
    for line in (line for line in lines if line.primary and line.metric in METRICS):
        for run, score in zip(runs, line.scores, strict=True):
            record = run.tasks.get(line.task)
            if score is None or record is None or record.predictions is None:
                continue
            values, targets = record.predictions.values, record.predictions.targets
            try:
                reason = doubt(line.task, line.metric, values, targets, (score.low, score.high), record.class_names)
            except ConfigError:  # predictions that this metric is not for
                continue
            if reason:
                reasons.append(f"{run.label}: {reason}" if len(runs) > 1 else reason)
    return reasons


def _baseline(records: Sequence[TaskRecord], metric: str) -> float:
    """Return the score of a constant answer on the examples of the first record with predictions."""
    known = next((record.predictions for record in records if record.predictions), None)
    if known is None or metric not in METRICS:
        return math.nan
    try:
        return baseline(metric, known.values, known.targets)
    except ConfigError:  # predictions that this metric is not for
        return math.nan


def _score(record: TaskRecord | None, first: TaskRecord | None, metric: str, resamples: int) -> Score | None:
    """Return a record's score by a metric, with its difference from the first run's."""
    if record is None or metric not in (record.metric, *record.dev):
        return None
    value, predictions = record.dev.get(metric, math.nan), record.predictions
    if predictions is None or metric not in METRICS:
        return Score(value)
    function = METRICS[metric].function
    try:
        low, high = bootstrap_interval(function, predictions.values, predictions.targets, resamples=resamples)
    except ConfigError:  # predictions that this metric is not for
        return Score(value)
    other, difference = first.predictions if first else None, None
    if record is not first and other and _comparable(predictions, other):
        difference = paired_bootstrap(
            function, predictions.values, other.values, predictions.targets, resamples=resamples
        )
    return Score(value, low, high, difference)


def _comparable(a: Predictions, b: Predictions) -> bool:
    return a.ids == b.ids and np.array_equal(a.targets, b.targets) and a.values.shape == b.values.shape
