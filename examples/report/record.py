"""Records for publication: everything that the tables need but weights, and nothing of the data.

    python examples/report/record.py DISK/records/*        # of the records of `mtft experiment`, or of runs

A record is a directory: ``config.toml`` (without paths), ``record.json`` (summary, logs by epoch, times, bytes,
versions) and ``outputs.json``, the dev outputs of each task in the order of the data's file, without ids, texts and
labels. Labels are read from the data when a table is made.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from mtft.data.audit.split_reader import read_split, usable_examples
from mtft.encoder.directory import find_model
from mtft.encoder.weight_files import weight_files
from mtft.errors import DataError, MtftError
from mtft.io import toml_parser
from mtft.io.directories import replaced_directory
from mtft.io.files import read_json, read_json_lines, to_json, write_bytes, write_json
from mtft.outputs import Array
from mtft.report.tables import spent
from mtft.runs.dev_predictions import read_predictions
from mtft.runs.manifest import read_manifest
from mtft.runs.records import model_bytes
from mtft.runs.run_directory import read_summary
from mtft.tasks.registry import Registry

PATHS = ("out", "data_dir", "mask", "overwrite")
"""Settings that say where things were."""

RECORDS = Path(__file__).with_name("runs")

DIGITS = 5
"""Significant digits of outputs; enough for every score in the tables."""


@dataclass(frozen=True)
class Truth:
    """A task's dev labels [n] and the ids of its rows, in the order of the file."""

    ids: tuple[str, ...]
    targets: Array


def keep(run: Path, place: Path) -> None:
    """Write the record of a finished run."""
    summary, environment = read_summary(run), read_json(run / "environment.json")
    times = read_json_lines(run / "times.jsonl")
    selected = next((place for place, line in enumerate(times) if "selected" in line), -1)
    manifest = read_manifest(run / "model")
    record = {
        "summary": summary,
        "epochs": read_json_lines(run / "metrics.jsonl"),
        "conflicts": _lines(run / "conflicts.jsonl"),
        "seconds": spent(times),
        "processor_seconds": spent(times, "processor"),
        "selection_seconds": spent(times[: selected + 1], "processor") if selected >= 0 else None,
        "tokens": max((record.get("tokens", 0) for record in times), default=0),
        "bytes": model_bytes(run),
        "base_bytes": {
            "name": Path(manifest["base"]["name"]).name,
            "bytes": sum(path.stat().st_size for path in weight_files(find_model(manifest["base"]["name"]))),
        },
        "machine": {key: environment[key] for key in ("python", "platform", "threads", "packages", "started")},
    }
    outputs = {task: read_predictions(run, task, "dev")[2] for task in summary["tasks"]}
    write_record(place, (run / "config.toml").read_text(encoding="utf-8"), record, outputs)


def write_record(place: Path, settings: str, record: Mapping[str, Any], outputs: Mapping[str, Array]) -> None:
    """Write a record: settings in TOML, whatever else is known of a run, and the dev outputs of each task."""
    kept = {key: value for key, value in toml_parser.loads(settings).items() if key not in PATHS}
    if "teachers" in kept:
        kept["teachers"] = [Path(name).name for name in kept["teachers"]]
    rounded = {task: _rounded(values) for task, values in outputs.items()}
    place.parent.mkdir(parents=True, exist_ok=True)
    with replaced_directory(place) as fresh:
        write_bytes(fresh / "config.toml", tomli_w.dumps(kept).encode())
        write_json(fresh / "record.json", record)
        write_bytes(fresh / "outputs.json", (to_json(rounded) + "\n").encode())


def _lines(path: Path) -> list[dict[str, Any]]:
    return read_json_lines(path) if path.exists() else []


def _rounded(values: Array) -> list[Any]:
    """Round outputs [n] or [n, C] to a few significant digits."""
    return [float(f"{value:.{DIGITS}g}") if np.ndim(value) == 0 else _rounded(value) for value in values]


def read_outputs(place: Path) -> dict[str, Array]:
    """Read each task's outputs [n] or [n, C]."""
    return {task: np.asarray(values, float) for task, values in read_json(place / "outputs.json").items()}


def read_truth(registry: Registry, task: str, data_dir: Path) -> Truth:
    """Read the labels of a task's dev rows, those without a label left out as in training."""
    source = registry.task(task).source
    examples, _ = usable_examples(
        read_split(source.name, "dev", source.reader, data_dir, source.texts), skip_bad_rows=False
    )
    rows = [example for example in examples if example.target is not None]
    return Truth(tuple(row.id for row in rows), np.array([row.target for row in rows], np.float32).astype(float))


def check_length(place: Path, task: str, outputs: Array, truth: Truth) -> None:
    """Raise DataError if outputs are of other data than the labels."""
    if len(outputs) != len(truth.ids):
        raise DataError(f"{place}: {len(outputs)} outputs of {task}, but the data have {len(truth.ids)} dev rows")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write a record of each run that has none yet; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, help="finished runs, or their records by mtft experiment")
    parser.add_argument("--records", type=Path, default=RECORDS, help="where records are written")
    asked = parser.parse_args(arguments)
    try:
        for run in asked.runs:
            if not (asked.records / run.name / "record.json").is_file():
                keep(run, asked.records / run.name)
                print(f"{run.name}: recorded")
    except MtftError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
