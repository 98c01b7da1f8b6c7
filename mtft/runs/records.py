"""Records: finished runs without their weights, with all that ``mtft compare`` and tables need.

A record is laid out like the run: settings, environment, logs, summary, dev predictions, and of the model its manifest
and card. ``record.json`` lists the size and digest of each file of the model, also of those that were left out.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mtft.errors import CheckpointError
from mtft.io.digests import check_digests, digest, write_digests
from mtft.io.directories import replaced_directory
from mtft.io.files import read_json, write_json
from mtft.runs.dev_predictions import FOLDER
from mtft.runs.looks import LOOKS
from mtft.runs.paths import RECORD
from mtft.runs.run_directory import read_summary

FORMAT, VERSION = "mtft-record", 1
KEPT = ("config.toml", "environment.json", "summary.json")
MODEL = ("model.json", "README.md")
"""Files of the model that hold no weights."""


def write_record(run: Path, path: Path, facts: Mapping[str, Any]) -> None:
    """Write the record of a finished run, with more `facts`; an older record at `path` is replaced as a whole."""
    read_summary(run)
    model = {file.name: asdict(digest(file)) for file in sorted((run / "model").iterdir())}
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced_directory(path) as fresh:
        looks = [LOOKS] if (run / LOOKS).is_file() else []
        for name in (*KEPT, *looks, *(log.name for log in sorted(run.glob("*.jsonl")))):
            shutil.copyfile(run / name, fresh / name)
        shutil.copytree(run / FOLDER, fresh / FOLDER)
        (fresh / "model").mkdir()
        for name in MODEL:
            shutil.copyfile(run / "model" / name, fresh / "model" / name)
        write_digests(fresh / "model")
        write_json(fresh / RECORD, {"format": FORMAT, "version": VERSION, "model": model, **facts})
        write_digests(
            fresh, {file.name: digest(file) for file in fresh.iterdir() if file.name != LOOKS and file.is_file()}
        )


def is_record(path: Path) -> bool:
    """Return whether a directory is the record of a run."""
    return (path / RECORD).is_file()


def read_record(path: Path) -> dict[str, Any]:
    """Return the facts of a record, whose files must be as written; CheckpointError names a damaged one."""
    for directory in (path, path / FOLDER, path / "model"):
        check_digests(directory)
    facts = read_json(path / RECORD)
    if (facts.get("format"), facts.get("version")) != (FORMAT, VERSION):
        found = f"{facts.get('format')!r} {facts.get('version')!r}"
        raise CheckpointError(f"{path / RECORD}: format is {found}, not {FORMAT!r} {VERSION}")
    return facts


def model_bytes(run: Path) -> dict[str, int]:
    """Return the size of each file of a run's model by name, from the record if the weights were removed."""
    if not is_record(run):
        return {file.name: file.stat().st_size for file in sorted((run / "model").iterdir())}
    return {name: int(entry["bytes"]) for name, entry in read_json(run / RECORD)["model"].items()}
