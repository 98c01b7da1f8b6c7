"""Scores of recorded runs: means over seeds, with intervals over seeds and the dev rows of the reporting half."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from plans import Plans, Row, label
from record import Truth, check_length, read_outputs, read_truth

from mtft.data.shares import in_half
from mtft.io.files import read_json
from mtft.metrics import MetricFunction, metric
from mtft.outputs import Array
from mtft.report.bootstrap import PairedDifference, correct
from mtft.report.scores import Score
from mtft.report.seeds import SeedScores, over_seeds, seed_difference, seed_interval, seed_noise, seed_scores
from mtft.tasks.registry import Registry

COUNTS = ("stored", "tunable", "bytes", "base_bytes", "tokens", "processor_seconds")


@dataclass(frozen=True)
class Result:
    """A row of a table: its seeds, each task's score, and what all its runs together count, by name of `COUNTS`.

    `scores` are means over seeds of the primary metrics on the half of dev that reports; `apart` gives each seed's, and
    `choosing` the means on the half that chooses. Counts that differ between seeds are means, nan where one is unknown.
    """

    name: str
    seeds: tuple[int, ...]
    scores: Mapping[str, Score]
    apart: Mapping[str, tuple[float, ...]]
    choosing: Mapping[str, float]
    counts: Mapping[str, float]


def differences(results: Iterable[Result]) -> list[PairedDifference]:
    """Return all differences, result by result."""
    return [score.difference for result in results for score in result.scores.values() if score.difference]


def corrected(results: Iterable[Result], found: Iterable[PairedDifference]) -> list[Result]:
    """Return results with differences in the place of theirs, taken from `found` in the order of `differences`."""
    found = iter(found)

    def of(score: Score) -> Score:
        return replace(score, difference=next(found)) if score.difference else score

    return [replace(result, scores={task: of(score) for task, score in result.scores.items()}) for result in results]


def correct_together(tables: Mapping[str, Sequence[Result]]) -> dict[str, list[Result]]:
    """Return tables that are on one page, with all their differences corrected for their number."""
    every = iter(correct([each for results in tables.values() for each in differences(results)]))
    return {name: corrected(results, every) for name, results in tables.items()}


class Book:
    """Reads records and the labels that belong to them."""

    def __init__(self, plans: Plans, records: Path, registry: Registry, data_dir: Path) -> None:
        self.plans, self.records, self.registry, self.data_dir = plans, records, registry, data_dir
        self._truth: dict[str, Truth] = {}

    def results(self, rows: Sequence[Row], resamples: int) -> list[Result]:
        """Score the rows of a table that are recorded with one seed at least.

        Differences are from the first row, in the tasks and over the seeds that both have. What other seeds would
        change is pooled over all rows.
        """
        found = [(row, seeds) for row in rows if (seeds := self.seeds(row))]
        values = {row.name: self._values(row, seeds) for row, seeds in found}
        scores = {row.name: self._scores(row, seeds, values[row.name], resamples) for row, seeds in found}
        tasks = dict.fromkeys(task for each in scores.values() for task in each)
        noise = {task: seed_noise([each[task] for each in scores.values() if task in each]) for task in tasks}
        reference = found[0] if found and found[0][0] == rows[0] else None
        results = []
        for row, seeds in found:
            shown = {}
            for task, mine in scores[row.name].items():
                first = scores[reference[0].name].get(task) if reference and reference[0] != row else None
                difference = None
                if reference and first and (common := set(seeds) & set(reference[1])):
                    ours = mine.of([seed in common for seed in seeds])
                    theirs = first.of([seed in common for seed in reference[1]])
                    difference = seed_difference(ours, theirs, noise[task])
                shown[task] = Score(mine.mean, *seed_interval(mine, noise[task]), difference)
            apart = {task: tuple(mine.scores.tolist()) for task, mine in scores[row.name].items()}
            choosing = {task: self._choosing(task, values[row.name][task]) for task in shown}
            results.append(Result(row.name, seeds, shown, apart, choosing, self._counts(row, seeds)))
        return results

    def seeds(self, row: Row) -> tuple[int, ...]:
        """Return the seeds with which all runs of a row are recorded."""
        return tuple(
            seed
            for seed in self.plans.seeds
            if all((self.records / label(run, seed) / "record.json").is_file() for run in row.runs)
        )

    def truth(self, task: str) -> Truth:
        if task not in self._truth:
            self._truth[task] = read_truth(self.registry, task, self.data_dir)
        return self._truth[task]

    def rows(self, task: str) -> Array:
        """Tell which dev rows of a task report; the others choose."""
        return in_half(self.truth(task).ids, "report", task)

    def _values(self, row: Row, seeds: Sequence[int]) -> dict[str, Array]:
        """Return each task's outputs [n, seeds, ...] on dev."""
        found: dict[str, list[Array]] = {}
        for seed in seeds:
            for run in row.runs:
                place = self.records / label(run, seed)
                for task, outputs in read_outputs(place).items():
                    check_length(place, task, outputs, self.truth(task))
                    found.setdefault(task, []).append(outputs)
        return {task: np.stack(outputs, axis=1) for task, outputs in found.items()}

    def _scores(
        self, row: Row, seeds: Sequence[int], values: Mapping[str, Array], resamples: int
    ) -> dict[str, SeedScores]:
        """Return each task's scores on the rows that report."""
        planned = self.plans.planned.get(label(row.runs[0], seeds[0]))
        found = {}
        for task in planned.config.tasks if planned and len(row.runs) == 1 else values:
            rows = self.rows(task)
            outputs = [values[task][rows][:, seed] for seed in range(len(seeds))]
            found[task] = seed_scores(self._metric(task), outputs, self.truth(task).targets[rows], resamples)
        return found

    def _choosing(self, task: str, values: Array) -> float:
        """Return the mean score over seeds on the rows that choose."""
        rows = ~self.rows(task)
        return over_seeds(self._metric(task))(values[rows], self.truth(task).targets[rows])

    def _metric(self, task: str) -> MetricFunction:
        return metric(self.registry.task(task).primary_metric).function

    def _counts(self, row: Row, seeds: Sequence[int]) -> dict[str, float]:
        """Return the means over seeds of what the runs count."""
        counts = [self._counted(row, seed) for seed in seeds]
        return {name: float(np.mean([each[name] for each in counts])) for name in COUNTS}

    def _counted(self, row: Row, seed: int) -> dict[str, float]:
        """Add up what the runs of one seed count; base models once each; tokens and time also of the runs they need."""
        records = [_record(self.records / label(run, seed)) for run in row.runs]
        names = [label(run, seed) for run in row.runs]
        masks = {mask for name in names if (mask := self.plans.mask_of(name))}
        before = {other for name in names for other in self.plans.needed(name)} - masks
        work = records + [_record(self.records / name) for name in before]
        selections = [_record(self.records / name) for name in masks]
        bases = {each["base_bytes"]["name"]: each["base_bytes"]["bytes"] for each in records}
        return {
            **{key: sum(each["summary"]["parameters"][key] for each in records) for key in ("stored", "tunable")},
            "bytes": sum(sum(each["bytes"].values()) for each in records),
            "base_bytes": sum(bases.values()),
            "tokens": sum(each["tokens"] for each in work),
            "processor_seconds": _sum(each["processor_seconds"] for each in work)
            + _sum(each.get("selection_seconds") for each in selections),
        }


def _sum(seconds: Iterable[float | None]) -> float:
    """Add up seconds; nan where some are not known."""
    return float(sum(np.nan if each is None else each for each in seconds))


def _record(place: Path) -> dict[str, Any]:
    return read_json(place / "record.json")
