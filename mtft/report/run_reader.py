"""Read runs for a report; what is missing or damaged becomes a note."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from mtft.data.audit.split_reader import read_split
from mtft.data.shares import Half
from mtft.encoder.directory import find_model
from mtft.encoder.weight_files import weight_files
from mtft.errors import CheckpointError, DataError, ModelError, MtftError
from mtft.io import toml_parser
from mtft.io.digests import check_tree
from mtft.io.files import read_json, read_json_lines, read_text
from mtft.metrics import METRICS
from mtft.plugin.context import Context
from mtft.report.dev_rows import DevRow, find_rows
from mtft.report.figure import LARGEST, real
from mtft.report.run_record import Predictions, Record, RunRecord, TaskRecord
from mtft.report.selected_weights import SelectedShare, selected_parts
from mtft.runs.dev_predictions import read_predictions
from mtft.runs.halves import half_by_keys
from mtft.runs.looks import count_looks
from mtft.runs.manifest import read_manifest, run_tasks
from mtft.runs.records import model_bytes
from mtft.selection.mask import load_mask

T = TypeVar("T")
LOGS: dict[str, dict[str, type]] = {
    "metrics": {"step": int, "dev": dict},
    "steps": {"step": int, "losses": dict},
    "conflicts": {"epoch": int, "pairs": dict},
    "times": {"seconds": float},
}
"""Logs of a run, and what each of their records must hold for a report."""


def read_run(
    run: Path, label: str, context: Context, data_dir: Path | None, *, texts: bool, half: Half = "all"
) -> RunRecord:
    """Return the record of a run, finished or not, if asked with the `texts` of its examples, read in `data_dir`.

    Dev scores are those of a `half` of the dev rows, or of all.
    """
    return _Reader(run, label, context, data_dir, texts, half).read()


@dataclass
class _Reader:
    """Reads one run and notes what it could not read."""

    run: Path
    label: str
    context: Context
    data_dir: Path | None
    texts: bool
    half: Half
    notes: list[str] = field(default_factory=list)

    def read(self) -> RunRecord:
        if not self.run.is_dir():
            raise CheckpointError(f"{self.run}: no such run directory")
        if not any((self.run / name).is_file() for name in ("config.toml", "environment.json", "summary.json")):
            raise CheckpointError(f"{self.run}: not an mtft run (no config.toml, environment.json or summary.json)")
        check_tree(self.run)
        nothing: dict[str, Any] = {}
        summary = self._try(lambda: read_json(self.run / "summary.json"), nothing)
        environment = self._try(lambda: read_json(self.run / "environment.json"), nothing)
        config = self._try(lambda: _read_toml(self.run / "config.toml"), nothing)
        manifest = self._try(lambda: read_manifest(self.run / "model"), nothing)
        logs = {name: self._log(name) for name in LOGS}
        looks = self._try(lambda: count_looks(self.run), 0)
        return RunRecord(
            self.label,
            str(self.run),
            self._tasks(summary, config, manifest, logs["metrics"], environment),
            summary,
            logs["metrics"],
            logs["steps"],
            logs["conflicts"],
            logs["times"],
            config,
            environment,
            manifest,
            self._try(lambda: self._selected(manifest), ()) if manifest else (),
            self._try(self._files, {}),
            _base_bytes(manifest) if manifest else None,
            tuple(self.notes),
            looks,
        )

    def _try(self, read: Callable[[], T], otherwise: T) -> T:
        try:
            return read()
        except MtftError as error:
            self.notes.append(str(error))
        except OSError as error:  # such as a file name from the run that is too long
            self.notes.append(f"{self.run}: {(error.strerror or str(error)).lower()}")
        return otherwise

    def _log(self, name: str) -> tuple[Record, ...]:
        path = self.run / f"{name}.jsonl"
        if not path.exists():  # not every command keeps every log
            return ()
        records = self._try(lambda: read_json_lines(path), list[dict[str, Any]]())
        kept = [record for record in records if _fits(record, LOGS[name])]
        if len(kept) < len(records):
            self.notes.append(f"{path}: {len(records) - len(kept)} of {len(records)} records are not of this log")
        return tuple(kept)

    def _tasks(
        self, summary: Record, config: Record, manifest: Record, epochs: Sequence[Record], environment: Record
    ) -> dict[str, TaskRecord]:
        """Return the run's tasks: those of the summary, else of the manifest, else of the settings."""
        metrics = _mapping(summary.get("tasks"))
        last = {name: scores for record in epochs for name, scores in record["dev"].items()}
        outputs = {entry["name"]: entry["output"] for entry in manifest.get("tasks", [])}
        temperatures = {entry["name"]: entry.get("temperature") for entry in manifest.get("tasks", [])}
        named = config.get("tasks")
        names = list(metrics) or list(outputs) or (list(map(str, named)) if isinstance(named, list | dict) else [])
        tasks = {}
        for name in names:
            dev = {
                key: real(value)
                for key, value in _mapping(_mapping(summary.get("dev")).get(name, last.get(name))).items()
            }
            classes = outputs.get(name, {}).get("names")
            labels = tuple(map(str, classes)) if isinstance(classes, list) else ()
            predictions = self._try(partial(self._predictions, name, environment), None)
            if predictions and (self.half != "all" or config.get("dev_split", "all") != "all"):
                dev = _rescored(dev, predictions)
            metric = str(metrics.get(name, next(iter(dev), "")))
            tasks[name] = TaskRecord(name, metric, dev, labels, predictions, real(temperatures.get(name)))
        return tasks

    def _predictions(self, task: str, environment: Record) -> Predictions | None:
        path = self.run / "predictions" / f"{task}.dev.jsonl"
        if not path.exists() and not (self.run / "summary.json").exists():  # no epoch has ended yet
            return None
        try:
            ids, targets, values = _checked_predictions(
                path, read_predictions(self.run, task, "dev", half_by_keys(self.run, self.half))
            )
        except DataError as error:
            raise CheckpointError(f"{path}: {error}") from None
        return Predictions(tuple(ids), targets, values, self._rows(task, ids, targets, environment))

    def _rows(self, task: str, ids: Sequence[str], targets: Any, environment: Record) -> dict[int, DevRow]:
        """Return the rows of dev examples, read where the run found them; {} if task or file is gone."""
        data_dir = self.data_dir or (Path(str(environment["data_dir"])) if "data_dir" in environment else None)
        if not self.texts or data_dir is None:
            return {}
        try:
            (source,) = (known.source for known in run_tasks(self.run / "model", self.context.registry, task))
            examples = read_split(source.name, "dev", source.reader, data_dir, source.texts).examples
        except (MtftError, OSError, ValueError):
            return {}
        return find_rows(ids, targets, examples, data_dir)

    def _selected(self, manifest: Record) -> tuple[SelectedShare, ...]:
        path = self.run / "model" / "mask.safetensors"
        if "plugin" in manifest["base"]:
            raise ModelError("the selection per layer is drawn for mtft's own encoders only")
        mask = load_mask(path, total=manifest["total"])
        try:
            return tuple(selected_parts(mask, manifest["base"]["encoder"]))
        except (TypeError, ValueError) as error:
            raise CheckpointError(f"{path} does not fit model.json: {error}") from None

    def _files(self) -> dict[str, int]:
        return model_bytes(self.run) if (self.run / "model").is_dir() else {}


