"""The directory of a run: settings, environment, logs, the best model, its dev predictions, a summary.

Files that must be the same for the same seed hold no time, and no path but that of the base model; those live in
``config.toml``, ``environment.json`` and ``times.jsonl``.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from mtft.config.groups import Options
from mtft.config.load import dump
from mtft.errors import CheckpointError, ConfigError
from mtft.files import (
    Lock,
    append_json_line,
    read_json,
    read_json_lines,
    replaced_directory,
    write_bytes,
    write_json,
    write_json_lines,
)
from mtft.outputs import Array

TIMES = "times.jsonl"
PACKAGES = ("mtft", "torch", "numpy", "tokenizers", "safetensors")


def free_path(given: Path | None, default: str, *, overwrite: bool) -> Path:
    """Return where to write: the path given, or the default with the first number that is free.

    A path that is taken is a ConfigError unless `overwrite`.
    """
    if given is None:
        first = Path(default)
        numbered = (first.with_stem(f"{first.stem}-{number}") for number in range(2, 10_000))
        return first if overwrite or not first.exists() else next(path for path in numbered if not path.exists())
    if given.exists() and not overwrite:
        raise ConfigError(f"--out: {given} exists; choose another or give --overwrite")
    return given


def refuse_foreign(path: Path) -> None:
    """Raise ConfigError if something other than a run is at `path`: only runs are ever replaced."""
    if path.exists() and not all((path / name).is_file() for name in ("config.toml", "environment.json")):
        raise ConfigError(f"--out: {path} exists and is no run of mtft; it is not overwritten")


class Follower(Protocol):
    """Told each record after it is written, and when the run is closed."""

    def log(self, kind: str, record: Mapping[str, Any]) -> None: ...

    def close(self) -> None: ...


class RunDirectory:
    """Writes a run; `model` and `predictions` are replaced whenever a better epoch comes.

    While it is open, which it is as a context, no other process may write it. Of several processes that train together
    only the one that `writes` does anything here.
    """

    def __init__(self, path: Path, *, writes: bool = True) -> None:
        self.path, self.writes = path, writes
        self.model = path / "model"
        self.state = path / "state"
        self.followers: list[Follower] = []
        self._started, self._processor = time.monotonic(), time.process_time()
        self._lock = Lock(path) if writes else None

    def __enter__(self) -> RunDirectory:
        return self

    def __exit__(self, *_: object) -> None:
        for follower in self.followers:
            follower.close()
        if self._lock:
            self._lock.release()

    @classmethod
    def create(
        cls,
        path: Path,
        config: Options,
        command: str,
        data_dir: Path,
        facts: Mapping[str, Any] | None = None,
        *,
        writes: bool = True,
    ) -> RunDirectory:
        """Make the directory, in place of a former run if there is one, with settings, environment and more `facts`."""
        if not writes:
            return cls(path, writes=False)
        refuse_foreign(path)
        if path.exists():
            held = Lock(path)
            shutil.rmtree(path)
            held.release()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replaced_directory(path) as fresh:
                write_bytes(fresh / "config.toml", dump(config).encode())
                write_json(fresh / "environment.json", {**environment(command, data_dir), **(facts or {})})
        except OSError as error:
            raise ConfigError(f"--out: {path} cannot be made: {error.strerror}") from None
        return cls(path)

    @classmethod
    def reopen(cls, path: Path, config: Options, *, writes: bool = True) -> RunDirectory:
        """Open a run that goes on, with settings that may have changed."""
        run = cls(path, writes=writes)
        if writes:
            (path / "summary.json").unlink(missing_ok=True)
            write_bytes(path / "config.toml", dump(config).encode())
            run.log_time(resumed=datetime.now(timezone.utc).isoformat(timespec="seconds"))
        return run

    def log(self, name: str, record: Mapping[str, Any]) -> None:
        """Add a record to the log ``<name>.jsonl``, and tell the followers."""
        if self.writes:
            append_json_line(self.path / f"{name}.jsonl", record)
            self._tell(name, record)

    def _tell(self, kind: str, record: Mapping[str, Any]) -> None:
        for follower in self.followers:
            follower.log(kind, record)

    def log_time(self, **record: Any) -> None:
        """Add a record to ``times.jsonl`` with the seconds since the start, by the clock and of the processor."""
        seconds, processor = time.monotonic() - self._started, time.process_time() - self._processor
        self.log("times", {"seconds": round(seconds, 3), "processor": round(processor, 3), **record})

    def log_sizes(self) -> dict[str, int]:
        """Return the bytes of each log that `cut_logs` can go back to."""
        return {path.name: path.stat().st_size for path in sorted(self.path.glob("*.jsonl")) if path.name != TIMES}

    def cut_logs(self, sizes: Mapping[str, int]) -> None:
        """Forget what was logged after `log_sizes` gave `sizes`; times stay."""
        for path in self.path.glob("*.jsonl") if self.writes else ():
            if path.name not in sizes and path.name != TIMES:
                path.unlink()
            elif path.name != TIMES:
                if path.stat().st_size < sizes[path.name]:
                    raise CheckpointError(f"{path}: shorter than when the run was saved ({sizes[path.name]} bytes)")
                os.truncate(path, sizes[path.name])

    def write_predictions(
        self, task: str, split: str, ids: Sequence[str], targets: NDArray[Any], values: Array
    ) -> None:
        """Keep readable values [n, ...] and targets [n], one line per example."""
        if not self.writes:
            return
        folder = self.path / "predictions"
        folder.mkdir(exist_ok=True)
        rows = zip(ids, targets.tolist(), values.tolist(), strict=True)
        write_json_lines(
            folder / f"{task}.{split}.jsonl",
            ({"id": name, "target": target, "value": value} for name, target, value in rows),
        )

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Write what the run came to; its presence says that the run has finished."""
        self.log_time(finished=True)
        if self.writes:
            write_json(self.path / "summary.json", summary)
            self._tell("summary", summary)


def environment(command: str, data_dir: Path) -> dict[str, Any]:
    """Return versions, machine and paths."""
    return {
        "command": command,
        "arguments": sys.argv[1:],
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "directory": os.getcwd(),
        "data_dir": str(data_dir.resolve()),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "threads": torch.get_num_threads(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def read_summary(run: Path) -> dict[str, Any]:
    """Read the summary of a finished run."""
    if not run.is_dir():
        raise CheckpointError(f"{run}: no such run directory")
    if not (run / "summary.json").is_file():
        raise CheckpointError(f"{run}: no finished run of mtft (no summary.json)")
    return read_json(run / "summary.json")


def read_predictions(run: Path, task: str, split: str) -> tuple[list[str], Array, Array]:
    """Read what `write_predictions` kept: ids, targets [n], values [n, ...]."""
    path = run / "predictions" / f"{task}.{split}.jsonl"
    records = read_json_lines(path)
    try:
        ids = [str(record["id"]) for record in records]
        targets = np.asarray([record["target"] for record in records], np.float64)
        return ids, targets, np.asarray([record["value"] for record in records], np.float64)
    except (KeyError, ValueError, TypeError, OverflowError) as error:
        raise CheckpointError(f"{path}: not a predictions file: {error!r}") from None
