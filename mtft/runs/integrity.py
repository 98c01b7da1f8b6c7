"""Find files of a run that differ from what was written: damaged, missing, of another run, or unknown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mtft.config.groups import Options
from mtft.config.load import load
from mtft.config.schema import SCHEMAS
from mtft.errors import CheckpointError, MtftError
from mtft.io.digests import NAME, Digests, damages, read_digests
from mtft.io.directories import LOCK, current_directory, lock_holder
from mtft.io.files import read_json
from mtft.runs.fingerprints import settings_digest
from mtft.runs.looks import LOOKS
from mtft.runs.run_directory import LASTING, PARTS, changed_logs

LOGS = ("steps.jsonl", "metrics.jsonl", "conflicts.jsonl", "times.jsonl")
ADDED = ("report.html", LOOKS)
"""Files that `mtft report` and `mtft eval` add to a run."""

STATE_FILES = ("position.json", "tensors.safetensors")


@dataclass(frozen=True)
class Damage:
    """A file, relative to the run, and its fault."""

    file: str
    what: str


@dataclass
class Integrity:
    """The result: problems, harmless notes, and the number of intact files and bytes."""

    finished: bool = False
    problems: list[Damage] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    files: int = 0
    bytes: int = 0

    def sound(self, part: str) -> bool:
        """Return whether a part of the run has no problem."""
        return not any(problem.file.startswith(f"{part}/") for problem in self.problems)


def check_files(run: Path) -> Integrity:
    """Compare a run's files, finished or not, with their digests; CheckpointError if it is not a run or in use."""
    if not run.is_dir():
        raise CheckpointError(f"{run}: no such run directory")
    if not any((run / name).exists() for name in (NAME, *LASTING[:2])):
        raise CheckpointError(f"{run}: not an mtft run (no {NAME}, config.toml or environment.json)")
    if holder := lock_holder(run):
        raise CheckpointError(f"{run}: in use by another process ({holder}); its files may change")
    found = Integrity()
    listed = _check_directory(run, "", found)
    found.finished = "summary.json" in listed
    _name_others(run, listed, found)
    for part in PARTS:
        if (there := current_directory(run / part)).is_dir():
            names = _check_directory(there, f"{part}/", found)
            for entry in sorted(there.iterdir()):
                if entry.name not in names and entry.name != NAME:
                    found.problems.append(Damage(f"{part}/{entry.name}", "is not a file of this run"))
    _check_state(run, found)
    if not found.finished:
        found.notes.append("the run has not finished; files written since the last save are not digested yet")
    return found


def _check_directory(directory: Path, prefix: str, found: Integrity) -> Digests:
    """Compare a directory's files with its digests; return the digests."""
    try:
        listed = read_digests(directory)
    except CheckpointError as error:
        found.problems.append(Damage(f"{prefix}{NAME}", _without(error, directory)))
        return {}
    wrong = damages(directory, listed, listed)
    found.problems += [Damage(f"{prefix}{name}", what) for name, what in wrong.items()]
    if len(wrong) == len(listed) > 1:
        found.problems.append(Damage(f"{prefix}{NAME}", "matches none of the files: it belongs to another run"))
    sound = [entry for name, entry in listed.items() if name not in wrong]
    found.files += len(sound)
    found.bytes += sum(entry.bytes for entry in sound)
    return listed


def _name_others(run: Path, listed: Iterable[str], found: Integrity) -> None:
    """Report unlisted files of a run; until it has finished, files that still change are not listed."""
    changing = () if found.finished else (*LASTING, "summary.json", "features", *LOGS)
    known = {*listed, *PARTS, *ADDED, *changing, NAME, LOCK}
    for entry in sorted(run.iterdir()):
        if entry.is_symlink() or (entry.name not in known and not entry.name.startswith(".")):
            what = "is a link" if entry.is_symlink() else "is not a file of this run"
            found.problems.append(Damage(entry.name, what))
        elif entry.name not in known:
            found.notes.append(f"{entry.name} was left by a run that was stopped while writing; it is never read")


def _check_state(run: Path, found: Integrity) -> None:
    """Compare the state with the settings, and the logs with the digests in the state."""
    if not found.sound("state") or not (directory := current_directory(run / "state")).is_dir():
        return
    try:
        position = read_json(directory / STATE_FILES[0])
        config = run_config(run)
    except MtftError as error:
        found.problems.append(Damage("config.toml", str(error)))
        return
    if position.get("settings") != settings_digest(config):
        found.problems.append(Damage(f"state/{STATE_FILES[0]}", "belongs to a run with other settings"))
    elif not found.finished:
        logs: dict[str, Any] = position.get("logs", {})
        found.problems += [Damage(name, what) for name, what in changed_logs(run, logs).items()]


def run_config(run: Path) -> Options:
    """Return the settings of a run; MtftError if they cannot be read."""
    command = read_json(run / "environment.json").get("command")
    schemas = {schema.__name__: schema for schema in SCHEMAS}
    schema = schemas.get(f"{str(command).capitalize()}Config")
    if schema is None:
        raise CheckpointError(f"environment.json: command is {command!r}, which does not make runs")
    return load(schema, file=run / "config.toml").config


def _without(error: CheckpointError, directory: Path) -> str:
    """Return an error's text without its path, which is reported separately."""
    return str(error).removeprefix(f"{directory / NAME}: ").removeprefix(f"{directory}: ")
