"""Where results go: a path that is free, and what to do about one that is not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mtft.errors import CheckpointError, ConfigError, command, setting
from mtft.io.digests import read_digests
from mtft.io.directories import lock_holder, real_path
from mtft.io.files import read_json

LONGEST_NAME = 80
"""Most characters of a name made from tasks; file systems take 255 bytes."""

RECORD = "record.json"
"""The file that marks the record of a run, which has no weights (`mtft.runs.records`)."""


def free_path(given: Path | None, default: str, suffix: str = "", *, overwrite: bool) -> Path:
    """Return the path to write to: the one given, or the default with the first free number and the suffix.

    ConfigError for a path that exists, unless `overwrite`, and for one that holds the working directory.
    """
    path = given or Path(f"{default}{suffix}")
    if path.exists() and not overwrite:
        if given:
            raise ConfigError(taken(given), setting="out")
        numbered = (Path(f"{default}-{number}{suffix}") for number in range(2, 10_000))
        path = next(path for path in numbered if not path.exists())
    if real_path(path) in (Path.cwd(), *Path.cwd().parents):
        raise ConfigError(f"{path} is or holds the working directory; it is not replaced", setting="out")
    return path


def default_name(tasks: Sequence[str]) -> str:
    """Return the name of what is made from tasks: their names, of many only the first, and how many more there are."""
    name = "-".join(tasks)
    if len(name) <= LONGEST_NAME:
        return name
    end = f"-and-{len(tasks) - 1}-more" if len(tasks) > 1 else ""
    return f"{tasks[0][: LONGEST_NAME - len(end)]}{end}"


def keep_apart(path: Path, run: Path, what: str) -> None:
    """Raise ConfigError if an output path is, holds or is in a run, which `what` describes."""
    here, there = run.resolve(), path.resolve()
    if here == there or here in there.parents or there in here.parents:
        raise ConfigError(f"{path} is, holds or is in {what}, {run}; it is never changed", setting="out")


def refuse_foreign(path: Path) -> None:
    """Raise ConfigError if something other than a run is at `path`: only runs are ever replaced."""
    if path.exists() and not all((path / name).is_file() for name in ("config.toml", "environment.json")):
        raise ConfigError(f"{path} exists and is not an mtft run; it is not overwritten", setting="out")


def taken(path: Path) -> str:
    """Say what is at a path that a new run may not replace, and what helps."""
    if path.is_dir() and lock_holder(path):
        return f"{path} is a run in progress; choose another"
    if made := stopped_command(path):
        advice = f"{command(made, resume=path)} continues it, {setting('overwrite', True)} replaces it"
        return f"{path} is a run that was stopped; {advice}"
    return f"{path} exists; choose another or give {setting('overwrite', True)}"


def stopped_command(path: Path) -> str:
    """Return the command that made the run at a path and was stopped, "" if there is none."""
    if not (path / "config.toml").is_file() or is_finished(path):
        return ""
    try:
        return str(read_json(path / "environment.json").get("command", ""))
    except (CheckpointError, OSError):
        return ""


def is_finished(run: Path) -> bool:
    """Return whether a run has finished: its summary is then listed in the digests."""
    return (run / "summary.json").is_file() and "summary.json" in read_digests(run)
