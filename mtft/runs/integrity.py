"""Which files of a run are not what was written: damaged, missing, of another run, or of no run at all."""

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
from mtft.runs.directory import LASTING, PARTS, changed_logs
from mtft.runs.fingerprints import settings_digest

LOGS = ("steps.jsonl", "metrics.jsonl", "conflicts.jsonl", "times.jsonl")
ADDED = ("report.html",)
"""What `mtft report` puts into a run."""

STATE_FILES = ("position.json", "tensors.safetensors")


@dataclass(frozen=True)
class Damage:
    """A file, named from the run on, and what is wrong with it."""

    file: str
    what: str


@dataclass
class Integrity:
    """What was found: problems, notes that are none, how many files and bytes are as they were written."""

    finished: bool = False
    problems: list[Damage] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    files: int = 0
    bytes: int = 0

    def sound(self, part: str) -> bool:
        """Tell whether nothing is wrong in a part of the run."""
        return not any(problem.file.startswith(f"{part}/") for problem in self.problems)


def check_files(run: Path) -> Integrity:
    """Compare the files of a run, finished or not, with their digests; CheckpointError if it is none or in use."""
    if not run.is_dir():
        raise CheckpointError(f"{run}: no such run directory")
    if not any((run / name).exists() for name in (NAME, *LASTING[:2])):
        raise CheckpointError(f"{run}: no run of mtft (no {NAME}, config.toml or environment.json)")
    if holder := lock_holder(run):
        raise CheckpointError(f"{run}: in use by another process ({holder}); what it writes now cannot be judged")
    found = Integrity()
    listed = _check_directory(run, "", found)
    found.finished = "summary.json" in listed
    _name_others(run, listed, found)
    for part in PARTS:
        if (there := current_directory(run / part)).is_dir():
            names = _check_directory(there, f"{part}/", found)
            for entry in sorted(there.iterdir()):
                if entry.name not in names and entry.name != NAME:
                    found.problems.append(Damage(f"{part}/{entry.name}", "is no file of this run"))
    _check_state(run, found)
    if not found.finished:
        found.notes.append("the run has not finished; what it wrote since it was saved last is not digested yet")
    return found


def _check_directory(directory: Path, prefix: str, found: Integrity) -> Digests:
    """Compare what a directory's digests list; return them."""
    try:
        listed = read_digests(directory)
    except CheckpointError as error:
        found.problems.append(Damage(f"{prefix}{NAME}", _without(error, directory)))
        return {}
    wrong = damages(directory, listed, listed)
    found.problems += [Damage(f"{prefix}{name}", what) for name, what in wrong.items()]
    if len(wrong) == len(listed) > 1:
        found.problems.append(Damage(f"{prefix}{NAME}", "fits none of the files: it is of another run"))
    sound = [entry for name, entry in listed.items() if name not in wrong]
    found.files += len(sound)
    found.bytes += sum(entry.bytes for entry in sound)
    return listed


def _name_others(run: Path, listed: Iterable[str], found: Integrity) -> None:
    """Name what lies in a run and is not listed: nothing but what changes until the run has finished."""
    changing = () if found.finished else (*LASTING, "summary.json", "features", *LOGS)
    known = {*listed, *PARTS, *ADDED, *changing, NAME, LOCK}
    for entry in sorted(run.iterdir()):
        if entry.is_symlink() or (entry.name not in known and not entry.name.startswith(".")):
            found.problems.append(Damage(entry.name, "is a link" if entry.is_symlink() else "is no file of this run"))
        elif entry.name not in known:
            found.notes.append(f"{entry.name} was left by a run that was stopped while writing; it is never read")


def _check_state(run: Path, found: Integrity) -> None:
    """Compare the state with the settings, and the logs with what the state says that they began with."""
    if not found.sound("state") or not (place := current_directory(run / "state")).is_dir():
        return
    try:
        position = read_json(place / STATE_FILES[0])
        config = run_config(run)
    except MtftError as error:
        found.problems.append(Damage("config.toml", str(error)))
        return
    if position.get("settings") != settings_digest(config):
        found.problems.append(Damage(f"state/{STATE_FILES[0]}", "is of a run with other settings"))
    elif not found.finished:
        logs: dict[str, Any] = position.get("logs", {})
        found.problems += [Damage(name, what) for name, what in changed_logs(run, logs).items()]


def run_config(run: Path) -> Options:
    """Return the settings of a run; MtftError if they cannot be read."""
    command = read_json(run / "environment.json").get("command")
    schemas = {schema.__name__: schema for schema in SCHEMAS}
    schema = schemas.get(f"{str(command).capitalize()}Config")
    if schema is None:
        raise CheckpointError(f"environment.json: command is {command!r}, which makes no run")
    return load(schema, file=run / "config.toml").config


def _without(error: CheckpointError, directory: Path) -> str:
    """Return an error's text without the name of the place, which is said beside it."""
    return str(error).removeprefix(f"{directory / NAME}: ").removeprefix(f"{directory}: ")