def _rescored(dev: Mapping[str, float], predictions: Predictions) -> dict[str, float]:
    """Return scores of the predictions by the metrics that `dev` holds for other rows."""
    return {
        name: METRICS[name].function(predictions.values, predictions.targets) if name in METRICS else math.nan
        for name in dev
    }


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return toml_parser.loads(read_text(path))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: not readable as TOML: {error}") from None


def _fits(record: Record, shape: Mapping[str, type]) -> bool:
    """Return whether a record holds values of these types; an int is a float too, a bool is not a number."""
    kinds = {key: (int, float) if kind is float else (kind,) for key, kind in shape.items()}
    return all(type(record.get(key)) in kind for key, kind in kinds.items())


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


Read = tuple[list[str], Any, Any]


def _checked_predictions(path: Path, content: Read) -> Read:
    """Raise ValueError unless values are numbers or probabilities, and targets fit them."""
    _, targets, values = content
    classes = values.shape[1] if values.ndim == 2 else 0
    whole = np.isin(targets, np.arange(classes)).all()
    if not len(targets) or targets.ndim != 1 or values.ndim not in (1, 2) or (classes and not whole):
        raise CheckpointError(f"{path}: not a predictions file: values {values.shape}, targets {targets.shape}")
    for numbers in (targets, values):
        if (np.abs(numbers[np.isfinite(numbers)]) >= LARGEST).any():
            raise CheckpointError(f"{path}: not a predictions file: a number is not below {LARGEST:g}")
    return content


def _base_bytes(manifest: Record) -> int | None:
    """Return the bytes of the base model's weights, None if they were not found."""
    try:
        return sum(path.stat().st_size for path in weight_files(find_model(manifest["base"]["name"])))
    except (ModelError, OSError):
        return None
