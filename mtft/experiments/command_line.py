"""The command lines of the processes that an experiment starts: one for each run, and `mtft plan` for its estimate."""

from __future__ import annotations

import sys
from pathlib import Path

from mtft.experiments.expansion import PlannedRun
from mtft.experiments.references import references
from mtft.experiments.store import Store
from mtft.runs.fingerprints import HARMLESS, LOCATION

MTFT = (sys.executable, "-m", "mtft")


def run_command(run: PlannedRun, store: Store, threads: int) -> list[str]:
    """Return the command line that begins a run, or goes on with it if it was stopped."""
    if store.state(run.name) == "stopped":
        command = [*MTFT, run.command, *_option("resume", store.run(run.name)), *_option("threads", threads)]
        for key in sorted(HARMLESS - LOCATION - {"threads"}):  # the plan may have changed these
            value = getattr(run.config, key, None)
            if value is not None and value != ():
                command += _option(key, ",".join(value) if isinstance(value, tuple) else value)
        return command
    command = [*MTFT, run.command, *([str(store.path_of(run.origin))] if run.origin else [])]
    command += _option("config", store.settings(run.name))
    for key in type(run.config).settings():
        value = getattr(run.config, key)
        if next(references(value), None):
            paths = store.path_of(value)
            command += _option(key, ",".join(paths) if isinstance(paths, tuple) else paths)
    return [*command, *_option("threads", threads), *_option("out", store.run(run.name))]


def plan_command(settings: Path, threads: int) -> list[str]:
    """Return the command line that estimates a training with these settings and prints JSON."""
    return [*MTFT, "plan", *_option("config", settings), *_option("threads", threads), f"{'-' * 2}json"]


def _option(key: str, value: object) -> list[str]:
    return [f"{'-' * 2}{key.replace('_', '-')}", str(value)]
