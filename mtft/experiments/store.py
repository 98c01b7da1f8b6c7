"""The directory of an experiment: runs, records, settings and logs by the name of the run, and how far each run is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mtft.config.load import dump, load
from mtft.errors import CheckpointError, ConfigError
from mtft.experiments.expansion import PlannedRun
from mtft.experiments.references import references, replaced
from mtft.io.directories import remove_directory
from mtft.io.files import read_json, write_bytes, write_json
from mtft.io.text import show
from mtft.runs.fingerprints import HARMLESS
from mtft.runs.paths import is_finished
from mtft.runs.records import is_record, read_record, write_record

State = Literal["finished", "stopped", "new"]
"""How far the directory of a run is: complete, stopped before its end, or not there."""


@dataclass(frozen=True)
class Store:
    """Paths below the directory of an experiment."""

    root: Path

    def run(self, name: str) -> Path:
        """Return the directory of a run, with weights."""
        return self.root / "runs" / name

    def record(self, name: str) -> Path:
        """Return the directory of a run's record."""
        return self.root / "records" / name

    def log(self, name: str) -> Path:
        """Return the file with what a run printed."""
        return self.root / "logs" / f"{name}.log"

    def settings(self, name: str) -> Path:
        """Return the settings file that a run is started with."""
        return self.root / "settings" / f"{name}.toml"

    def facts(self, name: str) -> Path:
        """Return the file with what a run was planned as."""
        return self.root / "settings" / f"{name}.json"

    def recorded(self, name: str) -> bool:
        """Return whether a run has a record; CheckpointError if that is damaged."""
        if not is_record(self.record(name)):
            return False
        try:
            read_record(self.record(name))
        except CheckpointError as error:
            raise CheckpointError(f"{error}\nremove {self.record(name)} to make the run again") from None
        return True

    def state(self, name: str) -> State:
        """Return how far the directory of a run is."""
        if is_finished(self.run(name)):
            return "finished"
        return "stopped" if (self.run(name) / "config.toml").is_file() else "new"

    def path_of(self, value: Any) -> Any:
        """Return a setting's value with paths in the place of the runs that it refers to."""
        return replaced(value, lambda name: str(self.run(name)))

    def write_plan(self, run: PlannedRun, digest: str) -> None:
        """Write the settings of a run that starts now, and what it was planned as."""
        self.settings(run.name).parent.mkdir(parents=True, exist_ok=True)
        write_bytes(self.settings(run.name), dump(run.config, exclude={"out", "overwrite"}).encode())
        write_json(self.facts(run.name), {"command": run.command, "refines": run.origin, "plan": digest})

    def record_run(self, run: PlannedRun) -> None:
        """Write the record of a finished run, unless it has one."""
        if not is_record(self.record(run.name)):
            write_record(self.run(run.name), self.record(run.name), {"name": run.name, "entry": run.entry})

    def remove_weights(self, name: str) -> None:
        """Remove the directory of a run that has a record."""
        if self.run(name).is_dir():
            remove_directory(self.run(name))


def plan_digests(runs: Sequence[PlannedRun]) -> dict[str, str]:
    """Return a digest of each run's settings and, through them, of those of all runs that it needs.

    Settings that cannot change the result do not count, nor do defaults, which later versions may add. `runs` are in
    order.
    """
    found: dict[str, str] = {}
    for run in runs:
        kept = run.config.model_dump(mode="json", exclude_defaults=True, exclude={*HARMLESS})
        declared = getattr(run.config, "declared", {})
        needs = {name: found[name] for name in run.needs if name in used(run)}
        text = json.dumps([run.command, run.origin, kept, declared, needs], sort_keys=True)
        found[run.name] = hashlib.sha256(text.encode()).hexdigest()
    return found


def used(run: PlannedRun) -> set[str]:
    """Return the runs whose results enter a run; those that it only waits for are left out."""
    values = (getattr(run.config, key) for key in type(run.config).settings())
    return {name for value in (run.origin, *values) for name in references(value)}


def check_unchanged(runs: Sequence[PlannedRun], digests: Mapping[str, str], store: Store, file: Path) -> None:
    """Raise ConfigError if runs that exist were made with other settings; it names the differences, and what to do."""
    problems = []
    for run in runs:
        made = [path for path in (store.record(run.name), store.run(run.name)) if path.exists()]
        if not made:
            continue
        facts = read_json(store.facts(run.name)) if store.facts(run.name).is_file() else {}
        if facts.get("plan") != digests[run.name]:
            changes = "; ".join(_changes(run, facts, store)) or "a run that it starts from has other settings"
            problems.append(
                f"{file}: runs.{run.entry}: {run.name} was made with other settings: {changes}; undo the change, give "
                f"the run another name, or remove {' and '.join(map(str, made))} to make it again"
            )
    if problems:
        raise ConfigError("\n".join(problems))


def _changes(run: PlannedRun, facts: Mapping[str, Any], store: Store) -> list[str]:
    """Return in words how the settings of a run differ from those that it was made with."""
    if not facts:
        return [f"{store.facts(run.name)}, which says what it was made with, is missing"]
    if facts.get("refines", "") != run.origin:
        return [f"refine: {facts.get('refines') or 'none'} -> {run.origin or 'none'}"]
    before = load(type(run.config), file=store.settings(run.name)).config
    return [
        f"{key}: {show(old)} -> {show(new)}"
        for key in type(run.config).model_fields
        if key not in HARMLESS and (old := getattr(before, key)) != (new := getattr(run.config, key))
    ]
