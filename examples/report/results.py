"""Scores of recorded runs: means over seeds, with intervals over the dev examples of the reporting half."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from plans import Plans, Row, label
from record import Truth, check_length, read_outputs, read_truth

from mtft.data.shares import in_half
from mtft.io.files import read_json
from mtft.metrics import metric
from mtft.outputs import Array
from mtft.report.bootstrap import bootstrap_interval, paired_bootstrap
from mtft.report.scores import Score
from mtft.report.seeds import over_seeds
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


class Book:
    """Reads records and the labels that belong to them."""

    def __init__(self, plans: Plans, records: Path, registry: Registry, data_dir: Path) -> None:
        self.plans, self.records, self.registry, self.data_dir = plans, records, registry, data_dir
        self._truth: dict[str, Truth] = {}

    def results(self, rows: Sequence[Row], resamples: int, *, compared: bool = True) -> list[Result]:
        """Score the rows of a table that are recorded with one seed at least.

        Differences are from the first row, over the seeds that both have.
        """
        found = [(row, seeds) for row in rows if (seeds := self.seeds(row))]
        values = {row.name: self._values(row, seeds) for row, seeds in found}
        reference = found[0] if compared and found and found[0][0] == rows[0] else None
        return [self._result(row, seeds, values, reference, resamples) for row, seeds in found]

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

    def _result(
        self,
        row: Row,
        seeds: tuple[int, ...],
        outputs: Mapping[str, Mapping[str, Array]],
        reference: tuple[Row, tuple[int, ...]] | None,
        resamples: int,
    ) -> Result:
        values = outputs[row.name]
        scores, apart, choosing = {}, {}, {}
        planned = self.plans.planned.get(label(row.runs[0], seeds[0]))
        for task in planned.config.tasks if planned and len(row.runs) == 1 else values:
            rows, everything = self.rows(task), self.truth(task).targets
            mine, targets = values[task][rows], everything[rows]
            single = metric(self.registry.task(task).primary_metric).function
            mean = over_seeds(single)
            low, high = bootstrap_interval(mean, mine, targets, resamples=resamples)
            difference = None
            if reference and reference[0] != row and (common := set(seeds) & set(reference[1])):
                ours = _of_seeds(mine, seeds, common)
                theirs = _of_seeds(outputs[reference[0].name][task][rows], reference[1], common)
                difference = paired_bootstrap(mean, ours, theirs, targets, resamples=resamples)
            scores[task] = Score(mean(mine, targets), low, high, difference)
            apart[task] = tuple(single(mine[:, seed], targets) for seed in range(len(seeds)))
            choosing[task] = mean(values[task][~rows], everything[~rows])
        counts = [self._counts(row, seed) for seed in seeds]
        return Result(
            row.name,
            seeds,
            scores,
            apart,
            choosing,
            {name: float(np.mean([each[name] for each in counts])) for name in COUNTS},
        )

    def _counts(self, row: Row, seed: int) -> dict[str, float]:
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


def _of_seeds(values: Array, seeds: Sequence[int], wanted: Collection[int]) -> Array:
    """Return the outputs [n, wanted, ...] of some of the seeds [n, seeds, ...]."""
    return values[:, [seed in wanted for seed in seeds]]


def _sum(seconds: Iterable[float | None]) -> float:
    """Add up seconds; nan where some are not known."""
    return float(sum(np.nan if each is None else each for each in seconds))


def _record(place: Path) -> dict[str, Any]:
    return read_json(place / "record.json")
