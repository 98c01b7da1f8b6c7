"""Calibration: a temperature for each task with classes, fitted on the dev rows that choose the epoch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtft.config.groups import DevOptions
from mtft.data.dataset import Dataset
from mtft.data.shares import half_of, in_half
from mtft.errors import setting
from mtft.metrics import calibration
from mtft.model.calibration import HIGHEST, LOWEST, can_calibrate, fit_temperature, negative_log_likelihood
from mtft.outputs import Array, Tempered
from mtft.runtime.notices import Notify
from mtft.tasks.task import Task


@dataclass(frozen=True)
class Calibrated:
    """A task, with a temperature if that helps, and the measurements on `n` rows for the summary.

    The temperature is `kept` only if it lowers the calibration error on rows that it was not fitted on.
    """

    task: Task
    found: Mapping[str, Any]

    def __str__(self) -> str:
        before, after = self.found["before"], self.found["after"]
        temperature = self.found["temperature"]
        limit = " (the limit)" if temperature in (LOWEST, HIGHEST) else ""
        verdict = "" if self.found["kept"] else "; not kept, since the error did not fall"
        return (
            f"{self.task.name}: temperature {temperature:.3g}{limit}: calibration error {before['ece']:.4f} -> "
            f"{after['ece']:.4f}, NLL {before['nll']:.4f} -> {after['nll']:.4f} "
            f"(on {self.found['n']:,} rows that it was not fitted on){verdict}"
        )


def calibrate(task: Task, raw: NDArray[Any], data: Dataset, chosen: NDArray[np.bool_]) -> Calibrated | None:
    """Fit a task's temperature on the rows `chosen` [n] of raw outputs [n, width]; None where none applies.

    Its effect is measured on the rows not chosen. If all are chosen, each half is measured at the temperature fitted
    on the other half.
    """
    task = uncalibrated(task)
    if not can_calibrate(task.output):
        return None
    targets = data.targets.astype(np.float64)
    temperature = fit_temperature(task.output, raw[chosen], targets[chosen])
    folds = _folds(chosen, data.keys)
    rows = np.flatnonzero(np.logical_or.reduce([measured for _, measured in folds]))
    plain = task.output.read(raw[rows])
    fitted = plain.copy()
    for fit, measured in folds:
        held_out = _tempered(task, fit_temperature(task.output, raw[fit], targets[fit]))
        fitted[np.isin(rows, np.flatnonzero(measured))] = held_out.output.read(raw[measured])
    before, after = _measure(plain, targets[rows]), _measure(fitted, targets[rows])
    kept = after["ece"] < before["ece"]  # false for nan: without rows to check on, nothing is kept
    found = {"temperature": temperature, "kept": kept, "n": len(rows), "held_out": not chosen.all()}
    return Calibrated(_tempered(task, temperature) if kept else task, {**found, "before": before, "after": after})


def _folds(chosen: NDArray[np.bool_], keys: Sequence[str]) -> list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Return pairs of rows [n] to fit on and others [n] to measure on."""
    if not chosen.all():
        return [(chosen, ~chosen)]
    first = np.array([half_of(key) == "choose" for key in keys], dtype=np.bool_)
    return [(first, ~first), (~first, first)]


def _tempered(task: Task, temperature: float) -> Task:
    """Return the task with a temperature on its output."""
    return replace(task, output=Tempered(task.output, temperature))  # type: ignore[arg-type]


def calibrate_all(
    config: DevOptions,
    tasks: tuple[Task, ...],
    raw: Mapping[str, NDArray[Any]],
    dev: Mapping[str, Dataset],
    notify: Notify,
) -> tuple[tuple[Task, ...], dict[str, Mapping[str, Any]]]:
    """Calibrate, if asked for, every task that allows it; return all tasks, and the entries of the summary."""
    if not config.calibrate:
        return tasks, {}
    done, kept = [], {}
    for task in tasks:
        rows = in_half(dev[task.name].keys, config.choosing, task.name)
        found = calibrate(task, raw[task.name], dev[task.name], rows)
        done.append(found.task if found else task)
        if found:
            kept[task.name] = found.found
            notify("info", str(found))
    return tuple(done), kept


def _measure(values: Array, targets: Array) -> dict[str, float]:
    return {"nll": negative_log_likelihood(values, targets), "ece": calibration(values, targets).ece}


def uncalibrated(task: Task) -> Task:
    """Return the task without a temperature."""
    return replace(task, output=task.output.output) if isinstance(task.output, Tempered) else task


def without_temperatures(run: Path, tasks: tuple[Task, ...], notify: Notify) -> tuple[Task, ...]:
    """Return the tasks without temperatures, since their heads will change, and notify the user."""
    if any(isinstance(task.output, Tempered) for task in tasks):
        notify("info", f"{run} is calibrated: its temperatures are not those of refined heads and are left out")
    return tuple(map(uncalibrated, tasks))


def tell(tasks: Iterable[Task], notify: Notify) -> None:
    """Report the tasks that have a temperature."""
    for task in tasks:
        if isinstance(task.output, Tempered):
            value = f"{task.output.temperature:.3g}"
            notify(
                "info",
                f"{task.name}: probabilities are read at temperature {value}, fitted on dev ({setting('calibrate')})",
            )
