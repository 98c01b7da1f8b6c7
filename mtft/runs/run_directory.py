"""The directory of a run: settings, environment, logs, the best model, its dev predictions, a summary, digests.

``digests.json`` lists final files: settings, environment and mask from the start, all others at the end of the run.
``model``, ``state`` and ``predictions`` are replaced as a whole, each with the digests of its own files. A listed file
is never replaced, so that the digests match after a crash at any moment.

Files that must be the same for the same seed hold no times, and no path except that of the base model. Times and paths
are in ``config.toml``, ``environment.json`` and ``times.jsonl``.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from mtft.config.groups import Options
from mtft.config.load import dump
from mtft.data.dataset import Dataset
from mtft.errors import DISTRIBUTION, CheckpointError, ConfigError
from mtft.io.digests import NAME as DIGESTS
from mtft.io.digests import Digest, digest, read_digests, write_digests
from mtft.io.directories import (
    DirectoryLock,
    one_at_a_time,
    real_path,
    recover_directory,
    remove_directory,
    replaced_directory,
)
from mtft.io.files import append_json_line, flush, read_json, write_bytes, write_json
from mtft.outputs import Array
from mtft.runs.dev_predictions import write_predictions
from mtft.runs.paths import refuse_foreign, taken
from mtft.runs.state import load_state, save_state
from mtft.runs.state import stage as state_stage

TIMES = "times.jsonl"
LASTING = ("config.toml", "environment.json", "heads.safetensors", "mask.safetensors", "teachers.safetensors")
PARTS = ("model", "state", "predictions")
PACKAGES = ("mtft", "torch", "numpy", "tokenizers", "safetensors")


class Follower(Protocol):
    """Receives each record after it is written, and is closed with the run."""

    def log(self, kind: str, record: Mapping[str, Any]) -> None: ...

    def close(self) -> None: ...


class RunDirectory:
    """Writes a run; `model` and `predictions` are replaced after each better epoch.

    It is a context manager. While it is open, no other process can write the run. Of several processes that train
    together, one has this and the others have a `mtft.runs.null_directory.NullRunDirectory`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.model = path / "model"
        self._state = path / "state"
        self._followers: list[Follower] = []
        self._started, self._processor = time.monotonic(), time.process_time()
        self._lock = DirectoryLock(path)
        self._digests = read_digests(path)

    def __enter__(self) -> RunDirectory:
        return self

    def __exit__(self, *_: object) -> None:
        for follower in self._followers:
            follower.close()
        self._lock.release()

    def follow(self, start: Callable[[], Follower]) -> None:
        """Start a follower, which receives each record from now on."""
        self._followers.append(start())

    @classmethod
    def create(
        cls,
        path: Path,
        config: Options,
        command: str,
        data_dir: Path,
        facts: Mapping[str, Any] | None = None,
        *,
        overwrite: bool = False,
    ) -> RunDirectory:
        """Make the directory with settings, environment and more `facts`; `overwrite` replaces an existing run."""
        try:
            real_path(path).parent.mkdir(parents=True, exist_ok=True)
            with one_at_a_time(real_path(path).parent):
                refuse_foreign(path)
                if path.exists() and not overwrite:
                    raise ConfigError(taken(path), setting="out")
                with ExitStack() as held, replaced_directory(path) as fresh:
                    if path.exists():
                        held.callback(DirectoryLock(path).release)
                    write_bytes(fresh / "config.toml", dump(config).encode())
                    write_json(fresh / "environment.json", {**environment(command, data_dir), **(facts or {})})
                    write_digests(fresh)
                return cls(path)
        except OSError as error:
            raise ConfigError(f"{path} cannot be made: {error.strerror}", setting="out") from None

    @classmethod
    def reopen(cls, path: Path, config: Options) -> RunDirectory:
        """Open a run to resume it, with settings that may have changed."""
        run = cls(path)
        for part in PARTS:
            recover_directory(path / part)
        run._release(*(name for name in run._digests if name not in LASTING))
        (path / "summary.json").unlink(missing_ok=True)
        settings, name = dump(config).encode(), LASTING[0]
        if name not in run._digests or settings != (path / name).read_bytes():
            run._release(name)
            run.write(name, lambda file: write_bytes(file, settings))
        run.log_time(resumed=datetime.now(timezone.utc).isoformat(timespec="seconds"))
        return run

    def write(self, name: str, write: Callable[[Path], None], *, final: bool = True) -> None:
        """Write the file `name`; a `final` one must not change from now on."""
        write(self.path / name)
        if final:
            self.seal(name)

    def seal(self, *names: str) -> None:
        """Add the digests of files that must not change from now on."""
        self._digests |= {name: digest(self.path / name) for name in names}
        write_digests(self.path, self._digests)

    def _release(self, *names: str) -> None:
        """Remove files that will change from the digests."""
        if any(name in self._digests for name in names):
            self._digests = {name: found for name, found in self._digests.items() if name not in names}
            write_digests(self.path, self._digests)

    def log(self, name: str, record: Mapping[str, Any]) -> None:
        """Add a record to the log ``<name>.jsonl``, and pass it to the followers."""
        append_json_line(self.path / f"{name}.jsonl", record)
        self._tell(name, record)

    def _tell(self, kind: str, record: Mapping[str, Any]) -> None:
        for follower in self._followers:
            follower.log(kind, record)

    def log_time(self, **record: Any) -> None:
        """Add a record to ``times.jsonl`` with the seconds since the start: clock time and processor time."""
        seconds, processor = time.monotonic() - self._started, time.process_time() - self._processor
        self.log("times", {"seconds": round(seconds, 3), "processor": round(processor, 3), **record})

    def logged(self) -> dict[str, dict[str, Any]]:
        """Flush each log to the disk and return its digest, with which `cut_logs` can cut back to this point."""
        paths = [path for path in sorted(self.path.glob("*.jsonl")) if path.name != TIMES]
        for path in paths:
            flush(path)
        return {path.name: asdict(digest(path)) for path in paths}

    def cut_logs(self, before: Mapping[str, Mapping[str, Any]]) -> None:
        """Cut the logs back to `before`, which `logged` returned; times stay. CheckpointError names a damaged log."""
        if found := changed_logs(self.path, before):
            raise CheckpointError("\n".join(f"{self.path / name}: {what}" for name, what in found.items()))
        for path in self.path.glob("*.jsonl"):
            if path.name in before:
                os.truncate(path, before[path.name]["bytes"])
            elif path.name != TIMES:
                path.unlink()

    def write_predictions(self, split: str, data: Mapping[str, Dataset], values: Mapping[str, Array]) -> None:
        """Write readable values [n, ...] and targets [n] of each task, one line per example; replace earlier files."""
        write_predictions(self.path, split, data, values)

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Write the summary and digest every file; this finishes the run."""
        self.log_time(finished=True)
        write_json(self.path / "summary.json", summary)
        logs = [path.name for path in self.path.glob("*.jsonl")]
        parts = [f"{part}/{DIGESTS}" for part in PARTS if (self.path / part).is_dir()]
        self.seal(*(name for name in LASTING if (self.path / name).is_file()), "summary.json", *logs, *parts)
        self._tell("summary", summary)

    def load_state(self, stage: str) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Return tensors and position of the state, if this stage saved one."""
        return load_state(self._state) if state_stage(self._state) == stage else None

    def save_state(self, tensors: Mapping[str, Tensor], position: Mapping[str, Any]) -> None:
        """Replace the state by these tensors and this position."""
        save_state(self._state, tensors, position)

    def drop_state(self, stage: str) -> None:
        """Remove the state, if it belongs to this stage."""
        if state_stage(self._state) == stage:
            remove_directory(self._state)


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
        return metadata.version(DISTRIBUTION if name == "mtft" else name)
    except metadata.PackageNotFoundError:
        return "not installed"


def changed_logs(run: Path, before: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return the faults of a run's logs, by name: each must still begin with the bytes recorded in `before`."""
    found = {}
    for name, kept in before.items():
        path, expected = run / name, Digest(kept["bytes"], kept["sha256"])
        now = digest(path, expected.bytes) if path.is_file() else None
        if now is None or now.bytes < expected.bytes:
            found[name] = f"is missing or shorter than when the run was saved ({expected.bytes} bytes)"
        elif now != expected:
            found[name] = f"was changed in the {expected.bytes} bytes that it had when the run was saved"
    return found


def recorded_data_dir(run: Path) -> Path | None:
    """Return the data directory that a run recorded; None without a record."""
    path = run / "environment.json"
    found = read_json(path).get("data_dir") if path.is_file() else None
    return Path(found) if isinstance(found, str) else None


def read_summary(run: Path) -> dict[str, Any]:
    """Read the summary of a finished run."""
    if not run.is_dir():
        raise CheckpointError(f"{run}: no such run directory")
    if not (run / "summary.json").is_file():
        raise CheckpointError(f"{run}: no finished run of mtft (no summary.json)")
    return read_json(run / "summary.json")
